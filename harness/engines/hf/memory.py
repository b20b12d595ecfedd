"""How much a batch of the `hf` engine may hold, and what is done where that was too much.

A batch that memory does not suffice for runs in halves, down to single rows; one row that does not fit is
that item's error. It knows rows and sizes; how a batch is decoded is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness.engines.base import Execution
from harness.engines.hf.rows import Row

PLAIN_SIGNS = ("DefaultCPUAllocator", "ALLOC_FAILED")
"""In the plain RuntimeError of torch's CPU allocator and of cuBLAS."""


class Halving:
    """Has batches decoded whole where memory suffices, and remembers what did not fit."""

    def __init__(self) -> None:
        self._unfit: int | None = None
        """Key-value positions of the smallest batch that did not fit: as large ones are not tried again."""

    def decode(
        self, rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None], execution: Execution
    ) -> None:
        """Complete `rows` by `attempt`, or leave the reason in their `error`."""
        waiting = [rows]
        while waiting:
            part = waiting.pop()
            tried = len(part) == 1 or self._unfit is None or _positions(part) < self._unfit
            if tried and _fits(part, attempt, execution):
                continue
            if len(part) == 1:
                tokens = len(part[0].prompt_ids)
                part[0].error = f"memory does not suffice for this prompt of {tokens} tokens alone"
                continue
            if tried:
                self._unfit = _positions(part)
            execution.splits += 1
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]


def _fits(rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None], execution: Execution) -> bool:
    """Complete `rows` in one batch; False, with the rows as they were, where memory does not suffice."""
    useful = execution.useful_decode_rows
    try:
        attempt(rows)
        return True
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here, where the error and with it the tensors of the attempt are gone.
    execution.useful_decode_rows = useful
    for row in rows:
        row.generated, row.ended_by_stop, row.error = [], False, None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error) for sign in PLAIN_SIGNS)


def budget_from_memory(model: Any) -> int:
    """Key-value positions that fit: half of what the weights leave of the device, or an eighth of the
    machine. Sizes, not what is free now: the plan must be the same when a run is resumed."""
    import psutil

    text = model.config.get_text_config(decoder=True)
    per_position = text.num_hidden_layers * _key_value_size(text) * model.dtype.itemsize
    if model.device.type == "cuda":
        weights = sum(parameter.numel() * parameter.itemsize for parameter in model.parameters())
        available = (torch.cuda.mem_get_info(model.device)[1] - weights) / 2
    else:
        available = psutil.virtual_memory().total / 8
    return max(4096, int(available / per_position))


def _key_value_size(text: Any) -> int:
    """Numbers that a layer keeps of a position; models without attention keep a state of like size."""
    heads = getattr(text, "num_attention_heads", None)
    if not heads:
        return 2 * int(text.hidden_size)
    groups = getattr(text, "num_key_value_heads", None) or heads
    if getattr(text, "kv_lora_rank", None):  # latent attention, whose keys and values are kept unfolded
        return int(heads) * int(text.qk_nope_head_dim + text.qk_rope_head_dim + text.v_head_dim)
    return 2 * int(groups) * int(getattr(text, "head_dim", None) or text.hidden_size // heads)


def _positions(rows: Sequence[Row]) -> int:
    """Key-value positions that `rows` may come to hold in one batch."""
    return len(rows) * max(len(row.prompt_ids) + row.limit for row in rows)
