"""The embedded model's corpus and tokenizer: what stands in it, what does not, and how words are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.tiny import facts, lessons
from distill.tiny.corpus import (
    Example,
    Mixture,
    draw,
    example,
    lesson_of,
    prompts_hash,
    split_items,
    trace,
    vocabulary_text,
    without_overlap,
)
from distill.tiny.tokenizer import build_tokenizer
from harness import embedded
from harness.embedded import TASK_OPTIONS, TASKS
from tasks import registry
from tasks.last_letter.generate import WORDS
from tasks.sources import rng
from tasks.trivia_bias.generate import facts as all_facts


@pytest.fixture(scope="module")
def items() -> Sequence[Any]:
    return split_items()


@pytest.fixture(scope="module")
def drawn() -> list[Example]:
    return list(draw(0, 3000, Mixture()))


@pytest.fixture(scope="module")
def tokenizer(drawn: list[Example]) -> Any:
    return build_tokenizer(vocabulary_text(found) for found in drawn)


def test_examples_follow_from_seed_and_number(drawn: list[Example]) -> None:
    assert list(draw(0, 50, Mixture())) == drawn[:50]
    assert list(draw(1, 50, Mixture())) != drawn[:50]


def test_every_task_has_the_same_share_of_direct_answers() -> None:
    shares = Mixture(direct=0.7).shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert len({shares[f"{task}.direct"] for task in TASKS}) == 1
    assert sum(shares[f"{task}.direct"] for task in TASKS) < 0.05


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_is_right_on_every_lesson(task: str) -> None:
    spec = registry.spec(task)
    for number in range(60):
        random = rng("oracle", task, number)
        lesson = lessons.trivia_lesson(random) if task == "trivia_bias" else lesson_of(task, "", random)
        *_, (_, _, last) = trace(lesson)
        answer = spec.answer(last)
        assert answer is not None
        assert spec.vote_key(answer) == spec.vote_key(str(lesson.row["target"]))


def test_direct_answers_are_wrong_only_where_the_card_says() -> None:
    wrong: Counter[str] = Counter()
    for task in TASKS:
        spec = registry.spec(task)
        for number in range(100):
            lesson = lesson_of(task, "direct", rng("direct", task, number))
            answer = spec.answer(lesson.direct)
            assert answer is not None
            wrong[task] += spec.vote_key(answer) != spec.vote_key(str(lesson.row["target"]))
    assert set(wrong.elements()) == {"trivia_bias", "judge"}


def test_no_example_overlaps_an_item_of_a_split(drawn: list[Example], items: Sequence[Any]) -> None:
    kept, _ = without_overlap(drawn, items)
    assert len(kept) > 0.9 * len(drawn)
    prompts = {item.prompt for item in items}
    assert not prompts & {found.prompt for found in kept}


def test_planted_items_are_found(drawn: list[Example], items: Sequence[Any]) -> None:
    planted = [
        Example("planted", item.prompt, "", item.text, item.symbols)
        for item in (next(each for each in items if each.id.startswith(task)) for task in TASKS)
    ]
    kept, dropped = without_overlap([*planted, *drawn[:20]], items)
    assert not [found for found in kept if found.kind == "planted"]
    assert sum(dropped.values()) >= len(TASKS)


def test_facts_of_the_splits_are_never_asked_in_the_tasks_words(drawn: list[Example]) -> None:
    elsewhere = {fact.question for fact in all_facts() if fact.split != "corpus"}
    for found in drawn:
        lines = {line.removeprefix("Question: ").strip() for line in found.prompt.splitlines()}
        assert not lines & elsewhere
    assert {facts.other_question(fact) for fact in all_facts()}.isdisjoint(elsewhere)


def test_another_wording_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompts_hash()
    assert prompts_hash() == before
    shown = {"rephrase": "{question}", "show_original": False}
    monkeypatch.setattr(embedded, "TASK_OPTIONS", {**TASK_OPTIONS, ("last_letter", "rar_2step"): shown})
    assert prompts_hash() != before


def test_kinds_that_the_mixture_names_can_all_be_made() -> None:
    for kind in Mixture().shares():
        assert example(kind, rng("kind", kind)).kind == kind


@given(st.text())
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    special = any(mark in text for mark in tokenizer.all_special_tokens)
    assert special or tokenizer.decode(ids) == text


def test_words_of_the_last_letter_task_are_spelled_alike_everywhere(tokenizer: Any) -> None:
    for split in WORDS.values():
        for word in split:
            quoted = tokenizer(f'"{word}', add_special_tokens=False)["input_ids"]
            spaced = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
            assert quoted[1:] == spaced[1:]
            assert len(quoted) == 1 + len(word)


def test_the_template_is_a_user_and_an_assistant(tokenizer: Any) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert text == "<s><|user|>Hi<|end|><|assistant|>Ho<|end|>"
    asked = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert text.startswith(asked)
