"""Wordings of a method, found by name: the option `wording` of methods with several wordings.

`default` is ours for instruct models, measured by tests/benchmarks/reasoning.py; `paper` is the paper's, if
it is public; `tiny` is what the embedded model was trained on and must not change. A single prompt of a
wording is replaced by an option with the name of its step (`reason`, `rephrase`, `respond`, `rewrite`).

Small models follow an example better than an instruction, so a prompt may come with examples: turns of a chat
in which a user asks with the same template and the assistant replies as it should.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

from harness.errors import UserError
from harness.programs.base import fill
from harness.types import Item, Message, user

DEFAULT = "default"

REASON_FIRST = (
    "Think step by step: first write down your reasoning in several sentences. Only after it, in a last line "
    "of its own, give the answer. {finish}"
)
"""Makes an instruct model reason first, although the prompt ends with the answer form."""

Wording = TypeVar("Wording")


def chosen(wordings: Mapping[str, Wording], name: str, method: str) -> Wording:
    """The wording of that name. UserError lists the ones that the method has."""
    if not isinstance(name, str) or name not in wordings:
        raise UserError(
            f"Method {method} has no wording {name!r}: use {', '.join(wordings)}, or give your own templates."
        )
    return wordings[name]


Examples = Sequence[tuple[str, str]]
"""(question, reply) pairs."""


def after_examples(template: str, item: Item, examples: Examples) -> list[Message]:
    """Turns of the examples, then the item's own; every user turn uses `template`."""
    made: list[Message] = []
    for question, reply in examples:
        made.append(user(fill(template, dataclasses.replace(item, question=question))))
        made.append({"role": "assistant", "content": reply})
    return [*made, user(fill(template, item))]
