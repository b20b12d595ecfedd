"""Labels, the hold-out by input unit, and what is too long."""

from __future__ import annotations

import pytest

from distill.training.data import IGNORED, Examples, example, split_examples
from harness.errors import RunError

END = 2
PROMPTS = [[10 + place, 5, 6] for place in range(40)]
TARGETS = [[100 + place % 3, END] for place in range(40)]
PAIRS = [f"pair-{place // 2}" for place in range(40)]


def split(share: float, groups: list[str], seed: int = 0, order: int = 1) -> Examples:
    return split_examples(
        PROMPTS[::order], TARGETS[::order], groups[::order], validation=share, max_length=0, seed=seed
    )


def first_ids(rows: list[dict[str, list[int]]]) -> set[int]:
    return {row["input_ids"][0] for row in rows}


def test_loss_is_on_the_target_alone_and_its_end_too() -> None:
    assert example([7, 8, END], [9, END]) == {
        "input_ids": [7, 8, END, 9, END],
        "labels": [IGNORED, IGNORED, IGNORED, 9, END],
    }


def test_both_orders_of_a_pair_stay_on_one_side() -> None:
    found = split(0.25, PAIRS)
    assert (len(found.train), len(found.validation)) == (30, 10)
    assert not first_ids(found.train) & first_ids(found.validation)
    held = {(ids - 10) // 2 for ids in first_ids(found.validation)}
    assert len(held) == 5, "ten examples of five pairs, so no pair is cut"


def test_what_is_held_out_depends_on_names_and_seed_not_on_the_order() -> None:
    assert first_ids(split(0.25, PAIRS).validation) == first_ids(split(0.25, PAIRS, order=-1).validation)
    assert first_ids(split(0.25, PAIRS).validation) != first_ids(split(0.25, PAIRS, seed=1).validation)


def test_without_groups_equal_prompts_are_one_unit() -> None:
    prompts, targets = [[1], [1], [2], [3]], [[5, END], [6, END], [5, END], [5, END]]
    for seed in range(6):
        found = split_examples(prompts, targets, [], validation=0.3, max_length=0, seed=seed)
        assert not first_ids(found.train) & first_ids(found.validation)


def test_a_share_holds_out_at_least_one_unit_and_leaves_one() -> None:
    assert not split(0.0, PAIRS).validation
    assert len(split(0.001, PAIRS).validation) == 2
    assert len(split(0.999, PAIRS).train) == 2


def test_long_examples_are_dropped_and_counted_never_cut() -> None:
    prompts, targets = [[1] * 3, [2] * 9], [[4, END], [4, END]]
    found = split_examples(prompts, targets, [], validation=0.0, max_length=5, seed=0)
    assert (found.too_long, [row["input_ids"] for row in found.train]) == (1, [[1, 1, 1, 4, END]])
    with pytest.raises(RunError, match="no example has at most max_length=4"):
        split_examples(prompts, targets, [], validation=0.0, max_length=4, seed=0)
    with pytest.raises(RunError, match="at least two inputs"):
        split_examples(prompts, targets, [], validation=0.5, max_length=5, seed=0)
