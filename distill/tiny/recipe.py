"""The recipe of the embedded model: all that decides its weights.

`sequences.py` and `pretrain.py` use these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from distill.tiny.corpus import COPYING, SHARES, Shares


@dataclass(frozen=True)
class Leg:
    """A phase of the training with its own mixture."""

    examples: int
    """Number drawn; examples that overlap an item of a split are left out."""
    steps: int
    """Most batches to use; 0: all."""
    rates: tuple[tuple[int, float], ...]
    """(step of the leg, share of the peak rates), linear in between and constant after the last."""
    rest: Shares = SHARES
    """Shares of the kinds that are not direct answers."""


LEGS = (
    Leg(110_000, 2400, ((0, 1 / 60), (59, 1.0), (1880, 1.0), (4700, 0.02))),
    Leg(60_000, 0, ((0, 0.45), (2400, 0.02)), COPYING),
)
"""In the first leg, facts and single steps are learnt, at rates that are too high for copying; so the
second continues at lower ones, with more copying."""


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
