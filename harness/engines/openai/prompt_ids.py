"""Ids of a prompt on a server: from the model's own tokenizer, from the server, or a surrogate.

A call key must name the prompt before it is sent (rule 6). Best is the tokenizer of `--pretrained`, if it
gives the same ids as the server: it needs no round trip. Otherwise vLLM's `/tokenize`. Otherwise a surrogate,
which is recognised by its negative numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from harness.engines.chat import PROBE, Chat, hub_options
from harness.engines.openai.client import Broken, NoAnswer, Rejected, ServerClient
from harness.engines.openai.explained import REFUSES_EVERY_REQUEST, explain_refusal, explain_silence
from harness.engines.openai.handshake import Server
from harness.engines.openai.served import FIRST_RETRIES, PROBE_SECONDS, unless_absent
from harness.engines.openai.wire import template_arguments
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Message
from results.schema import JsonObject

Origin = Literal["tokenizer", "server", "surrogate"]

ORIGINS: dict[Origin, str] = {
    "tokenizer": "the tokenizer of --pretrained, which agrees with the server",
    "server": "the server's /tokenize",
    "surrogate": "unknown; call keys hold a hash of the messages",
}
"""As written to the manifest."""

_TURNS: list[Message] = [
    *PROBE,
    {"role": "assistant", "content": "4."},
    {"role": "user", "content": "naïve café, 数学?"},
]

CONVERSATIONS = tuple((messages, thinking) for messages in (PROBE, _TURNS) for thinking in (False, True))
"""A tokenizer must agree with the server on these before it is used; the first is the probe of the
handshake."""


class ThinkingPrompt(tuple[int, ...]):
    """Ids of a prompt with thinking switched on: a Request has ids, but not the switch."""

    __slots__ = ()


def surrogate(messages: Sequence[Message], thinking: bool) -> tuple[int, ...]:
    """Eight negative numbers that are equal for equal conversations only: a SHA-256 of their JSON. They
    name a prompt in call keys if its ids are unknown; they are never counted."""
    text = json.dumps([list(messages), thinking], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(-1 - int.from_bytes(digest[start : start + 4], "big") for start in range(0, 32, 4))


def is_surrogate(ids: Sequence[int]) -> bool:
    """Whether `ids` are such numbers and not real ids."""
    return bool(ids) and ids[0] < 0


def local_chat(source: ModelSource, day: datetime) -> Chat | None:
    """The tokenizer of `--pretrained` if it is on this machine and has a chat template. Nothing is
    fetched: a run with a server connects to nothing else."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.location, local_files_only=True, **hub_options(source)
        )
    except (OSError, ValueError, KeyError, ImportError):
        return None
    return Chat(tokenizer, frozenset(), day, source.thought_marks) if tokenizer.chat_template else None


async def tokenize(
    client: ServerClient,
    server: Server,
    messages: Sequence[Message],
    thinking: bool,
    day: datetime,
    max_retries: int | None = None,
) -> tuple[int, ...]:
    """Ids as the server makes them; raises what `ServerClient.call` raises."""
    body: JsonObject = {
        "model": server.model,
        "messages": list(messages),
        "add_generation_prompt": True,
        "add_special_tokens": False,
    }
    if "chat_template_kwargs" in server.dialect.optional:
        body["chat_template_kwargs"] = template_arguments(thinking, day)
    return await client.call(
        "/tokenize", body, read=read_ids, beside=True, max_retries=max_retries, timeout=PROBE_SECONDS
    )


def read_ids(data: Any) -> tuple[int, ...]:
    """Ids out of a reply of `/tokenize`. Raises Broken."""
    ids = data.get("tokens") if isinstance(data, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(each, int) and each >= 0 for each in ids):
        # llama.cpp has this address too, but it does not accept messages there: it returns nothing.
        raise Broken("its /tokenize returns no ids for messages", settled=ids == [])
    return tuple(ids)


@dataclass(frozen=True)
class Prompts:
    """How to get the ids of prompts for one server."""

    origin: Origin
    client: ServerClient
    server: Server
    day: datetime
    chat: Chat | None = None
    """The tokenizer of `--pretrained`, if it agrees with the server."""
    note: str | None = None
    """A sentence for the report if it does not agree."""

    def at_once(self, messages: Sequence[Message], thinking: bool) -> tuple[int, ...] | None:
        """Ids that need no request; None if the server must be asked."""
        if self.chat is not None:
            return self.chat.prompt_ids(messages, thinking)
        return surrogate(messages, thinking) if self.origin == "surrogate" else None

    async def asked(self, messages: Sequence[Message], thinking: bool) -> tuple[int, ...]:
        """Ids from the server. RunError if it does not answer."""
        try:
            return await tokenize(self.client, self.server, messages, thinking, self.day)
        except Rejected as problem:
            if problem.status in REFUSES_EVERY_REQUEST:
                raise RunError(explain_refusal(self.client, problem)) from None
            # If the template refuses a conversation, that becomes the item's error when it is sent.
            return surrogate(messages, thinking)
        except NoAnswer as problem:
            raise RunError(explain_silence(self.client, problem)) from None


async def choose_prompts(client: ServerClient, server: Server, source: ModelSource, day: datetime) -> Prompts:
    """Chooses where ids come from. UserError if the server stops answering, RunError for two BOS ids."""
    theirs: list[tuple[int, ...]] = []
    for messages, thinking in CONVERSATIONS:
        try:
            asked = tokenize(client, server, messages, thinking, day, FIRST_RETRIES)
            ids = await unless_absent(asked)
        except NoAnswer as problem:
            raise UserError(explain_silence(client, problem)) from None
        if ids is None:
            theirs = []
            break
        theirs.append(ids)
    _check_start(theirs[0] if theirs else server.reply.prompt_ids)
    chat = local_chat(source, day)
    if chat is not None and _agrees(chat, server, theirs):
        return Prompts("tokenizer", client, server, day, chat)
    note = (
        f"The tokenizer of --pretrained gives other prompt ids than the server for {server.model}, so "
        "it was not used."
    )
    return Prompts(
        "server" if theirs else "surrogate", client, server, day, note=None if chat is None else note
    )


def _agrees(chat: Chat, server: Server, theirs: Sequence[tuple[int, ...]]) -> bool:
    from jinja2 import TemplateError

    try:
        ours = [chat.prompt_ids(*asked) for asked in CONVERSATIONS]
    except TemplateError:
        return False
    if theirs:
        return ours == list(theirs)
    if server.reply.prompt_ids:
        return ours[0] == server.reply.prompt_ids
    return len(ours[0]) == server.reply.prompt_tokens


def _check_start(ids: Sequence[int]) -> None:
    """RunError for two BOS ids: `PROBE` repeats no word, so two equal ids at the start can be nothing
    else."""
    if len(ids) > 1 and ids[0] == ids[1]:
        raise RunError("the server puts two BOS ids before a prompt: remove one from its chat template")
