"""Decides whether a task with planned looks may stop: each of its claims is decided, or given up.

A run with `--until-decided` calls this after each look. It tests exactly the claims of the tables, at the
levels of Holm's procedure over all tasks; nothing else can end a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from results.analysis import looks, reasoning
from results.analysis.claims import Comparisons
from results.analysis.leaderboard import compare_pairs, cost_model
from results.analysis.verdicts import ALPHA
from results.records.load import load_run
from results.schema import Comparison, Ended
from results.statistics.sequential.estimates import futile
from results.statistics.sequential.plan import Plan


def ended(folder: Path) -> dict[str, Ended]:
    """The tasks of a run that may stop now, with the reason. `folder` holds a manifest with a plan, and
    samples of the looks so far. ResultsError if it cannot be read.
    """
    run = load_run(folder)
    plan = run.manifest["looks"]
    compared = Comparisons(plan["margin"] / 100, cost_model(run), set(), plans=looks.plans(run.manifest))
    compare_pairs(run, compared, reasoning.lacking(run))
    rows = compared.decide()
    found: dict[str, Ended] = {}
    for task, of_task in compared.plans.items():
        reason = _ended([row for row in rows if row["task"] == task and waits_for(row)], of_task)
        if reason is not None:
            found[task] = reason
    return found


def waits_for(row: Comparison) -> bool:
    """Whether the stopping rule includes this claim: those on primary metrics and on tokens. Not the noise
    floor, nor the tokens of two variants with one method, about which distillation claims nothing.
    """
    if row.get("noise_floor"):
        return False
    return not row.get("one_program") if row["claim"] == "cheaper" else row["primary"]


def _ended(rows: Sequence[Comparison], plan: Plan) -> Ended | None:
    if not rows:
        return None
    open_claims = [row for row in rows if row["verdict"] == "cannot_tell" and not row.get("same")]
    if not open_claims:
        return "decided"
    return "given up" if plan.futility and all(_given_up(row, plan) for row in open_claims) else None


def _given_up(row: Comparison, plan: Plan) -> bool:
    history = row.get("looks") or []
    if not history or row.get("turned_by_cut"):
        return False
    level = row["level"] if row["claim"] == "superior" else ALPHA
    final = plan.levels.z(plan.looks - 1, level)
    return futile(history[-1]["z"], plan.shares[len(history) - 1], final)
