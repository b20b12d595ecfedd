"""Tango's score interval for the difference of two paired proportions, and its test of a margin.

The score test asks how surprising the counts would be if the true difference were `value`, with the
discordant shares fitted under that assumption (Tango 1998, Statistics in Medicine 17:891; the same test at a
margin: Nam 1997). Its interval holds every difference that is not surprising. Where 5 % of 200 items are
discordant and all of them lost, Bonett and Price's interval claims "as good as within 5 points" in 5 % of the
runs, the score test in 1 % (2.5 % were promised; `tests/benchmarks/simulate_looks.py`).
"""

from __future__ import annotations

import math

from results.statistics.outcomes import Interval, normal_quantile, normal_tail

EDGE = 1 - 1e-9


def tango_z(b: int, c: int, n: int, value: float) -> float:
    """Score statistic of "the true (c - b) / n is `value`"; falls as `value` rises.

    `b`, `c`: items that only the first, only the second variant got right; `n`: all paired items.
    """
    linear = -b - c + (2 * n - c + b) * value
    rest = -b * value * (1 - value)
    lost = (math.sqrt(max(linear**2 - 8 * n * rest, 0.0)) - linear) / (4 * n)
    variance = n * (2 * lost + value * (1 - value))
    distance = c - b - n * value
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def tango_p_above(b: int, c: int, n: int, value: float) -> float:
    """One-sided p-value against "the true difference is at most `value`"."""
    return normal_tail(tango_z(b, c, n, value))


def tango(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Interval of (c - b) / n."""
    from scipy.optimize import brentq

    reach = normal_quantile(0.5 + confidence / 2)
    ends = []
    for limit, edge in ((reach, -EDGE), (-reach, EDGE)):
        beyond = tango_z(b, c, n, edge) - limit
        if beyond * limit <= 0:  # no difference is that surprising
            ends.append(math.copysign(1.0, edge))
            continue

        def missing(value: float, limit: float = limit) -> float:
            return tango_z(b, c, n, value) - limit

        ends.append(float(brentq(missing, edge, -edge, xtol=1e-12)))
    return Interval(ends[0], ends[1], "Tango score")
