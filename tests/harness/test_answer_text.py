"""A task's stops end an answer and never the reasoning before it; words of reasoning are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_fixtures import FILTERS, make_context, own_task, write_task

from harness.answer_text import cut_at_stop, final_text, reasoning_words, turn_marks
from harness.evaluate import evaluate
from harness.types import Completion, Request, Step
from harness.variants import Variant
from tasks.answers import MARKER, after_marker


def said(text: str) -> str | None:
    return after_marker(text) or None


def number(text: str) -> str | None:
    marked = after_marker(text) or ""
    return marked if marked.isdigit() else None


@pytest.mark.parametrize("stop", [".", ",", "\n", "First"])
def test_a_stop_in_the_reasoning_cuts_nothing(stop: str) -> None:
    text = "First, two and two.\nThat makes 4. Answer: 4"
    assert final_text(text, [stop], MARKER, said) == (text, False)


@pytest.mark.parametrize(
    ("text", "stops", "cut"),
    [
        ("One. Two. Answer: Paris. It is in France.", [".", ","], "One. Two. Answer: Paris"),
        ("One.\nAnswer: Paris\n\nQuestion: next?\nAnswer: Rome", ["\n"], "One.\nAnswer: Paris"),
        ("Answer:\n\n  Paris\nmore", ["\n"], "Answer:\n\n  Paris"),
        ("Answer: Paris, since", [",", "."], "Answer: Paris"),
        ("Answer: Paris", ["Question:"], "Answer: Paris"),
        ("no mark. at all", ["."], "no mark. at all"),
        ("", ["."], ""),
    ],
)
def test_a_stop_behind_the_mark_ends_the_answer(text: str, stops: list[str], cut: str) -> None:
    assert final_text(text, stops, MARKER, said) == (cut, False)


def test_a_mark_without_an_answer_before_the_stop_is_not_the_answer_s() -> None:
    text = "The answer: it depends.\nThree and four.\nAnswer: 7"
    assert final_text(f"{text}.\nAnswer: 9", ["."], MARKER, number) == (text, False)


def test_a_stop_before_any_answer_is_said() -> None:
    assert final_text("Two. Answer: .4", ["."], MARKER, number) == ("Two. Answer: ", True)
    assert final_text("Two. Answer: none", ["."], MARKER, number) == ("Two. Answer: none", False)


def test_marks_of_a_turn_are_stops_of_every_step() -> None:
    stops = ["<|im_end|>", "</s>", " [/INST]", "Question:", ".", "\n\n", "<|user|>", "< b>"]
    assert turn_marks(stops) == ("<|im_end|>", "</s>", " [/INST]", "<|user|>")


@given(st.text(alphabet="aA nswer:.\n4", max_size=60), st.lists(st.sampled_from([".", "\n", "4", "er"])))
def test_what_is_left_is_a_beginning_of_the_text(text: str, stops: list[str]) -> None:
    cut, stopped = final_text(text, stops, MARKER, said)
    assert text.startswith(cut)
    assert not stopped or (len(cut) < len(text) and said(cut) is None)
    assert text.startswith(cut_at_stop(text, stops))


def steps(*texts: str) -> list[Step]:
    return [Step("reason", [], Completion(text, "stop", 1, 1)) for text in texts]


def test_words_before_the_last_mark_of_each_call_are_reasoning() -> None:
    assert reasoning_words(steps("Answer: yes"), MARKER) == 0
    assert reasoning_words(steps("It is up, so: **Answer:** yes, it is"), MARKER) == 4
    two = steps("Is it up after two flips?", "Answer: no, then two. Answer: yes")
    assert reasoning_words(two, MARKER) == 6 + 4
    assert reasoning_words([], MARKER) == 0


def test_a_run_keeps_the_reasoning_and_names_what_a_stop_left_without_an_answer(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "tasks", more=FILTERS)
    yaml = folder / "sums.yaml"
    yaml.write_text(yaml.read_text().replace('until: ["END", ""]', 'until: [".", "END"]'))
    replies = {
        0: "First, 0. Then one more. Answer: 1. I hope",
        1: "First. Answer: .",
        2: "Two. And one.",
    }

    def reply(request: Request) -> str:
        place = int(request.messages[-1]["content"].split("What is ", 1)[1].split(" plus", 1)[0])
        return replies.get(place, "Answer: 7")

    task = own_task(folder)
    context = make_context(tmp_path, reply, [task])
    variant = Variant("s2-cot", "s2", "cot")
    found = evaluate(context, variant, 0, [task], {task.name: None})[task.name]
    rows = {int(json.loads(json.dumps(row["target"]))) - 1: row for row in found}
    assert rows[0]["response"] == "First, 0. Then one more. Answer: 1"
    assert (rows[0]["answer"], rows[0]["failure"], rows[0]["reasoning_words"]) == ("1", None, 5)
    assert (rows[1]["answer"], rows[1]["failure"]) == (None, "stopped")
    assert (rows[2]["answer"], rows[2]["failure"]) == (None, "no_answer")
    assert rows[2]["response"] == "Two. And one."
    assert rows[3]["reasoning_words"] == 0
    assert all(row["scores"]["exact_match"] == 0 for place, row in rows.items() if place in (1, 2, 3))
