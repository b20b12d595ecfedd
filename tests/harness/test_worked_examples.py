"""Worked examples that tasks show to few-shot methods: right, balanced, and nothing of a test item."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from program_fixtures import drive

from distill.teacher.inputs import overlap_item
from distill.teacher.overlap import OverlapItem, find_overlaps, shared_symbols
from harness.lm.tasks import load_tasks
from harness.programs import get_method
from tasks import registry
from tasks.coin_flip.generate import PEOPLE
from tasks.coin_flip.task import TURN
from tasks.last_letter.task import QUOTED_WORDS

Examples = tuple[tuple[str, str], ...]


def examples(task: str) -> Examples:
    found: Examples = registry.spec(task).method_options["cot_fewshot"]["examples"]
    return found


def symbols(task: str, question: str) -> tuple[str, ...]:
    """As the task's rows have them."""
    if task == "coin_flip":
        return tuple(name.lower() for name in TURN.findall(question))
    if task == "last_letter":
        quoted = QUOTED_WORDS.search(question)
        assert quoted
        return tuple(quoted[1].lower().split())
    return ()


@pytest.mark.parametrize("task", registry.MODULES)
def test_every_task_brings_three_to_six_short_ones_with_several_answers(task: str) -> None:
    spec = registry.spec(task)
    assert 3 <= len(examples(task)) <= 6
    answers = Counter(spec.answer(worked) for _, worked in examples(task))
    assert None not in answers
    assert max(answers.values()) <= len(examples(task)) / 2, "no answer is the common one"
    for question, worked in examples(task):
        assert len(worked.split()) <= 70
        assert len(question.split()) <= 80
        *reasoning, last = worked.splitlines()
        assert len(" ".join(reasoning).split()) >= 8, "it reasons"
        assert spec.vote(last) == spec.vote(worked), "the last line is the answer"


def test_the_coins_and_letters_are_right() -> None:
    for question, worked in examples("coin_flip"):
        flips, steps = 0, []
        for name, does in re.findall(r"(\w+) (flips|does not flip) the coin", question):
            flips += does == "flips"
            steps.append(f"{name} {does.removesuffix(' the coin')}: {flips} flip{'s' * (flips != 1)}.")
        assert worked.startswith(" ".join(steps))
        assert registry.spec("coin_flip").answer(worked) == ("no" if flips % 2 else "yes")
    for question, worked in examples("last_letter"):
        joined = "".join(word[-1] for word in symbols("last_letter", question))
        assert registry.spec("last_letter").answer(worked) == joined


def test_coins_of_every_number_of_people_come_with_both_answers() -> None:
    """A small model copies the ending of the example with as many people. When the only example of two people
    ended heads up, Qwen2.5-Coder-1.5B said so of 153 of 200 such coins, and was right on 48 %."""
    answer = registry.spec("coin_flip").answer
    seen = {(len(symbols("coin_flip", shown)), answer(worked)) for shown, worked in examples("coin_flip")}
    assert seen == {(people, said) for people in PEOPLE for said in ("yes", "no")}


def test_the_arithmetic_is_right() -> None:
    for _, worked in examples("gsm8k"):
        equations = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", worked)
        for left, sign, right, result in equations:
            a, b = int(left), int(right)
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign] == int(result), worked
        assert worked.endswith(f"Answer: {equations[-1][3]}")


def check_overlap(data: str) -> None:
    for task in load_tasks(registry.families(), data, (), {}, None):
        tests = [overlap_item(task.item(row)) for row in task.rows("test")]
        shown = [
            OverlapItem(question, question, symbols(task.name, question), question)
            for question, _ in examples(task.name)
        ]
        assert find_overlaps(shown, tests) == []
        assert shared_symbols(shown, tests) == 0, "not even one name or word"


def test_no_example_overlaps_a_test_item() -> None:
    check_overlap("embedded")


@pytest.mark.slow
def test_no_example_overlaps_a_public_test_item(data_dir: Path) -> None:
    check_overlap(str(data_dir))


@pytest.mark.parametrize("task", registry.families())
def test_a_prompt_ends_in_the_very_shape_of_its_examples(task: str) -> None:
    spec = registry.spec(task)
    [loaded] = load_tasks([task], "embedded", (), {}, 1)
    row_item = loaded.item(loaded.rows("train")[0])
    options: dict[str, Any] = dict(spec.method_options["cot_fewshot"])
    _, [[ask]] = drive(get_method("cot_fewshot"), row_item, lambda ask: "Answer: x", **options)
    roles = [message["role"] for message in ask.messages]
    assert roles == ["user", "assistant"] * len(examples(task)) + ["user"]
    endings = {
        message["content"].removeprefix(question)
        for message, question in zip(
            ask.messages[::2], [*(shown for shown, _ in examples(task)), row_item.question], strict=True
        )
    }
    assert len(endings) == 1
