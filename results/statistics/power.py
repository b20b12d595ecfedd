"""Power: how small a difference could n items have shown, and how many items would show it.

A test that finds nothing says "equal" only to those who know how much it could have found. With two-sided
alpha 5 % and power 80 % (four in five such studies would find it), the smallest difference is
(1.960 + 0.842) * s / sqrt(n), where s is the spread of one paired difference. For 0/1 scores s squared is
the discordant share: the part of items on which exactly one variant is right (Miller 2024, arXiv
2411.00640).

However small the spread, the mid-p McNemar test needs five discordant items, all on one side, to fall below
5 %: no difference below 5 / n can be shown.
"""

from __future__ import annotations

import math

from results.statistics.outcomes import normal_quantile

POWER = 0.8
FEWEST_DISCORDANT = 5


def mde(spread: float, n: int, alpha: float = 0.05, power: float = POWER) -> float:
    """Minimum detectable difference for `n` clusters whose paired differences have this `spread` (sd)."""
    return _factor(alpha, power) * spread / math.sqrt(n)


def needed_n(spread: float, difference: float, alpha: float = 0.05, power: float = POWER) -> int | None:
    """Clusters needed to show `difference` (or non-inferiority at that margin); None if no number
    suffices."""
    if difference == 0:
        return None
    return max(math.ceil((_factor(alpha, power) * spread / difference) ** 2), 1)


def _factor(alpha: float, power: float) -> float:
    return normal_quantile(1 - alpha / 2) + normal_quantile(power)
