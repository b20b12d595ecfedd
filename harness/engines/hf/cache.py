"""Keys and values that grow in place, and attention that does not copy grouped heads.

transformers' dynamic cache copies all keys and values at every decode step, and its masked attention repeats
the heads of grouped-query models in memory. This module replaces both through the library's extension points,
with the same arithmetic. tests/benchmarks/ measures it on 2 CPU cores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

GROW_BY = 64
"""Positions that are reserved at a time."""

ATTENTION = "s2d_grouped_sdpa"

_PART = re.compile(r"window|local|chunk|attention_types")
"""Finds names of settings that may limit a layer's attention to part of the earlier positions."""

_NO_PART = re.compile(r"max_window_layers|experts")
"""Exceptions: settings with these names do not limit attention."""

Places = Sequence[tuple[int, int]]
"""(row of a part, row of the whole); a row of a part may appear several times."""


class GrowingLayer(DynamicLayer):
    """A dynamic layer that writes new positions into reserved space instead of concatenating."""

    keys: torch.Tensor
    values: torch.Tensor

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        self._key_space = key_states.new_empty((*key_states.shape[:2], 0, key_states.shape[3]))
        self._value_space = value_states.new_empty((*value_states.shape[:2], 0, value_states.shape[3]))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append positions; both arguments have shape (rows, heads, positions, size)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if end > self._key_space.shape[2]:
            self._key_space = self._grown(self.keys, key_states, start, end + GROW_BY)
            self._value_space = self._grown(self.values, value_states, start, end + GROW_BY)
        self._key_space[:, :, start:end] = key_states
        self._value_space[:, :, start:end] = value_states
        self.keys = self._key_space[:, :, :end]
        self.values = self._value_space[:, :, :end]
        return self.keys, self.values

    @staticmethod
    def _grown(old: torch.Tensor, new: torch.Tensor, used: int, capacity: int) -> torch.Tensor:
        space = new.new_empty((new.shape[0], new.shape[1], capacity, new.shape[3]))
        if used:
            space[:, :, :used] = old
        return space

    def compact(self, moves: Sequence[tuple[int, int]], count: int) -> None:
        """Moves row `source` to `target` for each of `moves`, then keeps the first `count` rows. Rows that
        stay are not copied: some rows end at each step, and all rows together are gigabytes."""
        end = self.keys.shape[2]
        for source, target in moves:
            self._key_space[target, :, :end] = self._key_space[source, :, :end]
            self._value_space[target, :, :end] = self._value_space[source, :, :end]
        self._key_space, self._value_space = self._key_space[:count], self._value_space[:count]
        self.keys, self.values = self._key_space[:, :, :end], self._value_space[:, :, :end]

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps (or repeats) rows."""
        if self.get_seq_length() > 0:
            end = self.keys.shape[2]
            self._key_space = self._key_space[indices]
            self._value_space = self._value_space[indices]
            self.keys = self._key_space[:, :, :end]
            self.values = self._value_space[:, :, :end]

    @classmethod
    def joined(cls, parts: Sequence[DynamicLayer], places: Sequence[Places], room: int) -> GrowingLayer:
        """One layer made of several, aligned on the right, with `room` more positions reserved."""
        width = max(part.keys.shape[2] for part in parts)
        rows = sum(len(place) for place in places)
        layer = cls()
        first = parts[0].keys
        values = parts[0].values
        layer.lazy_initialization(first, values)
        # In latent attention, values and keys differ in size.
        layer._key_space = first.new_zeros((rows, first.shape[1], width + room, first.shape[3]))
        layer._value_space = values.new_zeros((rows, values.shape[1], width + room, values.shape[3]))
        for part, place in zip(parts, places, strict=True):
            start = width - part.keys.shape[2]
            for source, target in place:
                layer._key_space[target, :, start:width] = part.keys[source]
                layer._value_space[target, :, start:width] = part.values[source]
        layer.keys = layer._key_space[:, :, :width]
        layer.values = layer._value_space[:, :, :width]
        return layer


def can_grow(config: Any) -> bool:
    """Whether, according to the configuration, all layers attend to all earlier positions. Then the
    growing cache works, and padding in the middle of a row changes nothing."""
    text = config.get_text_config(decoder=True)
    if getattr(text, "sliding_window", None) is not None:
        return False
    try:
        layers = DynamicCache(config=config).layers
    except Exception:  # the library has no cache for this configuration
        return False
    if any(type(layer) is not DynamicLayer for layer in layers):
        return False
    # Named kinds of layers are reliable; without them, a window may hide under a name of the model's own.
    return bool(getattr(text, "layer_types", None)) or not any(
        _PART.search(name) and not _NO_PART.search(name) and value for name, value in text.to_dict().items()
    )


def new_cache(config: Any, growing: bool) -> Cache:
    """An empty cache for a model: the growing one, or the library's, which handles every kind of layer."""
    return Cache(layer_class_to_replicate=GrowingLayer) if growing else DynamicCache(config=config)


def keep_rows(cache: Cache, keep: Sequence[int]) -> list[int]:
    """Drops all rows but `keep` (ascending), and returns the old positions of the rows in their new order.
    The last rows take the places of dropped rows."""
    count = len(keep)
    kept = set(keep)
    places = [place for place in range(count) if place not in kept]
    moves = list(zip([row for row in keep if row >= count], places, strict=True))
    order = list(range(count))
    for source, target in moves:
        order[target] = source
    if all(isinstance(layer, GrowingLayer) for layer in cache.layers):
        for layer in cache.layers:
            layer.compact(moves, count)
    else:
        # `batch_select_indices` does not work here: linear attention lacks it, or keeps the states of all
        # rows.
        cache.reorder_cache(torch.tensor(order))
    return order


def join_caches(
    parts: Sequence[Cache], places: Sequence[Places], room: int = GROW_BY, keep: bool = False
) -> Cache:
    """One cache made of several growing ones. `places[i]` says where the rows of part i go; `room` is the
    number of positions to follow. Empties the parts layer by layer, so that at most one layer is in memory
    twice, unless `keep` is set."""
    joined = new_cache_of_layers(len(parts[0].layers))
    for index in range(len(parts[0].layers)):
        joined.layers[index] = GrowingLayer.joined([part.layers[index] for part in parts], places, room)
        if not keep:
            for part in parts:
                part.layers[index] = GrowingLayer()
    return joined


def new_cache_of_layers(count: int) -> Cache:
    """An empty growing cache with its layers in place."""
    return Cache(layers=[GrowingLayer() for _ in range(count)])


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Grouped-query attention without repeated keys: query heads with the same key head are treated as
    more query positions of that head. `query` has shape (rows, heads, positions, size), `key` and `value`
    (rows, key heads, all positions, size), the mask (rows, 1, positions, all positions); returns (rows,
    positions, heads, size). The library computes prompts without padding, because its causal attention
    needs half the work."""
    groups = getattr(module, "num_key_value_groups", 1)
    rows, heads, length, size = query.shape
    causal = attention_mask is None and length > 1
    mask_of_each_head = attention_mask is not None and attention_mask.shape[1] != 1
    if causal or groups == 1 or mask_of_each_head or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    if attention_mask is not None and length > 1:
        attention_mask = attention_mask.repeat(1, 1, groups, 1)
    out = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, heads // groups, groups * length, size),
        key,
        value,
        attn_mask=attention_mask,
        scale=kwargs.get("scaling"),
    )
    return out.reshape(rows, heads, length, size).transpose(1, 2).contiguous(), None


def register() -> None:
    """Registers `ATTENTION` with transformers; may be called again."""
    AttentionInterface.register(ATTENTION, grouped_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
