"""Finds out how a model may be batched: once, at load, with three short prompts.

Batches pad on the left, share the beginnings of prompts, and let rows leave. Most models give the same
logits; some count padded positions, keep states differently, or do not take such a cache. Instead of a list
of model names, this module runs the engine's own code, with rows that leave at different steps, and compares
its logits with plain passes of single rows. If they differ by more than float noise, it tries the next way:
without shared beginnings, then each row alone. So an unknown architecture may be slow but is never wrong.

Differences that appear only in long prompts (a window, for example) are not found here but by `can_grow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from statistics import median
from typing import Any

import torch

from harness.engines.base import Execution
from harness.engines.hf.alone import decode_alone
from harness.engines.hf.cache import can_grow
from harness.engines.hf.decode import decode_batch
from harness.engines.hf.memory import is_out_of_memory
from harness.engines.hf.passes import Passes
from harness.engines.hf.rows import Row
from harness.errors import UserError, one_line
from harness.types import Message, Sampling
from results.schema import Batches


class Way(Enum):
    """How completions are computed, fastest first."""

    SHARED = "shared beginnings"
    PADDED = "plain batches"
    ALONE = "rows alone"


@dataclass(frozen=True)
class Verdict:
    """How a model is run."""

    way: Way
    attention: str
    difference: float
    """Largest difference from the logits of single rows, as a share of the logits' standard deviation."""
    refused: tuple[str, ...] = ()
    """Ways that failed, each with the reason."""

    @property
    def note(self) -> str | None:
        """A sentence about a model that runs slower than others; None for all others."""
        if not self.refused:
            return None
        slower = {Way.SHARED: "", Way.PADDED: "; beginnings are not shared", Way.ALONE: "; this is slow"}
        return (
            f"its texts come from {self.way.value} with {self.attention} attention, as other ways gave other "
            f"logits than single rows ({self.refused[0]}){slower[self.way]}"
        )

    def as_dict(self) -> Batches:
        """For the manifest."""
        return {"way": self.way.value, "difference": self.difference, "refused": list(self.refused)}


STOCK: list[Message] = [
    {
        "role": "user",
        "content": "Ann has 3 red boxes, 14 small keys and a map of the old harbour; Ben has none of it. On "
        "Monday she gives him two boxes, seven keys and half of the map, and he walks down to the water with "
        "them. Who holds more keys now, how many boxes are left, and what can be found where the map ends? "
        "Write a short story about it: first the facts, then a guess, and in the end a line with an answer.",
    }
]
"""A conversation that provides ids for the probe."""

PROBED_SHARED = 12
"""Ids at the beginning that two prompts of the probe share. Fewer than the engine shares elsewhere, since
a large model needs a second for a hundred."""

LEAVING = (3, 6, 9)
"""Ids after which the rows leave: the last row takes the first one's place, and then stays alone."""

TOLERANCE = {torch.float16: 0.02, torch.bfloat16: 0.08}
"""Noise that is allowed, as a share of the logits' spread; errors differ by a tenth and more."""

EXACT = 1e-3
"""The same in float32, where correct batches differ by at most 3e-4."""

NOISE_FACTOR = 4.0
"""Deep models in half precision may be noisier, especially mixtures of experts, where noise can change the
chosen expert. Then the difference between two plain ways is measured, and this multiple of it is allowed."""

LARGEST_NOISE = 0.25
"""The most that is ever allowed: errors begin here."""

Logits = list[list[torch.Tensor]]
"""Per row and step, each of shape (vocabulary,)."""


def look(model: Any, stock: Sequence[int], pad_id: int, context: int, attentions: Sequence[str]) -> Verdict:
    """The fastest way that does not change the logits, with its attention, which the model then uses.

    `stock` are ids of a conversation in the model's template; `context` is the model's longest; `attentions`
    are those to try, fastest first and the library's own last. UserError if transformers cannot generate with
    the model.
    """
    probe = _Probe(model, stock, pad_id, context, attentions[-1])
    refused: list[str] = []
    for way in [Way.SHARED, Way.PADDED] if can_grow(model.config) else [Way.PADDED]:
        for attention in attentions:
            problem, difference = probe.try_way(way, attention)
            if problem is None:
                return Verdict(way, attention, difference, tuple(refused))
            refused.append(f"{way.value}: {problem}")
    use_attention(model, attentions[-1])
    assert probe.generated
    return Verdict(Way.ALONE, attentions[-1], 0.0, tuple(refused))


