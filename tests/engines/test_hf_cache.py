"""The growing cache holds what transformers' dynamic cache holds; grouped attention is plain attention."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, MistralConfig
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from harness.engines.hf.cache import (
    GROW_BY,
    GrowingLayer,
    can_grow,
    grouped_attention,
    join_caches,
    keep_rows,
    new_cache,
)

HEADS, SIZE = 2, 4


def states(rows: int, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, HEADS, positions, SIZE), torch.randn(rows, HEADS, positions, SIZE)


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_updates_and_selections_holds_the_same(seed: int) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    growing, plain, rows = GrowingLayer(), DynamicLayer(), 4
    for _ in range(12):
        if draw.random() < 0.35 and growing.get_seq_length():
            chosen = torch.tensor(draw.choices(range(rows), k=draw.randint(1, 6)))
            growing.batch_select_indices(chosen)
            plain.batch_select_indices(chosen)
            rows = len(chosen)
        keys, values = states(rows, draw.choice([1, 1, 1, 2, 7, GROW_BY, GROW_BY + 1]))
        found, expected = growing.update(keys, values), plain.update(keys, values)
        assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
        assert growing.get_seq_length() == plain.get_seq_length()
        assert growing.get_mask_sizes(1) == plain.get_mask_sizes(1)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_stay_are_the_same_after_others_have_gone(seed: int) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    config = LlamaConfig(num_hidden_layers=2)
    cache, plain = new_cache(config, growing=True), [DynamicLayer(), DynamicLayer()]
    rows = 9
    while rows:
        for layer in range(2):
            keys, values = states(rows, draw.choice([1, 1, 5]))
            cache.update(keys, values, layer)
            plain[layer].update(keys, values)
        keep = sorted(draw.sample(range(rows), draw.randint(0, rows)))
        if not keep:
            break
        order = keep_rows(cache, keep)
        assert sorted(order) == keep
        assert all(row == place for place, row in enumerate(order) if place in keep), "no needless copy"
        for found, expected in zip(cache.layers, plain, strict=True):
            expected.batch_select_indices(torch.tensor(order))
            assert torch.equal(found.keys, expected.keys) and torch.equal(found.values, expected.values)
        rows = len(keep)


def test_a_cache_of_the_library_keeps_rows_as_well() -> None:
    cache = new_cache(MistralConfig(sliding_window=16, num_hidden_layers=1), growing=False)
    keys, values = states(4, 3)
    cache.update(keys, values, 0)
    assert keep_rows(cache, [1, 3]) == [3, 1]
    assert torch.equal(cache.layers[0].keys, keys[[3, 1]])


def test_decode_steps_write_in_place_until_the_space_is_used() -> None:
    layer = GrowingLayer()
    layer.update(*states(2, 5))
    places = set()
    for _ in range(GROW_BY):
        layer.update(*states(2, 1))
        places.add(layer.keys.data_ptr())
    assert len(places) == 1
    layer.update(*states(2, 1))
    assert layer.keys.data_ptr() not in places
    assert layer.get_seq_length() == 5 + GROW_BY + 1


def test_chunks_are_joined_on_the_right() -> None:
    parts = [new_cache(LlamaConfig(num_hidden_layers=2), growing=True) for _ in range(2)]
    first, second = states(2, 3), states(1, 5)
    for layer in range(2):
        parts[0].update(*first, layer)
        parts[1].update(*second, layer)
    joined = join_caches(parts, [[(0, 2), (1, 0)], [(0, 1)]])
    for layer in joined.layers:
        keys = layer.keys
        assert keys.shape == (3, HEADS, 5, SIZE)
        assert torch.equal(keys[2, :, 2:], first[0][0]) and torch.equal(keys[0, :, 2:], first[0][1])
        assert torch.equal(keys[1], second[0][0])
        assert not keys[2, :, :2].any(), "what a shorter row lacks must be finite"
    assert parts[0].get_seq_length() == 0, "the parts give their memory back"
    joined.update(*states(3, 1), 0)
    assert joined.get_seq_length(0) == 6


def test_a_shared_beginning_goes_to_several_rows_and_leaves_room() -> None:
    part = new_cache(LlamaConfig(num_hidden_layers=1), growing=True)
    keys, values = states(2, 3)
    part.update(keys, values, 0)
    joined = join_caches([part], [[(0, 0), (0, 2), (1, 1)]], room=7)
    assert torch.equal(joined.layers[0].keys, keys[[0, 1, 0]])
    place = joined.layers[0].keys.data_ptr()
    joined.update(*states(3, 7), 0)
    assert joined.layers[0].keys.data_ptr() == place, "what follows is written in place"
    assert torch.equal(joined.layers[0].values[:, :, :3], values[[0, 1, 0]])


def test_only_models_with_full_attention_grow() -> None:
    assert can_grow(LlamaConfig())
    assert not can_grow(MistralConfig(sliding_window=16))
    assert type(new_cache(MistralConfig(sliding_window=16), growing=False)) is DynamicCache


class Module(torch.nn.Module):
    """An attention module as far as attention functions look at it."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.num_key_value_groups = groups
        self.is_causal = True
        self.training = False


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_grouped_attention_is_the_library_s(groups: int, queries: int, masked: bool) -> None:
    torch.manual_seed(groups)
    query = torch.randn(3, HEADS * groups, queries, SIZE)
    keys, values = states(3, 9)
    mask: Any = None
    if masked:
        mask = torch.ones(3, 1, queries, 9, dtype=torch.bool)
        mask[0, :, :, :4] = False
        mask[1, :, :, 2] = False
    module = Module(groups)
    found, _ = grouped_attention(module, query, keys, values, mask, scaling=0.5)
    expected, _ = sdpa_attention_forward(module, query, keys, values, mask, scaling=0.5)
    assert found.shape == (3, queries, HEADS * groups, SIZE)
    assert torch.allclose(found, expected, atol=1e-6)
