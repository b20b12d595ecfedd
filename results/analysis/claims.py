"""Pairs of variants become rows of `comparisons[]`: one per metric and claim, and one for the tokens.

Differences are tested in the direction where more is better, and reported as they are (score b - score a).
The caller decides which claims are made for which pair; `choose_test` decides which method runs.

`ci_low` and `ci_high` are always the 95 % interval. `ci_low_adjusted` and `ci_high_adjusted` are the interval
of confidence 1 - `level`; the claim was decided at `level` (Holm's, within its family). A verdict on
superiority is `cannot_tell` exactly if this interval contains 0, unless cut texts changed the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import cut, looks, verdicts
from results.analysis.cost import CostModel
from results.analysis.table_functions import Difference, clusters_needed, detectable
from results.records.columns import Columns
from results.schema import (
    UNITS,
    ClaimName,
    ClaimOutcome,
    Comparison,
    CutShares,
    Metric,
    PairMarks,
    Ratios,
    Sides,
    Unit,
    Verdict,
)
from results.statistics.outcomes import Interval
from results.statistics.sequential.plan import Plan
from results.statistics.test_based import agreeing


@dataclass(frozen=True)
class ScoreClaim:
    """A row about scores with its data."""

    row: Comparison
    seen: Difference
    a: Columns
    b: Columns


class OfPair(Sides, Ratios):
    """What every claim about scores takes from its pair."""

    cut: CutShares


@dataclass
class Comparisons:
    """Collects pairs, then decides all claims at once, since Holm's correction needs the whole family."""

    margin: float
    """A fraction."""
    costs: CostModel
    used: set[str]
    """Keys of the method table that were used."""
    exact: bool = False
    """The exact McNemar test, for gates."""
    interval: str = methods.ADJUSTED
    """Interval of graded and clustered differences: a key of `choose_test.INTERVALS`."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """Plans by task, for tasks with planned looks."""
    rows: list[Comparison] = field(default_factory=list)
    scores: list[ScoreClaim] = field(default_factory=list)

    def add(
        self, a: Columns, b: Columns, metrics: Mapping[str, Metric], claims: Sequence[ClaimName],
        names: tuple[str, str] | None = None, **marks: Unpack[PairMarks],
    ) -> None:  # fmt: skip
        """All claims of two variants with equal rows (see `samplesets.require_same_items`).

        `metrics` come primary first; `marks` are put on every row.
        """
        first, second = names or (a.variant, b.variant)
        plan = self.plans.get(a.task)
        cheaper = cheaper_row(first, second, a, b, self.costs, self.used, plan, marks)
        for position, (metric, description) in enumerate(metrics.items()):
            pair = samplesets.pair(a, b, metric)
            if pair is None or description.get("direction") == "none":
                # If a rate is best in the middle, neither variant can be better.
                continue
            lower = description.get("direction") == "lower"
            seen = self._seen(pair.swapped() if lower else pair, plan)
            self.used.add(seen.method)
            for claim in claims:
                if claim != "cheaper":
                    margin = self.margin if claim == "non_inferior" else None
                    row = score_row(
                        metric, claim, seen, margin, lower, position == 0, pair.left_out, marks, cheaper
                    )
                    self.rows.append(row)
                    self.scores.append(ScoreClaim(row, seen, a, b))
        if "cheaper" in claims:
            self.rows.append(cheaper)
        if "non_inferior" in claims:
            self.used.add("non_inferiority")

    def decide(self) -> list[Comparison]:
        """Verdicts, levels, intervals and sentences of all rows.

        Holm runs over the family: superiority on primary metrics, without the noise floor.
        """
        family = [
            one.row for one in self.scores
            if one.row["claim"] == "superior" and one.row["primary"] and not one.row.get("noise_floor")
        ]  # fmt: skip
        values = [verdicts.known(row["p"]) for row in family]
        for row, p, level in zip(family, *methods.FAMILY.run((values, verdicts.ALPHA)), strict=True):
            row["p_adjusted"], row["level"], row["family"] = p, level, len(family)
        if family:
            self.used.add("family")
        for one in self.scores:
            self._decide_score(one)
        for row in self.rows:
            row["sentence"] = verdicts.sentence(row)
        return self.rows

    def _decide_score(self, one: ScoreClaim) -> None:
        row = one.row
        if isinstance(one.seen, looks.Looked):
            _adjust(row, one.seen)
        row["verdict"], interval = decided(row, one.seen)
        row["ci_low_adjusted"], row["ci_high_adjusted"] = signed(interval, row["direction"] == "lower")
        side = cut.losing_side(row["verdict"])
        if side and {"a": one.a, "b": one.b}[side].cut.any():
            turn_if(row, decided(row, self._if_cut_were_right(one, side))[0])

    def _if_cut_were_right(self, one: ScoreClaim, side: str) -> Difference:
        metric, lower = one.row["metric"], one.row["direction"] == "lower"
        a, b = one.a, one.b
        if side == "a":
            a = cut.as_if_right(a, metric, lower, b)
        else:
            b = cut.as_if_right(b, metric, lower, a)
        pair = samplesets.pair(a, b, metric)
        if pair is None:
            return one.seen
        return self._seen(pair.swapped() if lower else pair, self.plans.get(a.task))

    def _seen(self, pair: samplesets.Pair, plan: Plan | None) -> Difference:
        self.used |= {"looks"} if plan is not None else set()
        return looks.claimed(pair, plan, self.margin, self.exact, self.interval)


def _adjust(row: Comparison, seen: looks.Looked) -> None:
    """The estimate and the looks of a claim on a task with planned looks, at the row's level."""
    # Non-inferiority is one-sided at half of the two-sided level that its interval has.
    level = verdicts.ALPHA if row["claim"] == "non_inferior" else row["level"]
    sign = -1.0 if row["direction"] == "lower" else 1.0
    row["difference"] = sign * seen.adjusted_estimate(level) + 0.0
    z = seen.z_margin if row["claim"] == "non_inferior" else seen.z
    row["looks"] = looks.history(z, seen.plan, level)


