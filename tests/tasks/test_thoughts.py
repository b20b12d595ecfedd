"""Thoughts are taken off in one place, for every method; a reply that was cut in them is truncated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.engines.scripted import ScriptedEngine
from harness.jobs import Job
from harness.programs.base import get_method
from harness.sample_rows import failure
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Completion, Item, Request, Response, Sampling, Step
from tasks import registry, thoughts

TABLE = Path(__file__).parents[1] / "replies" / "thoughts.jsonl"
Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", rows(TABLE), ids=lambda row: row["reply"][:40])
def test_thoughts_are_taken_off(row: Row) -> None:
    assert thoughts.split(row["reply"]) == (row["right"], row["unclosed"])
    assert thoughts.split(row["right"]).reply == row["right"]


def test_a_pair_of_marks_may_be_given_and_a_prompt_may_open_the_thought() -> None:
    pair = ("<ponder>", "</ponder>")
    assert thoughts.split(thoughts.known("<ponder>a</ponder>b", pair)) == ("b", False)
    assert thoughts.split(thoughts.known("<ponder>a", pair)) == ("", True)
    assert thoughts.split(thoughts.known("<ponder>a</ponder>b", None)).reply == "<ponder>a</ponder>b"
    assert thoughts.split("a is cut", opened=True) == ("", True)
    assert thoughts.split("a</think>b", opened=True) == ("b", False)
    assert thoughts.opened_by("<|im_start|>assistant\n<think>\n") == ("<think>", "</think>")
    assert thoughts.opened_by("assistant\n<ponder>\n", [pair]) == pair
    for prompt in ("assistant\n<ponder>", "<|im_start|>assistant\n<think>\n\n</think>\n\n", "assistant\n"):
        assert thoughts.opened_by(prompt) is None


THINKING = '<think>\nOnly "Answer: yes" or "Answer: no".\n</think>\n\nAnswer: yes'


@pytest.mark.parametrize("name", ["direct", "think", "cot", "rar_2step", "direct*2"])
def test_no_method_sees_thoughts_and_every_token_of_them_is_counted(tmp_path: Path, name: str) -> None:
    item = Item("i", "c", "Is it?", "Is it?", "yes or no")
    seen: list[str] = []

    def reply(request: Request, _: Any) -> str:
        seen.append(request.messages[-1]["content"])
        return THINKING

    store = CallStore(tmp_path / "calls.sqlite")
    job = Job(item, get_method(name), lambda step: Sampling(), vote=registry.spec("coin_flip").vote)
    (response,) = Scheduler(ScriptedEngine(reply), store).run([job], "test")
    store.close()
    assert response.text == "Answer: yes"
    assert all("<think>" not in prompt for prompt in seen)
    for step in response.steps:
        assert step.completion.text == THINKING
        assert step.completion.generated_tokens >= len(THINKING.split())


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("<think>\nAnswer: no", "stop", "truncated"),
        ("<think>\nAnswer: no", "length", "truncated"),
        ("<think>a</think>", "stop", "empty"),
        ("<think>a</think>I cannot say", "stop", "no_answer"),
    ],
)
def test_a_thought_without_end_is_truncated(text: str, reason: Any, says: str) -> None:
    reply = thoughts.split(text).reply
    response = Response(reply, [Step("direct", [], Completion(text, reason, 1, 1))])
    assert failure(response, registry.spec("coin_flip").answer(reply)) == says


def test_marks_that_a_user_names_are_read_in_every_step(tmp_path: Path) -> None:
    own = THINKING.replace("think>", "mull>")
    item = Item("i", "c", "Is it?", "Is it?", "yes or no")
    job = Job(item, get_method("rar_2step"), lambda step: Sampling())
    texts = {}
    for name, marks in (("without", None), ("with", ("<mull>", "</mull>"))):
        store = CallStore(tmp_path / f"{name}.sqlite")
        (response,) = Scheduler(ScriptedEngine(lambda *_: own), store, marks).run([job], "test")
        store.close()
        texts[name] = (response.text, [step.completion.text for step in response.steps])
    assert texts["with"] == ("Answer: yes", [THINKING] * 2)
    assert texts["without"] == (own, [own] * 2)
