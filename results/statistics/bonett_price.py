"""Bonett and Price's interval for the difference of two paired proportions.

The naive (Wald) interval is too short with few discordant items, and a point with none. Bonett and Price
(2012, doi 10.3102/1076998611411915) add one imaginary item on each side, b + 1 and c + 1 among n + 2, and
then go on as Wald would. Simple as it is, its coverage stays near 95 % even in small and lopsided
samples.
"""

from __future__ import annotations

import math

from results.statistics.outcomes import Interval, normal_quantile


def bonett_price(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Interval of (c - b)/n: share right of the second variant minus share right of the first.

    `b`, `c`: items that only the first, only the second variant got right; `n`: all paired items.
    """
    centre, error = adjusted(b, c, n)
    reach = normal_quantile(0.5 + confidence / 2) * error
    return Interval(max(centre - reach, -1.0), min(centre + reach, 1.0), "Bonett-Price")


def adjusted(b: int, c: int, n: int) -> tuple[float, float]:
    """Centre and standard error of the difference with one imaginary item added on each side."""
    first, second = (b + 1) / (n + 2), (c + 1) / (n + 2)
    difference = second - first
    return difference, math.sqrt((first + second - difference**2) / (n + 2))
