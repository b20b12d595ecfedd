"""Which variants lie on the Pareto front of score against cost, and how sure that is.

A variant is on the front where no other one scores as well for as little, and better in one of the two. The
items at hand are a draw: with others the front could be another one. So all variants' items are drawn anew
together (a joint bootstrap, clusters whole), the front is found in each draw, and a variant's probability is
the share of draws in which it lies on it. Above 5,000 clusters the means are drawn from their joint normal
distribution instead, whose covariance comes from each cluster's influence.

A probability of 1 means that no draw removed the variant from the front, not that it is good enough.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from results.statistics.bootstrap import LINEARISED_ABOVE
from results.statistics.outcomes import Floats, content_seed

DRAWS = 20_000
"""Number of draws; a share of them has a standard error of at most .0036."""
DRAWS_AT_A_TIME = 500
"""Draws in memory at a time."""


def on_front(scores: Floats, costs: Floats) -> npt.NDArray[np.bool_]:
    """Whether each variant is on the front; both arrays have shape (..., variants), a higher score and a
    lower cost are better. Variants that are equal in both do not exclude each other."""
    better = scores[..., None, :] > scores[..., :, None]
    cheaper = costs[..., None, :] < costs[..., :, None]
    worse = scores[..., None, :] < scores[..., :, None]
    dearer = costs[..., None, :] > costs[..., :, None]
    beaten = (better | cheaper) & ~worse & ~dearer
    return np.asarray(~beaten.any(axis=-1))


def front_probability(totals: Floats, weights: Floats, costs: Floats, rows: Floats) -> Floats:
    """Probability of each variant to be on the front.

    `totals` (variants, clusters) are sums of weight * score, `weights` (clusters) sums of weights; `costs`
    (variants, clusters) are sums over the rows of a cluster, `rows` (clusters) their number.
    """
    top = np.vstack([totals, costs])
    if totals.shape[1] > LINEARISED_ABOVE:
        scores, spent = _normal_means(totals, weights, costs, rows)
        return np.asarray(on_front(scores, spent).mean(axis=0))
    count = totals.shape[0]
    sums = np.vstack([top, weights, rows]).T
    rng = np.random.default_rng(content_seed(sums))
    n = sums.shape[0]
    found = np.zeros(count)
    for start in range(0, DRAWS, DRAWS_AT_A_TIME):
        size = min(DRAWS_AT_A_TIME, DRAWS - start)
        drawn = rng.integers(0, n, (size, n), dtype=np.int32) + n * np.arange(size, dtype=np.int32)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        made = counts @ sums
        # Draws without any scored cluster are ignored; they are few.
        scores = made[:, :count] / np.maximum(made[:, -2:-1], 1e-300)
        found += on_front(scores, made[:, count:-2] / made[:, -1:]).sum(axis=0)
    return found / DRAWS


def _normal_means(totals: Floats, weights: Floats, costs: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Means of score and cost of `DRAWS` draws, each of shape (draws, variants)."""
    count, n = totals.shape
    score, cost = totals.sum(axis=1) / weights.sum(), costs.sum(axis=1) / rows.sum()
    influence = np.vstack(
        [
            (totals - score[:, None] * weights) / weights.sum(),
            (costs - cost[:, None] * rows) / rows.sum(),
        ]
    )
    rng = np.random.default_rng(content_seed(totals, costs))
    # Variants that are the same on every item have no difference, so the matrix may be singular.
    drawn = rng.multivariate_normal(
        np.concatenate([score, cost]), influence @ influence.T * n / (n - 1), DRAWS, method="eigh"
    )
    return drawn[:, :count], drawn[:, count:]
