"""System 1: the task's prompt unchanged, one call; the reply is the response.

`direct` is the program of `base` and of every distilled variant. It adds nothing to the prompt, because the
distilled model is trained on these messages (rule 2). `think` sends the same prompt to a reasoning model: the
engine switches thinking on in the template and counts the thoughts. As for every method, the scheduler
removes the thoughts, and the text behind them is the response.
"""

from __future__ import annotations

from harness.programs.base import Program, method
from harness.types import Ask, Completion, Item, user


@method("direct", "System 1: the task's prompt, answered at once", steps=("direct",))
def direct(item: Item) -> Program:
    """One call with `item.prompt`, nothing added."""
    reply: Completion = yield Ask("direct", [user(item.prompt)])
    return reply.text


@method(
    "think", "the task's prompt, with the model's own thinking switched on", steps=("think",), thinking=True
)
def think(item: Item) -> Program:
    """One call with `item.prompt`. Its step has another name, because thoughts need more tokens than an
    answer."""
    reply: Completion = yield Ask("think", [user(item.prompt)])
    return reply.text