class _Probe:
    """Three prompts with fixed ids to follow, and the model's logits at each step."""

    def __init__(self, model: Any, stock: Sequence[int], pad_id: int, context: int, attention: str) -> None:
        self._model = model
        self._pad_id = pad_id
        self._attention = attention
        ids = list(stock) * (1 + 100 // len(stock))
        start = ids[: PROBED_SHARED + 2]
        room = max(1, context - max(LEAVING))
        # Two begin alike and one does not; all differ in length.
        prompts = ([*start, *ids[10:13]], [*start, *ids[20:32]], [*ids[:1], *ids[30:39]])
        self._prompts = [tuple(prompt[:room]) for prompt in prompts]
        self._following = [
            [ids[(7 * row + 3 * step) % len(ids)] for step in range(last)] for row, last in enumerate(LEAVING)
        ]
        self._tolerance = TOLERANCE.get(model.dtype, EXACT)
        self._half = model.dtype in TOLERANCE

    def try_way(self, way: Way, attention: str) -> tuple[str | None, float]:
        """What is wrong with a way (None if nothing is), and how far its logits are from those of single
        rows."""
        use_attention(self._model, attention)
        passes = Passes(self._model, self._pad_id, way is Way.SHARED, PROBED_SHARED)
        try:
            found = self._run(lambda *given: decode_batch(passes, *given))
        except Exception as error:  # a model may raise anything for a cache that it does not know
            if is_out_of_memory(error):
                raise
            return one_line(f"{type(error).__name__} {error}".strip()), float("inf")
        difference = float("inf")
        if self._passed is not None:
            difference = self._apart(found, self._passed)
        if difference > self._tolerance:
            difference = min(difference, self._apart(found, self.generated))
            if difference > max(self._tolerance, self._noise):
                return f"logits differ by {difference:.2g} of their spread", difference
        return None, difference

    @cached_property
    def _passed(self) -> Logits | None:
        """Logits by one pass over each row and its continuation, without a cache; None if that fails."""
        try:
            with self._library():
                return [self._pass(row) for row in range(len(self._prompts))]
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return None

    @cached_property
    def generated(self) -> Logits:
        """Logits by the library's own generation, row by row, which is correct by definition. Some models
        compute other logits with a cache than without; texts come from those with it."""
        try:
            with self._library():
                return self._run(lambda *given: decode_alone(self._model, *given))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise UserError(
                f"transformers cannot generate with this model ({type(error).__name__}: {one_line(error)}): "
                "use --engine vllm or a server that can, or name another model"
            ) from error

    @cached_property
    def _noise(self) -> float:
        """Noise to allow in half precision: the difference between the two plain ways, which are both
        correct."""
        if not self._half or self._passed is None:
            return 0.0
        return min(NOISE_FACTOR * self._apart(self.generated, self._passed), LARGEST_NOISE)

    def _pass(self, row: int) -> list[torch.Tensor]:
        following = self._following[row]
        ids = torch.tensor([[*self._prompts[row], *following[:-1]]], device=self._model.device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, use_cache=False).logits[0, -len(following) :]
        return list(logits.float().cpu())

    def _run(self, decode: Callable[..., None]) -> Logits:
        """The logits at which each id was chosen, decoded by `decode`."""
        rows = [
            Row(prompt, Sampling(temperature=0.0), 0, len(following))
            for prompt, following in zip(self._prompts, self._following, strict=True)
        ]
        found: Logits = [[] for _ in rows]

        def choose(logits: torch.Tensor, active: Sequence[Row]) -> list[int | None]:
            chosen: list[int | None] = []
            for scores, row in zip(logits, active, strict=True):
                place = next(place for place, each in enumerate(rows) if each is row)
                found[place].append(scores.float().cpu())
                chosen.append(self._following[place][len(row.generated)])
            return chosen

        decode(rows, frozenset(), lambda row: False, Execution(), choose)
        return found

    def _apart(self, found: Logits, plain: Logits) -> float:
        """Largest difference as a share of the spread, between two rows' leaving. An error stays, so in
        half precision the median step counts, and one change of expert does not."""
        worst = 0.0
        for one, other in zip(found, plain, strict=True):
            for end in range(LEAVING[0], len(other) + 1, LEAVING[0]):
                steps = [
                    float((a - b).norm() / (b - b.mean()).norm().clamp(min=1e-12))
                    for a, b in zip(one[end - LEAVING[0] : end], other[end - LEAVING[0] : end], strict=True)
                    if b.isfinite().all()
                ]
                if steps:
                    share = median(steps) if self._half else max(steps)
                    worst = max(worst, share if share == share else float("inf"))
        return worst

    @contextmanager
    def _library(self) -> Iterator[None]:
        """Uses the library's own attention inside the block."""
        before = self._model.config._attn_implementation
        use_attention(self._model, self._attention)
        try:
            yield
        finally:
            use_attention(self._model, before)


def use_attention(model: Any, attention: str) -> None:
    """Switches a model's layers to another attention function of the library."""
    if model.config._attn_implementation != attention:
        model.set_attn_implementation(attention)
