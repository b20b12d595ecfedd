"""The functions of the rows of `choose_test`: from clusters of one or two variants to a test and an interval.

Each function does one thing; only the table decides which of them runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from results.analysis.clusters import Pair, Sample
from results.statistics import bootstrap, power
from results.statistics.adjusted import adjusted_difference, differing
from results.statistics.bonett_price import adjusted, bonett_price
from results.statistics.holm import holm, holm_levels
from results.statistics.mcnemar import mcnemar
from results.statistics.mover import mover
from results.statistics.noninferiority import wald_p
from results.statistics.outcomes import Floats, Interval, TestOutcome
from results.statistics.permutation import sign_flip
from results.statistics.published import PUBLISHED
from results.statistics.tango import tango, tango_p_above
from results.statistics.wilson import wilson, wilson_clustered

LARGE = 5_000
"""Clusters above which the large-sample methods run."""
ENOUGH_DIFFERING = 200
"""Differing items from which the multinomial bootstrap keeps its coverage."""

At = Callable[[float], Interval]
"""Confidence -> interval."""
SharePart = tuple[Floats, Floats, float]
"""One task: sums of weight * (distilled - base), of weight * (System 2 - base), and of weights."""


@dataclass(frozen=True)
class Fitted:
    """Test and interval of a difference."""

    test: TestOutcome
    at: At
    """The interval at a confidence."""
    p_above: Callable[[float], float]
    """One-sided p-value against "the true difference is at most this"."""


@dataclass(frozen=True)
class Difference:
    """Second variant minus first. `spread` is the standard deviation of one cluster's difference if the
    true difference were 0; power is computed from it."""

    n: int
    estimate: float
    interval: Interval
    test: TestOutcome
    p_above_margin: float | None
    """One-sided p-value of non-inferiority at the margin asked for."""
    spread: float
    size: float
    """Root mean square of the clusters that differ; 1 if none differs, and for 0/1 items always 1."""
    differing: int
    method: str
    """Key of `choose_test.TABLE`."""
    at: Callable[[float], Interval]
    """The interval at another confidence, by the same method."""
    p_above: Callable[[float], float]
    """One-sided p-value against "the true difference is at most this"."""
    largest: float
    """The largest difference that is possible: 1 for scores between 0 and 1, else infinite."""


@dataclass(frozen=True)
class Combining:
    """Differences of several tasks, an entry each, with the sign changed if lower is better."""

    estimates: Sequence[float]
    intervals: Sequence[Interval]
    pairs: Sequence[Pair]


@dataclass(frozen=True)
class Combined:
    """All tasks together, each with the same weight."""

    parts: Combining

    def interval(self) -> Interval:
        """The tasks' intervals combined."""
        intervals = self.parts.intervals
        return mover(self.parts.estimates, [one.low for one in intervals], [one.high for one in intervals])

    def test(self) -> TestOutcome:
        """All clusters' signs are flipped at once, each cluster scaled by its task's share."""
        pairs = self.parts.pairs
        found = sign_flip(
            np.concatenate([pair.difference / pair.weight.sum() / len(pairs) for pair in pairs])
        )
        return TestOutcome(found.p, f"stratified {found.method}")


def wilson_of(sample: Sample) -> At:
    return partial(wilson, float((sample.total > 0).sum()), sample.n)


def wilson_of_clusters(sample: Sample) -> At:
    return partial(wilson_clustered, sample.total, sample.weight, sample.rows)


def too_few_to_draw(sample: Sample) -> bool:
    """Whether a bootstrap of graded scores would be too short: few clusters, or all equal."""
    if not sample.bounded:
        return False
    few = sample.n < bootstrap.FEWEST_CLUSTERS
    return few or bootstrap.cells(sample.total, sample.weight).count.size == 1


def wilson_of_graded(sample: Sample) -> At:
    """Wilson at the effective number of clusters: no score between 0 and 1 spreads more than 0 and 1 do."""
    n = float(sample.weight.sum() ** 2 / (sample.weight**2).sum())
    return partial(wilson, sample.score * n, n)


def bootstrapped_score(sample: Sample) -> At:
    return partial(bootstrap.reaching_interval, sample.total, sample.weight)


def many_differ(pair: Pair) -> bool:
    """Whether a 0/1 sample has enough items and differing items for the multinomial bootstrap."""
    return pair.n > LARGE and differing(pair.difference) >= ENOUGH_DIFFERING


def mcnemar_bonett_price(pair: Pair, exact: bool) -> Fitted:
    b, c = pair.cells()
    centre, error = adjusted(b, c, pair.n)
    return Fitted(
        mcnemar(b, c, exact), partial(bonett_price, b, c, pair.n), lambda value: wald_p(centre, error, -value)
    )


