"""MOVER: an interval for a mean of independent estimates, made of the interval of each.

Standard errors of independent estimates add up by their squares. The method of variance estimates recovery
(Zou and Donner 2008, doi 10.1002/sim.3095) does the same with the distances from each estimate to its own
limits, below and above apart. So the care that went into each interval (adjusted, skewed, never a point) is
kept in the whole. With Wilson's intervals of two proportions it is Newcombe's interval of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from results.statistics.outcomes import Interval


def mover(estimates: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> Interval:
    """Interval of the mean of independent estimates, each with the limits of its own interval."""
    values, low, high = (np.asarray(part, dtype=float) for part in (estimates, lows, highs))
    centre, count = float(values.mean()), values.size
    below = math.sqrt(float((np.maximum(values - low, 0) ** 2).sum())) / count
    above = math.sqrt(float((np.maximum(high - values, 0) ** 2).sum())) / count
    return Interval(centre - below, centre + above, "MOVER")
