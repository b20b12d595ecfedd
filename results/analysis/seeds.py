"""Scores of several seeds: the score of each, their spread, and an interval that covers other seeds.

The interval of a pooled score (`ci_low`, `ci_high`) treats a question with all its seeds as one cluster, so
it covers other items, but only these checkpoints and samples. A new training has other seeds as well.
From three seeds on there is a second interval for that: the variance of the grand mean of clusters x seeds,
both drawn at random, is (MS seeds + MS clusters - MS residual) / (seeds x clusters), with Satterthwaite's
degrees of freedom (the two-way random effects model without replicates; Cornfield and Tukey 1956,
Satterthwaite 1946). Seeds that spread less than the residual does count as spreading that much, so the
interval errs on the wide side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.records.columns import Columns
from results.schema import SeedScore

Floats = npt.NDArray[np.float64]
FEWEST = 3
"""Minimum seeds for an interval over seeds."""
LEVEL = 0.95


@dataclass(frozen=True)
class Pooled:
    """Figures of one variant and metric with several seeds."""

    scores: list[SeedScore]
    """Scores by seed; empty if there is one seed."""
    spread: float | None
    """Standard deviation of the scores."""
    anew: tuple[float, float] | None
    """95 % interval that covers other seeds and other items; None with fewer than three seeds, or if all
    scores are equal."""


def pooled(columns: Columns, metric: str) -> Pooled:
    """The seeds of one variant on one metric. Scores are weighted means, as in the row."""
    numbers = np.unique(columns.seed)
    if numbers.size < 2:
        return Pooled([], None, None)
    weights, values = columns.weights[metric], columns.scores[metric]
    counted = ~np.isnan(values) & (weights > 0)
    codes, count = columns.clusters
    totals = np.zeros((count, numbers.size))
    weighed = np.zeros((count, numbers.size))
    place = np.searchsorted(numbers, columns.seed[counted])
    np.add.at(totals, (codes[counted], place), (values * weights)[counted])
    np.add.at(weighed, (codes[counted], place), weights[counted])
    if not (weighed.sum(axis=0) > 0).all():
        return Pooled([], None, None)
    means = totals.sum(axis=0) / weighed.sum(axis=0)
    scores: list[SeedScore] = [
        {"seed": int(seed), "score": float(mean)} for seed, mean in zip(numbers, means, strict=True)
    ]
    whole = (weighed > 0).all(axis=1)
    anew = None
    if numbers.size >= FEWEST and whole.sum() > 1:
        low, high = interval(totals[whole] / weighed[whole], weighed[whole].sum(axis=1))
        if values[counted].min() >= 0 and values[counted].max() <= 1:
            low, high = max(0.0, low), min(1.0, high)
        anew = (low, high) if low < high else None
    return Pooled(scores, float(means.std(ddof=1)), anew)


def interval(scores: Floats, weights: Floats) -> tuple[float, float]:
    """95 % interval of the weighted mean of `scores` (clusters x seeds), both drawn at random; `weights` are
    those of the clusters.
    """
    from scipy.special import stdtrit

    clusters, seeds = scores.shape
    share = (weights / weights.mean())[:, None]
    mean = float((scores * share).mean())
    # Linearised: each cluster's part in the weighted mean.
    part = share * (scores - mean)
    by_seed, by_cluster = part.mean(axis=0), part.mean(axis=1)
    left = part - by_seed[None, :] - by_cluster[:, None] + part.mean()
    free = (seeds - 1, clusters - 1, (seeds - 1) * (clusters - 1))
    of_seeds = clusters * float((by_seed**2).sum() - seeds * part.mean() ** 2) / free[0]
    of_clusters = seeds * float((by_cluster**2).sum() - clusters * part.mean() ** 2) / free[1]
    residual = float((left**2).sum()) / free[2]
    of_seeds = max(of_seeds, residual)
    variance = of_seeds + of_clusters - residual
    if variance <= 0:
        return mean, mean
    spread = sum(
        square**2 / each for square, each in zip((of_seeds, of_clusters, residual), free, strict=True)
    )
    reach = float(stdtrit(variance**2 / spread, (1 + LEVEL) / 2)) * np.sqrt(variance / (seeds * clusters))
    return mean - float(reach), mean + float(reach)
