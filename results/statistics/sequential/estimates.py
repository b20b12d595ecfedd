"""Estimates after a test was stopped early, and whether continuing would help.

A test that stops because a difference is large stops on lucky differences more often than on unlucky ones,
so the plain estimate is too large. The median-unbiased estimate orders all outcomes by stage: crossing
earlier is more extreme, and within a look a larger z (Armitage 1957; Jennison and Turnbull 2000, section
8.4). It is the true difference at which half of the outcomes would be more extreme than the one seen.

Where a claim was decided at an early look and its items were asked further for another claim, that early look
is left out (the deletion method for overrunning: Whitehead 1992): the estimate uses all data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from results.statistics.outcomes import normal_tail
from results.statistics.sequential.boundaries import exits, last_above

FUTILE_BELOW = 0.05
"""Conditional power below which a claim is given up. At 0.10 giving up costs up to 4.2 points of power at the
MDE, at 0.05 up to 2.8 (`tests/benchmarks/simulate_looks.py`)."""
FUTILE_FROM = 0.5
"""Share of the planned clusters from which a claim may be given up: a trend of few items is unreliable."""


def median_unbiased(
    estimate: float, error: float, share: float, passed: Sequence[float], shares: Sequence[float]
) -> float:
    """The median-unbiased estimate of a difference that stands at `estimate` (standard error `error`) when a
    share `share` of the planned data is in. `passed` are the boundaries (z) of the earlier looks at `shares`
    that were not crossed.
    """
    if error <= 0 or not passed:
        return estimate
    from scipy.optimize import brentq

    z = estimate / error

    def more_extreme(drift: float) -> float:
        upper = sum(above for _, above in exits(passed, shares, drift))
        return upper + last_above(passed, shares, drift, z, share) - 0.5

    unit = error * math.sqrt(share)
    centre = estimate / unit
    low, high = centre - 6 / math.sqrt(share), centre + 6 / math.sqrt(share)
    if more_extreme(low) >= 0 or more_extreme(high) <= 0:
        return estimate
    return float(brentq(more_extreme, low, high, xtol=1e-9)) * unit


def conditional_power(z: float, share: float, final: float) -> float:
    """Chance that |z| reaches `final` at the planned end, on either side, if the trend of the first `share`
    of the data goes on.
    """
    if share >= 1:
        return float(abs(z) >= final)
    trend, spread = z / math.sqrt(share), math.sqrt(1 - share)
    return normal_tail((final - trend) / spread) + normal_tail((final + trend) / spread)


def futile(z: float, share: float, final: float) -> bool:
    """Whether a claim is given up at this look. The rule is non-binding: levels do not depend on it."""
    return share >= FUTILE_FROM and conditional_power(z, share, final) < FUTILE_BELOW