def mcnemar_multinomial(pair: Pair, exact: bool) -> Fitted:
    drawn = bootstrap.bca(pair.difference, pair.weight)
    return Fitted(mcnemar(*pair.cells(), exact), drawn.interval, drawn.p_above)


def mcnemar_tango(pair: Pair, exact: bool) -> Fitted:
    b, c = pair.cells()
    return Fitted(mcnemar(b, c, exact), partial(tango, b, c, pair.n), partial(tango_p_above, b, c, pair.n))


def sign_flip_adjusted(pair: Pair) -> Fitted:
    fitted = adjusted_difference(pair.difference, pair.weight, pair.bounded)
    return Fitted(sign_flip(pair.difference), fitted.interval, fitted.p_above)


def sign_flip_score_form(pair: Pair) -> Fitted:
    """The same for planned looks: the interval's error is taken about the tested value."""
    fitted = adjusted_difference(pair.difference, pair.weight, pair.bounded, score_form=True)
    return Fitted(sign_flip(pair.difference), fitted.interval, fitted.p_above)


def sign_flip_published(name: str, pair: Pair) -> Fitted:
    """The permutation test with one of the published intervals, within the scale of the scores. The default
    interval where the published one has no width or no end, as with few clusters or none that differs.
    """
    fitted = PUBLISHED[name](pair.difference, pair.weight)
    usual = fitted.interval()
    if pair.n < bootstrap.FEWEST_CLUSTERS or not 0 < usual.high - usual.low < math.inf:
        return sign_flip_adjusted(pair)

    def at(confidence: float) -> Interval:
        found = fitted.interval(confidence)
        if not pair.bounded:
            return found
        return Interval(max(found.low, -1.0), min(found.high, 1.0), found.method)

    return Fitted(sign_flip(pair.difference), at, fitted.p_above)


def can_be_drawn(pair: Pair) -> bool:
    """Whether a bootstrap of the clusters is fast enough."""
    return not bootstrap.is_linearised(pair.difference, pair.weight)


def sign_flip_bootstrap(pair: Pair) -> Fitted:
    drawn = bootstrap.bca(pair.difference, pair.weight)
    return Fitted(sign_flip(pair.difference), drawn.interval, drawn.p_above)


def sign_flip_linearised(pair: Pair) -> Fitted:
    fitted = bootstrap.linearised(pair.difference, pair.weight)
    return Fitted(sign_flip(pair.difference), fitted.interval, fitted.p_above)


def bootstrapped_ratio(sums: tuple[Floats, Floats]) -> Interval:
    """Interval of sum(second)/sum(first), without an upper end if few clusters of the first are above 0."""
    first, second = sums
    return bootstrap.bca(second, first).interval()


def has_ends(interval: Interval) -> bool:
    return math.isfinite(interval.high)


def holm_with_levels(p_values: Sequence[float], alpha: float) -> tuple[list[float], list[float]]:
    """Adjusted p-values, and the level at which each was decided."""
    return holm(p_values), holm_levels(p_values, alpha)


def seen(pair: Pair, fitted: Fitted, key: str, confidence: float, margin: float | None = None) -> Difference:
    """The figures of a difference that claims need."""
    return Difference(
        pair.n, pair.estimate, fitted.at(confidence), fitted.test,
        None if margin is None else fitted.p_above(-margin),
        *spread(pair.difference, pair.weight), differing(pair.difference), key, fitted.at,
        fitted.p_above,
        1.0 if pair.bounded else math.inf,
    )  # fmt: skip


def spread(values: Floats, weight: Floats) -> tuple[float, float]:
    """Root mean square of one cluster's difference over all clusters (for 0/1 items the root of the
    discordant share) and over those that differ, in the unit of the score.
    """
    square, changed = float((values**2).sum()), differing(values)
    unit = float(weight.mean())
    return math.sqrt(square / values.size) / unit, math.sqrt(square / changed) / unit if changed else 1.0


def detectable(found: Difference, level: float = 0.05) -> float | None:
    """The smallest difference that this many clusters could have shown (two-sided `level`, power 80 %); None
    if they could have shown none, however large.
    """
    if found.n < power.FEWEST_DISCORDANT:
        return None
    fewest = power.FEWEST_DISCORDANT * found.size / found.n
    return min(max(power.mde(found.spread, found.n, level), fewest), found.largest)


def clusters_needed(found: Difference, target: float) -> int | None:
    """Clusters that would show a difference (or a margin) of `target`; None where `target` is 0, and where
    there are too few clusters to know how much they spread.
    """
    needed = power.needed_n(found.spread, target)
    if needed is None or found.n < power.FEWEST_DISCORDANT:
        return None
    return max(needed, math.ceil(power.FEWEST_DISCORDANT * found.size / abs(target)))
