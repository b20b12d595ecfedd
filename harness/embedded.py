"""What the embedded model was trained on, and so is asked: its methods, their options, its token limits.

Two million parameters know the prompts of their training and no others, and answer in a few tokens. A run of
`tiny` therefore keeps these, whatever tasks and methods ask of real models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.spec import TaskSpec

NAME = "tiny"
"""The model's name for `--pretrained`."""

SHORT: Mapping[str, int] = {"direct": 64, "respond": 128, "reason": 256, "think": 1024, "default": 128}
LIMITS: Mapping[str, Mapping[str, int]] = {
    "last_letter": SHORT,
    "coin_flip": SHORT,
    "trivia_bias": SHORT,
    "judge": {**SHORT, "direct": 16, "solve": 64, "merge": 64},
    "gsm8k": SHORT,
}
"""Generated tokens by kind of step."""

METHODS: Mapping[str, str] = {
    "last_letter": "rar_2step",
    "coin_flip": "rar_2step",
    "trivia_bias": "s2a",
    "judge": "bsm",
    "gsm8k": "cot",
}
"""System 2 of each task."""

OPTIONS: Mapping[str, Mapping[str, Any]] = {}
"""Options of each method, over those of the task."""


def embedded_spec(spec: TaskSpec) -> TaskSpec:
    """`spec` as the embedded model is asked. A user's own task keeps its method and gets short limits."""
    family = "judge" if spec.name.startswith("judge_") else spec.name
    options = {**spec.method_options}
    for method, own in OPTIONS.items():
        options[method] = {**options.get(method, {}), **own}
    return replace(
        spec,
        s2_method=METHODS.get(family, spec.s2_method),
        method_options=options,
        max_tokens=LIMITS.get(family, {"default": SHORT["reason"], **spec.max_tokens}),
    )
