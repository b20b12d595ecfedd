"""What a server serves: its list of models, its version, and what it reports about the weights of a name.

Lists are OpenAI's or Ollama's; llama.cpp reports more at `/props`. If a server has none of this, the name
from the user is all that is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from results.schema import JsonObject

T = TypeVar("T")

FIRST_RETRIES = 2
"""Repetitions during the handshake: somebody waits at the keyboard."""

PROBE_SECONDS = 120.0
"""A first request may load the model (Ollama does); later ones are short."""

_WEIGHT_FACTS = ("size", "n_params", "n_vocab", "n_ctx_train")
"""What llama.cpp reports about a file, apart from its type, which is a free text in the file."""


async def list_models(client: ServerClient, max_retries: int | None = None) -> list[JsonObject]:
    """Entries of `/models`; none if the server has no such list, or does not show it. Raises NoAnswer if
    it may have one later."""
    try:
        return await client.call("/models", read=read_models, max_retries=max_retries, timeout=PROBE_SECONDS)
    except Rejected:
        return []


def read_models(data: Any) -> list[JsonObject]:
    """Entries of a list of models, each with its `id`; none if it is not such a list."""
    found = data
    if isinstance(data, dict):
        found = data["data"] if isinstance(data.get("data"), list) else data.get("models")
    entries = []
    for entry in found if isinstance(found, list) else ():
        named = [entry.get(key) for key in ("id", "model", "name")] if isinstance(entry, dict) else []
        name = next((each for each in named if isinstance(each, str) and each), None)
        if name is not None:
            entries.append({**entry, "id": name})
    return entries


async def version_of(client: ServerClient) -> str | None:
    """What vLLM and similar servers report at `/version`."""

    def read(data: Any) -> str | None:
        found = data.get("version") if isinstance(data, dict) else None
        return found if isinstance(found, str) else None

    return await unless_absent(
        client.call("/version", read=read, beside=True, max_retries=FIRST_RETRIES, timeout=PROBE_SECONDS)
    )


async def properties_of(client: ServerClient) -> JsonObject:
    """What llama.cpp reports at `/props`; empty for other servers."""

    def read(data: Any) -> JsonObject:
        return data if isinstance(data, dict) and "default_generation_settings" in data else {}

    found = await unless_absent(
        client.call("/props", read=read, beside=True, max_retries=FIRST_RETRIES, timeout=PROBE_SECONDS)
    )
    return found or {}


async def unless_absent(asked: Awaitable[T]) -> T | None:
    """The reply of an address above the OpenAI interface; None if the server has no such address. Raises
    NoAnswer if it cannot be reached: call keys must not depend on the state of a network."""
    try:
        return await asked
    except Rejected:
        return None
    except NoAnswer as problem:
        if problem.status is None or problem.exhausted:
            raise
        return None


def told_of_weights(entry: Mapping[str, Any], properties: Mapping[str, Any]) -> JsonObject:
    """What a server reports about the weights that it serves under a name; may be empty."""
    meta = entry.get("meta")
    details = meta if isinstance(meta, dict) else {}
    found = {name: details.get(name) for name in _WEIGHT_FACTS}
    found["digest"] = entry.get("digest")  # Ollama's
    found |= {name: properties.get(name) for name in ("model_path", "build_info")}
    return {name: value for name, value in found.items() if isinstance(value, int | float | str) and value}


def context_of(entry: Mapping[str, Any], properties: Mapping[str, Any]) -> int:
    """Tokens of prompt and answer together for one request; 0 if the server does not tell. llama.cpp
    divides its context among slots, and reports that of one slot."""
    meta, settings = entry.get("meta"), properties.get("default_generation_settings")
    told = [
        entry.get("max_model_len"),
        settings.get("n_ctx") if isinstance(settings, dict) else None,
        meta.get("n_ctx") if isinstance(meta, dict) else None,
    ]
    return next(
        (each for each in told if isinstance(each, int) and not isinstance(each, bool) and each > 0), 0
    )


def parameters_of(entry: Mapping[str, Any]) -> int:
    """Number of parameters; 0 if the server does not tell."""
    meta = entry.get("meta")
    told = meta.get("n_params") if isinstance(meta, dict) else None
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def is_llama_cpp(entry: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Whether llama.cpp serves the model."""
    return entry.get("owned_by") == "llamacpp" or "build_info" in properties
