"""A request in the OpenAI interface: the JSON body for one completion.

What this server accepts beyond the interface, and what of the interface it does not accept, is in its
`Dialect` (dialect.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from harness.answer_text import turn_marks
from harness.engines.openai.dialect import DEFAULTS, NEUTRAL, SPECIAL, Dialect
from harness.types import Message, Sampling
from results.schema import JsonObject


def template_arguments(thinking: bool, day: date) -> JsonObject:
    """Arguments for the chat template. Llama's templates take the date this way; without it they insert
    today's, and a run continued tomorrow would send other prompts."""
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
    asked = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    body: JsonObject = {
        "model": model,
        "messages": list(messages),
        **{name: value for name, value in asked.items() if name not in dialect.left_out},
        dialect.limit: limit,
        "stream": False,
    }
    if stops := sampling.stop[: dialect.most_stops]:
        body["stop"] = list(stops)
    if sampling.temperature > 0:
        body["seed"] = seed
    offered = {"return_token_ids": True, "chat_template_kwargs": dict(template), **NEUTRAL}
    # Marks of a turn are special tokens in most templates, and a server looks for stops in the text that it
    # shows.
    if turn_marks(sampling.stop):
        offered[SPECIAL] = False
    body.update({name: value for name, value in offered.items() if name in dialect.optional})
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    return {**body, **dialect.own}


def cannot_be_left_out(dialect: Dialect, sampling: Sampling) -> str | None:
    """The parameter that this sampling needs and the server does not accept."""
    asked = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return next((name for name in dialect.left_out if asked[name] != DEFAULTS[name]), None)
