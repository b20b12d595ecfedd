"""Replies as models write them, each with what a careful reader takes from it (tests/replies/, one table a
rule).

A row has its kind, the reply and the right value; null means that the reply gives no answer. For trivia the
value says whether the answer is right by the row's aliases.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.programs.bsm import parse_pair, parse_score
from tasks import registry
from tasks.answers import after_marker, own_reply, revised
from tasks.gsm8k.answer import last_number, marked_number
from tasks.trivia_bias.bias import normalised
from tasks.trivia_bias.grading import is_right

FOLDER = Path(__file__).parents[1] / "replies"
Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read(rule: str, row: Row) -> Any:
    """What our rule takes from the row's reply."""
    if rule == "bsm_pair":
        return list(parse_pair(row["reply"]))
    if rule == "bsm_score":
        return parse_score(row["reply"])
    answer = registry.spec(rule).answer(row["reply"])
    return is_right(answer, normalised(row["aliases"])) if rule == "trivia_bias" else answer


def misread(rule: str, table: list[Row]) -> list[str]:
    return [
        f"{row['kind']}: {row['reply']!r} -> {found!r}, right is {row['right']!r}"
        for row in table
        if (found := read(rule, row)) != row["right"]
    ]


RULES = ("gsm8k", "coin_flip", "last_letter", "judge", "trivia_bias", "bsm_pair", "bsm_score")


@pytest.mark.parametrize("rule", RULES)
def test_every_reply_is_read_as_a_careful_reader_does(rule: str) -> None:
    assert misread(rule, rows(FOLDER / f"{rule}.jsonl")) == []


def test_the_tables_are_large_and_hold_both_answers_and_none() -> None:
    tables = {rule: rows(FOLDER / f"{rule}.jsonl") for rule in RULES}
    assert sum(map(len, tables.values())) >= 1000
    for rule, table in tables.items():
        refused = sum(row["right"] in (None, False, [None, None]) for row in table)
        assert 0.1 < refused / len(table) < 0.6, rule
        assert len({row["reply"] + str(row.get("aliases")) for row in table}) == len(table), rule


def test_replies_that_readers_of_this_project_collected(data_dir: Path) -> None:
    path = data_dir.parent / "reports" / "replies.jsonl"
    if not path.is_file():
        pytest.skip(f"no collected replies in {path.parent}: they lie beside the public data")
    found = rows(path)
    assert Counter(row["rule"] for row in found).keys() <= set(RULES)
    assert [problem for row in found for problem in misread(row["rule"], [row])] == []


@pytest.mark.parametrize("rule", ("gsm8k", "coin_flip", "last_letter", "judge", "trivia_bias"))
def test_plain_lm_eval_scores_a_reply_as_the_rule_reads_it(rule: str) -> None:
    """`lm-eval run` calls process_results alone, with thoughts and all."""
    module = importlib.import_module(f"tasks.{rule}.task")
    for row in rows(FOLDER / f"{rule}.jsonl"):
        answer = registry.spec(rule).answer(row["reply"])
        if rule == "judge":
            doc = {"votes_a": 1, "votes_b": 0, "votes_tie": 0, "n": 1, "weight": 1.0, "cluster_id": "c"}
            doc |= {"order": "as_given", "weights": '{"agreement_no_ties": 1.0}'}
            assert module.process_results(doc, [row["reply"]])["agreement"] == float(answer == "A")
        elif rule == "trivia_bias":
            doc = {"aliases": normalised(row["aliases"]), "template": "plain"}
            assert module.process_results(doc, [row["reply"]]) == {"unbiased_accuracy": float(row["right"])}
        elif rule == "gsm8k":
            scores = module.process_results({"target": row["right"] or "no"}, [row["reply"]])
            assert scores["strict_match"] == float(
                marked_number(row["reply"]) is not None and marked_number(row["reply"]) == row["right"]
            )
        else:
            (score,) = module.process_results({"target": row["right"] or "none"}, [row["reply"]]).values()
            assert score == float(row["right"] is not None)


# The steps that all rules share


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Answer: 1\n\nQuestion: two?\nAnswer: 2", "Answer: 1"),
        ("Question: one?\nAnswer: 1", "Question: one?\nAnswer: 1"),
        ("Answer: 1<|im_end|>\n<|im_start|>user", "Answer: 1"),
        ("<|im_start|>assistant\nAnswer: 1", "<|im_start|>assistant\nAnswer: 1"),
        ("Let me rephrase it:\nQuestion: one?\nAnswer: 1", "Let me rephrase it:\nQuestion: one?\nAnswer: 1"),
        ("Answer: 1\nWait, is that so?\nAnswer: 2", "Answer: 1\nWait, is that so?\nAnswer: 2"),
    ],
)
def test_a_made_up_next_question_ends_the_reply(text: str, own: str) -> None:
    assert own_reply(text).strip() == own


@pytest.mark.parametrize(
    "text",
    [
        'Reply only with "Answer: " and the number.',
        '"Answer: yes" or "Answer: no"',
        "Answer: [your answer]",
        'I write "Answer: yes" if it is heads up and "Answer: no" if not.',
    ],
)
def test_a_restated_form_is_no_answer(text: str) -> None:
    assert after_marker(own_reply(text)) is None


def test_what_is_taken_back_does_not_count_and_a_check_takes_nothing_back() -> None:
    taken_back = revised("no. Wait, yes")
    assert (taken_back.first, (taken_back.later or "").strip(" ,")) == ("no.", "yes")
    assert revised("18. Wait, let me check: 9 * 2 = 18. Correct.").later is None
    assert revised("18\n\nShe actually sells 9.").later is None
    assert revised("plain").first == "plain"


def test_strict_and_flexible_figures_read_the_reply_alone() -> None:
    text = "<think>Answer: 3</think>Answer: 4 in 7 days\n\nQuestion: x?\nAnswer: 9"
    assert (marked_number(text), last_number(text)) == ("4", "7")
