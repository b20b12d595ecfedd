"""Wordings by name: what the embedded model was trained on stays, papers keep their own words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program_fixtures import PAIR, content, drive

from harness.command import run
from harness.embedded import embedded_spec
from harness.errors import UserError
from harness.options import RunOptions
from harness.programs import get_method
from harness.types import Ask, Item
from tasks import registry

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "tiny_prompts.json").read_text(encoding="utf-8")
)
"""Prompts of every method on an item of every task, with the wordings that the embedded model learnt."""

REPLIES = {
    "branch": "1. relevance\n2. politeness",
    "solve": "It fits. Score A: 4\nScore B: 2\nScore: 3",
    "rewrite": "Context: a fact\nQuestion: a question?",
    "rephrase": '"A rephrased question?"',
}
"""What the model said when the prompts were taken; elsewhere `Answer: x`."""


def reply(ask: Ask) -> str:
    return REPLIES.get(ask.step.split(":")[0], "Answer: x")


@pytest.mark.parametrize(
    ("task", "method"), [(task, name) for task in GOLDEN for name in GOLDEN[task]["calls"]]
)
def test_the_embedded_model_gets_the_prompts_that_it_learnt(task: str, method: str) -> None:
    found = GOLDEN[task]["item"]
    item = Item("i", "i", found["prompt"], found["question"], found["answer_form"], found["fields"])
    _, rounds = drive(
        method, item, reply, **embedded_spec(registry.spec(task)).method_options.get(method, {})
    )
    sent = [
        {"step": ask.step, "prompt": content(ask), "stop": list(ask.stop)} for asks in rounds for ask in asks
    ]
    assert sent == GOLDEN[task]["calls"][method]


def test_the_embedded_model_keeps_its_system_2_methods() -> None:
    for task in GOLDEN:
        assert embedded_spec(registry.spec(task)).s2_method == GOLDEN[task]["s2_method"]
    own = replace(registry.spec("gsm8k"), name="sums", s2_method="think", method_options={"cot": {"a": 1}})
    assert embedded_spec(own).s2_method == "think"
    assert embedded_spec(own).method_options["cot"] == {"a": 1, "wording": "tiny"}


@pytest.mark.parametrize(
    ("pretrained", "preset", "method"),
    [("tiny", None, "rar_2step"), ("tiny", "paper", "rar_2step"), ("some/model", "paper", "rar_2step_paper")],
)
def test_the_model_and_the_preset_choose_the_method(pretrained: str, preset: str | None, method: str) -> None:
    options = RunOptions(pretrained=pretrained, preset=preset, tasks=("coin_flip",), data="embedded")
    [task] = run.loaded_tasks(options)
    assert task.spec.s2_method == method


@pytest.mark.parametrize("task", registry.MODULES)
def test_methods_that_tasks_name_exist_and_take_the_tasks_options(task: str) -> None:
    spec = registry.spec(task)
    assert spec.paper is not None
    for name in {spec.s2_method, spec.paper.method, *spec.method_options}:
        fields_of = {"user_question": "Q?", "response_a": "a", "response_b": "b"}
        item = Item("i", "i", "p", "Q?", "the answer", fields_of)
        text, _ = drive(name, item, reply, **spec.method_options.get(name, {}))
        assert text


@pytest.mark.parametrize("name", ["cot", "cot_fewshot", "rar_1step", "rar_2step", "s2a", "bsm"])
def test_an_unknown_wording_names_the_known_ones(name: str) -> None:
    options = {"examples": [("q", "a")]} if name == "cot_fewshot" else {}
    with pytest.raises(UserError, match=f"Method {name} has no wording 'loud': use default"):
        drive(name, PAIR, reply, wording="loud", **options)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cot_paper", "Let's think step by step."),
        ("rar_1step_paper", "Rephrase and expand the question, and respond."),
        (
            "rar_2step_paper",
            "Given the above question, rephrase and expand it to help you do better answering. Maintain all "
            "information in the original question.",
        ),
        ("s2a_paper", "extract the part that is unbiased and not their opinion"),
        ("pair_v2", "Please act as an impartial judge and evaluate the quality of the responses"),
    ],
)
def test_papers_keep_their_own_words(name: str, words: str) -> None:
    _, rounds = drive(name, PAIR, reply)
    asked = content(rounds[0][0])
    assert words in asked
    assert len(rounds[0][0].messages) == 1, "no example of ours before them"
    assert "RED WOOL" in asked


@pytest.mark.parametrize("name", ["cot", "rar_1step", "rar_2step", "s2a"])
def test_a_paper_s_method_has_the_steps_and_turns_of_ours(name: str) -> None:
    ours, paper = get_method(name), get_method(f"{name}_paper")
    assert (paper.steps, paper.without_turns, paper.paper) == (ours.steps, ours.without_turns, ours.paper)