def decided(row: Comparison, seen: Difference) -> tuple[Verdict, Interval]:
    """Verdict of a claim about scores, and the interval that agrees with it, both at the row's level."""
    if row["claim"] == "non_inferior":
        verdict = methods.NON_INFERIORITY.run((seen.interval, verdicts.known(row["margin"])))
        return verdict, seen.interval
    level = row["level"]
    estimate = seen.adjusted_estimate(level) if isinstance(seen, looks.Looked) else seen.estimate
    interval = agreeing(seen.at(1 - level), estimate, seen.test.p, level)
    return verdicts.superior(estimate, seen.test.p, level), interval


def turn_if(row: ClaimOutcome, hopeful: Verdict) -> None:
    """Take back a verdict that would change to `hopeful` if the losing side's cut items were right."""
    if hopeful != row["verdict"]:
        row["turned_by_cut"], row["verdict_as_scored"] = True, row["verdict"]
        row["verdict"] = "cannot_tell"


def signed(interval: Interval, lower: bool) -> tuple[float, float]:
    """The ends of an interval in the metric's own direction, low first."""
    sign = -1.0 if lower else 1.0
    low, high = sorted((sign * interval.low, sign * interval.high))
    return low + 0.0, high + 0.0


def score_row(
    metric: str, claim: ClaimName, seen: Difference, margin: float | None, lower: bool, primary: bool,
    left_out: int, marks: PairMarks, pair: OfPair,
) -> Comparison:  # fmt: skip
    """A claim about scores. `margin` is for `non_inferior`, else None; `pair` is the pair's claim on tokens
    (or `without_tokens`), whose sides and ratios are copied to each of its rows.
    """
    low, high = signed(seen.interval, lower)
    return {
        "task": pair["task"], "a": pair["a"], "b": pair["b"],
        "metric": metric, "claim": claim, "n": seen.n,
        "difference": (-1.0 if lower else 1.0) * seen.estimate + 0.0, "ci_low": low, "ci_high": high,
        "test": seen.test.method if margin is None else "paired non-inferiority",
        "p": seen.test.p if margin is None else seen.p_above_margin, "p_adjusted": None,
        "alpha": verdicts.ALPHAS[claim], "level": verdicts.ALPHA,
        "ci_low_adjusted": low, "ci_high_adjusted": high, "margin": margin,
        "mde": seen.detectable() if isinstance(seen, looks.Looked) else detectable(seen),
        "needed_n": clusters_needed(seen, seen.estimate if margin is None else margin),
        "verdict": "cannot_tell", "interval": seen.interval.method, "differing": seen.differing,
        "primary": primary, "direction": "lower" if lower else "higher",
        "token_ratio": pair["token_ratio"], "token_ratio_low": pair["token_ratio_low"],
        "token_ratio_high": pair["token_ratio_high"],
        "flops_ratio": pair["flops_ratio"], "flops_ratio_low": pair["flops_ratio_low"],
        "flops_ratio_high": pair["flops_ratio_high"],
        "usd_ratio": pair["usd_ratio"], "usd_ratio_low": pair["usd_ratio_low"],
        "usd_ratio_high": pair["usd_ratio_high"],
        "rows_left_out": left_out,
        **marks,
        "cut": pair["cut"],
    }  # fmt: skip


