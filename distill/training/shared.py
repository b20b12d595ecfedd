"""What all examples of a batch begin with runs once: a system prompt, an instruction, worked examples.

Its keys and values are repeated for the rows, and their gradients add up. So loss and gradients are those of
whole rows, except for rounding, and so many positions fewer are computed, forward and backward.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from harness.engines.hf.cache import can_grow
from harness.engines.hf.prefixes import worth_sharing


def can_share(model: Any, arguments: Any, processes: int) -> bool:
    """Whether batches of this training may share a beginning.

    Not on several devices: their wrappers expect one forward pass a step. Not with gradient checkpointing,
    which keeps no keys and values. Not with dropout, which would then drop the same in all rows.
    """
    return (
        processes == 1
        and not arguments.gradient_checkpointing
        and can_grow(model.config)
        and not _drops(model)
    )


def shared_length(ids: torch.Tensor, mask: torch.Tensor | None, first: int) -> int:
    """Number of leading ids that all rows share, at most `first`; 0 if sharing them is not worth a pass of
    its own. `ids` (rows, positions) are padded on the right."""
    same = (ids[:, :first] == ids[:1, :first]).all(dim=0)
    length = int(same.long().cumprod(dim=0).sum())
    real = ids.numel() if mask is None else int(mask.sum())
    return length if worth_sharing(length, len(ids), real) else 0


def begin(model: Any, ids: torch.Tensor, length: int) -> DynamicCache:
    """Keys and values of the first `length` ids of `ids`, repeated for its rows."""
    cache = DynamicCache(config=model.config)
    model(input_ids=ids[:1, :length], past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(len(ids))
    return cache


def _drops(model: Any) -> bool:
    if any(isinstance(module, torch.nn.Dropout) and module.p for module in model.modules()):
        return True
    settings = model.config.get_text_config(decoder=True).to_dict()
    return any("drop" in name and isinstance(value, float) and value > 0 for name, value in settings.items())
