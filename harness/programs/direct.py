"""System 1: the task's prompt as it is, one call, the reply is the response.

`direct` is the program of `base` and of every distilled variant, so it adds no word to the prompt: the
distilled model is trained on these very messages (design rule 2). `think` sends the same prompt to a model
that thinks before it answers: the engine switches thinking on in the template and counts the thoughts. The
scheduler takes them off for this method as for every other, so the response is what stands behind them.
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
    """One call with `item.prompt`; its own step name, because thoughts need more tokens than an answer."""
    reply: Completion = yield Ask("think", [user(item.prompt)])
    return reply.text
