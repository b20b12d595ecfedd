"""Sign-flip permutation: could the sum of the paired differences be this far from zero by chance?

If two variants are equally good, then swapping their names on an item changes nothing: each difference is as
likely to be +d as -d. So flip all signs at random, many times, and see how often the flipped sum is as far
from zero as the observed one. No normal distribution is assumed.

Items of one cluster (templates of a question, orders of a pair, votes, samples, seeds) rise and fall
together. They are flipped together: the differences handed in are sums over clusters, which makes the same
code the cluster permutation test.

Ties with the observed sum count by half (mid-p), as in McNemar's test, which is this test on 0/1 scores.
Where the differences are few multiples of one unit (votes, graded scores, clusters of 0/1 items), the
distribution of all flips is computed exactly. Else 10,000 flips are drawn, seeded from the data. Above
5,000 non-zero differences the sum of flips is normal to any accuracy that matters.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from results.statistics.outcomes import Floats, TestOutcome, content_seed, normal_tail

FLIPS = 10_000
NORMAL_ABOVE = 5_000
"""Non-zero differences above which the normal distribution replaces the flips."""
MAX_CELLS = 200_000
"""Longest exact distribution (in units of the lattice)."""


def sign_flip(differences: Floats, flips: int = FLIPS) -> TestOutcome:
    """Two-sided p-value of the sum of `differences` (one per item or cluster)."""
    moved = differences[differences != 0]
    if moved.size == 0:
        return TestOutcome(1.0, "sign-flip permutation (no differences)")
    if moved.size > NORMAL_ABOVE:
        z = abs(float(moved.sum())) / math.sqrt(float((moved**2).sum()))
        return TestOutcome(2 * normal_tail(z), "sign-flip permutation (normal)")
    steps = lattice(moved)
    if steps is not None:
        return TestOutcome(_exact(steps), "sign-flip permutation (exact)")
    return TestOutcome(_drawn(moved, flips), "sign-flip permutation (10,000 flips)")


def lattice(values: Floats) -> npt.NDArray[np.int64] | None:
    """`values` as whole multiples of a common unit, or None if there is no coarse one."""
    sizes = np.unique(np.abs(values).round(12))
    if sizes.size > 64:
        return None
    for divisor in range(1, 13):
        unit = sizes[0] / divisor
        multiples = sizes / unit
        if np.all(np.abs(multiples - np.rint(multiples)) < 1e-6):
            steps = np.rint(values / unit).astype(np.int64)
            return steps if int(np.abs(steps).sum()) <= MAX_CELLS else None
    return None


def _exact(steps: npt.NDArray[np.int64]) -> float:
    """Mid-p from the exact distribution of the flipped sum, which is the Fourier transform of its
    characteristic function, the product of cos(d * t) over the differences d.
    """
    sizes, counts = np.unique(np.abs(steps), return_counts=True)
    total, observed = int(np.abs(steps).sum()), abs(int(steps.sum()))
    cells = 2 * total + 2
    angle = 2 * np.pi * np.arange(total + 2) / cells
    characteristic = np.prod(
        [np.cos(size * angle) ** count for size, count in zip(sizes, counts, strict=True)], axis=0
    )
    chance = np.fft.irfft(characteristic, cells)[: total + 1]
    beyond, at = float(chance[observed + 1 :].sum()), float(chance[observed])
    return min(max(2 * beyond + (at if observed else at / 2), 0.0), 1.0)


def _drawn(moved: Floats, flips: int) -> float:
    """Mid-p from `flips` random sign patterns; the observed pattern counts as one of them."""
    rng = np.random.default_rng(content_seed(moved))
    observed = abs(float(moved.sum()))
    tolerance = 1e-9 * float(np.abs(moved).sum())
    beyond, at = 0, 1
    bytes_per_row = (moved.size + 7) // 8
    for start in range(0, flips, 500):
        rows = min(500, flips - start)
        bits = np.unpackbits(rng.integers(0, 256, (rows, bytes_per_row), dtype=np.uint8), axis=1)
        sums = np.abs((2.0 * bits[:, : moved.size] - 1.0) @ moved)
        beyond += int((sums > observed + tolerance).sum())
        at += int((np.abs(sums - observed) <= tolerance).sum())
    return (beyond + at / 2) / (flips + 1)
