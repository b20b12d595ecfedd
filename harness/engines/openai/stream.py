"""Joins a streamed reply, for servers that always stream.

Server-sent events, each with a piece of the reply in `delta`. Fields beside the pieces (counts, ids) are kept
as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from results.schema import JsonObject

_SENT_ONCE = ("role", "finish_reason")


def read_json(raw: bytes) -> Any:
    """The JSON of a reply, streamed or not. ValueError or RecursionError if it is not JSON."""
    if not raw.lstrip().startswith((b"data:", b"event:", b"id:", b":")):
        return json.loads(raw)
    lines = (line.strip() for line in raw.splitlines())
    events = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    return joined(json.loads(event) for event in events if event != b"[DONE]")


def joined(events: Iterable[Any]) -> JsonObject:
    """One reply made of the pieces of its first choice: strings and lists are concatenated; of other
    fields the last value counts."""
    reply: JsonObject = {}
    choice: JsonObject = {}
    message: JsonObject = {}
    for event in events:
        if not isinstance(event, dict):
            raise ValueError("an event that is not an object")
        choices = event.get("choices")
        reply.update(
            {name: value for name, value in event.items() if name != "choices" and value is not None}
        )
        piece = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(piece, dict):
            delta = piece.get("delta") or piece.get("message")
            _add(message, delta if isinstance(delta, dict) else {})
            _add(choice, {name: value for name, value in piece.items() if name not in ("delta", "message")})
    return {**reply, "choices": [{**choice, "message": message}]} if choice or message else reply


def _add(whole: JsonObject, piece: JsonObject) -> None:
    for name, value in piece.items():
        before = whole.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            _add(before, value)
        elif name not in _SENT_ONCE and any(type(before) is type(value) is kind for kind in (str, list)):
            whole[name] = before + value
        elif value is not None or name not in whole:
            whole[name] = value
