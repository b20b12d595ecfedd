"""One forward pass through a model: which arguments its `forward` has, and which cache it gets.

Models name their cache differently, some take no positions, and some cannot compute the logits of the last
position alone.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers.cache_utils import Cache

from harness.engines.hf.cache import new_cache
from harness.engines.hf.prefixes import MIN_SHARED

_CACHE_NAMES = ("past_key_values", "cache_params")
"""Names of the cache argument: of models with attention, and of models with states only."""


class Passes:
    """The passes of one model, with or without PEFT around it."""

    def __init__(self, model: Any, pad_id: int, shares: bool, shortest: int = MIN_SHARED) -> None:
        """`shares`: prompts may share the keys and values of beginnings of at least `shortest` ids, in the
        growing cache. Otherwise the cache is the library's, and each row is only padded on the left."""
        self.pad_id = pad_id
        self.shares = shares
        self.shortest = shortest
        self.device: torch.device = model.device
        self._model = model
        self._config = model.config
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        takes = inspect.signature(base.forward).parameters
        anything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values())
        self._cache_name = next((name for name in _CACHE_NAMES if name in takes), _CACHE_NAMES[0])
        self._positions = anything or "position_ids" in takes
        self._last = {"logits_to_keep": 1} if anything or "logits_to_keep" in takes else {}

    def new_cache(self) -> Cache:
        """An empty cache for a batch."""
        return new_cache(self._config, self.shares)

    def __call__(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache
    ) -> torch.Tensor:
        """Logits after the last id of each row (rows, vocabulary). `ids` and `positions` have shape (rows,
        new positions), `mask` (rows, all positions); the new positions join `cache`."""
        given = {"position_ids": positions} if self._positions else {}
        if self._cache_name != _CACHE_NAMES[0]:
            mask = mask[:, -ids.shape[1] :]  # states have no positions to mask
        logits: torch.Tensor = self._model(
            input_ids=ids,
            attention_mask=mask,
            **given,
            **{self._cache_name: cache},
            use_cache=True,
            **self._last,
        ).logits
        return logits[:, -1]
