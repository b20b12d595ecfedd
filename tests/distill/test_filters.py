"""Consistency filters: majorities count failures, ties are dropped, orders must agree, USC is parsed."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.teacher.filters import Vote, majority, parse_usc, swap_consistent, usc_fit, usc_prompt
from harness.errors import UserError

SWAPPED = {"[[A]]": "[[B]]", "[[B]]": "[[A]]", "[[C]]": "[[C]]"}
swap = SWAPPED.__getitem__


# Majority


def test_five_of_eight_is_a_majority():
    assert majority(["x"] * 5 + ["y"] * 2 + [None]) == Vote("x", 5, 8, 3 / 8, None)


def test_four_to_four_is_dropped():
    assert majority(["x", "y"] * 4) == Vote(None, 4, 8, 0.0, "no_majority")


def test_failures_count_in_the_denominator_and_never_vote():
    half = majority(["x"] * 4 + [None] * 4)
    assert (half.answer, half.reason, half.margin) == (None, "no_majority", 0.5)
    assert majority(["x"] * 5 + [None] * 3).answer == "x"


@pytest.mark.parametrize("samples", [0, 3])
def test_no_answer_at_all_is_its_own_reason(samples):
    assert majority([None] * samples) == Vote(None, 0, samples, 0.0, "all_failed")


def test_ties_for_the_lead_are_dropped_at_any_threshold():
    assert majority(["x", "x", "y", "y", "z"], threshold=0.2).reason == "no_majority"
    assert majority(["x", "x", "y", "z", None], threshold=0.2).answer == "x"


def test_threshold_is_exact_where_floats_are_not():
    answers = ["x"] * 29 + [str(number) for number in range(71)]
    assert 0.29 * 100 < 29
    assert majority(answers, threshold=0.29).reason == "no_majority"


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 8])
def test_a_threshold_that_is_no_share_is_named(threshold):
    with pytest.raises(UserError, match=str(threshold)):
        majority(["x"], threshold)


@pytest.mark.parametrize("samples", [1, 3, 4, 5])
def test_kept_and_right_shares_follow_the_binomial(samples):
    """Over all outcomes of right, wrong and failed samples, weighted by their probability."""
    right, wrong, failed = 0.6, 0.3, 0.1
    weight = {"right": right, "wrong": wrong, None: failed}
    kept: Counter[str | None] = Counter()
    for answers in itertools.product(weight, repeat=samples):
        kept[majority(answers).answer] += math.prod(weight[answer] for answer in answers)

    def more_than_half(probability: float) -> float:
        return sum(
            math.comb(samples, hits) * probability**hits * (1 - probability) ** (samples - hits)
            for hits in range(samples // 2 + 1, samples + 1)
        )

    assert kept["right"] == pytest.approx(more_than_half(right))
    assert kept["wrong"] == pytest.approx(more_than_half(wrong))
    assert sum(kept.values()) == pytest.approx(1)


@given(st.lists(st.sampled_from(["x", "y", "z", None]), max_size=12), st.randoms())
def test_a_majority_is_more_than_half_and_does_not_depend_on_order(answers, shuffler):
    vote = majority(answers)
    if vote.answer is not None:
        assert 2 * answers.count(vote.answer) > len(answers)
    else:
        assert all(2 * answers.count(answer) <= len(answers) for answer in "xyz")
    shuffled = list(answers)
    shuffler.shuffle(shuffled)
    assert majority(shuffled) == vote


# Both orders


@pytest.mark.parametrize(
    ("first", "swapped", "answer", "reason"),
    [
        ("[[A]]", "[[B]]", "[[A]]", None),
        ("[[B]]", "[[A]]", "[[B]]", None),
        ("[[C]]", "[[C]]", "[[C]]", None),
        ("[[A]]", "[[A]]", None, "order_inconsistent"),
        ("[[A]]", "[[C]]", None, "order_inconsistent"),
        ("[[A]]", None, None, "no_majority"),
        (None, "[[B]]", None, "no_majority"),
        (None, None, None, "all_failed"),
    ],
)
def test_both_orders_must_name_the_same_winner(first, swapped, answer, reason):
    vote = swap_consistent(first, swapped, swap)
    assert (vote.answer, vote.reason, vote.total) == (answer, reason, 2)


def test_agreeing_ties_can_be_dropped():
    assert swap_consistent("[[C]]", "[[C]]", swap, keep_ties=False).reason == "tie"
    assert swap_consistent("[[A]]", "[[B]]", swap, keep_ties=False).answer == "[[A]]"


# Universal Self-Consistency


def test_usc_prompt_numbers_all_candidates_after_the_question():
    prompt = usc_prompt("Capital of {France}?", ["Paris", " It is\nParis. ", "{Lyon}"])
    places = [
        prompt.index(part) for part in ("Capital of {France}?", "Candidate 1:\nParis", "Candidate 3:\n{Lyon}")
    ]
    assert places == sorted(places)
    assert "3 candidate answers" in prompt


def test_usc_shows_half_where_all_overflow_and_one_where_half_does():
    candidates = [f"answer {number}" for number in range(20)]

    def room_for(characters: int) -> list[str]:
        return usc_fit("q", candidates, lambda prompt: len(prompt) <= characters)

    half = len(usc_prompt("q", candidates[:10]))
    assert room_for(10_000) == candidates
    assert room_for(half) == candidates[:10]
    assert room_for(half - 1) == candidates[:1]
    assert usc_fit("q", [], lambda prompt: True) == []


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("Candidate: 2", 1),
        ("Candidates 1 and 3 differ, so I take Candidate 3.", 2),
        ("The most consistent response is **Response 1**", 0),
        ("3", 2),
        ("Candidate: 4", None),
        ("Candidate: 0", None),
        ("1 or 2", None),
        ("none of them", None),
        ("9" * 5000, None),
        ("", None),
    ],
)
def test_usc_choice_is_parsed(text, picked):
    assert parse_usc(text, 3) == picked


@given(st.text(), st.integers(0, 30))
def test_usc_choice_is_always_a_candidate(text, count):
    picked = parse_usc(text, count)
    assert picked is None or 0 <= picked < count
