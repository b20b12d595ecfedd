"""The prompts of a method's steps as they are asked, without asking a model.

A program is run with stand-ins for what models and items would say: each reply is `[reply to STEP]`, the
question `{question}`. What it asks on the way is its wording, the task's own options included; nothing has to
be written down twice. No engine and no file is known here.
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
"""A program that waits for a certain reply would go on for ever."""


def method_prompts(
    method: Method,
    item: Item,
    options: Mapping[str, Any],
    vote: Callable[[str], str | None] | None = None,
) -> list[PromptShown]:
    """`step` and `messages` of the first ask of each kind of step.

    Fields of the item are shown as `{name}`; where the method cannot do with that, `item` stands in itself.
    Empty where it needs real replies to go on.
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
        # A method is anybody's code, and the stand-ins are nothing that it has to bear.
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
