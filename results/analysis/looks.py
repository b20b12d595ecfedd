"""Tests and intervals of data that were asked in planned looks (`--until-decided`).

At each look the table of methods decides as usual; only the level changes. The p-value of a claim is the
sequential one over its looks, and its interval is the intersection of the repeated intervals of all looks, so
both are valid whenever and for whatever reason the looks end. The point is the median-unbiased estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from results.analysis import choose_test
from results.analysis.clusters import Pair, Sample
from results.analysis.table_functions import At, Difference, Fitted, detectable, seen
from results.errors import ResultsError
from results.records.load import RunData
from results.schema import Look, LookedTask, Manifest
from results.statistics import bootstrap
from results.statistics.log_ratio import log_ratio
from results.statistics.outcomes import Interval, TestOutcome
from results.statistics.sequential.estimates import median_unbiased
from results.statistics.sequential.plan import Plan, score_of
from results.statistics.sequential.spending import SPENDING

ONE_ERROR = 0.6826894921370859
"""Confidence of an interval that reaches one normal standard error to each side."""


def plan_of(manifest: Manifest, task: str) -> Plan | None:
    """The plan of a task; None if all its items were asked at once."""
    looks = manifest.get("looks")
    if not looks or task not in looks["tasks"]:
        return None
    clusters, spending = looks["tasks"][task]["clusters"], looks["spending"]
    rising = [0, *clusters] == sorted({0, *clusters})
    asked = looks["tasks"][task]["asked"]
    if not clusters or not rising or spending not in SPENDING or asked > len(clusters):
        raise ResultsError(
            f"manifest.json: looks of task {task!r} are not a valid plan: run again, or restore the file"
        )
    return Plan(tuple(clusters), spending, looks["futility"])


def plans(manifest: Manifest) -> dict[str, Plan]:
    """The plans of all tasks with planned looks."""
    found = {task: plan_of(manifest, task) for task in manifest["tasks"]}
    return {task: plan for task, plan in found.items() if plan is not None}


@dataclass(frozen=True)
class Looked(Difference):
    """A difference with several looks; test, interval and `at` are over all looks."""

    plan: Plan
    z: tuple[float, ...]
    """z at each look, with the sign of its estimate."""
    z_margin: tuple[float, ...]
    """The same against minus the margin; empty without a margin."""
    error: float
    """Standard error at the last look."""

    def adjusted_estimate(self, level: float) -> float:
        """The median-unbiased estimate of a test at two-sided `level`, within its interval."""
        last = len(self.z) - 1
        passed = min(self.plan.passed(self.z, level), last)
        bounds = [self.plan.levels.z(look, level) for look in range(passed)]
        shares = self.plan.shares
        found = median_unbiased(self.estimate, self.error, shares[last], bounds, shares[:passed])
        interval = self.at(1 - level)
        return min(max(found, interval.low), interval.high)

    def detectable(self) -> float | None:
        """The smallest difference that could have been shown at the last look (power 80 %)."""
        return detectable(self, self.plan.levels.nominal(len(self.z) - 1, choose_test.ALPHA))


def difference(pair: Pair, plan: Plan, margin: float | None = None, exact: bool = False) -> Looked:
    """Test and interval of a paired difference over the looks that its clusters were asked at."""
    found = [
        choose_test.difference(part, margin, exact, in_looks=True) if part.n else None
        for part in parts(pair, plan)
    ]
    last = found[-1]
    assert last is not None, "a pair without clusters cannot be compared"
    at = in_common([None if one is None else one.at for one in found], plan)
    alone = last.at(ONE_ERROR)
    p = [1.0 if one is None else one.test.p for one in found]
    sides = [0.5 if one is None else one.p_above_margin for one in found]
    above = [side for side in sides if side is not None] if margin is not None else []
    kept = {field.name: getattr(last, field.name) for field in fields(Difference)}
    kept |= {
        "test": TestOutcome(plan.p(p), f"{last.test.method}, sequential"),
        "interval": at(choose_test.CONFIDENCE),
        "at": at,
        # The plan's levels are two-sided.
        "p_above_margin": plan.p([min(2 * p, 1.0) for p in above]) / 2 if above else None,
    }
    return Looked(
        **kept,
        plan=plan,
        z=tuple(0.0 if one is None else score_of(one.test.p, one.estimate) for one in found),
        z_margin=tuple(score_of(2 * min(p, 1 - p), 0.5 - p) for p in above),
        error=(alone.high - alone.low) / 2,
    )


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


def ratio(pair: Pair, plan: Plan) -> tuple[float | None, Interval | None, tuple[float, ...]]:
    """Mean of the second variant divided by mean of the first, its interval over all looks, and z of each
    look against a ratio of 1. None if the first spent nothing.
    """
    total = float(pair.first.total.sum())
    if total <= 0:
        return None, None, ()
    value = float(pair.second.total.sum()) / total
    found = [log_ratio(part.first.total, part.second.total) for part in parts(pair, plan)]
    if found[-1] is None:
        return value, None, ()
    interval = in_common([None if one is None else one.interval for one in found], plan)
    z = tuple(0.0 if one is None else score_of(one.p, one.estimate) for one in found)
    return value, interval(choose_test.CONFIDENCE), z


def token_difference(pair: Pair, plan: Plan) -> Difference:
    """Difference of mean tokens over all looks; its test is that of the ratio, which decides the claim."""
    each = parts(pair, plan)
    found = [bootstrap.linearised(part.difference, part.weight) for part in each]
    ratios = [log_ratio(part.first.total, part.second.total) for part in each]
    p = plan.p([1.0 if one is None else one.p for one in ratios])
    fitted = Fitted(
        TestOutcome(p, "log ratio, sequential"),
        in_common([one.interval for one in found], plan),
        found[-1].p_above,
    )
    return seen(pair, fitted, "looks_tokens", choose_test.CONFIDENCE)


def score_interval(sample: Sample, plan: Plan | None, look: int) -> tuple[Interval, str]:
    """Interval of one variant's score, and the key of the table's row. With a plan, the repeated interval of
    the last `look` (from 1)."""
    if plan is None:
        return choose_test.score_interval(sample)
    place = min(look, plan.looks) - 1
    return choose_test.score_interval(sample, plan.confidence(place, choose_test.CONFIDENCE))


def parts(pair: Pair, plan: Plan) -> list[Pair]:
    """The pair's clusters asked by each look so far; empty if the metric applied to none of them by then.
    ResultsError for rows of a look that the plan does not have.
    """
    last = plan.looks if pair.look is None else int(pair.look.max())
    if last > plan.looks or (pair.look is not None and int(pair.look.min()) < 1):
        raise ResultsError(
            f"samples name look {last:,}, but the plan has {plan.looks}: repeat the run's command, which "
            "writes them again"
        )
    return [pair.up_to(look) for look in range(1, last + 1)]


def in_common(each: Sequence[At | None], plan: Plan) -> At:
    """The intersection of the repeated intervals of all looks, as a function of confidence. Looks without
    data are skipped. If the intersection is empty, it is the last look's interval.
    """

    def at(confidence: float) -> Interval:
        found = [one(plan.confidence(look, confidence)) for look, one in enumerate(each) if one is not None]
        low, high = max(one.low for one in found), min(one.high for one in found)
        if low > high:
            low, high = found[-1].low, found[-1].high
        return Interval(low, high, f"{found[-1].method}, repeated")

    return at


def history(z: Sequence[float], plan: Plan, level: float) -> list[Look]:
    """Each look: clusters, z, and its boundary."""
    return [
        {"n": plan.clusters[look], "z": each, "boundary": plan.levels.z(look, level)}
        for look, each in enumerate(z)
    ]


def confidence(run: RunData, tasks: Sequence[str]) -> float:
    """Confidence at the last looks of `tasks` for an interval of 95 % that is valid for any reason of
    stopping."""
    found = [choose_test.CONFIDENCE]
    for task in tasks:
        plan = plan_of(run.manifest, task)
        if plan is not None and (asked := run.manifest["looks"]["tasks"][task]["asked"]):
            found.append(plan.confidence(asked - 1, choose_test.CONFIDENCE))
    return max(found)


def require_whole_looks(run: RunData) -> None:
    """Raises ResultsError if a run's looks are not over: its tables would be a look outside the plan."""
    if run.manifest.get("looks") and run.manifest.get("status") != "finished":
        raise ResultsError(
            f"{run.folder} asks its items in planned looks (--until-decided) and is not finished; a table "
            "now would be a look beyond the plan: repeat the run's command, which ends with the tables"
        )


def looked_tasks(run: RunData) -> list[LookedTask]:
    """Where each task stopped, its tokens, and the tokens of all planned items."""
    plan = run.manifest["looks"]
    found: list[LookedTask] = []
    for task, entry in plan["tasks"].items():
        spent = sum(
            int(columns.usage["generated_tokens"].sum())
            for (of_task, _), columns in run.columns.items() if of_task == task
        )  # fmt: skip
        asked = entry["asked"]
        share = entry["clusters"][asked - 1] / entry["clusters"][-1] if asked else 1.0
        found.append(
            {
                "task": task, "clusters": entry["clusters"], "asked": asked, "ended": entry["ended"],
                "spending": plan["spending"], "futility": plan["futility"],
                "generated_tokens": spent, "full_tokens": round(spent / share), "saved": 1 - share,
            }
        )  # fmt: skip
    return found
