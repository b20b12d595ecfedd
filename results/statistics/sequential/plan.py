"""A plan of looks: made before the first item, written into the manifest, and never changed.

It says after how many clusters of a task a look is made, how the error is shared out over the looks, and
whether claims that can hardly be decided any more are given up.

A plan that has stopped may be followed by another one over new clusters. Each claim may then spend the error
that it had left: the chance, if both variants are equal, with which the looks that were not made would still
have crossed, given the data (the conditional error of Mueller and Schaefer 2001, doi
10.1111/j.0006-341X.2001.00886.x). So the error over all plans is that of the first, whatever made the user
ask for more. The new looks test the new clusters alone: the old ones are in the error that is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from results.statistics.outcomes import normal_quantile
from results.statistics.sequential.boundaries import LEAST, Levels, levels
from results.statistics.sequential.spending import OBRIEN_FLEMING

LOOKS = 5
"""Default number of looks."""
MOST_LOOKS = 20
NEARLY_ZERO = 1e-12
"""Smallest level that is searched for a sequential p-value after a replaced plan."""

Above = Mapping[int, float]
"""Look (from 0, over all plans) -> one-sided p-value against "the true difference is at most this"."""


@dataclass(frozen=True)
class Plan:
    """The looks of one task. Looks are numbered from 0, over all plans that followed each other."""

    clusters: tuple[int, ...]
    """Clusters that have been asked at each look of this plan, rising; the last is the planned end."""
    spending: str = OBRIEN_FLEMING
    futility: bool = field(default=True, compare=False)
    before: Plan | None = None
    """The plan that this one followed."""
    made: int = 0
    """Looks that were made before this plan."""

    @property
    def looks(self) -> int:
        """Looks made before this plan, and its own."""
        return self.made + len(self.clusters)

    def at(self, look: int) -> Plan:
        """The plan that a look belongs to."""
        return self if self.before is None or look >= self.made else self.before.at(look)

    def asked(self, look: int) -> int:
        """Clusters that have been asked at a look."""
        of = self.at(look)
        return of.clusters[look - of.made]

    @property
    def start(self) -> int:
        """Clusters that were asked before this plan."""
        return self.before.asked(self.made - 1) if self.before else 0

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the plan's new clusters at each of its own looks; the last is 1."""
        size = self.clusters[-1] - self.start
        return tuple((count - self.start) / size for count in self.clusters)

    @property
    def levels(self) -> Levels:
        """Of the plan's own looks."""
        return levels(self.shares, self.spending)

    def confidence(self, look: int, confidence: float) -> float:
        """Confidence of one look's interval, so that the intervals of all looks of its plan are valid
        together with `confidence`: repeated confidence intervals (Jennison and Turnbull 1989).
        """
        of = self.at(look)
        return 1 - of.levels.nominal(look - of.made, 1 - confidence)

    def p(self, p_values: Sequence[float]) -> float:
        """The sequential p-value (Liu and Anderson 2008) of a test whose two-sided p-values at the looks so
        far are `p_values`: the smallest level at which a boundary was crossed at any of them. The plan has
        followed no other.

        It is at most alpha with probability alpha at most, whenever the looks end. So Holm's procedure may
        take it as any other p-value, which is the group sequential procedure of Maurer and Bretz (2013).
        """
        return min(self.levels.p(look, p) for look, p in enumerate(p_values))

    def p_above(self, above: Above) -> float:
        """The one-sided sequential p-value over all plans, at most .5: the smallest level at which a look of
        an earlier plan crossed, or one of this plan crossed the boundary for the error that was left.
        """
        own = [2 * p for look, p in above.items() if look >= self.made]
        places = [look - self.made for look in above if look >= self.made]
        found = [self.levels.p(look, min(p, 1.0)) / 2 for look, p in zip(places, own, strict=True)]
        here = min(found, default=0.5)
        if self.before is None:
            return here
        old = {look: p for look, p in above.items() if look < self.made}
        if not old:
            return here
        earlier = self.before.p_above(old)
        return min(earlier, self._level_for(here, old, earlier)) if found else earlier

    def _level_for(self, p: float, old: Above, most: float) -> float:
        """The smallest one-sided level, up to `most`, that leaves an error of `p` after the `old` looks."""
        from scipy.optimize import brentq

        assert self.before is not None

        def missing(log_level: float) -> float:
            left = self.before.left(old, math.exp(log_level)) if self.before else 0.0
            return math.log(max(left, LEAST)) - math.log(max(p, LEAST))

        low, high = math.log(NEARLY_ZERO), math.log(most)
        if missing(high) < 0:
            return most
        return math.exp(low if missing(low) >= 0 else float(brentq(missing, low, high, xtol=1e-9)))

    def left(self, above: Above, level: float) -> float:
        """The one-sided error that a claim has left after the looks in `above`, tested at `level`."""
        if self.before is not None and (old := {k: p for k, p in above.items() if k < self.made}):
            level = self.before.left(old, level)
        own = [look for look in above if look >= self.made]
        if not own or level <= LEAST:
            return level
        z = -normal_quantile(min(max(above[own[-1]], 1e-300), 1 - 1e-16))
        return self.levels.left(own[-1] - self.made, z, 2 * level)

    def level(self, above: Above, level: float) -> float:
        """The one-sided level at which the plan's own looks test a claim, whose looks so far are `above`."""
        old = {look: p for look, p in above.items() if look < self.made}
        return self.before.left(old, level) if self.before and old else level

    def bound(self, look: int, above: Above, alpha: float) -> float:
        """z of the upper boundary of a look for a test at two-sided level `alpha`."""
        of = self.at(look)
        level = of.level({k: p for k, p in above.items() if k < of.made}, alpha / 2)
        return of.levels.z(look - of.made, max(2 * level, LEAST))

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
