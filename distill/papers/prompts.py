"""The prompts of a method's steps, without asking a model.

A program runs with placeholders for texts of models and items: each reply is `[reply to STEP]`, the question
is `{question}`. Its asks show the wording, with the task's options, so nothing is written down twice. No
engine and no file is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from distill.papers.parts import PromptShown
from harness.programs.base import Method, Running
from harness.types import Completion, Item
from results.schema import step_kind

MOST_ROUNDS = 64
"""Limit for a program that waits for a certain reply and would never end."""


def method_prompts(
    method: Method,
    item: Item,
    options: Mapping[str, Any],
    vote: Callable[[str], str | None] | None = None,
) -> list[PromptShown]:
    """`step` and `messages` of the first ask of each kind of step.

    Fields of the item are shown as `{name}`; if the method cannot run with that, `item` is used. Empty if it
    needs real replies to continue.
    """
    blank = replace(
        item,
        prompt="{prompt}",
        question="{question}",
        fields={
            name: f"{{{name}}}" if isinstance(value, str) else value for name, value in item.fields.items()
        },
    )
    for shown in (blank, item):
        try:
            return _asked(method, shown, options, vote)
        # A method may be a user's code, and may fail on the placeholders.
        except Exception:
            continue
    return []


def _asked(
    method: Method, item: Item, options: Mapping[str, Any], vote: Callable[[str], str | None] | None
) -> list[PromptShown]:
    running = Running(method.start(item, options, vote), method.name)
    asked: dict[str, PromptShown] = {}
    for _ in range(MOST_ROUNDS):
        if not running.asks:
            break
        for ask in running.asks:
            kind = step_kind(ask.step)
            asked.setdefault(kind, {"step": kind, "messages": ask.messages})
        running.send([Completion(f"[reply to {step_kind(ask.step)}]", "stop", 0, 0) for ask in running.asks])
    return list(asked.values())
