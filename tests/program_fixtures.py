"""Two items and a driver for tests of programs: replies come from a function, no model is needed."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.programs import Method, Running, base, get_method
from harness.types import Ask, Completion, Item

ITEM = Item(
    item_id="i1",
    cluster_id="c1",
    prompt="Is 7 {odd}? Reply with Answer: yes or Answer: no.",
    question="Is 7 {odd}?",
    answer_form='"Answer: yes" or "Answer: no"',
)
PAIR = Item(
    item_id="p1",
    cluster_id="c2",
    prompt="Which one is better? RED WOOL or BLUE SILK",
    question="Judge: what warms? RED WOOL or BLUE SILK",
    answer_form="[[A]], [[B]] or [[C]]",
    fields={"user_question": "What warms?", "response_a": "RED WOOL", "response_b": "BLUE SILK"},
)


def completion(text: str, error: str | None = None) -> Completion:
    return Completion(text, "error" if error else "stop", 1, 1, error=error)


def drive(
    method: Method | str,
    item: Item,
    reply: Callable[[Ask], str],
    vote: base.Vote | None = None,
    **options: object,
) -> tuple[str, list[list[Ask]]]:
    """Run a method to its end; the response and the asks of every round."""
    found = get_method(method) if isinstance(method, str) else method
    running = Running(found.start(item, options, vote), found.name)
    rounds = []
    while running.text is None:
        rounds.append(running.asks)
        running.send([completion(reply(ask)) for ask in running.asks])
    return running.text, rounds


def content(ask: Ask) -> str:
    """What the user says last; before it stand whole examples, if anything."""
    roles = [message["role"] for message in ask.messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], "all text stands in user turns"
    return ask.messages[-1]["content"]


def answer_rule(text: str) -> str | None:
    found = re.findall(r"Answer: (\w+)", text)
    return found[-1] if found else None
