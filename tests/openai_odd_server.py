"""A server of tests that is as servers are: it refuses what others take, and says the same in other words.

    with OddServer(refuse=too_many_stops) as server:
        engine = OpenAIEngine.load(source, {"base_url": server.base_url})

What it does otherwise than tests/openai_server.py is given as functions and replies of one test; nothing here
is a server in particular.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openai_server import FakeServer

Body = Mapping[str, Any]
Refusal = tuple[int, Any]
"""A status and what is said with it."""


@dataclass
class OddServer(FakeServer):
    """See the module. Fields may be changed while it runs."""

    refuse: Callable[[Body], Refusal | None] | None = None
    """What it refuses of a chat request, before anything else is looked at."""
    change: Callable[[dict[str, Any], Body], Any] | None = None
    """A reply as it says it, from one that any server would give and the request."""
    says_at: dict[str, Refusal] = field(default_factory=dict)
    """Status and content of other addresses, by their path."""
    streams: bool = False
    asked_for: list[str] = field(default_factory=list)
    """Paths of all requests."""

    async def serve(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        self.asked_for.append(path)
        if path in self.says_at:
            return await self.send(writer, *self.says_at[path])
        return await super().serve(method, path, headers, body, writer)

    def _reply(self, data: Mapping[str, Any]) -> tuple[int, Any]:
        refused = self.refuse(data) if self.refuse else None
        if refused is not None:
            return refused
        status, reply = super()._reply(data)
        if status == 200 and self.change:
            reply = self.change(reply, data)
        return status, streamed(reply) if status == 200 and self.streams else reply


def streamed(reply: dict[str, Any]) -> bytes:
    """A reply in server-sent events, a few characters at a time, with its counts in an event of their own."""
    if "choices" not in reply:
        return f"data: {json.dumps(reply)}\n\n".encode()
    choice = dict(reply["choices"][0])
    message = choice.pop("message")
    finish = choice.pop("finish_reason")
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    for name, text in message.items():
        if name != "role":
            pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
            events += [{"choices": [{"delta": {name: piece}, "finish_reason": None}]} for piece in pieces]
    for number in choice.pop("token_ids", []):
        events.append({"choices": [{"delta": {}, "token_ids": [number]}]})
    events.append({"choices": [{**choice, "delta": {}, "finish_reason": finish}]})
    rest = {name: value for name, value in reply.items() if name != "choices"}
    events.append({"choices": [], **rest})
    told = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return f": keep alive\n\n{told}data: [DONE]\n\n".encode()


def refusal(message: str, status: int = 400, **more: Any) -> Refusal:
    """A refusal in OpenAI's schema."""
    return status, {"error": {"message": message, **more}}


def of_llama_cpp(
    size: int = 96_576_768, context: int = 512, path: str = "/models/m.gguf"
) -> dict[str, Refusal]:
    """What llama.cpp's server says at other addresses, as version b0 (November 2026) says it."""
    meta = {"n_vocab": 49152, "n_ctx": context, "n_ctx_train": 8192, "n_params": 134515008, "size": size}
    entry = {"id": "fake", "object": "model", "owned_by": "llamacpp", "meta": {**meta, "ftype": "Q4_1"}}
    settings = {"n_ctx": context, "params": {"temperature": 0.8, "repeat_penalty": 1.5}}
    return {
        "/v1/models": (200, {"models": [{"name": "fake"}], "object": "list", "data": [entry]}),
        "/props": (
            200, {"default_generation_settings": settings, "model_path": path, "build_info": "b0-unknown"}
        ),
        "/tokenize": (200, {"tokens": []}),
        "/version": refusal("File Not Found", 404, type="not_found_error", code=404),
    }  # fmt: skip
