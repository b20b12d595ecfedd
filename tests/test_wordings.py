"""Wordings by name: what the embedded model was trained on stays, papers keep their own words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program_fixtures import content, drive

from harness.embedded import embedded_spec
from harness.types import Ask, Item
from tasks import registry

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden" / "tiny_prompts.json").read_text(encoding="utf-8")
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
