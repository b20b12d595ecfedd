"""Tests and intervals of data that were asked in planned looks (`--until-decided`).

At each look the table of methods decides as usual; only the level changes. The p-value of a claim is the
sequential one over its looks, and its interval is the intersection of the repeated intervals of all looks, so
both are valid whenever and for whatever reason the looks end. The point is the median-unbiased estimate.

After `--limit` was raised, a task may have a second plan, for new clusters alone. Its claims are tested on
these, with the error that the first plan left (`results.statistics.sequential.plan`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from results.analysis import choose_test
from results.analysis.clusters import Pair, Sample
from results.analysis.repeated import Scores, in_common, parts, sides
from results.analysis.table_functions import Difference, Fitted, detectable, seen
from results.errors import ResultsError
from results.records.columns import Columns
from results.records.load import RunData
from results.schema import EarlierLooks, Look, LookedTask, LooksOfTask, Manifest
from results.statistics import bootstrap
from results.statistics.log_ratio import log_ratio
from results.statistics.outcomes import Interval, TestOutcome, normal_tail
from results.statistics.sequential.estimates import median_unbiased
from results.statistics.sequential.plan import Plan, score_of
from results.statistics.sequential.spending import SPENDING

ONE_ERROR = 0.6826894921370859
"""Confidence of an interval that reaches one normal standard error to each side."""
SMALLEST_LEVEL = 1e-15
"""Smallest level at which power is computed."""


def plan_of(manifest: Manifest, task: str) -> Plan | None:
    """The plan of a task, with those that it followed; None if all its items were asked at once."""
    looks = manifest.get("looks")
    if not looks or task not in looks["tasks"]:
        return None
    chain: list[LooksOfTask | EarlierLooks] = [*looks["tasks"][task].get("earlier", []), looks["tasks"][task]]
    plan: Plan | None = None
    start = 0
    for place, entry in enumerate(chain):
        clusters, asked = entry["clusters"], entry["asked"]
        rising = [start, *clusters] == sorted({start, *clusters})
        followed = place + 1 < len(chain)
        if not clusters or not rising or looks["spending"] not in SPENDING or asked > len(clusters):
            raise _not_valid(task)
        if followed and not asked:
            raise _not_valid(task)
        made = plan.made + chain[place - 1]["asked"] if plan is not None else 0
        plan = Plan(tuple(clusters), looks["spending"], looks["futility"], plan, made)
        start = clusters[asked - 1]
    return plan


def _not_valid(task: str) -> ResultsError:
    return ResultsError(
        f"manifest.json: looks of task {task!r} are not a valid plan: run again, or restore the file"
    )


def plans(manifest: Manifest) -> dict[str, Plan]:
    """The plans of all tasks with planned looks."""
    found = {task: plan_of(manifest, task) for task in manifest["tasks"]}
    return {task: plan for task, plan in found.items() if plan is not None}


def newest(columns: Columns, plan: Plan | None) -> Columns:
    """The rows of the last plan at which these were asked: those before it only say which error was left."""
    if plan is None or plan.before is None or not columns.n_rows:
        return columns
    made = plan.at(int(columns.look.max()) - 1).made
    return columns if not made else columns.take(np.flatnonzero(columns.look > made))


def planned_clusters(columns: Columns, plan: Plan) -> int:
    """Clusters of the last plan at which rows were asked."""
    of = plan.at(min(int(columns.look.max()), plan.looks) - 1)
    return of.clusters[-1] - of.start


@dataclass(frozen=True)
class Looked(Difference):
    """A difference with several looks; test, interval and `at` are over all looks, the other figures are of
    the clusters of the last plan."""

    plan: Plan
    """The plan of the last look."""
    z: Scores
    """z at each look, with the sign of its estimate."""
    z_margin: Scores
    """The same against minus the margin; empty without a margin."""
    error: float
    """Standard error at the last look."""

    def adjusted_estimate(self, level: float) -> float:
        """The median-unbiased estimate of a test at two-sided `level`, within its interval."""
        own = [self.z[look] for look in self.z if look >= self.plan.made]
        level_here = 2 * max(self.plan.level(side, level / 2) for side in sides(self.z))
        passed = min(self.plan.passed(own, level_here), len(own) - 1)
        bounds = [self.plan.levels.z(look, level_here) for look in range(passed)]
        shares = self.plan.shares
        found = median_unbiased(self.estimate, self.error, shares[len(own) - 1], bounds, shares[:passed])
        interval = self.at(1 - level)
        return min(max(found, interval.low), interval.high)

    def detectable(self) -> float | None:
        """The smallest difference that could have been shown at the last look (power 80 %)."""
        z = min(self.plan.bound(max(self.z), side, choose_test.ALPHA) for side in sides(self.z))
        return detectable(self, max(2 * normal_tail(z), SMALLEST_LEVEL))


def difference(pair: Pair, plan: Plan, margin: float | None = None, exact: bool = False) -> Looked:
    """Test and interval of a paired difference over the looks that its clusters were asked at."""
    each = parts(pair, plan)
    plan = plan.at(max(each))
    found = {
        look: choose_test.difference(part, margin, exact, in_looks=True) if part.n else None
        for look, part in each.items()
    }
    last = found[max(found)]
    assert last is not None, "a pair without clusters cannot be compared"
    at = in_common({k: None if one is None else (one.at, one.p_above) for k, one in found.items()}, plan)
    alone = last.at(ONE_ERROR)
    z = {look: 0.0 if one is None else score_of(one.test.p, one.estimate) for look, one in found.items()}
    above = {look: 0.5 if one is None else one.p_above_margin for look, one in found.items()}
    against = {look: p for look, p in above.items() if p is not None} if margin is not None else {}
    kept = {field.name: getattr(last, field.name) for field in fields(Difference)}
    kept |= {
        "test": TestOutcome(two_sided(found, plan), f"{last.test.method}, sequential"),
        "interval": at(choose_test.CONFIDENCE),
        "at": at,
        "p_above_margin": plan.p_above(against) if against else None,
    }
    return Looked(
        **kept,
        plan=plan,
        z=z,
        z_margin={look: score_of(2 * min(p, 1 - p), 0.5 - p) for look, p in against.items()},
        error=(alone.high - alone.low) / 2,
    )


def two_sided(found: Mapping[int, Difference | None], plan: Plan) -> float:
    """The sequential p-value of a difference over its looks."""
    up, down = {}, {}
    for look, one in found.items():
        half = 0.5 if one is None else one.test.p / 2
        towards = 0.5 if one is None else one.estimate
        up[look], down[look] = (half, 1 - half) if towards > 0 else (1 - half, half)
    return min(2 * plan.p_above(up), 2 * plan.p_above(down), 1.0)


def claimed(
    pair: Pair,
    plan: Plan | None,
    margin: float | None = None,
    exact: bool = False,
    interval: str = choose_test.ADJUSTED,
) -> Difference:
    """Test and interval of a paired difference, over the looks of its `plan` if it has one."""
    if plan is None:
        return choose_test.difference(pair, margin, exact, interval=interval)
    return difference(pair, plan, margin, exact)


def ratio(pair: Pair, plan: Plan) -> tuple[float | None, Interval | None, Scores]:
    """Mean of the second variant divided by mean of the first, its interval over all looks, and z of each
    look against a ratio of 1. None if the first spent nothing.
    """
    each = parts(pair, plan)
    plan, last = plan.at(max(each)), each[max(each)]
    total = float(last.first.total.sum())
    if total <= 0:
        return None, None, {}
    value = float(last.second.total.sum()) / total
    found = {look: log_ratio(part.first.total, part.second.total) for look, part in each.items()}
    if found[max(found)] is None:
        return value, None, {}
    interval = in_common(
        {k: None if one is None else (one.interval, one.p_above) for k, one in found.items()}, plan, math.exp
    )
    z = {look: 0.0 if one is None else score_of(one.p, one.estimate) for look, one in found.items()}
    return value, interval(choose_test.CONFIDENCE), z


def token_difference(pair: Pair, plan: Plan) -> Difference:
    """Difference of mean tokens over all looks; its test is that of the ratio, which decides the claim."""
    each = parts(pair, plan)
    plan, last = plan.at(max(each)), each[max(each)]
    found = {look: bootstrap.linearised(part.difference, part.weight) for look, part in each.items()}
    up, down = sides(ratio(pair, plan)[2] or dict.fromkeys(each, 0.0))
    fitted = Fitted(
        TestOutcome(min(2 * plan.p_above(up), 2 * plan.p_above(down), 1.0), "log ratio, sequential"),
        in_common({look: (one.interval, one.p_above) for look, one in found.items()}, plan),
        found[max(found)].p_above,
    )
    return seen(last, fitted, "looks_tokens", choose_test.CONFIDENCE)


def score_interval(sample: Sample, plan: Plan | None, look: int) -> tuple[Interval, str]:
    """Interval of one variant's score, and the key of the table's row. With a plan, the repeated interval of
    the last `look` (from 1)."""
    if plan is None:
        return choose_test.score_interval(sample)
    place = min(look, plan.looks) - 1
    return choose_test.score_interval(sample, plan.confidence(place, choose_test.CONFIDENCE))


def history(z: Scores, plan: Plan, level: float) -> list[Look]:
    """Each look: its number, clusters, z, and its boundary on the side of z."""
    above, below = sides(z)
    return [
        {
            "look": look + 1,
            "n": plan.asked(look),
            "z": each,
            "boundary": plan.bound(look, above if each >= 0 else below, level),
        }
        for look, each in z.items()
    ]


def confidence(run: RunData, rows: Sequence[Columns]) -> float:
    """Confidence for an interval of 95 % that uses `rows` of one or several tasks and is valid for whatever
    reason their looks ended: that of their last looks."""
    found = [choose_test.CONFIDENCE]
    for columns in rows:
        plan = plan_of(run.manifest, columns.task)
        if plan is not None:
            look = min(int(columns.look.max()), plan.looks)
            found.append(plan.confidence(look - 1, choose_test.CONFIDENCE))
    return max(found)


def require_whole_looks(run: RunData) -> None:
    """Raises ResultsError if a run's looks are not over: its tables would be a look outside the plan."""
    if run.manifest.get("looks") and run.manifest.get("status") != "finished":
        raise ResultsError(
            f"{run.folder} asks its items in planned looks (--until-decided) and is not finished; a table "
            "now would be a look beyond the plan: repeat the run's command, which ends with the tables"
        )


def looked_tasks(run: RunData) -> list[LookedTask]:
    """Where each task and its variants stopped, their tokens, and the tokens of all planned items."""
    plan = run.manifest["looks"]
    found: list[LookedTask] = []
    for task, entry in plan["tasks"].items():
        of = plan_of(run.manifest, task)
        assert of is not None
        asked = of.made + entry["asked"]
        spent, full, earlier = 0, 0.0, {}
        for (of_task, variant), columns in run.columns.items():
            if of_task == task:
                clusters, tokens = columns.clusters[1], int(columns.usage["generated_tokens"].sum())
                spent, full = spent + tokens, full + tokens * of.clusters[-1] / clusters
                if int(columns.look.max()) < asked:
                    earlier[variant] = clusters
        found.append(
            {
                "task": task, "clusters": [of.asked(look) for look in range(of.looks)], "asked": asked,
                "ended": entry["ended"],
                "spending": plan["spending"], "futility": plan["futility"],
                "stopped_earlier": earlier,
                "generated_tokens": spent, "full_tokens": round(full),
                "saved": 1 - spent / full if full else 0.0,
            }
        )  # fmt: skip
    return found
