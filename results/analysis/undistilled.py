"""Why nothing was distilled, in words: from the counts of dropped inputs in the distillation record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from results.records.roles import ALL_TASKS
from results.schema import DistillationRow

CAUSES = {
    "no_majority": "System 2 did not agree with itself on {}",
    "all_failed": "no answer of System 2 could be read on {}",
    "order_inconsistent": "System 2's answer changed with the order of the two responses on {}",
    "tie": "System 2 saw a tie on {}",
    "usc_no_choice": "the model chose none of its own answers on {}",
    "perturbation_inconsistent": "another form of the question got another answer on {}",
    "no_reply": "no reply of System 2 could be taught whole on {}",
    "target_not_readable": "the task's rule could not read its own target on {}",
}
"""Reason in `dropped` -> words, with a place for the number of inputs."""
MANY = 0.25
"""Share of the dropped inputs from which a reason is named."""


def records(distillation: Sequence[DistillationRow], variant: str, task: str) -> list[DistillationRow]:
    """The records of a variant on a task, one a seed, that have no checkpoint."""
    return [
        row
        for row in distillation
        if row["variant"] == variant and row["task"] in (task, ALL_TASKS) and row["status"] == "not_distilled"
    ]


def cause(rows: Sequence[DistillationRow]) -> str:
    """The commonest reasons with their counts, over all seeds of a task: `no answer of System 2 could be read
    on 18 of 20 inputs`.
    """
    if any(row.get("reason") for row in rows):
        return "the notes say why"
    inputs = sum(row["inputs"] or 0 for row in rows)
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(row["dropped"])
    whole = dropped.total()
    if not whole:
        return f"System 2 was asked about only {inputs:,} input{'' if inputs == 1 else 's'}"
    named = [(reason, count) for reason, count in dropped.most_common() if count >= MANY * whole]
    of = f" of {inputs:,} inputs"
    first, *others = (
        CAUSES.get(reason, reason.replace("_", " ") + " on {}").format(f"{count:,}")
        for reason, count in named
    )
    return " and ".join([first + of, *others])
