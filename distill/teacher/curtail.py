"""Curtailed votes: samples of an input are drawn in waves, until its vote is certain.

A majority of all K samples is certain as soon as one answer has it, and impossible as soon as no answer can
reach it with the samples that are left. The other samples cannot change whether the input is kept, nor
its target (the most common spelling of the answer, which must be certain too). This is curtailed sampling
(Alling 1963), not an estimate: only the exact margin is lost, and a bound of it is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from harness.programs.self_consistency import keeps_its_lead

Key = str | None
Spelled = tuple[Key, str | None]
"""What one sample votes for, and how it spells that; both None for a failure."""


def certain(samples: Sequence[Spelled], total: int, threshold: float) -> Literal["kept", "dropped"] | None:
    """Returns what happens to an input whatever its other samples say; None if they can still decide.

    `samples` are those drawn so far of `total`; a majority is more than `threshold` of all of them.
    """
    left, needed = total - len(samples), _needed(total, threshold)
    ranked = Counter(key for key, _ in samples if key is not None).most_common(2)
    (leader, count), (_, second) = [*ranked, ("", 0), ("", 0)][:2]
    if count + left < needed:
        return "dropped"
    if left == 0:
        return "kept" if count >= needed and count > second else "dropped"
    if count < needed or count <= second + left:
        return None
    spellings = Counter(str(spelling) for key, spelling in samples if key == leader)
    return "kept" if keeps_its_lead(spellings, left) else None


def next_wave(samples: Sequence[Spelled], total: int, threshold: float) -> int:
    """Returns how many samples to draw next: the fewest that may make the vote certain; 0 if it is."""
    if len(samples) >= total or certain(samples, total, threshold) is not None:
        return 0
    left, needed = total - len(samples), _needed(total, threshold)
    ranked = Counter(key for key, _ in samples if key is not None).most_common(2)
    count = ranked[0][1] if ranked else 0
    to_win, to_lose = needed - count, count + left - needed + 1
    return min(max(min(to_win, to_lose), 1), left)


def _needed(total: int, threshold: float) -> int:
    """Returns the number of samples that make a majority."""
    # In floats 0.29 * 100 is below 29, and 29 of 100 would pass as more than .29.
    return int(Fraction(str(threshold)) * total) + 1
