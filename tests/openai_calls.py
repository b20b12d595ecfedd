"""What tests of the `openai` engine ask, and faults for tests/openai_server.py to make."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tiny_models import request

from harness.engines.openai.engine import OpenAIEngine
from harness.models.source import ModelSource
from harness.types import Completion, Request, user

KEY = "sk-planted-0123456789abcdef"
SOURCE = ModelSource("fake", "fake")
Body = Mapping[str, Any]


def ask(engine: OpenAIEngine, text: str, thinking: bool = False, **more: Any) -> Request:
    ids = engine.prompt_ids([user(text)], thinking)
    return replace(request(ids, text=text, **{"max_tokens": 24, **more}), prompt_ids=ids)


def only(engine: OpenAIEngine, text: str = "a question", **more: Any) -> Completion:
    return engine.generate([ask(engine, text, **more)])[0]


def first_time(kind: str) -> Callable[[int, Body], str | None]:
    """A fault on the first request for each prompt that the test asks, and on no other."""
    seen: set[str] = set()

    def fault(number: int, body: Body) -> str | None:
        told = json.dumps(body["messages"])
        if "two plus two" in told or told in seen:
            return None
        seen.add(told)
        return kind

    return fault


def whenever(word: str, kind: str) -> Callable[[int, Body], str | None]:
    """A fault on every request whose prompt holds `word`."""
    return lambda number, body: kind if word in body["messages"][-1]["content"] else None
