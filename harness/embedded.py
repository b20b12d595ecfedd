"""What the embedded model `tiny` was trained on, by name: its System 2 methods and the prompts of each.

It learnt the very prompts that these options make, so none of them may change; wordings for other models are
free to. tests/golden/tiny_prompts.json holds the prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.spec import TaskSpec

JUDGE_PARTS = ("judge_mtbench", "judge_oasst2", "judge_oasst1", "judge_pandalm")

EMBEDDED_METHODS: Mapping[str, str] = {
    "last_letter": "rar_2step",
    "coin_flip": "rar_2step",
    "trivia_bias": "s2a",
    **dict.fromkeys(("judge", *JUDGE_PARTS), "bsm"),
    "gsm8k": "cot",
}
"""Task -> System 2 method."""

EMBEDDED_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    name: {"wording": "tiny"} for name in ("cot", "cot_fewshot", "rar_1step", "rar_2step", "s2a", "bsm")
}
"""Method -> its options, whatever the task."""

EMBEDDED_TASK_OPTIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("last_letter", "rar_2step"): {
        "rephrase": (
            "{question}\n"
            "Rephrase this question so that its words stand apart, in a numbered list. "
            "Keep all that is asked and do not answer it."
        ),
        "show_original": False,
    },
    ("judge", "bsm"): {"solve": "single"},
    **{(part, "bsm"): {"solve": "pair", "max_criteria": 3} for part in JUDGE_PARTS},
}
"""(task, method) -> what comes on top."""


def embedded_method(task: str) -> str | None:
    """The System 2 method of a task of ours; None of a user's."""
    return EMBEDDED_METHODS.get(task)


def embedded_options(task: str, method: str) -> dict[str, Any]:
    """All options of a method on a task; those of the task's spec are for other models."""
    return {**EMBEDDED_OPTIONS.get(method, {}), **EMBEDDED_TASK_OPTIONS.get((task, method), {})}


def embedded_spec(spec: TaskSpec) -> TaskSpec:
    """A task of ours as the embedded model learnt it: method and prompts of System 2."""
    options = {method: embedded_options(spec.name, method) for method in EMBEDDED_OPTIONS}
    return replace(spec, s2_method=EMBEDDED_METHODS[spec.name], method_options=options)
