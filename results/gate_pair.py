"""Judges two runs, or logs of other harnesses, by a policy.

A is the earlier one, B the one to check; a single log is both.

Claims come from `results.compare` with the exact test. Holm's correction runs over the superiority rules of
the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.analysis import looks
from results.analysis.clusters import sample
from results.analysis.verdicts import is_primary
from results.compare.metrics import Asked, within_one
from results.compare.run import choose, labels, outcome
from results.compare.sides import Side, Table, load_side
from results.errors import ResultsError
from results.gate_rules import CLAIM_OF, Status, of_claim, overlap, score
from results.policy import ALL, Rule
from results.records.log import SHARE
from results.schema import Comparison
from results.statistics.sequential.plan import Plan

Pair = tuple[str, str]


@dataclass(frozen=True)
class _Sides:
    first: Side
    second: Side
    prices: Path | None

    def side(self, letter: str) -> Side:
        return self.first if letter == "A" else self.second

    def find(self, name: str, rule: Rule, policy: Path) -> tuple[str, str]:
        """(letter, variant) of a name in a rule; the variant is empty if its side has only one."""
        letter, _, variant = name.partition(":")
        if name not in ("A", "B") and not (letter in ("A", "B") and variant):
            letter, variant = "B", name
        known = list(dict.fromkeys(variant for _, variant in self.side(letter).tables))
        if (variant and variant not in known) or (not variant and len(known) > 1):
            raise ResultsError(
                f"policy {policy}: {rule.text!r} names {name!r}, but {self.side(letter).name} has "
                f"{', '.join(known)}; name A or B (of one variant), or A:VARIANT, B:VARIANT"
            )
        return letter, variant

    def pair(self, rule: Rule, policy: Path) -> Pair:
        """The names of both sides of a rule, in the form of `compare`."""
        a, b = (
            f"{letter}:{variant}" if variant else letter
            for letter, variant in (self.find(name, rule, policy) for name in (rule.a, rule.b))
        )
        if a == b:
            raise ResultsError(f"policy {policy}: {rule.text!r} compares {a} with itself: name two sides")
        return a, b

    def claims(self, pairs: Sequence[Pair], margin: float | None) -> dict[Pair, list[Comparison]]:
        """Claims of each pair, by the exact test; Holm runs over all of these pairs."""
        named = [name for pair in pairs for name in pair]
        found = outcome(self.first, self.second, Asked(margin), self.prices, named, exact=True)
        rows: dict[Pair, list[Comparison]] = {}
        for pair in pairs:
            chosen, _ = choose(self.first, self.second, pair)
            names = {labels(each) for each in chosen}
            rows[pair] = [row for row in found.compared["comparisons"] if (row["a"], row["b"]) in names]
        return rows


def judge_sides(
    rules: Sequence[Rule], a: Path, b: Path | None, policy: Path, prices: Path | None
) -> list[tuple[Status, str]]:
    """Status and reason of every rule. ResultsError if a rule names a variant or task that no side has."""
    first = load_side(a)
    sides = _Sides(first, first if b is None else load_side(b), prices)
    for rule in rules:
        _require_known(rule, sides, policy)
    better = {rule: sides.pair(rule, policy) for rule in rules if rule.kind == "superior"}
    decided = sides.claims(list(dict.fromkeys(better.values())), None) if better else {}
    claimed: dict[tuple[Pair, float | None], list[Comparison]] = {}
    judged: list[tuple[Status, str]] = []
    for side in [first] if b is None else [first, sides.second]:
        run = side.run
        if run is not None and run.manifest.get("status") not in (None, "finished"):
            text = f"{run.manifest['run']} is {run.manifest['status']}, not finished: repeat its command."
            judged.append(("cannot_tell", text))
    for rule in rules:
        if rule.kind == "overlap":
            run = sides.second.run
            text = f"{rule.text}: a log of another harness does not record the training data."
            judged.append(("cannot_tell", text) if run is None else overlap(rule, run))
        elif rule.kind == "score":
            judged += _scores(rule, sides, policy)
        else:
            pair = sides.pair(rule, policy)
            if rule in better:
                judged += _claimed(rule, decided[pair])
                continue
            # The number of a rule on tokens or dollars is no margin.
            margin = rule.number if rule.kind == "non_inferior" else None
            if (pair, margin) not in claimed:
                claimed[pair, margin] = sides.claims([pair], margin)[pair]
            judged += _claimed(rule, claimed[pair, margin])
    return judged


def _claimed(rule: Rule, rows: Sequence[Comparison]) -> list[tuple[Status, str]]:
    wanted = [
        row
        for row in rows
        if row["claim"] == CLAIM_OF[rule.kind] and is_primary(row) and rule.task in (None, row["task"])
    ]
    if not wanted:
        return [("cannot_tell", f"{rule.text}: the records do not hold what this rule needs.")]
    return [of_claim(rule, row) for row in wanted]


def _scores(rule: Rule, sides: _Sides, policy: Path) -> list[tuple[Status, str]]:
    letter, variant = sides.find(rule.b, rule, policy)
    found = [
        _score(rule, task, table, sides.side(letter).plans.get(task))
        for (task, of_variant), table in sides.side(letter).tables.items()
        if variant in ("", of_variant) and rule.task in (None, task)
    ]
    return found or [("cannot_tell", f"{rule.text}: {rule.b} has no score on {rule.task or 'any task'}.")]


def _score(rule: Rule, task: str, table: Table, plan: Plan | None) -> tuple[Status, str]:
    metric, about = next(iter(table.metrics.items()))
    asked = looks.newest(table.columns, plan)
    found = sample(asked, metric) if about.figure == "mean" else None
    if found is None:
        return "cannot_tell", f"{rule.text}: {metric} of one side has no interval, on {task}."
    if metric in table.lacking and table.lacking[metric].any():
        rows = int(table.lacking[metric].sum())
        return "cannot_tell", f"{rule.text}: {rows:,} rows of {metric} have no number, on {task}."
    interval, _ = looks.score_interval(found, plan, int(asked.look.max()))
    share = about.unit == SHARE or (not about.unit and within_one(table, metric))
    return score(rule, task, metric, found.score, interval.low, interval.high, 100.0 if share else 1.0)


def _require_known(rule: Rule, sides: _Sides, policy: Path) -> None:
    if rule.task == ALL:
        raise ResultsError(
            f"policy {policy}: {rule.text!r}: `on all` is for one run of s2d-bench; name a task, or leave "
            "it out"
        )
    tasks = list(dict.fromkeys([*sides.first.tasks, *sides.second.tasks]))
    if rule.task not in (None, *tasks):
        raise ResultsError(
            f"policy {policy}: {rule.text!r} names task {rule.task!r}, but the runs have {', '.join(tasks)}; "
            "change it"
        )
