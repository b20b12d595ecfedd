"""Which test and which interval run when: one table decides, and is printed with the results.

Rows are read from the top; the first that fits the data is used. Where a method failed its
coverage in simulation, the row says what replaced it and why (`tests/benchmarks/simulate.py` shows it).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from results.analysis.clusters import Pair, Sample
from results.schema import MethodRow
from results.statistics import bootstrap, noninferiority, power
from results.statistics.adjusted import adjusted_difference, differing
from results.statistics.bonett_price import adjusted, bonett_price
from results.statistics.mcnemar import mcnemar
from results.statistics.outcomes import Floats, Interval, TestOutcome
from results.statistics.permutation import sign_flip
from results.statistics.wilson import wilson, wilson_clustered

CONFIDENCE = 0.95
LARGE = 5_000
"""Clusters above which the large-sample methods run."""
ENOUGH_DIFFERING = 200
"""Differing items from which the multinomial bootstrap covers as promised."""


@dataclass(frozen=True)
class Method:
    """One row of the table."""

    data: str
    test: str
    interval: str
    reason: str


TABLE: dict[str, Method] = {
    "proportion": Method(
        "one proportion", "", "Wilson",
        "never a point, never outside 0 to 100 %, right on average over the shares"
    ),
    "proportion_clustered": Method(
        "one proportion, clustered items", "", "Wilson at the effective n",
        "a cluster bootstrap is a point when every item is right; the design effect keeps Wilson honest",
    ),
    "number": Method("one mean of graded scores", "", "BCa (cluster) bootstrap",
        "no shape assumed, clusters drawn whole"),
    "paired_binary": Method(
        "two proportions, paired", "McNemar mid-p (exact in a gate)", "Bonett-Price",
        "the exact test is conservative, mid-p is near its level; the naive interval is a point when "
        "nothing differs",
    ),
    "paired_binary_large": Method(
        "two proportions, paired, above 5,000 items", "McNemar mid-p (exact in a gate)",
        "multinomial bootstrap (BCa)",
        "three cells, 2 ms however many items; Bonett-Price where fewer than 200 items differ",
    ),
    "paired_number": Method(
        "paired graded scores", "sign-flip permutation", "adjusted, after Bonett and Price",
        "in simulation BCa covered 85 to 94 % where few items differ and 93 to 95 % where many do; "
        "this one keeps 94 %",
    ),
    "clustered": Method(
        "clustered items (votes, templates, orders, samples, seeds)", "cluster permutation",
        "adjusted, after Bonett and Price, on whole clusters",
        "ignoring clusters gave 43 % false alarms; the cluster bootstrap (BCa) covered 84 to 94 % where few "
        "clusters differ",
    ),
    "tokens": Method("tokens, paired", "sign-flip permutation", "BCa bootstrap", "token counts are skewed"),
    "token_ratio": Method("a ratio of mean tokens", "", "BCa bootstrap of the ratio",
        "items drawn in pairs, clusters whole"),
    "large_number": Method(
        "tokens, paired, above 5,000 items", "normal sign-flip", "linearised",
        "at this size equal to the permutation and the bootstrap, in no time",
    ),
    "non_inferiority": Method(
        "as good as", "paired non-inferiority at the margin, alpha .025",
        "lower end of the two-sided 95 % interval",
        "not significant is not equal",
    ),
    "family": Method(
        "superiority on primary metrics, over tasks and pairs", "Holm",
        "the pair's own interval at the level that Holm decided it at",
        "one promise for the whole leaderboard, everything else is unadjusted and marked; where test and "
        "interval disagree about 0, the test decides and sets that end (Miettinen)",
    ),
    "gain_kept": Method(
        "the share of System 2's gain that is kept", "", "BCa bootstrap of the ratio of both gains",
        "all three variants of an item are drawn together",
    ),
    "overall": Method(
        "all tasks together, each with equal weight", "stratified sign-flip permutation",
        "the tasks' intervals combined (MOVER)",
        "keeps the care of each task's own interval; a verdict needs both test and interval",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """Second variant minus first. `spread` is the standard deviation of one cluster's difference if the
    true difference were 0: what the power of the design rests on."""

    n: int
    estimate: float
    interval: Interval
    test: TestOutcome
    p_above_margin: float | None
    """One-sided p-value of non-inferiority at the margin asked for."""
    spread: float
    size: float
    """Root mean square of the clusters that differ, 1 where none does: for 0/1 items always 1."""
    differing: int
    method: str
    """Key of `TABLE`."""
    at: Callable[[float], Interval]
    """The interval at another confidence, by the same method."""


def score_interval(sample: Sample) -> tuple[Interval, str]:
    """Interval of one variant's score, and the key of the table's row."""
    if sample.binary:
        return wilson(float((sample.total > 0).sum()), sample.n), "proportion"
    if sample.zero_one:
        return wilson_clustered(sample.total, sample.weight, sample.rows), "proportion_clustered"
    return bootstrap.bca_interval(sample.total, sample.weight), "number"


def difference(pair: Pair, margin: float | None = None, exact: bool = False) -> Difference:
    """Test and interval of a paired difference of scores. `exact` takes the exact McNemar test (gates)."""
    values, weight = pair.difference, pair.weight
    at: Callable[[float], Interval]
    changed = differing(values)
    p_margin = None
    if pair.binary:
        b, c = pair.cells()
        method, test = "paired_binary", mcnemar(b, c, exact)
        at = partial(bonett_price, b, c, pair.n)
        if margin is not None:
            p_margin = noninferiority.wald_p(*adjusted(b, c, pair.n), margin)
    else:
        method, test = ("paired_number" if pair.single else "clustered"), sign_flip(values)
        fitted = adjusted_difference(values, weight, pair.bounded)
        at = fitted.interval
        if margin is not None:
            p_margin = fitted.p_above(-margin)
    if pair.binary and pair.n > LARGE and changed >= ENOUGH_DIFFERING:
        drawn = bootstrap.bca(values, weight)
        method, at = "paired_binary_large", drawn.interval
        p_margin = None if margin is None else drawn.p_above(-margin)
    return Difference(
        pair.n, pair.estimate, at(CONFIDENCE), test, p_margin, *spread(values, weight), changed, method, at
    )


def token_difference(pair: Pair) -> Difference:
    """Test and interval of the paired difference of mean tokens."""
    fitted = bootstrap.bca(pair.difference, pair.weight)
    return Difference(
        pair.n, pair.estimate, fitted.interval(), sign_flip(pair.difference), None,
        *spread(pair.difference, pair.weight), differing(pair.difference),
        "large_number" if fitted.linearised else "tokens", fitted.interval,
    )  # fmt: skip


def ratio(pair: Pair) -> tuple[float | None, Interval | None]:
    """Mean of the second variant over mean of the first, and its interval; None where the first spent
    nothing.
    """
    return ratio_of(pair.first.total, pair.second.total)


def ratio_of(first: Floats, second: Floats) -> tuple[float | None, Interval | None]:
    """sum(second)/sum(first) over clusters, and its interval. None where the first sum is 0; no interval
    where so few clusters of the first hold anything (their calls failed, say) that it has no upper end.
    """
    if first.sum() <= 0:
        return None, None
    interval = bootstrap.bca(second, first).interval()
    return float(second.sum() / first.sum()), interval if math.isfinite(interval.high) else None


def spread(values: Floats, weight: Floats) -> tuple[float, float]:
    """Root mean square of one cluster's difference over all clusters (for 0/1 items the root of the
    discordant share) and over those that differ, in the unit of the score.
    """
    square, changed = float((values**2).sum()), differing(values)
    unit = float(weight.mean())
    return math.sqrt(square / values.size) / unit, math.sqrt(square / changed) / unit if changed else 1.0


def detectable(seen: Difference) -> float:
    """The smallest difference that this many clusters could have shown (two-sided 5 %, power 80 %)."""
    return max(power.mde(seen.spread, seen.n), power.FEWEST_DISCORDANT * seen.size / seen.n)


def clusters_needed(seen: Difference, target: float) -> int | None:
    """Clusters that would show a difference (or a margin) of `target`; None where `target` is 0."""
    needed = power.needed_n(seen.spread, target)
    if needed is None:
        return None
    return max(needed, math.ceil(power.FEWEST_DISCORDANT * seen.size / abs(target)))


def as_rows(used: set[str]) -> list[MethodRow]:
    """The table as it stands in `leaderboard.json`, each row marked with whether it was used."""
    return [
        {"data": m.data, "test": m.test, "interval": m.interval, "reason": m.reason, "used": key in used}
        for key, m in TABLE.items()
    ]
