"""The share of a gain that is kept: (distilled - base) / (System 2 - base), with its interval.

Both differences rest on the same items, so they are drawn together: a bootstrap of whole clusters gives, for
each draw, the two sums, and their ratio is the share. 1 is all of the gain, above 1 is more than System 2
has, below 0 is worse than base. The interval is BCa, as for every other ratio
(`results.statistics.bootstrap`); over several tasks each is drawn by itself, and the mean gains are divided.

If System 2 gains nothing, the share is not defined. If its gain is positive but uncertain (more than 2.5 % of
the draws have none), the share has no bounds, so it has no interval. It has none either if it is the same in
every draw (the distilled variant equals System 2, or base, on every item), or with fewer than six clusters:
the draws then do not show how far it may be off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.statistics import bootstrap
from results.statistics.outcomes import Floats, content_seed, normal_tail

WITHOUT_GAIN = 0.025
"""From this share of draws without a gain of System 2 on, the interval has no ends."""


@dataclass(frozen=True)
class Kept:
    """A share with the ends of its 95 % interval; None if it has none."""

    value: float
    low: float | None
    high: float | None


def gain_kept(parts: Sequence[tuple[Floats, Floats, float]], confidence: float = 0.95) -> Kept | None:
    """The share kept over one or several tasks, each with the same weight; None if System 2 gains nothing.

    A part is one task: sums of weight * (distilled - base) and of weight * (System 2 - base), an entry per
    cluster, and the sum of weights. No ends if the draws do not reach `confidence`.
    """
    kept = float(np.mean([moved.sum() / weight for moved, _, weight in parts]))
    gain = float(np.mean([gained.sum() / weight for _, gained, weight in parts]))
    if gain <= 1e-12:
        return None
    if len(parts) == 1 and bootstrap.is_linearised(*parts[0][:2]):
        moved, gained, _ = parts[0]
        error = bootstrap.standard_error(gained, np.ones(gained.size))
        if normal_tail(float(gained.mean()) / error) > WITHOUT_GAIN:
            return Kept(kept / gain, None, None)
        interval = bootstrap.bca_interval(moved, gained, confidence)
        return _kept(kept / gain, interval.low, interval.high)
    top, bottom = np.zeros(bootstrap.REPLICATES), np.zeros(bootstrap.REPLICATES)
    for number, (moved, gained, weight) in enumerate(parts):
        sums = bootstrap.draw_sums(moved, gained)
        # Tasks of the same size would share their draws of items, which would correlate them.
        order = np.random.default_rng([content_seed(moved, gained), number]).permutation(top.size)
        top, bottom = top + sums[0][order] / weight, bottom + sums[1][order] / weight
    beyond_reach = (1 - confidence) * bootstrap.REPLICATES < bootstrap.FEWEST_BEYOND
    few = sum(moved.size for moved, _, _ in parts) < bootstrap.FEWEST_CLUSTERS
    if few or beyond_reach or float((bottom <= 1e-12).mean()) > WITHOUT_GAIN:
        return Kept(kept / gain, None, None)
    drawn = np.where(bottom > 1e-12, top / np.where(bottom > 1e-12, bottom, 1.0), np.copysign(np.inf, top))
    skew = bootstrap.acceleration(bootstrap.cells(*parts[0][:2])) if len(parts) == 1 else 0.0
    low, high = bootstrap.bca_limits(drawn, kept / gain, skew, confidence)
    return _kept(kept / gain, low, high)


def _kept(value: float, low: float, high: float) -> Kept:
    """The share with the ends that it has."""
    if high - low <= 1e-9 * max(1.0, abs(value)):
        return Kept(value, None, None)
    return Kept(value, low if np.isfinite(low) else None, high if np.isfinite(high) else None)
