"""`--base-url` and `--engine-args` for the `openai` engine, and what is known about its model.

Everything here can be checked before a run folder exists and before a connection is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines.arguments import take_arguments
from harness.engines.base import ModelInfo
from harness.engines.openai.address import KEY_VARIABLES, check_base_url
from harness.engines.openai.handshake import Server
from harness.engines.openai.served import parameters_of
from harness.errors import UserError
from harness.models.source import ModelSource
from harness.option_checks import names_a_key
from harness.types import Settings, stable_hash

DEFAULTS: Settings = {
    "base_url": "",
    "model": "",
    "concurrency": 64,
    "timeout": 600,
    "max_retries": 8,
    "context_length": 0,
    "parameters": 0,
}
"""`model` is the server's name for the model, if it is not --pretrained. `timeout` is in seconds for one
attempt. `context_length` and `parameters` (for FLOPs) are for servers that do not report them; 0 is
unknown."""

_LEAST = {
    "concurrency": 1,
    "timeout": 1,
    "max_retries": 0,
    "context_length": 0,
    "parameters": 0,
}


OWN = "body."
"""`--engine-args body.NAME=VALUE` adds a field to each request; `body.NAME.PART=VALUE` a part of one."""

_SET_BY_THE_RUN = {
    **dict.fromkeys(("temperature", "top_p", "top_k"), "--sampling {name}=VALUE sets it"),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), "--sampling max_tokens=N sets it"),
    "model": "--engine-args model=NAME sets it",
    "seed": "--seed sets it",
    "chat_template_kwargs": "the ids of a prompt are made without it; the method think switches thinking on",
    **dict.fromkeys(
        ("messages", "stop", "stream", "stream_options", "n", "logprobs", "top_logprobs", "return_token_ids"),
        "the run sets it",
    ),
}
"""Fields that the run sets itself, and what to use instead."""


def check_arguments(arguments: Mapping[str, Any]) -> Settings:
    """The settings of `arguments` (--engine-args and `base_url`) over the defaults, with the extra fields
    as `body`. UserError for settings that no server can be asked with."""
    if any(map(names_a_key, arguments)):
        raise UserError(f"--engine-args: a key comes only from the environment: set {KEY_VARIABLES[0]}")
    own = {name: value for name, value in arguments.items() if name.startswith(OWN)}
    usual = {name: value for name, value in arguments.items() if name not in own}
    settings = take_arguments(usual, {**DEFAULTS, f"{OWN}NAME": None}, _LEAST)
    settings.pop(f"{OWN}NAME")
    return {**settings, "base_url": check_base_url(str(settings["base_url"])), "body": _own_fields(own)}


def _own_fields(named: Mapping[str, Any]) -> Settings:
    """`body.a=1, body.b.c=2` as `{"a": 1, "b": {"c": 2}}`. UserError for a field that the run itself sets."""
    fields: Settings = {}
    for name, value in named.items():
        first, *rest = name.removeprefix(OWN).split(".")
        if not first or not all(rest):
            raise UserError(f"--engine-args {name}: write body.NAME=VALUE")
        if first in _SET_BY_THE_RUN:
            raise UserError(f"--engine-args {name}: {_SET_BY_THE_RUN[first].format(name=first)}")
        place = fields
        for part in (first, *rest)[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UserError(f"--engine-args {name}: {part} already has a value; remove one of the two")
        last = (first, *rest)[-1]
        if last in place:
            raise UserError(f"--engine-args {name}: {last} already has a value; remove one of the two")
        place[last] = value
    return fields


def model_info(source: ModelSource, server: Server, settings: Settings) -> ModelInfo:
    """What is known about a model on a server."""
    template = stable_hash([server.reply.prompt_tokens, server.reply.prompt_ids])
    return ModelInfo(
        name=server.model,
        fingerprint=stable_hash(["openai", *server.identity, template]),
        parameters=settings["parameters"] or parameters_of(server.entry) or _local_parameters(source),
        dtype="unknown",
        template_hash=template,
        context_length=settings["context_length"] or server.context_length,
    )


def _local_parameters(source: ModelSource) -> int:
    """Number of parameters of `--pretrained` if its files are on this machine, read from their headers;
    else 0."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for path in Path(source.location).glob("*.safetensors") if source.is_local else ():
        try:
            with safe_open(path, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping: it has no iterator)
                    size = 1
                    for length in tensors.get_slice(name).get_shape():
                        size *= length
                    count += size
        except (SafetensorError, OSError):
            return 0
    return count
