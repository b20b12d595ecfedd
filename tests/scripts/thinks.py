"""A scripted model that reasons before it answers, and says again what it is asked to say otherwise."""

from __future__ import annotations

from harness.engines.scripted import ScriptedAdapter
from harness.programs import step_kind
from harness.types import Request


def respond(request: Request, adapter: ScriptedAdapter | None) -> str:
    asked = request.messages[-1]["content"]
    answer = "[[A]]" if "[[A]]" in asked else "Answer: yes"
    kind = step_kind(request.step)
    if kind == "direct":
        return answer
    if kind == "rephrase":
        return asked.partition("\n\n")[0]
    if kind == "rewrite":
        return f"Context: none\nQuestion: {asked.partition(chr(10) * 2)[0].removeprefix('Text by User: ')}"
    if kind == "branch":
        return "1. tone\n2. detail"
    if kind == "solve":
        return "It is kind. Score: 4"
    return f"First one thing, then another thing. {answer}"
