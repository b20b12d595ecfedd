"""Shared beginnings are truly common; batches are a pure function of the requests and keep their bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import request

from harness.engines.hf.prefixes import (
    MIN_COMMON,
    MIN_SHARED,
    common_beginning,
    common_prefix,
    group_by_prefix,
    plan_batches,
)
from harness.types import Request

IDS = st.lists(st.integers(0, 1), max_size=12)


@st.composite
def prompts(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Prompts that often share long beginnings."""
    stock = draw(st.lists(st.integers(0, 3), min_size=200, max_size=200))
    made = []
    for _ in range(draw(st.integers(0, 12))):
        cut = draw(st.sampled_from([0, 10, MIN_SHARED - 1, MIN_SHARED, 90, 200]))
        made.append((*stock[:cut], *draw(st.lists(st.integers(4, 6), min_size=1, max_size=60))))
    return made + made[: draw(st.integers(0, 3))]


@given(IDS, IDS)
def test_common_prefix_is_where_two_prompts_part(first: list[int], second: list[int]) -> None:
    length = common_prefix(first, second)
    assert first[:length] == second[:length]
    assert length == min(len(first), len(second)) or first[length] != second[length]


@settings(deadline=None)
@given(prompts())
def test_groups_are_a_partition_with_a_true_common_beginning(made: list[tuple[int, ...]]) -> None:
    groups = group_by_prefix(made)
    assert sorted(row for group in groups for row in group.rows) == list(range(len(made)))
    for group in groups:
        if len(group.rows) == 1:
            assert group.length == 0
            continue
        lengths = [len(made[row]) for row in group.rows]
        assert group.length >= MIN_SHARED
        assert len({made[row][: group.length] for row in group.rows}) == 1
        assert group.length < min(lengths), "each row keeps an id of its own"
        assert 2 * group.length >= min(lengths)


def test_equal_and_alike_prompts_share_and_strangers_do_not() -> None:
    long, short = tuple(range(100)), tuple(range(20))
    assert [group.length for group in group_by_prefix([long, long])] == [99]
    assert [group.length for group in group_by_prefix([short, short])] == [0, 0]
    alike = [(*long, 1000 + place) for place in range(3)]
    stranger = (*long[:50], *range(2000, 2200))
    lengths = {row: group.length for group in group_by_prefix([*alike, stranger]) for row in group.rows}
    assert lengths == {0: 100, 1: 100, 2: 100, 3: 0}


def test_a_common_beginning_is_used_where_it_is_worth_a_pass() -> None:
    start = tuple(range(MIN_COMMON))
    pieces = [(*start, 1000 + place, 7) for place in range(5)]
    assert common_beginning(pieces) == MIN_COMMON
    assert common_beginning([piece[1:] for piece in pieces]) == 0, "too short"
    assert common_beginning([*pieces, start]) == 0, "each piece keeps an id of its own"
    assert common_beginning(pieces[:1]) == 0, "nobody to share with"
    assert common_beginning([*pieces, range(2000, 2010)]) == 0, "a stranger"
    assert common_beginning([(*piece, *range(5000, 5200)) for piece in pieces]) == 0, (
        "a small part of long ones"
    )


def requests_of(count: int, seed: int) -> list[Request]:
    draw = random.Random(seed)
    return [
        request(
            draw.choices(range(9), k=draw.randint(1, 300)),
            item=str(number),
            adapter=draw.choice([None, "a", "b"]),
            max_tokens=draw.choice([16, 100]),
        )
        for number in range(count)
    ]


def plan(requests: list[Request], rows: int = 8, budget: int = 2000) -> list[list[Request]]:
    return plan_batches(requests, rows, budget, separate=lambda each: each.sampling.max_tokens)


@pytest.mark.parametrize("seed", range(5))
def test_batches_hold_every_request_once_within_their_bounds(seed: int) -> None:
    asked = requests_of(120, seed)
    batches = plan(asked)
    assert sorted(each.key for batch in batches for each in batch) == sorted(each.key for each in asked)
    for batch in batches:
        assert 1 <= len(batch) <= 8
        assert len({(each.adapter, each.sampling.max_tokens) for each in batch}) == 1
        widest = max(len(each.prompt_ids) + each.sampling.max_tokens for each in batch)
        assert len(batch) == 1 or len(batch) * widest <= 2000


def test_a_request_beyond_the_budget_has_a_batch_of_its_own() -> None:
    huge = request(range(5000), item="huge")
    batches = plan([huge, *requests_of(6, 0)])
    assert [huge] in batches


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_depends_on_the_requests_alone(seed: int) -> None:
    asked = requests_of(60, seed)
    planned = plan(asked)
    assert plan(list(asked)) == planned
    shuffled = random.Random(seed).sample(asked, len(asked))
    in_order = [[each.key for each in batch] for batch in planned]
    assert [[each.key for each in batch] for batch in plan(shuffled)] == in_order


def test_the_longest_come_first() -> None:
    asked = [request([number] * length, item=str(length)) for number, length in enumerate((5, 90, 40, 200))]
    lengths = [len(each.prompt_ids) for batch in plan(asked, rows=2) for each in batch]
    assert lengths == [200, 90, 40, 5]


def test_samples_of_one_prompt_stay_together() -> None:
    prompts_ = [tuple(random.Random(place).choices(range(50), k=120)) for place in range(6)]
    asked = [request(ids, seed=seed, item=str(ids)) for seed in range(4) for ids in prompts_]
    for batch in plan(asked, rows=8, budget=10**6):
        assert len({each.prompt_ids for each in batch}) == 2
