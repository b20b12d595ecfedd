"""A scripted model that never stops by itself, so every reply is cut at its limit: a list without end."""

from __future__ import annotations

from harness.engines.scripted import ScriptedAdapter
from harness.types import Request


def respond(request: Request, adapter: ScriptedAdapter | None) -> str:
    return ", ".join(f"part {number}" for number in range(3000))
