"""How much a batch of the `hf` engine may hold, and what happens when that was too much.

A batch that does not fit into memory runs in halves, down to single rows; one row that does not fit is an
error of that item. The caller passes in the function that decodes a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness.engines.base import Execution
from harness.engines.hf.rows import Row

MESSAGE_PARTS = ("DefaultCPUAllocator", "ALLOC_FAILED")
"""Texts in the plain RuntimeErrors of torch's CPU allocator and of cuBLAS."""


class Halving:
    """Decodes whole batches if memory allows, and remembers what did not fit."""

    def __init__(self) -> None:
        self._unfit: int | None = None
        """Key-value positions of the smallest batch that did not fit; batches of this size are not tried
        again."""

    def decode(
        self, rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None], execution: Execution
    ) -> None:
        """Completes `rows` with `attempt`, or sets the reason as their `error`."""
        waiting = [rows]
        while waiting:
            part = waiting.pop()
            tried = len(part) == 1 or self._unfit is None or _positions(part) < self._unfit
            if tried and _fits(part, attempt, execution):
                continue
            if len(part) == 1:
                tokens = len(part[0].prompt_ids)
                part[0].error = f"memory is too small for this prompt of {tokens} tokens alone"
                continue
            if tried:
                self._unfit = _positions(part)
            execution.splits += 1
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]


def _fits(rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None], execution: Execution) -> bool:
    """Completes `rows` in one batch. If memory is too small: False, and the rows are as before."""
    useful = execution.useful_decode_rows
    try:
        attempt(rows)
        return True
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here are the error and the tensors of the attempt freed.
    execution.useful_decode_rows = useful
    for row in rows:
        row.generated, row.ended_by_stop, row.error = [], False, None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(part in str(error) for part in MESSAGE_PARTS)


def budget_from_memory(model: Any) -> int:
    """Key-value positions that fit: half of the device memory that the weights leave, or an eighth of the
    machine's. Uses sizes, not what is free now: a resumed run must make the same plan."""
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
    """Numbers that a layer keeps per position; models without attention keep a state of similar size."""
    heads = getattr(text, "num_attention_heads", None)
    if not heads:
        return 2 * int(text.hidden_size)
    groups = getattr(text, "num_key_value_heads", None) or heads
    if getattr(text, "kv_lora_rank", None):  # latent attention; its keys and values are kept unfolded
        return int(heads) * int(text.qk_nope_head_dim + text.qk_rope_head_dim + text.v_head_dim)
    return 2 * int(groups) * int(getattr(text, "head_dim", None) or text.hidden_size // heads)


def _positions(rows: Sequence[Row]) -> int:
    """Key-value positions that `rows` may need in one batch."""
    return len(rows) * max(len(row.prompt_ids) + row.limit for row in rows)
