"""Finds out about a server before the first request of a run: its models, its version, what it accepts.

It sends one short request. So a wrong key, an unknown model, a missing `usage` or a refused parameter shows
now and in one line, not as a thousand failed items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

from harness.engines.chat import PROBE
from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from harness.engines.openai.dialect import SPECIAL, Dialect, named, without
from harness.engines.openai.explained import explain_feature, explain_refusal, explain_silence
from harness.engines.openai.reply import Reply, read_reply
from harness.engines.openai.served import (
    FIRST_RETRIES,
    PROBE_SECONDS,
    context_of,
    is_llama_cpp,
    list_models,
    properties_of,
    told_of_weights,
    version_of,
)
from harness.engines.openai.wire import chat_body, template_arguments
from harness.errors import UserError
from harness.types import Sampling
from results.schema import JsonObject


@dataclass(frozen=True)
class Server:
    """A server that answers, and the model to use on it."""

    model: str
    entry: Mapping[str, Any]
    """The model's entry in the list of models; empty if the server has no list."""
    version: str | None
    dialect: Dialect
    reply: Reply
    """To `PROBE`."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What llama.cpp reports about itself."""

    @property
    def identity(self) -> list[Any]:
        """What is known about the weights, and what the user adds to each request: part of the model's
        fingerprint."""
        known = [self.model, self.entry.get("root"), self.entry.get("max_model_len"), self.version]
        more = [told_of_weights(self.entry, self.properties), dict(self.dialect.own)]
        return [*known, *(each for each in more if each)]

    @property
    def served(self) -> JsonObject:
        """The same by name, for the manifest: a run can be continued only with the same values."""
        found = {"model": self.model, "root": self.entry.get("root"), "version": self.version}
        found["max_model_len"] = self.entry.get("max_model_len")
        found |= told_of_weights(self.entry, self.properties)
        return {name: value for name, value in found.items() if value is not None}

    @property
    def context_length(self) -> int:
        """Tokens; 0 if the server does not tell."""
        return context_of(self.entry, self.properties)

    def hides_special_tokens(self, dialect: Dialect) -> bool:
        """Whether texts of the server lack special tokens, so that it cannot find a stop that is one.
        `dialect` is what is known so far about the parameters that it accepts."""
        return SPECIAL not in dialect.optional or is_llama_cpp(self.entry, self.properties)


async def meet(
    client: ServerClient, names: Sequence[str], day: date, own: Mapping[str, Any] | None = None
) -> Server:
    """The server with the first of `names` that it serves; `own` are extra fields of each request.
    UserError if it cannot be used."""
    try:
        listed = await list_models(client, FIRST_RETRIES)
        model = _pick(client, names, listed)
        dialect, reply = await _learn_dialect(client, model, day, Dialect(own=dict(own or {})))
        version, properties = await version_of(client), await properties_of(client)
    except NoAnswer as problem:
        raise UserError(explain_silence(client, problem)) from None
    except Rejected as problem:
        raise UserError(explain_refusal(client, problem)) from None
    entry = next((each for each in listed if each["id"] == model), {})
    return Server(model, entry, version, dialect, reply, properties)


async def probe(
    client: ServerClient, dialect: Dialect, model: str, day: date, *, logprobs: bool = False
) -> Reply:
    """The first token of `model`'s reply to `PROBE`, or a few tokens if the server cannot give fewer.
    Raises what `ServerClient.call` raises."""
    body = probe_body(dialect, model, day, logprobs=logprobs)
    read = partial(read_reply, limit=dialect.probe_limit)
    return await client.call(
        "/chat/completions", body, read=read, max_retries=FIRST_RETRIES, timeout=PROBE_SECONDS
    )


def probe_body(dialect: Dialect, model: str, day: date, *, logprobs: bool = False) -> JsonObject:
    """The JSON of that request."""
    # Some models refuse greedy decoding, and a run must start with them too. Servers add the drawn token to
    # the list of log-probabilities; with greedy decoding it is in the list already.
    sampling = Sampling(temperature=0.0 if logprobs else 1.0)
    template = template_arguments(False, day)
    body = chat_body(dialect, model, PROBE, sampling, dialect.probe_limit, 0, template)
    body.pop("seed", None)
    if SPECIAL in dialect.optional:
        body[SPECIAL] = False
    return {**body, "logprobs": True, "top_logprobs": 5} if logprobs else body


async def _learn_dialect(
    client: ServerClient, model: str, day: date, dialect: Dialect
) -> tuple[Dialect, Reply]:
    """The optional parameters that the server accepts: refused ones are left out one after another."""
    while True:
        try:
            return dialect, await probe(client, dialect, model, day)
        except Rejected as problem:
            if problem.status not in {400, 422}:
                raise
            body = probe_body(dialect, model, day)
            about = named(problem, body, dialect)
            learnt = without(problem, body, dialect, probing=True)
            # A refusal that names none of them may still be about one: then none is sent.
            bare = replace(dialect, optional=frozenset())
            if learnt is None and about:
                raise UserError(explain_feature(client, about[0], dialect, str(problem))) from None
            if learnt is None and (not dialect.optional or problem.overflow):
                raise
            dialect = learnt or bare


def _pick(client: ServerClient, names: Sequence[str], listed: Sequence[Mapping[str, Any]]) -> str:
    served = [str(entry["id"]) for entry in listed]
    for name in names:
        if name in served or not served:
            return name
    raise UserError(
        f"the server at {client.base_url} does not serve {names[0]}: "
        f"give --engine-args model=NAME with one of {', '.join(served[:8])}"
        f"{f' and {len(served) - 8} more' if len(served) > 8 else ''}"
    )
