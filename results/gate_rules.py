"""Judges single rules of a gate by a claim, a score or the overlap of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from results.analysis.verdicts import Claim
from results.policy import Kind, Rule
from results.records.load import RunData
from results.schema import RATIO_KEYS, ClaimName, Verdict

Status = Literal["holds", "fails", "cannot_tell"]
EXIT_CODES: dict[Status, int] = {"holds": 0, "fails": 1, "cannot_tell": 3}
OF_VERDICT: dict[Verdict, Status] = {"yes": "holds", "no": "fails", "cannot_tell": "cannot_tell"}
WORDS: dict[Status, str] = {"holds": "holds", "fails": "FAILS", "cannot_tell": "cannot tell"}


CLAIM_OF: dict[Kind, ClaimName] = {
    "superior": "superior",
    "non_inferior": "non_inferior",
    "cheaper": "cheaper",
    "ratio": "cheaper",
}


def of_claim(rule: Rule, row: Claim) -> tuple[Status, str]:
    """Status and reason of a rule by the claim that answers it."""
    return _ratio(rule, row) if rule.kind == "ratio" else _claim(rule, row)


def score(
    rule: Rule,
    task: str,
    metric: str,
    value: float | None,
    low: float | None,
    high: float | None,
    scale: float,
) -> tuple[Status, str]:
    """Status and reason of a rule on a score; `scale` is 100 if the rule is in percent."""
    if value is None or rule.number is None:
        return "cannot_tell", f"{rule.text}: no score of {rule.b} on {task}."
    if low is None or high is None:
        return "cannot_tell", f"{rule.text}: {scale * value:.4g} without an interval, on {task} ({metric})."
    reason = (
        f"{rule.text}: {scale * value:.4g}, 95 % interval {scale * low:.4g} to {scale * high:.4g}, on {task} "
        f"({metric})."
    )
    if rule.at_least:
        holds, fails = scale * low >= rule.number, scale * high < rule.number
    else:
        holds, fails = scale * high <= rule.number, scale * low > rule.number
    return "holds" if holds else "fails" if fails else "cannot_tell", reason


def _claim(rule: Rule, row: Claim) -> tuple[Status, str]:
    return OF_VERDICT[row["verdict"]], f"{rule.text}: {row['sentence']}"


def _ratio(rule: Rule, row: Claim) -> tuple[Status, str]:
    value, low, high = (row.get(key) for key in RATIO_KEYS[rule.unit])
    if value is None or rule.number is None:
        hint = "give --prices" if rule.unit == "usd" else "the records do not hold it"
        return "cannot_tell", f"{rule.text}: the ratio is unknown on {row['task']} ({hint})."
    if low is None or high is None:
        return "cannot_tell", f"{rule.text}: ratio {value:.3f} without an interval, on {row['task']}."
    reason = f"{rule.text}: ratio {value:.3f}, 95 % interval {low:.3f} to {high:.3f}, on {row['task']}."
    if high <= rule.number:
        return "holds", reason
    return ("fails" if low > rule.number else "cannot_tell"), reason


def overlap(rule: Rule, run: RunData) -> tuple[Status, str]:
    trained = [e for e in run.manifest["distillation"] if e.get("status") != "not_distilled"]
    if not trained:
        return "holds", f"{rule.text}: nothing was trained."
    if any(entry.get("allow_overlap") or entry.get("overlap") is None for entry in trained):
        return "cannot_tell", f"{rule.text}: overlap was allowed or not recorded, so it was not counted."
    unchecked = sorted({str(name) for entry in trained for name in entry.get("overlap_unchecked") or []})
    if unchecked:
        names = ", ".join(unchecked)
        return "cannot_tell", f"{rule.text}: the test items of {names} could not be loaded: not checked."
    # A mapping counts candidates left out before sampling, by kind; a number counts remaining overlaps.
    counts: list[object] = [entry["overlap"] for entry in trained]
    left_out = sum(sum(count.values()) for count in counts if isinstance(count, Mapping))
    remained = sum(int(count) for count in counts if isinstance(count, int | float))
    reason = (
        f"{remained:,} training inputs overlap test items ({left_out:,} candidates were left out before)."
    )
    return ("fails" if remained else "holds"), f"{rule.text}: {reason}"
