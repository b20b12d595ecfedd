"""The recipe of the embedded model: all that decides its weights.

What is done with these numbers is in `sequences.py` and `pretrain.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from distill.tiny.corpus import COPYING, SHARES, Shares


@dataclass(frozen=True)
class Leg:
    """A stretch of the training with a mixture of its own."""

    examples: int
    """Drawn; what overlaps an item of a split is left out."""
    steps: int
    """Batches that are used, at most; 0: all."""
    rates: tuple[tuple[int, float], ...]
    """(step of the leg, share of the peak rates), linear in between and level behind the last."""
    rest: Shares = SHARES
    """Shares of the kinds that are no direct answers."""


LEGS = (
    Leg(110_000, 2400, ((0, 1 / 60), (59, 1.0), (1880, 1.0), (4700, 0.02))),
    Leg(60_000, 0, ((0, 0.45), (2400, 0.02)), COPYING),
)
"""In the first leg facts and single steps are learnt, at rates at which copying is not; so the second goes on
at lower ones, with more of what has to be copied."""


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights."""

    seed: int = 0
    direct: float = 0.3
    """Percent of the examples that are direct answers to composed questions, for each task."""
    legs: tuple[Leg, ...] = LEGS
    hidden: int = 192
    layers: int = 4
    heads: int = 4
    feed_forward: int = 512
    context: int = 1024
    batch_tokens: int = 2560
    """Tokens of a batch, padding included."""
    muon_rate: float = 4e-3
    adam_rate: float = 3e-3
    weight_decay: float = 0.02