def without_tokens(first: str, second: str, a: Columns, b: Columns) -> OfPair:
    """The sides of a pair of which one has no token counts, so that its costs have no ratio."""
    return {
        "task": a.task, "a": first, "b": second,
        "token_ratio": None, "token_ratio_low": None, "token_ratio_high": None,
        "flops_ratio": None, "flops_ratio_low": None, "flops_ratio_high": None,
        "usd_ratio": None, "usd_ratio_low": None, "usd_ratio_high": None,
        "cut": {"a": cut.share(a), "b": cut.share(b)},
    }  # fmt: skip


def cheaper_row(
    first: str,
    second: str,
    a: Columns,
    b: Columns,
    costs: CostModel,
    used: set[str],
    plan: Plan | None,
    marks: PairMarks,
) -> Comparison:
    """The claim on generated tokens; `difference` and its interval are tokens per item here, not
    fractions. `same`: both generate equally many on every item.
    """
    tokens = samplesets.row_pair(a, a.usage["generated_tokens"], b.usage["generated_tokens"])
    seen = methods.token_difference(tokens) if plan is None else looks.token_difference(tokens, plan)
    used.update((seen.method, "token_ratio") if plan is None else (seen.method,))
    token, flops, usd = (_ratio(a, b, costs, unit, plan) for unit in UNITS)
    marks = {**marks}
    if plan is not None:
        # A ratio below 1 favours "cheaper", so z changes its sign.
        z = {look: -each + 0.0 for look, each in looks.ratio(tokens, plan)[2].items()}
        marks["looks"] = looks.history(z, plan, verdicts.ALPHAS["cheaper"])
    return {
        "task": a.task, "a": first, "b": second,
        "metric": "generated_tokens", "claim": "cheaper", "n": seen.n,
        "difference": seen.estimate, "ci_low": seen.interval.low, "ci_high": seen.interval.high,
        "test": seen.test.method, "p": seen.test.p, "p_adjusted": None, "alpha": verdicts.ALPHAS["cheaper"],
        "level": verdicts.ALPHA, "ci_low_adjusted": seen.interval.low, "ci_high_adjusted": seen.interval.high,
        "margin": None, "mde": detectable(seen), "needed_n": None,
        "verdict": verdicts.cheaper(token[1], token[2]),
        "interval": seen.interval.method, "differing": seen.differing, "primary": False, "direction": "lower",
        "rows_left_out": 0, "same": seen.differing == 0, "one_program": a.method == b.method,
        "token_ratio": token[0], "token_ratio_low": token[1], "token_ratio_high": token[2],
        "flops_ratio": flops[0], "flops_ratio_low": flops[1], "flops_ratio_high": flops[2],
        "usd_ratio": usd[0], "usd_ratio_low": usd[1], "usd_ratio_high": usd[2],
        **marks,
        "cut": {"a": cut.share(a), "b": cut.share(b)},
    }  # fmt: skip


def _ratio(
    a: Columns, b: Columns, costs: CostModel, unit: Unit, plan: Plan | None
) -> tuple[float | None, float | None, float | None]:
    """Cost of b divided by cost of a, and both ends of its interval; None if unknown."""
    spent, left = costs.per_row(a, unit), costs.per_row(b, unit)
    if spent is None or left is None:
        return None, None, None
    pair = samplesets.row_pair(a, spent, left)
    value, interval = methods.ratio(pair) if plan is None else looks.ratio(pair, plan)[:2]
    return (value, None, None) if interval is None else (value, interval.low, interval.high)
