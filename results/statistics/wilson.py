"""Wilson's interval: where the true share may lie, given k successes among n.

The naive interval (share plus and minus two standard errors) collapses to a point when every item is right
and leaves the range [0, 1] near its ends. Wilson (1927) asks the other way round: which true shares would
make the observed one unsurprising? The answer is never a point, stays within [0, 1], and covers the true
share 95 times in 100 on average over the shares.

For clustered items (two orders of a pair, several votes on it) the rows are not independent. Their
design effect says how many independent ones they are worth: the variance of the score over clusters divided
by the variance that independent rows would have. Wilson then runs with that effective number, never more
than the number of rows. Where few clusters deviate from the rest, that number is drawn towards the number of
clusters, which it equals where the data show no variance at all.
"""

from __future__ import annotations

import math

import numpy as np

from results.statistics.outcomes import Floats, Interval, normal_quantile

CONFIDENCE = 0.95


def wilson(successes: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson interval of a proportion; `successes` and `n` may be effective (fractional) numbers."""
    from scipy.special import ndtri

    z = -float(ndtri((1 - confidence) / 2))
    share = successes / n
    denominator = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / denominator
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / denominator
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0), "Wilson")


def wilson_clustered(total: Floats, weight: Floats, rows: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson interval of sum(total)/sum(weight) over clusters, at the effective number of independent rows.

    `total` is the weighted sum of 0/1 scores of each cluster, `weight` the sum of its weights.
    """
    score = float(total.sum() / weight.sum())
    n = effective_n(total, weight, rows)
    interval = wilson(score * n, n, confidence)
    return Interval(interval.low, interval.high, "Wilson at the effective n of the clusters")


def effective_n(total: Floats, weight: Floats, rows: int) -> float:
    """How many independent 0/1 rows would show the score with the variance that these clusters show."""
    from scipy.special import stdtrit

    clusters = total.size
    score = float(total.sum() / weight.sum())
    residual = total - score * weight
    variance = float((residual**2).sum()) / float(weight.sum()) ** 2 * clusters / max(clusters - 1, 1)
    at_least = float(np.sum(weight) ** 2 / np.sum(weight**2))
    if variance <= 0 or not 0 < score < 1:
        return at_least
    found = min(max(score * (1 - score) / variance, 1.0), rows)
    # A variance from k clusters is itself uncertain, as in `results.statistics.adjusted`.
    k = min(int(np.count_nonzero(total)), int(np.count_nonzero(total < weight)))
    quantile = float(stdtrit(k * k / 9 + 1, 0.975))
    return float(max(found * (normal_quantile(0.975) / quantile) ** 2, min(found, at_least)))
