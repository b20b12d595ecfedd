"""Chat completions in words of the OpenAI interface: a request's body, and what a reply says.

Servers differ in what they take beyond the interface. A `Dialect` holds what this one took; what it can do
without is left out, what a run asked for is sent even so, and the server's refusal names it. Nothing here
opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

from harness.engines.openai.client import Broken, Rejected
from harness.types import FinishReason, Message, Sampling
from results.schema import JsonObject

NEUTRAL: JsonObject = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sampling that changes nothing. Servers fill what is not sent from the model's generation_config.json: for
Qwen2.5 a repetition penalty of 1.05, which changes even greedy texts."""

OPTIONAL = ("return_token_ids", "chat_template_kwargs", *NEUTRAL)
"""Beyond the interface; a server that refuses one is asked without it."""

FEATURES = ("temperature", "top_p", "top_k", "seed", "stop", "logprobs", *OPTIONAL)
"""What a refusal may name as unsupported: then no request of the run can be served."""

_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not (permitted|allowed)|extra (field|input)",
    re.IGNORECASE,
)

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "error",
}

LARGEST_COUNT = 2**53
"""No count of tokens comes near it, and a database still holds it."""


@dataclass(frozen=True)
class Dialect:
    """What a server takes."""

    limit: str = "max_tokens"
    """Name of the most tokens to generate; newer models of OpenAI want `max_completion_tokens`."""
    optional: frozenset[str] = frozenset(OPTIONAL)


@dataclass(frozen=True)
class Reply:
    """What a server said to one request. Counts are its `usage`."""

    text: str
    thoughts: str | None
    """What the server took out of the text as reasoning; None where it took out nothing."""
    finish_reason: FinishReason
    prompt_tokens: int
    generated_tokens: int
    cached_tokens: int
    prompt_ids: tuple[int, ...]
    """Empty where the server does not return ids."""
    generated_ids: tuple[int, ...]
    logprobs: Mapping[str, float]
    """Of the likeliest first tokens; empty where they were not asked for."""


def template_arguments(thinking: bool, day: date) -> JsonObject:
    """What the chat template is handed. Templates of Llama take the date so; without it they would insert
    today's, and a run that is continued tomorrow would ask other prompts."""
    return {"enable_thinking": thinking, "date_string": day.strftime("%d %b %Y")}


def chat_body(
    dialect: Dialect,
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    limit: int,
    seed: int,
    template: Mapping[str, Any],
) -> JsonObject:
    """The JSON of a request for at most `limit` tokens."""
    body: JsonObject = {
        "model": model,
        "messages": list(messages),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        dialect.limit: limit,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.temperature > 0:
        body["seed"] = seed
    offered = {"return_token_ids": True, "chat_template_kwargs": dict(template), **NEUTRAL}
    body.update({name: value for name, value in offered.items() if name in dialect.optional})
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    return body


def read_reply(data: Any) -> Reply:
    """The reply in `data`. Broken where it has another schema, or no counts."""
    choice = _first(_entry(data, "choices", list))
    message = _entry(choice, "message", dict)
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise Broken("its reply has another schema: the content is no text")
    finish = _FINISH.get(str(choice.get("finish_reason")))
    if finish is None:
        raise Broken(f"its reply ended with {choice.get('finish_reason')!r}")
    thoughts = message.get("reasoning") or message.get("reasoning_content")
    prompt, generated, cached = _counts(data.get("usage"))
    return Reply(
        _text(content or ""),
        _text(thoughts) if isinstance(thoughts, str) else None,
        finish,
        prompt,
        generated,
        min(cached, prompt),
        _ids(data.get("prompt_token_ids")),
        _ids(choice.get("token_ids")),
        _logprobs(choice.get("logprobs")),
    )


def unsupported_feature(problem: Rejected, body: Mapping[str, Any]) -> str | None:
    """The parameter of `body` that the server does not take; None where the fault is another."""
    sent = [name for name in FEATURES if name in body]
    if problem.parameter is not None:
        named = problem.parameter.partition(".")[0]
        return named if named in sent else None
    if not _UNSUPPORTED.search(problem.message):
        return None
    return next((name for name in sent if re.search(rf"\b{name}\b", problem.message)), None)


def _entry(data: Any, name: str, kind: type) -> Any:
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind):
        raise Broken(f"its reply has another schema: no {name}")
    return value


def _first(choices: list[Any]) -> JsonObject:
    if not choices or not isinstance(choices[0], dict):
        raise Broken("its reply has another schema: no choice")
    return choices[0]


def _counts(usage: Any) -> tuple[int, int, int]:
    """Prompt, generated and cached tokens."""
    if not isinstance(usage, dict):
        raise Broken("its replies have no usage, so tokens cannot be counted: switch it on in the server")
    prompt, generated = usage.get("prompt_tokens"), usage.get("completion_tokens")
    total = usage.get("total_tokens")
    if generated is None and _is_count(prompt) and _is_count(total):
        generated = total - prompt  # left out by some servers where nothing was said
    if not _is_count(prompt) or not _is_count(generated):
        raise Broken("the usage in its replies holds no counts of tokens")
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return prompt, generated, cached if _is_count(cached) else 0


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
    """JSON can spell half a surrogate pair, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
