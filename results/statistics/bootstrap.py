"""Bootstrap: how far would the figure move, had we drawn other items of the same kind?

Draw as many items as there are, with replacement, from the items at hand; compute the figure again; repeat
10,000 times. The spread of the replicates is the uncertainty of the figure. Both variants of an item are
drawn together (paired), and all rows of a cluster are drawn together (cluster bootstrap), because that is
how new data would come.

Every figure here is a ratio of two sums over clusters: a weighted mean (sum of weight * score over sum of
weight), a difference of such means, or a ratio of mean tokens. So one function serves them all. BCa
(Efron 1987) shifts the percentiles for bias and skewness, with the acceleration from leaving out one
cluster at a time.

Clusters with equal values are one cell of a multinomial. A binary difference has three cells (better,
same, worse), and 10,000 replicates take 2 ms however many items there are. Above 5,000 clusters of graded
values the figure is linearised instead: its standard error from each cluster's influence, and the normal
distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from results.statistics.noninferiority import wald_p
from results.statistics.outcomes import Floats, Interval, content_seed, normal_quantile

REPLICATES = 10_000
FEWEST_CLUSTERS = 6
"""Minimum clusters for an interval of 95 %: the range of five values holds their median in only 94 of 100
samples."""
FEWEST_BEYOND = 20
"""Minimum draws beyond the two ends of an interval together."""
LINEARISED_ABOVE = 5_000
"""Clusters with many distinct values from which the interval is linearised."""
MAX_CELLS = 64
"""Most distinct clusters that count as cells of a multinomial in a large sample."""
CHECKED_FIRST = 4_000
"""Clusters of a large sample that are checked first."""
FEW_CELLS = 32
"""The same in a small sample, in which drawing every cluster is as fast."""


@dataclass(frozen=True)
class Cells:
    """Distinct (numerator, denominator) pairs of the clusters and how many clusters hold each."""

    numerator: Floats
    denominator: Floats
    count: npt.NDArray[np.int64]


def cells(numerator: Floats, denominator: Floats) -> Cells:
    """Group clusters of equal values."""
    order = np.lexsort((denominator, numerator))
    top, bottom = numerator[order], denominator[order]
    new = np.append(True, (np.diff(top) != 0) | (np.diff(bottom) != 0))
    starts = np.flatnonzero(new)
    return Cells(top[starts], bottom[starts], np.diff(np.append(starts, top.size)))


@dataclass(frozen=True)
class Fitted:
    """A bootstrapped ratio of sums: replicates and skewness, or a standard error where it was linearised."""

    estimate: float
    drawn: Floats
    skew: float
    error: float
    linearised: bool

    def interval(self, confidence: float = 0.95) -> Interval:
        if self.linearised:
            reach = normal_quantile(0.5 + confidence / 2) * self.error
            return Interval(self.estimate - reach, self.estimate + reach, "linearised (normal)")
        if self.drawn.size == 0:
            return Interval(self.estimate, self.estimate, "BCa bootstrap (all clusters equal)")
        low, high = bca_limits(self.drawn, self.estimate, self.skew, confidence)
        return Interval(low, high, "BCa bootstrap")

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the truth is at most `value`": the level at which the lower limit
        reaches it.
        """
        if self.linearised:
            return wald_p(self.estimate, self.error, -value)
        if self.drawn.size == 0:
            return float(self.estimate <= value)
        return bca_share_below(self.drawn, self.estimate, self.skew, value)


def bca(numerator: Floats, denominator: Floats, replicates: int = REPLICATES) -> Fitted:
    """Bootstrap sum(numerator)/sum(denominator) over clusters (arrays of one value per cluster)."""
    if is_linearised(numerator, denominator):
        return linearised(numerator, denominator)
    estimate = float(numerator.sum() / denominator.sum())
    grouped = cells(numerator, denominator)
    if grouped.count.size == 1:
        return Fitted(estimate, np.empty(0), 0.0, 0.0, False)
    drawn = _replicates(grouped, replicates)
    # A draw in which both sums are 0 (for example failed calls) has no ratio.
    return Fitted(estimate, drawn[~np.isnan(drawn)], acceleration(grouped), 0.0, False)


def linearised(numerator: Floats, denominator: Floats) -> Fitted:
    """The same ratio with its normal interval, from the influence of each cluster."""
    estimate = float(numerator.sum() / denominator.sum())
    return Fitted(estimate, np.empty(0), 0.0, standard_error(numerator, denominator), True)


def is_linearised(numerator: Floats, denominator: Floats) -> bool:
    """Whether there are so many distinct clusters that the figure is linearised instead of drawn."""
    if numerator.size <= LINEARISED_ABOVE:
        return False
    # Sorting all clusters of a large sample is most of the work, and a part of them often settles it.
    return any(
        cells(numerator[:part], denominator[:part]).count.size > MAX_CELLS
        for part in (CHECKED_FIRST, numerator.size)
    )


def draw_sums(numerator: Floats, denominator: Floats) -> tuple[Floats, Floats]:
    """Both sums over the clusters of each of `REPLICATES` draws; clusters are drawn whole."""
    return _drawn_sums(cells(numerator, denominator), REPLICATES)


