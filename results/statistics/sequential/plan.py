"""A plan of looks: made before the first item, written into the manifest, and never changed.

It says after how many clusters of a task a look is made, how the error is shared out over the looks, and
whether claims that can hardly be decided any more are given up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.statistics.outcomes import normal_quantile
from results.statistics.sequential.boundaries import Levels, levels
from results.statistics.sequential.spending import OBRIEN_FLEMING

LOOKS = 5
"""Default number of looks."""
MOST_LOOKS = 20


@dataclass(frozen=True)
class Plan:
    """The looks of one task."""

    clusters: tuple[int, ...]
    """Clusters that have been asked at each look, rising; the last is the planned end."""
    spending: str = OBRIEN_FLEMING
    futility: bool = True

    @property
    def looks(self) -> int:
        return len(self.clusters)

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the planned clusters at each look; the last is 1."""
        return tuple(count / self.clusters[-1] for count in self.clusters)

    @property
    def levels(self) -> Levels:
        return levels(self.shares, self.spending)

    def confidence(self, look: int, confidence: float) -> float:
        """Confidence of one look's interval (looks count from 0), so that the intervals of all looks are
        valid together with `confidence`: repeated confidence intervals (Jennison and Turnbull 1989).
        """
        return 1 - self.levels.nominal(look, 1 - confidence)

    def p(self, p_values: Sequence[float]) -> float:
        """The sequential p-value (Liu and Anderson 2008) of a test whose two-sided p-values at the looks so
        far are `p_values`: the smallest level at which a boundary was crossed at any of them.

        It is at most alpha with probability alpha at most, whenever the looks end. So Holm's procedure may
        take it as any other p-value, which is the group sequential procedure of Maurer and Bretz (2013).
        """
        return min(self.levels.p(look, p) for look, p in enumerate(p_values))

    def passed(self, z_values: Sequence[float], alpha: float) -> int:
        """Number of looks before `z_values` crossed the boundary of level `alpha`."""
        for look, z in enumerate(z_values):
            if abs(z) >= self.levels.z(look, alpha):
                return look
        return len(z_values)


def planned(clusters: int, looks: int, spending: str, futility: bool) -> Plan:
    """A plan of up to `looks` looks, evenly spaced over `clusters`; fewer where there are fewer clusters."""
    counts = (math.ceil(clusters * (look + 1) / looks) for look in range(looks))
    return Plan(tuple(dict.fromkeys(counts)), spending, futility)


def score_of(p: float, sign: float) -> float:
    """z of a two-sided p-value, with the sign of the estimate."""
    return math.copysign(-normal_quantile(max(p, 1e-300) / 2), sign) if p < 1 else 0.0
