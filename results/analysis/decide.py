"""Decides which variants of a task with planned looks may stop: all of their claims are decided or given up.

A run with `--until-decided` calls this after each look. It tests exactly the claims of the tables, at the
levels of Holm's procedure over all tasks; nothing else can stop a variant. A task ends when all of its
variants have stopped. System 2 often stops first: its claims are decided long before that of the distilled
variant against base, which asks only those two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from results.analysis import looks, reasoning
from results.analysis.claims import Comparisons
from results.analysis.leaderboard import compare_pairs, cost_model
from results.analysis.repeated import sides
from results.analysis.verdicts import ALPHA
from results.records.load import load_run
from results.schema import Comparison, Ended, LooksOfTask
from results.statistics.sequential.estimates import futile
from results.statistics.sequential.plan import Plan


class Standing(NamedTuple):
    """A task after a look."""

    ended: Ended | None
    """Why the whole task may stop; None if a claim is still open."""
    stopped: frozenset[str]
    """Variants without an open claim. A variant without any claim stops with the task."""


def standings(folder: Path) -> dict[str, Standing]:
    """Each task of a run after a look. `folder` holds a manifest with a plan, and samples of the looks so
    far. ResultsError if it cannot be read.
    """
    run = load_run(folder)
    plan = run.manifest["looks"]
    compared = Comparisons(plan["margin"] / 100, cost_model(run), set(), plans=looks.plans(run.manifest))
    compare_pairs(run, compared, reasoning.lacking(run))
    rows = compared.decide()
    return {
        task: _standing(
            [row for row in rows if row["task"] == task and waits_for(row)],
            of_task,
            _stopped_before(plan["tasks"][task], run.manifest["variants"]),
        )
        for task, of_task in compared.plans.items()
    }


def waits_for(row: Comparison) -> bool:
    """Whether the stopping rule includes this claim: those on primary metrics and on tokens. Not the noise
    floor, nor the tokens of two variants with one method, about which distillation claims nothing.
    """
    if row.get("noise_floor"):
        return False
    return not row.get("one_program") if row["claim"] == "cheaper" else row["primary"]


def _stopped_before(task: LooksOfTask, variants: Iterable[str]) -> set[str]:
    asked = task["variants"]
    return {name for name in variants if asked and asked.get(name, 0) < task["asked"]}


def _standing(rows: Sequence[Comparison], plan: Plan, before: set[str]) -> Standing:
    undecided = [row for row in rows if row["verdict"] == "cannot_tell" and not row.get("same")]
    # More items cannot decide a claim about a variant that has stopped.
    waiting = [
        row for row in undecided
        if not before & {row["a"], row["b"]} and not (plan.futility and _given_up(row, plan))
    ]  # fmt: skip
    claimed, still = (frozenset(row[side] for row in of for side in ("a", "b")) for of in (rows, waiting))
    if waiting or not rows:
        return Standing(None, claimed - still)
    return Standing("given up" if undecided else "decided", claimed)


def _given_up(row: Comparison, plan: Plan) -> bool:
    history = row.get("looks") or []
    if not history or row.get("turned_by_cut"):
        return False
    z = {look["look"] - 1: look["z"] for look in history}
    last = max(z)
    if last < plan.made:  # the plan is new, and has not looked at this claim yet
        return False
    above, below = sides(z)
    level = row["level"] if row["claim"] == "superior" else ALPHA
    final = plan.bound(plan.looks - 1, above if z[last] >= 0 else below, level)
    return futile(z[last], plan.shares[last - plan.made], final)