def drawn_counts(grouped: Cells, replicates: int = REPLICATES) -> Floats:
    """How often each cell is drawn, shape (replicates, cells): clusters drawn whole, with replacement."""
    n = int(grouped.count.sum())
    rng = np.random.default_rng(
        content_seed(grouped.numerator, grouped.denominator, grouped.count.astype(float))
    )
    return rng.multinomial(n, grouped.count / n, size=replicates).astype(np.float64)


def bca_interval(numerator: Floats, denominator: Floats, confidence: float = 0.95) -> Interval:
    """Interval of sum(numerator)/sum(denominator) over clusters."""
    return bca(numerator, denominator).interval(confidence)


def reaching_interval(numerator: Floats, denominator: Floats, confidence: float) -> Interval:
    """The same; linearised if the draws do not reach so high a `confidence`."""
    if (1 - confidence) * REPLICATES < FEWEST_BEYOND:
        return linearised(numerator, denominator).interval(confidence)
    return bca_interval(numerator, denominator, confidence)


def standard_error(numerator: Floats, denominator: Floats) -> float:
    """Standard error of sum(numerator)/sum(denominator), from the influence of each cluster."""
    n = numerator.size
    estimate = numerator.sum() / denominator.sum()
    influence = (numerator - estimate * denominator) / denominator.sum()
    return math.sqrt(float((influence**2).sum()) * n / max(n - 1, 1))


def acceleration(grouped: Cells) -> float:
    """Skewness term of BCa from the jackknife: the figure with one cluster left out, for each cluster."""
    top = float((grouped.numerator * grouped.count).sum())
    bottom = float((grouped.denominator * grouped.count).sum())
    left_out = bottom - grouped.denominator
    if np.any(left_out == 0):
        return 0.0
    figure = (top - grouped.numerator) / left_out
    deviation = np.average(figure, weights=grouped.count) - figure
    square = float((grouped.count * deviation**2).sum())
    if square <= 0:
        return 0.0
    return float((grouped.count * deviation**3).sum()) / (6 * square**1.5)


def bca_limits(drawn: Floats, estimate: float, skew: float, confidence: float) -> tuple[float, float]:
    """The two percentiles of `drawn` that BCa picks; ties with the estimate count by half."""
    from scipy.special import ndtr

    shift = normal_quantile(_share_below(drawn, estimate))
    tail = normal_quantile(0.5 - confidence / 2)
    chosen = []
    for z in (tail, -tail):
        moved = shift + z
        chosen.append(float(ndtr(shift + moved / (1 - skew * moved))))
    # There is no number between a finite replicate and an infinite one.
    with np.errstate(invalid="ignore"):
        low, high = np.nan_to_num(np.quantile(drawn, chosen), nan=math.inf, posinf=math.inf, neginf=-math.inf)
    return float(low), float(high)


def bca_share_below(drawn: Floats, estimate: float, skew: float, value: float) -> float:
    """One-sided p-value that matches the BCa interval: the level at which its lower limit reaches `value`."""
    from scipy.special import ndtr

    shift = normal_quantile(_share_below(drawn, estimate))
    moved = normal_quantile(_share_below(drawn, value)) - shift
    return float(ndtr(moved / (1 + skew * moved) - shift))


def _share_below(drawn: Floats, value: float) -> float:
    tolerance = 1e-12 * max(1.0, abs(value))
    below = float((drawn < value - tolerance).mean())
    at = float((np.abs(drawn - value) <= tolerance).mean())
    half = 0.5 / drawn.size
    return min(max(below + at / 2, half), 1 - half)


# A draw of few items may have a denominator of 0: its ratio is infinite or not a number.
@np.errstate(divide="ignore", invalid="ignore")
def _replicates(grouped: Cells, replicates: int) -> Floats:
    """`replicates` bootstrap values of the ratio of sums."""
    top, bottom = _drawn_sums(grouped, replicates)
    return np.asarray(top / bottom)


def _drawn_sums(grouped: Cells, replicates: int) -> tuple[Floats, Floats]:
    """Sums of numerator and denominator over the clusters of each draw."""
    n = int(grouped.count.sum())
    if grouped.count.size <= FEW_CELLS or n > LINEARISED_ABOVE:
        drawn = drawn_counts(grouped, replicates)
        return np.asarray(drawn @ grouped.numerator), np.asarray(drawn @ grouped.denominator)
    sums = np.column_stack((grouped.numerator, grouped.denominator)).repeat(grouped.count, axis=0)
    counts = _draw_counts(n, replicates)
    top, bottom = np.empty(replicates), np.empty(replicates)
    for start in range(0, replicates, 500):
        part = slice(start, start + 500)
        top[part], bottom[part] = (counts[part].astype(np.float64) @ sums).T
    return top, bottom


@lru_cache(maxsize=1)
def _draw_counts(n: int, replicates: int) -> npt.NDArray[np.uint8]:
    """How often each of `n` clusters is drawn, shape (replicates, n). One draw serves all figures of a
    task, so it is seeded by its shape; no cluster is drawn 256 times in n <= 5,000 draws.
    """
    rng = np.random.default_rng([n, replicates])
    counts = np.empty((replicates, n), dtype=np.uint8)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n, n, dtype=np.int32), minlength=n)
    return counts
