"""Reads the policy file of a gate: one rule a line (`#` starts a comment), or a YAML list of rules. `GRAMMAR`
lists the rules; `results.gate` judges them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from results.errors import ResultsError
from results.schema import UNITS, Unit

GRAMMAR = """rules, one a line; # starts a comment:
  NAME superior to NAME [on TASK]                  better, by the exact paired test after Holm
  NAME non-inferior to NAME [by POINTS] [on TASK]  at most POINTS worse; without by: the run's margin, or 5
  NAME cheaper than NAME [on TASK]                 fewer generated tokens
  tokens NAME <= X NAME [on TASK]                  whole interval of the ratio; also: flops, usd
  score NAME >= PERCENT [on TASK]                  whole 95 % interval of the score; also: <=
  overlap == 0                                     no training input overlaps a test item

  NAME is a variant of the run. With two runs, A is the earlier and B the one that is checked: A and B where
  each has one variant, else A:VARIANT and B:VARIANT; a name without a letter is B's. Names with spaces stand
  in double quotes. Without on TASK a rule must hold on every task; on all asks it once, over all tasks
  (of one run). Percent and points are for metrics from 0 to 1; other metrics take figures in their own unit.

examples:
  distilled superior to base
  tokens distilled <= 0.5 s2 on gsm8k
  B:distilled non-inferior to A:distilled by 2     # s2d-bench gate EARLIER RUN --policy FILE
"""

NAME = r'(?:"[^"]+"|\S+)'
NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
SIGNED = rf"-?{NUMBER}"
ON = rf"(?:\s+on\s+(?P<task>{NAME}))?"
Kind = Literal["superior", "non_inferior", "cheaper", "ratio", "score", "overlap"]
FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("superior", re.compile(rf"(?P<b>{NAME})\s+superior\s+to\s+(?P<a>{NAME}){ON}")),
    (
        "non_inferior",
        re.compile(
            rf"(?P<b>{NAME})\s+non-inferior\s+to\s+(?P<a>{NAME})(?:\s+by\s+(?P<number>{NUMBER}))?{ON}"
        ),
    ),
    ("cheaper", re.compile(rf"(?P<b>{NAME})\s+cheaper\s+than\s+(?P<a>{NAME}){ON}")),
    (
        "ratio",
        re.compile(
            rf"(?P<unit>tokens|flops|usd)\s+(?P<b>{NAME})\s+<=\s+(?P<number>{NUMBER})\s+(?P<a>{NAME}){ON}"
        ),
    ),
    ("score", re.compile(rf"score\s+(?P<b>{NAME})\s+(?P<sign><=|>=)\s+(?P<number>{SIGNED}){ON}")),
    ("overlap", re.compile(r"overlap\s*==\s*0")),
)
EXAMPLES = "distilled superior to base; tokens distilled <= 0.5 s2; overlap == 0"
ALL = "all"


@dataclass(frozen=True)
class Rule:
    """One line of a policy."""

    text: str
    kind: Kind
    a: str = ""
    b: str = ""
    number: float | None = None
    """Margin in points of `non_inferior`, bound of `ratio` and `score`."""
    at_least: bool = True
    """`score`: whether the number is a lower bound."""
    unit: Unit = "tokens"
    task: str | None = None
    """None: every task; `all`: all tasks together."""


def read_policy(path: Path) -> list[Rule]:
    """The rules of a policy file. ResultsError names the file and the line, with an example."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ResultsError(
            f"policy {path} does not exist or is a folder: name a file with one rule a line, such as: "
            f"{EXAMPLES}"
        ) from error
    except UnicodeDecodeError as error:
        raise ResultsError(f"policy {path} is not UTF-8 text: save it as UTF-8") from error
    plain = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    written = [line for line in plain if line]
    if written and (written[0].startswith("- ") or written[0] == "rules:"):
        written = _from_yaml(text, path)
    if not written:
        raise ResultsError(f"policy {path} has no rule: write one a line, such as: {EXAMPLES}")
    return [parse_rule(line, path) for line in written]


def parse_rule(text: str, path: Path) -> Rule:
    """One rule; `path` is for the error message."""
    line = " ".join(text.split())
    for kind, form in FORMS:
        match = form.fullmatch(line)
        if match:
            found = match.groupdict()
            number = found.get("number")
            rule = Rule(
                text=line,
                kind=kind,
                a=_unquoted(found.get("a")) or "",
                b=_unquoted(found.get("b")) or "",
                number=None if number is None else float(number),
                unit=next((unit for unit in UNITS if unit == found.get("unit")), "tokens"),
                at_least=found.get("sign") != "<=",
                task=_unquoted(found.get("task")),
            )
            if kind == "non_inferior" and rule.number is not None and not 0 < rule.number < 100:
                raise ResultsError(
                    f"policy {path}: the margin in {line!r} is not between 0 and 100 points: change it"
                )
            if rule.a and rule.a == rule.b:
                raise ResultsError(
                    f"policy {path}: {line!r} compares {rule.a!r} with itself: name two variants"
                )
            return rule
    raise ResultsError(
        f"policy {path}: {line!r} is not a rule: write, for example, {EXAMPLES} (gate --help lists all)"
    )


def _from_yaml(text: str, path: Path) -> list[str]:
    import yaml

    try:
        document = yaml.safe_load(text)
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        raise ResultsError(
            f"policy {path} is not valid YAML ({' '.join(str(error).split())}); fix it"
        ) from error
    rules = document.get("rules") if isinstance(document, dict) else document
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ResultsError(
            f"policy {path}: every item of the list must be a rule as text, such as: {EXAMPLES}"
        )
    return rules


def _unquoted(name: str | None) -> str | None:
    return None if name is None else name.strip('"')
