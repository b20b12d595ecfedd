"""Getting to know a server before the first request of a run: its models, its version, what it takes.

One short request is made on purpose: a wrong key, an unknown model, a missing `usage` or a parameter that is
refused come out now and in one line, not as a thousand failed items.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from harness.engines.chat import PROBE
from harness.engines.openai.address import KEY_VARIABLES
from harness.engines.openai.client import Broken, NoAnswer, Rejected, ServerClient
from harness.engines.openai.wire import (
    OPTIONAL,
    Dialect,
    Reply,
    chat_body,
    read_reply,
    template_arguments,
)
from harness.errors import UserError
from harness.types import Sampling
from results.schema import JsonObject

T = TypeVar("T")

FIRST_RETRIES = 2
"""Repetitions while a server is met: somebody waits at the keyboard."""

PROBE_SECONDS = 120.0
"""A first request may load the model (Ollama does), a later one is short."""


OF_ALL = frozenset({*range(300, 400), 401, 402, 403, 404, 405, 407})
"""Refusals that every other request would get as well."""


@dataclass(frozen=True)
class Server:
    """A server that answers, and the model that it was asked for."""

    model: str
    entry: Mapping[str, Any]
    """Of the model in the list of models; empty where the server has no list."""
    version: str | None
    dialect: Dialect
    reply: Reply
    """To `PROBE`."""

    @property
    def identity(self) -> list[Any]:
        """What is known of the weights: goes into the fingerprint of the model."""
        return [self.model, self.entry.get("root"), self.entry.get("max_model_len"), self.version]


async def meet(client: ServerClient, names: Sequence[str], day: date) -> Server:
    """The server with the first of `names` that it serves. UserError where it cannot be used."""
    try:
        listed = await list_models(client, FIRST_RETRIES)
        model = _pick(client, names, listed)
        dialect, reply = await _learn_dialect(client, model, day)
        version = await _version(client)
    except NoAnswer as problem:
        raise UserError(explain_silence(client, problem)) from None
    except Rejected as problem:
        raise UserError(explain_refusal(client, problem)) from None
    entry = next((each for each in listed if each["id"] == model), {})
    return Server(model, entry, version, dialect, reply)


async def list_models(client: ServerClient, max_retries: int | None = None) -> list[JsonObject]:
    """Entries of `/models`; none where the server has no such list."""
    try:
        return await client.call("/models", read=read_models, max_retries=max_retries, timeout=PROBE_SECONDS)
    except Rejected as problem:
        if problem.status in {404, 405}:
            return []
        raise


def read_models(data: Any) -> list[JsonObject]:
    """Entries of a list of models. Raises Broken."""
    found = data.get("data") if isinstance(data, dict) else data
    if not isinstance(found, list):
        raise Broken("its list of models has another schema")
    return [entry for entry in found if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


async def probe(
    client: ServerClient, dialect: Dialect, model: str, day: date, *, logprobs: bool = False
) -> Reply:
    """The first token that `model` says to `PROBE`; raises what `ServerClient.call` raises."""
    # Some models refuse to be greedy, which must not keep a run from starting. Log-probabilities come with
    # the token that was drawn: only the likeliest one adds nothing to the list.
    sampling = Sampling(temperature=0.0 if logprobs else 1.0)
    body = chat_body(dialect, model, PROBE, sampling, 1, 0, template_arguments(False, day))
    body.pop("seed", None)
    if logprobs:
        body.update(logprobs=True, top_logprobs=5)
    return await client.call(
        "/chat/completions", body, read=read_reply, max_retries=FIRST_RETRIES, timeout=PROBE_SECONDS
    )


async def _learn_dialect(client: ServerClient, model: str, day: date) -> tuple[Dialect, Reply]:
    """What the server takes of the optional parameters: those it refuses are left out one after another."""
    dialect = Dialect()
    while True:
        try:
            return dialect, await probe(client, dialect, model, day)
        except Rejected as problem:
            if problem.status not in {400, 422}:
                raise
            told = f"{problem.parameter} {problem.message}"
            if "max_completion_tokens" in told and dialect.limit == "max_tokens":
                dialect = replace(dialect, limit="max_completion_tokens")
                continue
            if not dialect.optional:
                raise
            named = {name for name in OPTIONAL if name in told}
            left = dialect.optional - named
            # A refusal that names none of them may still be about one: then none is sent.
            dialect = replace(dialect, optional=left if left != dialect.optional else frozenset())


async def _version(client: ServerClient) -> str | None:
    """What vLLM and its kin say of themselves at `/version`."""

    def read(data: Any) -> str | None:
        found = data.get("version") if isinstance(data, dict) else None
        return found if isinstance(found, str) else None

    return await unless_absent(
        client.call("/version", read=read, beside=True, max_retries=FIRST_RETRIES, timeout=PROBE_SECONDS)
    )


async def unless_absent(asked: Awaitable[T]) -> T | None:
    """What an address beside the OpenAI interface says; None where the server has no such address. A server
    that cannot be reached is no such server: call keys must not depend on the state of a network."""
    try:
        return await asked
    except Rejected:
        return None
    except NoAnswer as problem:
        if problem.status is None or problem.exhausted:
            raise
        return None


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


def explain_refusal(client: ServerClient, problem: Rejected) -> str:
    """One line with the next step for what no request of a run would survive."""
    where = f"the server at {client.base_url}"
    if problem.status in {401, 403, 407}:
        if client.has_key:
            return f"{where} refuses the key ({problem}): set {KEY_VARIABLES[0]} to one that it takes"
        return f"{where} wants a key ({problem}): set {KEY_VARIABLES[0]} in the environment"
    if problem.status == 402:
        return f"{where} wants to be paid first ({problem}): see to it, then repeat the command"
    if problem.status in {404, 405}:
        return (
            f"{where} does not know the model or the address ({problem}): --engine-args model=NAME names "
            "the model as the server does, --base-url is the part before /chat/completions"
        )
    if 300 <= problem.status < 400:
        return f"{where} answers elsewhere ({problem}): give that address as --base-url"
    return f"{where} refuses a short request ({problem}): its log may say more"


def explain_silence(client: ServerClient, problem: NoAnswer) -> str:
    """One line with the next step for a server that gives no usable reply."""
    where = f"the server at {client.base_url}"
    if problem.exhausted:
        return f"{where} takes no more requests ({problem}): repeat the command when it does; it goes on here"
    if problem.status == 429:
        return f"{where} is too busy ({problem}): lower --engine-args concurrency=, then repeat the command"
    if problem.broken:
        return f"{where} cannot be used ({problem}): see its log, then repeat the command"
    return (
        f"{where} does not answer ({problem}): check --base-url and that the server is up and ready, "
        "then repeat the command"
    )


def explain_feature(client: ServerClient, feature: str, problem: Rejected) -> str:
    """One line on a parameter that the server does not take."""
    return (
        f"the server at {client.base_url} does not take {feature!r} ({problem}): "
        f"change it with --sampling, or use a server that takes it, such as vllm serve"
    )
