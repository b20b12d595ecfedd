"""Reads a reply of chat completions: text, thoughts, why it ended, and counts of tokens.

Servers spell all of these differently. This module reads the forms that several servers use, and makes
nothing up if they are missing: a reply whose tokens cannot be counted is not accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from harness.engines.openai.client import Broken
from harness.types import FinishReason
from results.schema import JsonObject

_CUT = frozenset({"length", "max_tokens", "max_length", "max_output_tokens", "model_length", "token_limit"})

_FILTERED = frozenset(
    {"content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii"}
    | {"refusal", "guardrail_intervened"}
)

_GIVEN_UP = frozenset({"abort", "aborted", "error", "cancelled", "canceled", "tool_calls", "function_call"})
"""Finish reasons with which the text is not a complete reply of the model."""

_ENDED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed"})
"""Finish reasons with which an empty text is accepted."""

_THOUGHTS = ("reasoning", "reasoning_content", "thinking")
"""Fields for thoughts in a message of servers with a reasoning parser; also types of a part of its
content."""

_TEXTS = ("text", "output_text")

LARGEST_COUNT = 2**53
"""Larger than any count of tokens, and small enough for a database."""


@dataclass(frozen=True)
class Reply:
    """A server's reply to one request. Counts are from its `usage`."""

    text: str
    thoughts: str | None
    """The thoughts that the server took out of the text; None if it took out nothing."""
    finish_reason: FinishReason
    prompt_tokens: int
    generated_tokens: int
    cached_tokens: int | None
    """None if the server does not say."""
    prompt_ids: tuple[int, ...] = ()
    """Empty if the server does not return ids."""
    generated_ids: tuple[int, ...] = ()
    logprobs: Mapping[str, float] = field(default_factory=dict)
    """Log-probabilities of the most likely first tokens; empty without any."""
    by_stop_string: bool | None = None
    """Whether a stop string ended the text, and not the model itself; None if the server does not say."""


def read_reply(data: Any, limit: int | None = None) -> Reply:
    """The reply in `data` to a request for at most `limit` tokens. Raises Broken if it has another schema,
    or no plausible counts."""
    choice = _first(_entry(data, "choices", list))
    message = _entry(choice, "message", dict)
    text, in_parts = _content(message.get("content"))
    beside = next((each for name in _THOUGHTS if isinstance(each := message.get(name), str) and each), "")
    thoughts = beside + in_parts
    prompt, generated, cached = _counts(data.get("usage"))
    if not prompt or (not generated and (text or thoughts)):
        raise Broken("the usage in its replies counts 0 tokens for a text, so its counts are wrong")
    return Reply(
        _text(text),
        _text(thoughts) if thoughts else None,
        _finish(choice, bool(text or thoughts), limit is not None and generated >= limit),
        prompt,
        generated,
        None if cached is None else min(cached, prompt),
        _ids(data.get("prompt_token_ids")),
        _ids(choice.get("token_ids")),
        _logprobs(choice.get("logprobs")),
        _by_stop_string(choice),
    )


def _finish(choice: Mapping[str, Any], spoken: bool, full: bool) -> FinishReason:
    """Why a reply ended. With an unknown finish reason, a text counts as ended by itself, unless it is as
    long as its limit."""
    said = choice.get("finish_reason")
    word = str(said).strip().lower()
    if word in _FILTERED:
        return "error"
    if word in _CUT:
        return "length"
    if word in _GIVEN_UP or (word not in _ENDED and not spoken):
        raise Broken(f"its reply ended with {said!r}")
    return "length" if full and word not in _ENDED else "stop"


def _by_stop_string(choice: Mapping[str, Any]) -> bool | None:
    """In the form of vLLM and SGLang: a string, or the id of a token."""
    told = [choice[name] for name in ("stop_reason", "matched_stop") if name in choice]
    return isinstance(told[0], str) if told else None


def _content(content: Any) -> tuple[str, str]:
    """Text and thoughts of a message's content: a string, or a list of parts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise Broken("its reply has another schema: the content is not text")
    text = thoughts = ""
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _TEXTS and isinstance(part.get("text"), str):
            text += part["text"]
        elif kind in _THOUGHTS:
            inner = next((part[name] for name in (kind, "text") if name in part), "")
            thoughts += inner if isinstance(inner, str) else "".join(_content(inner))
        else:
            raise Broken(f"its reply has another schema: a part of the content is of type {kind!r}")
    return text, thoughts


def _entry(data: Any, name: str, kind: type) -> Any:
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind):
        raise Broken(f"its reply has another schema: no {name}")
    return value


def _first(choices: list[Any]) -> JsonObject:
    if not choices or not isinstance(choices[0], dict):
        raise Broken("its reply has another schema: no choice")
    return choices[0]


def _counts(usage: Any) -> tuple[int, int, int | None]:
    """Prompt, generated and cached tokens."""
    if not isinstance(usage, dict):
        raise Broken("its replies have no usage, so tokens cannot be counted: switch it on in the server")
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    generated = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if generated is None and prompt is not None and total is not None and total >= prompt:
        generated = total - prompt  # some servers leave it out for an empty text
    if prompt is None or generated is None:
        raise Broken("the usage in its replies has no counts of tokens")
    details = [usage.get(name) for name in ("prompt_tokens_details", "input_tokens_details")]
    told = [_count(each, "cached_tokens") for each in details if isinstance(each, dict)]
    return prompt, generated, next((each for each in told if each is not None), None)


def _count(table: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` with a count. Some servers write 20.0."""
    for name in names:
        value = table.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if _is_count(value):
            return value
    return None


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT


def _ids(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list) and all(map(_is_count, value)) else ()


def _logprobs(value: Any) -> dict[str, float]:
    content = value.get("content") if isinstance(value, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    return {
        str(entry.get("token")): float(entry["logprob"])
        for entry in (top if isinstance(top, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("logprob"), int | float)
        and abs(entry["logprob"]) <= LARGEST_COUNT
    }


def _text(text: str) -> str:
    """JSON can contain half a surrogate pair, which no UTF-8 file can."""
    return text.encode("utf-8", "replace").decode("utf-8")
