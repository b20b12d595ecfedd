"""The prompts, methods and token limits that the embedded model `tiny` was trained on.

With two million parameters it knows only the prompts of its training, and answers in a few tokens. A run of
`tiny` therefore keeps these settings, whatever tasks and methods use for other models; none of them may
change. tests/golden/tiny_prompts.json holds the prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.registry import JUDGE_PARTS
from tasks.spec import TaskSpec

NAME = "tiny"
"""The model's name for `--pretrained`."""

TASKS = ("last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k")
"""The tasks it was trained on; tasks that come later are as new to it as a user's own."""

JUDGES = tuple(dict.fromkeys(part for parts in JUDGE_PARTS.values() for part in parts))
REAL_JUDGES = tuple(part for part in JUDGES if part != "judge")

METHODS: Mapping[str, str] = {
    "last_letter": "rar_2step",
    "coin_flip": "rar_2step",
    "trivia_bias": "s2a",
    **dict.fromkeys(JUDGES, "bsm"),
    "gsm8k": "cot",
}
"""Task -> System 2 method."""

WORDED = ("cot", "cot_fewshot", "rar_1step", "rar_2step", "s2a", "bsm")
"""Methods that have a wording `tiny`."""

TASK_OPTIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("last_letter", "rar_2step"): {
        "rephrase": (
            "{question}\n"
            "Rephrase this question so that its words stand apart, in a numbered list. "
            "Keep all that is asked and do not answer it."
        ),
        "show_original": False,
    },
    ("judge", "bsm"): {"solve": "single"},
    **{(part, "bsm"): {"solve": "pair", "max_criteria": 3} for part in REAL_JUDGES},
}
"""(task, method) -> options beside the wording."""

SHORT: Mapping[str, int] = {"direct": 64, "respond": 128, "reason": 256, "think": 1024, "default": 128}
JUDGING: Mapping[str, int] = {**SHORT, "direct": 16, "solve": 64, "merge": 64}
LIMITS: Mapping[str, Mapping[str, int]] = {
    **dict.fromkeys(("last_letter", "coin_flip", "trivia_bias", "gsm8k"), SHORT),
    **dict.fromkeys(JUDGES, JUDGING),
}
"""Task -> generated tokens by kind of step."""


def embedded_spec(spec: TaskSpec) -> TaskSpec:
    """`spec` with the embedded model's prompts and limits. A user's own task keeps its method and gets
    short limits."""
    ours = spec.name in METHODS
    options = {
        method: {
            **({} if ours else spec.method_options.get(method, {})),
            "wording": NAME,
            **TASK_OPTIONS.get((spec.name, method), {}),
        }
        for method in WORDED
    }
    return replace(
        spec,
        s2_method=METHODS.get(spec.name, spec.s2_method),
        method_options={**spec.method_options, **options},
        max_tokens=LIMITS.get(spec.name, {"default": SHORT["reason"], **spec.max_tokens}),
    )
