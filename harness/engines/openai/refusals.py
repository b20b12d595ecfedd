"""Reads a server's error: in OpenAI's schema, FastAPI's, llama.cpp's, as plain text, or inside a reply with a
good status.

The result is facts: a status, a parameter, a prompt that does not fit. The callers decide what follows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from results.schema import JsonObject

_OVERFLOWS = re.compile(
    r"context[ _](length|size|window)|maximum context|(prompt|input|request) is too long"
    r"|too many input tokens",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"context (?:length|size|window)(?: limit)?(?: is| of|:)?[ (]{0,2}(\d+)|tokens > (\d+) maximum",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"(\d+) (?:input tokens|tokens in (?:the |your )?(?:prompt|messages)|in the (?:prompt|messages))"
    r"|(?:resulted in|request \(|too long:) ?(\d+) tokens",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"at least \Z", re.IGNORECASE)

_STATUS_OF: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"rate.?limit|quota|too.?many.?requests"), 429),
    (re.compile(r"authentication|api.?key|unauthori[sz]ed"), 401),
    (re.compile(r"permission|forbidden"), 403),
    (re.compile(r"not.?found"), 404),
    (re.compile(r"overloaded|unavailable|server.?error|api.?error|internal"), 503),
    (re.compile(r"invalid.?request|bad.?request|context"), 400),
)
"""Error codes and types in words -> the matching HTTP status."""


@dataclass(frozen=True)
class Overflow:
    """A prompt that does not fit together with its answer. Counts of tokens; 0 is unknown."""

    prompt: int = 0
    context: int = 0

    @property
    def room(self) -> int:
        """Tokens that the context leaves for an answer, as far as known."""
        return self.context - self.prompt if self.prompt else 0


@dataclass(frozen=True)
class Told:
    """The message of an error and what it names."""

    message: str
    parameter: str | None = None
    code: str | None = None
    overflow: Overflow | None = field(default=None, compare=False)


def read_error(raw: bytes) -> Told:
    """The error in the body of a refusal."""
    text = raw[:4096].decode("utf-8", "replace")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    return told(data, text) if isinstance(data, dict) else Told(text, overflow=_overflow(text, {}))


def told(data: JsonObject, text: str) -> Told:
    """The error in `data`; `text` is used if it has no message."""
    error = data.get("error", data)
    if isinstance(error, str):
        return Told(error, overflow=_overflow(error, data))
    if not isinstance(error, dict):
        return Told(text, overflow=_overflow(text, data))
    detail = error.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        name = _field(detail[0].get("loc"))
        return Told(f"{name}: {detail[0].get('msg')}", name)
    message = str(error.get("message") or detail or text)
    code = error.get("code")
    return Told(
        message,
        _field(error.get("param")),
        str(code) if code else None,
        _overflow(f"{code} {error.get('type')} {message}", error),
    )


def error_inside(data: Any) -> tuple[int | None, Told] | None:
    """The error in a reply with a good status, and the status that it should have had (None if unknown).
    Returns None if there is no error."""
    if not isinstance(data, dict):
        return None
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, dict) and isinstance(first.get("error"), dict):
        data = {"error": first["error"]}
    elif choices or not (data.get("error") or data.get("object") == "error"):
        return None
    found = told(data, json.dumps(data)[:4096])
    error = data.get("error", data)
    kind = error.get("type") if isinstance(error, dict) else None
    for said in (found.code, str(kind or "")):
        if said and said.isdecimal() and 400 <= int(said[:4]) < 600:
            return int(said[:4]), found
    words = f"{found.code or ''} {kind or ''}".lower()
    return next((status for pattern, status in _STATUS_OF if pattern.search(words)), None), found


def _field(place: Any) -> str | None:
    """The parameter in `body.stop` or `["body", "stop", 0]`."""
    parts = place.split(".") if isinstance(place, str) else place if isinstance(place, list) else []
    names = [str(part) for part in parts if isinstance(part, str) and part not in ("", "body")]
    return names[0] if names else None


def _overflow(message: str, error: JsonObject) -> Overflow | None:
    """What `message`, and llama.cpp's numbers beside it, say about a prompt that does not fit."""
    if not _OVERFLOWS.search(message):
        return None
    prompt, context = _count(error.get("n_prompt_tokens")), _count(error.get("n_ctx"))
    found = _PROMPT.search(message)
    # "at least 3073": the server stopped counting there.
    if not prompt and found and not _ABOUT.search(message[: found.start()]):
        prompt = _number(found)
    of = _CONTEXT.search(message)
    return Overflow(prompt, context or (_number(of) if of else 0))


def _number(found: re.Match[str]) -> int:
    return _count(int(next(group for group in found.groups() if group)[:12]))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40 else 0
