"""Judging: verdicts, both orders of a pair, votes turned with the responses, agreement, generated pairs."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.programs.bsm import WORDINGS
from tasks.errors import TaskError
from tasks.judge import generate, task
from tasks.judge.pairs import Pair, majority, rows
from tasks.spec import TaskSpec

PAIR = Pair(("q", 1), "Why?", "Because.", "No idea.", votes_first=3, votes_second=1, votes_tie=2)
SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[A]]", "A"),
        ("[[A]] or [[B]]? I say [[b]].", "B"),
        ("A: 4. B: 4. Verdict: [[ C ]]", "C"),
        ("B", "B"),
        ("**A**.", "A"),
        ("I compared both. Answer: B", "B"),
        ("Answer: A, since it is longer", "A"),
        ("Response A is better", "A"),
        ("Response A is longer", None),
        ("a", None),
        ("[[D]]", None),
        ("[A] is good, [B] is bad", None),
        ("", None),
    ],
)
def test_the_verdict_is_read_by_one_rule(text: str, expected: str | None) -> None:
    assert task.SPEC.answer(text) == expected


@given(st.text())
def test_any_text_has_a_verdict_or_none(text: str) -> None:
    assert task.answer(text) in ("A", "B", "C", None)


@pytest.mark.parametrize("spec", task.SPECS.values(), ids=task.SPECS)
def test_targets_are_read_back_and_swapping_twice_changes_nothing(spec: TaskSpec) -> None:
    assert spec.swap is not None
    for verdict in "ABC":
        assert spec.answer(spec.target(verdict)) == verdict
        assert spec.swap(spec.swap(verdict)) == verdict
    assert (spec.swap("A"), spec.swap("C")) == ("B", "C")


def test_real_data_is_solved_in_pairs_and_generated_data_one_response_a_call() -> None:
    solve = {name: spec.method_options["bsm"]["solve"] for name, spec in task.SPECS.items()}
    assert solve.pop("judge") == "single"
    assert set(solve.values()) == {"pair"}
    assert all(spec.name == name for name, spec in task.SPECS.items())


def test_a_pair_is_two_rows_whose_votes_turn_with_the_responses() -> None:
    given_order, swapped = rows("judge", [PAIR])
    assert given_order["cluster_id"] == swapped["cluster_id"]
    assert given_order["item_id"] != swapped["item_id"]
    assert (given_order["response_a"], given_order["votes_a"], given_order["target"]) == ("Because.", 3, "A")
    assert (swapped["response_a"], swapped["votes_a"], swapped["target"]) == ("No idea.", 1, "B")
    assert {row["weight"] for row in (given_order, swapped)} == {6.0}


def test_prompts_begin_like_those_of_branch_solve_merge() -> None:
    (row, _) = rows("judge", [PAIR])
    filled = WORDINGS["default"]["solve_pair"].format(
        question=row["user_question"],
        response_a=row["response_a"],
        response_b=row["response_b"],
        criterion="x",
    )
    assert row["prompt"].startswith(row["question"] + "\n\n")
    assert filled.startswith(row["question"] + "\n\n")


def test_equal_responses_keep_both_orders() -> None:
    same = Pair(("q",), "Why?", "Because.", "Because.", votes_tie=1)
    assert len({row["item_id"] for row in rows("judge", [same])}) == 2


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [((2, 1, 1), "A"), ((1, 2, 0), "B"), ((0, 0, 1), "C"), ((1, 1, 0), "C"), ((1, 0, 1), "C")],
)
def test_gold_is_the_verdict_with_most_votes(votes: tuple[int, int, int], verdict: str) -> None:
    assert majority(*votes) == verdict


def scored(response: str, order: int = 0) -> dict[str, Any]:
    return task.process_results(rows("judge", [PAIR])[order], [response])


def test_agreement_is_the_share_of_votes() -> None:
    assert scored("[[A]]")["agreement"] == 3 / 6
    assert scored("[[A]]", order=1)["agreement"] == 1 / 6
    assert scored("[[C]]")["agreement"] == 2 / 6
    assert scored("[[A]]")["agreement_no_ties"] == 3 / 4
    assert scored("[[C]]")["agreement_no_ties"] == 0.0


def test_a_missing_verdict_agrees_with_nobody() -> None:
    scores = scored("I cannot tell.")
    assert (scores["agreement"], scores["agreement_no_ties"], scores["first_position"]) == (0.0, 0.0, 0.0)


def test_votes_for_a_tie_alone_leave_the_metric_without_ties_out() -> None:
    (row, _) = rows("judge", [Pair(("t",), "Why?", "x", "y", votes_tie=2)])
    assert "agreement_no_ties" not in task.process_results(row, ["[[A]]"])


@pytest.mark.parametrize(
    ("verdicts", "disagree"),
    [
        (("[[A]]", "[[B]]"), 0.0),
        (("[[C]]", "[[C]]"), 0.0),
        (("[[A]]", "[[A]]"), 1.0),
        (("[[C]]", "[[A]]"), 1.0),
        (("", ""), 1.0),
    ],
)
def test_a_pair_is_consistent_if_both_orders_have_one_winner(
    verdicts: tuple[str, str], disagree: float
) -> None:
    values = [scored(verdict, order)["inconsistency"] for order, verdict in enumerate(verdicts)]
    assert task.pair_disagreement(values) == disagree


def test_a_pair_with_one_order_does_not_count() -> None:
    assert math.isnan(task.pair_disagreement([["p", "first"]]))
    assert task.pair_disagreement([["p", "first"], ["q", "tie"], ["q", "first"]]) == 1.0


def test_lm_eval_s_mean_is_over_votes() -> None:
    scores = [task.Score(1.0, 3), task.Score(0.0, 1)]
    assert task.weighted_mean(scores) == 0.75
    assert task.weighted_mean(copy.deepcopy(pickle.loads(pickle.dumps(scores)))) == 0.75


# Generated pairs


def surface_scores(question: str, response: str) -> int:
    """The sum of the three scores, read again from the text."""
    politeness = next(
        (s for s, found in generate.OPENINGS.items() for o in found if o and response.startswith(o)), 3
    )
    asked = re.fullmatch(r"How do I (\w+ the \w+)\?", question)
    assert asked is not None
    line, tips = response.split(":")
    relevance = 5 if line.endswith(f"To {asked[1]}") else 3 if line.endswith("In general") else 1
    return politeness + relevance + 2 * tips.count(".") - 1


def test_generated_gold_can_be_told_from_the_surface() -> None:
    test = task.load()["test"]
    assert len(test) >= 500
    for row in test:
        a, b = (surface_scores(row["user_question"], row[f"response_{side}"]) for side in "ab")
        assert row["target"] == ("A" if a > b else "B" if b > a else "C")
    assert max(Counter(test["target"]).values()) < 0.5 * len(test)


def test_generated_splits_share_no_word_of_content_and_no_long_passage() -> None:
    words = [generate.WORDS[name] for name in SPLITS]
    for part in ("verbs", "objects", "tips"):
        lists = [getattr(one, part) for one in words]
        assert sum(map(len, lists)) == len(set().union(*lists))
    splits = task.load()
    assert len(set(splits["train"]["cluster_id"])) >= 1000
    assert not passages(splits["train"]["text"]) & passages(splits["test"]["text"])


def passages(texts: Any) -> set[tuple[str, ...]]:
    """All sequences of 13 words."""
    found: set[tuple[str, ...]] = set()
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        found.update(tuple(words[i : i + 13]) for i in range(len(words) - 12))
    return found


def test_every_generated_pair_is_there_in_both_orders() -> None:
    test = task.load(seed=1)["test"]
    orders: dict[str, set[str]] = {}
    for row in test:
        orders.setdefault(row["cluster_id"], set()).add(row["order"])
    assert all(found == {"as_given", "swapped"} for found in orders.values())
    assert test["item_id"] == task.load(seed=1)["test"]["item_id"] != task.load()["test"]["item_id"]


def test_generated_pairs_have_no_other_source() -> None:
    with pytest.raises(TaskError, match="--data embedded is the only source"):
        task.load("hub")
