"""A prompt on its way to a completion, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from harness.types import Sampling


@dataclass
class Row:
    """A prompt on its way to a completion."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    limit: int
    """Largest number of tokens to generate: the request's maximum, or what the context leaves."""
    generated: list[int] = field(default_factory=list)
    ended_by_stop: bool = False
    draws: torch.Tensor | None = None
    """Uniform random numbers, one per token; None when greedy."""
    error: str | None = None
    """Why the row could not be completed."""

    def draw_numbers(self) -> None:
        """Sets `draws`: each row has its own numbers, whatever batch it is in."""
        if self.sampling.temperature > 0:
            generator = torch.Generator().manual_seed(self.seed)
            self.draws = torch.rand(self.limit, generator=generator, dtype=torch.float64)

    @property
    def ended(self) -> bool:
        return self.ended_by_stop or self.error is not None or len(self.generated) >= self.limit

    def goes_on(self, token: int | None, end_ids: frozenset[int], stopped: Callable[[Row], bool]) -> bool:
        """Adds the next id (None: the logits were not finite). Returns whether the row continues."""
        if token is None:
            self.error = f"the model's logits are not finite at token {len(self.generated) + 1}"
            return False
        self.generated.append(token)
        if token in end_ids or (self.sampling.stop and stopped(self)):
            self.ended_by_stop = True
            return False
        return len(self.generated) < self.limit


Choose = Callable[[torch.Tensor, Sequence[Row]], list[int | None]]
"""Logits (rows, vocabulary) and their rows -> next ids, None for a row with logits that are not finite."""
