"""Branch-Solve-Merge: what each call sees, how criteria and scores are read, how sums become verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_fixtures import ITEM, PAIR, content, drive

from harness.errors import UserError
from harness.programs import bsm
from harness.programs.bsm import add_scores, parse_criteria, parse_pair, parse_score
from harness.types import Ask


def bsm_reply(ask: Ask) -> str:
    if ask.step == "branch":
        return "1. Warmth\n2. Price\n3. warmth."
    if ask.step == "merge":
        return "Verdict: [[A]]"
    if "Response B:" in content(ask):
        return "Wool holds heat.\nScore A: 5\nScore B: 2"
    return "Score: 4" if "RED WOOL" in content(ask) else "Score: 3"


def test_bsm_branch_sees_only_the_question():
    _, rounds = drive("bsm", PAIR, bsm_reply)
    branch = content(rounds[0][0])
    assert "What warms?" in branch and "WOOL" not in branch and "SILK" not in branch
    leak = {"branch": "{question}"}
    assert content(drive("bsm", PAIR, bsm_reply, prompts=leak)[1][0][0]) == "What warms?"
    with pytest.raises(UserError, match="response_a"):
        drive("bsm", PAIR, bsm_reply, prompts={"branch": "{question} {response_a}"})


def test_bsm_pair_solves_each_criterion_once_with_the_criterion_last():
    text, rounds = drive("bsm", PAIR, bsm_reply)
    assert text == "Verdict: [[A]]"
    solve = rounds[1]
    assert [ask.step for ask in solve] == ["solve:1", "solve:2"]
    prompts = [content(ask) for ask in solve]
    assert [prompt.splitlines()[-1] for prompt in prompts] == ["Criterion: Warmth", "Criterion: Price"]
    assert prompts[0].removesuffix("Warmth") == prompts[1].removesuffix("Price")
    merge = content(rounds[2][0])
    assert "Scores for A: Warmth 5, Price 5." in merge and "Wool holds heat." in merge
    assert "[[A]], [[B]] or [[C]]" in merge


def test_bsm_single_scores_one_response_a_call_and_sums():
    text, rounds = drive("bsm", PAIR, bsm_reply, solve="single", merge="sum")
    assert text == "A: 4 + 4 = 8. B: 3 + 3 = 6. Verdict: [[A]]"
    assert [len(asks) for asks in rounds] == [1, 4]
    assert all(("RED WOOL" in content(ask)) != ("BLUE SILK" in content(ask)) for ask in rounds[1])


def test_bsm_uses_default_criteria_where_none_is_parsed_and_keeps_at_most_max_criteria():
    _, rounds = drive("bsm", PAIR, lambda ask: "...", max_criteria=3)
    assert [content(ask).splitlines()[-1] for ask in rounds[1]] == [
        f"Criterion: {criterion}" for criterion in bsm.DEFAULT_CRITERIA[:3]
    ]
    _, rounds = drive("bsm", PAIR, lambda ask: "a 1\nb\nc\nd\ne\nf", max_criteria=4)
    assert len(rounds[1]) == 4


def test_no_scores_at_all_is_no_verdict_and_never_a_tie():
    text, _ = drive("bsm", PAIR, lambda ask: "I cannot say", merge="sum")
    assert "[[" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solve": "triple"}, "solve='triple'"),
        ({"merge": "vote"}, "merge='vote'"),
        ({"max_criteria": 0}, "max_criteria=0"),
        ({"prompts": {"solv": "x"}}, "solv"),
        ({"wording": "loud"}, "loud"),
    ],
)
def test_bad_bsm_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        drive("bsm", PAIR, bsm_reply, **options)


def test_bsm_on_an_item_without_responses_says_so():
    with pytest.raises(UserError, match="i1 has no response_a and no response_b"):
        drive("bsm", ITEM, bsm_reply)


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([(5, 2), (1, 3)], "A: 5 + 1 = 6. B: 2 + 3 = 5. Verdict: [[A]]"),
        ([(1, 2)], "A: 1 = 1. B: 2 = 2. Verdict: [[B]]"),
        ([(3, 3), (5, None), (None, None)], "A: 3 = 3. B: 3 = 3. Verdict: [[C]]"),
    ],
)
def test_symbolic_merge_adds_criteria_that_have_both_scores(scores, text):
    assert add_scores(scores) == text


@pytest.mark.parametrize(
    ("text", "criteria"),
    [
        ("1. Accuracy\n2) Depth of detail\n3: Tone", ["Accuracy", "Depth of detail", "Tone"]),
        ("Here is a plan:\n- **Accuracy**\n- accuracy.\n* Tone - polite", ["Accuracy", "Tone - polite"]),
        ("Criteria:\nAccuracy\n\nTone", ["Accuracy", "Tone"]),
        ("Criterion 1: Accuracy\nCriterion 2: Tone", ["Accuracy", "Tone"]),
        ("Clarity, specificity, relevance.", ["Clarity", "specificity", "relevance"]),
        ("Accuracy, depth of detail, and tone", ["Accuracy", "depth of detail", "tone"]),
        (
            "Whether it answers all that was asked, and kindly",
            ["Whether it answers all that was asked, and kindly"],
        ),
        ("- Tone, style", ["Tone, style"]),
        ("1.\n2.\n---", []),
        ("", []),
    ],
)
def test_criteria_one_a_line(text, criteria):
    assert parse_criteria(text, 5) == criteria


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Score A: 4\nScore B: 2", (4, 2)),
        ("**Score A:** 4/5\n**Score B:** 2 out of 5", (4, 2)),
        ("From 1 to 5. A: 5. B: 3.", (5, 3)),
        ("Response A's score: 2, Response B's score: 4", (2, 4)),
        ("A: 1, B: 1. On second thought:\nA: 2\nB: 3", (2, 3)),
        ("The first earns 4, the second 2", (4, 2)),
        ("Score A: 7\nScore B: 2", (None, 2)),
        ("Score A: 3.5\nScore B: 12", (None, None)),
        ("only 3", (None, None)),
        ("", (None, None)),
    ],
)
def test_pair_scores(text, scores):
    assert parse_pair(text) == scores


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 2.", 2),
        ("It has 3 tips. Score: 4/5", 4),
        ("4", 4),
        ("score is **5**", 5),
        ("9", None),
        ("", None),
    ],
)
def test_single_score(text, score):
    assert parse_score(text) == score


@given(st.text())
def test_parsers_never_raise_and_keep_the_range(text):
    assert len(parse_criteria(text, 3)) <= 3
    assert all(score is None or 1 <= score <= 5 for score in (*parse_pair(text), parse_score(text)))
