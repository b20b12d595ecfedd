"""Decodes one row at a time with transformers' own `generate`, for models that cannot be batched here.
Batches are also compared with its logits.

This module chooses the ids, so sampling, stops and ends are those of a batch; the library only prepares and
runs the passes. It is slow, and correct for every model that the library can generate with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation import StoppingCriteria, StoppingCriteriaList

from harness.engines.base import Execution
from harness.engines.hf.draw import next_tokens
from harness.engines.hf.rows import Choose, Row


def decode_alone(
    model: Any,
    rows: Sequence[Row],
    end_ids: frozenset[int],
    stopped: Callable[[Row], bool],
    execution: Execution,
    choose: Choose = next_tokens,
) -> None:
    """Like `decode_batch` of decode.py, but one row after the other."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    for row in rows:
        row.draw_numbers()
        taken = _Taken(row, end_ids, stopped, execution, choose)
        ids = torch.tensor([row.prompt_ids], device=base.device)
        with torch.inference_mode(), _bare_settings(base):
            base.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=row.limit,
                do_sample=False,
                logits_processor=LogitsProcessorList([taken]),
                stopping_criteria=StoppingCriteriaList([_Ended(taken)]),
            )


class _Taken(LogitsProcessor):
    """Lets the row choose its next id and rules out all others."""

    def __init__(
        self,
        row: Row,
        end_ids: frozenset[int],
        stopped: Callable[[Row], bool],
        execution: Execution,
        choose: Choose,
    ) -> None:
        self._row = row
        self._end_ids = end_ids
        self._stopped = stopped
        self._execution = execution
        self._choose = choose
        self.goes_on = True

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._row.generated:
            self._execution.decode_rows += 1
            self._execution.useful_decode_rows += 1
        token = self._choose(scores, [self._row])[0]
        self.goes_on = self._row.goes_on(token, self._end_ids, self._stopped)
        only = torch.full_like(scores, float("-inf"))
        only[:, token or 0] = 0.0
        return only


class _Ended(StoppingCriteria):
    """Tells the library that the row has ended."""

    def __init__(self, taken: _Taken) -> None:
        self._taken = taken

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.tensor([not self._taken.goes_on], device=input_ids.device)


@contextmanager
def _bare_settings(model: Any) -> Iterator[None]:
    """Switches off the model's own penalties, forced ids and ends: they would change the logits."""
    own = model.generation_config
    # With a padding id set, the library does not warn that it uses the end id.
    model.generation_config = GenerationConfig(pad_token_id=0, use_cache=True)
    try:
        yield
    finally:
        model.generation_config = own
