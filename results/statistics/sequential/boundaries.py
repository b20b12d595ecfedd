"""Boundaries of a group sequential test: how large z must be at each look, by recursive integration.

The scores of the looks are a normal random walk: at share t of the data, B(t) = z * sqrt(t), and the step
from t to u is normal with variance u - t. The density of B on the paths that have not crossed yet is carried
from look to look by numerical integration (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000,
chapter 19), here with Gauss-Legendre nodes between the boundaries.

The same recursion answers four questions: where the boundaries of a spending function lie (`bounds`), what
the chance of crossing is (`exits`, also under a drift), at which level a result would just have been
significant (`Levels`, the sequential p-value), and which error is left after a look (`Levels.left`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from results.statistics.outcomes import Floats, normal_quantile, normal_tail
from results.statistics.sequential.spending import SPENDING

NODES = 96
"""Nodes of each integration: 20 looks agree with 400 nodes to 1e-9."""
WIDEST = 9.0
"""Standard errors beyond which paths are ignored."""
LARGEST_Z = 6.0
"""Largest z: sequential p-values below its p (2e-9) are reported as 2e-9."""
SMALLEST_Z = 0.25
"""Smallest z: sequential p-values from .80 on are reported as 1."""

LEAST = 1e-290
"""Minimum crossing probability of a look."""

Shares = tuple[float, ...]


@dataclass(frozen=True)
class _Paths:
    """Density of the score at one look on the paths that did not cross: nodes, and density times weight."""

    at: Floats
    mass: Floats
    share: float

    def above(self, score: float, share: float, drift: float) -> float:
        """Chance that the score of the look at `share` is at least `score`."""
        from scipy.special import ndtr

        step = share - self.share
        ahead = (self.at + drift * step - score) / math.sqrt(step)
        return float(self.mass @ ndtr(ahead))

    def below(self, score: float, share: float, drift: float) -> float:
        from scipy.special import ndtr

        step = share - self.share
        behind = (score - self.at - drift * step) / math.sqrt(step)
        return float(self.mass @ ndtr(behind))

    def next(self, low: float, high: float, share: float, drift: float) -> _Paths:
        """The paths that lie between `low` and `high` at the look at `share`."""
        step = share - self.share
        points, weights = _nodes()
        at = (high + low) / 2 + (high - low) / 2 * points
        gap = at[:, None] - self.at[None, :] - drift * step
        density = np.exp(-(gap**2) / (2 * step)) @ self.mass / math.sqrt(2 * math.pi * step)
        return _Paths(at, density * weights * (high - low) / 2, share)


START = _Paths(np.zeros(1), np.ones(1), 0.0)
"""Before the first item."""


@lru_cache(maxsize=1)
def _nodes() -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(NODES)


def _carried(paths: _Paths, z: float, share: float, drift: float) -> _Paths:
    reach, middle = z * math.sqrt(share), drift * share
    wide = WIDEST * math.sqrt(share)
    low, high = max(-reach, middle - wide), min(reach, middle + wide)
    if low >= high:  # nearly all paths have crossed
        return _Paths(np.zeros(1), np.zeros(1), share)
    return paths.next(low, high, share, drift)


def exits(
    z: Sequence[float], shares: Sequence[float], drift: float = 0.0, paths: _Paths = START
) -> list[tuple[float, float]]:
    """(chance of crossing -z first, chance of crossing +z first) at each look; `drift` is the mean of z at
    the planned end. The boundaries are +z and -z. `paths` are those before the first of the looks.
    """
    found = []
    for bound, share in zip(z, shares, strict=True):
        score = bound * math.sqrt(share)
        found.append((paths.below(-score, share, drift), paths.above(score, share, drift)))
        paths = _carried(paths, bound, share, drift)
    return found


def last_above(
    z: Sequence[float], shares: Sequence[float], drift: float, last: float, last_share: float
) -> float:
    """Chance of passing the looks at `shares` without crossing, and then having at least z = `last` at the
    look at `last_share`.
    """
    paths = START
    for bound, share in zip(z, shares, strict=True):
        paths = _carried(paths, bound, share, drift)
    return paths.above(last * math.sqrt(last_share), last_share, drift)


def bounds(shares: Shares, alpha: float, spending: str) -> list[float]:
    """z of the symmetric boundaries at each look: each side spends half of the two-sided `alpha`.

    `shares` rise to 1. With shares (.2, .4, .6, .8, 1) at 5 % the O'Brien-Fleming type gives 4.877, 3.357,
    2.680, 2.290, 2.031.
    """
    return list(_bounds(shares, alpha, spending))


def _bounds(shares: Shares, alpha: float, spending: str) -> Iterator[float]:
    spent, paths = 0.0, START
    for share in shares:
        total = SPENDING[spending](share, alpha / 2)
        z, spent = _boundary(paths, share, max(total - spent, LEAST)), total
        yield z
        paths = _carried(paths, z, share, 0.0)


def _boundary(paths: _Paths, share: float, chance: float) -> float:
    """The z that uncrossed paths exceed with probability `chance` at the look at `share`."""
    from scipy.optimize import brentq

    # Some paths crossed earlier, so it is below the quantile of all paths.
    top = -normal_quantile(chance)
    if paths is START:
        return top

    def beyond(z: float) -> float:
        above = paths.above(z * math.sqrt(share), share, 0.0)
        return math.log(max(above, LEAST)) - math.log(chance)

    if beyond(0.0) <= 0:
        return 0.0
    return top if beyond(top) >= 0 else float(brentq(beyond, 0.0, top, xtol=1e-12))


@dataclass(frozen=True)
class Levels:
    """The levels of a plan's looks, for every level of the whole test.

    A look of a test at level alpha is decided at its own, smaller (nominal) level. Both are kept as z, which
    makes the one a nearly straight function of the other; it is tabulated once and interpolated by a
    monotone cubic.
    """

    shares: Shares
    spending: str

    @cached_property
    def _curves(self) -> list[tuple[Callable[[float], Floats], Floats, Floats]]:
        from scipy.interpolate import PchipInterpolator

        whole = np.concatenate([np.linspace(SMALLEST_Z, 1.0, 16), np.linspace(1.05, LARGEST_Z, 100)])
        table = np.array([bounds(self.shares, 2 * normal_tail(z), self.spending) for z in whole])
        # The monotone part only: a sequential p-value above it is 1.
        curves = []
        for look in range(len(self.shares)):
            column = table[:, look]
            falling = np.flatnonzero(np.diff(column) <= 0)
            start = int(falling[-1]) + 1 if falling.size else 0
            curves.append((PchipInterpolator(whole[start:], column[start:]), whole[start:], column[start:]))
        return curves

    def z(self, look: int, alpha: float) -> float:
        """Boundary of a look (from 0) of a test at two-sided level `alpha`."""
        curve, whole, column = self._curves[look]
        asked = normal_quantile(1 - alpha / 2)
        if asked >= whole[-1]:
            return float(column[-1] * asked / whole[-1])
        return float(curve(max(asked, whole[0])))

    def left(self, look: int, z: float, alpha: float) -> float:
        """Conditional error (Mueller and Schaefer 2001): the chance, if both are equal, that a test at
        two-sided level `alpha` crosses its upper boundary after a look (from 0) that ended with `z`.
        """
        later = range(look + 1, len(self.shares))
        share = self.shares[look]
        paths = _Paths(np.array([z * math.sqrt(share)]), np.ones(1), share)
        bounds_later = [self.z(each, alpha) for each in later]
        return sum(above for _, above in exits(bounds_later, self.shares[look + 1 :], paths=paths))

    def nominal(self, look: int, alpha: float) -> float:
        """Two-sided level of a look (from 0) of a test at two-sided level `alpha`."""
        return 2 * normal_tail(self.z(look, alpha))

    def p(self, look: int, p: float) -> float:
        """The level at which a test would have just been significant at this look, where its own two-sided
        p-value is `p` (the sequential p-value of Liu and Anderson 2008, of one look).
        """
        from scipy.optimize import brentq

        curve, whole, column = self._curves[look]
        z = -normal_quantile(p / 2) if p > 0 else math.inf
        if z >= column[-1]:
            return 2 * normal_tail(LARGEST_Z)
        if z <= column[0]:
            return 1.0
        found = brentq(lambda each: float(curve(each)) - z, whole[0], whole[-1], xtol=1e-13)
        return 2 * normal_tail(float(found))


@lru_cache(maxsize=64)
def levels(shares: Shares, spending: str) -> Levels:
    """The levels of a plan, cached for all its tests."""
    return Levels(shares, spending)
