"""What `--base-url` and `--engine-args` may say to the `openai` engine, and what is known of its model.

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
"""`model` is the server's name of the model, where it is not --pretrained. `timeout` is in seconds and for
one attempt. `context_length` and `parameters` (for FLOPs) say what the server does not; 0 is unknown."""

_LEAST = {
    "concurrency": 1,
    "timeout": 1,
    "max_retries": 0,
    "context_length": 0,
    "parameters": 0,
}


def check_arguments(arguments: Mapping[str, Any]) -> Settings:
    """The settings of `arguments` (--engine-args and `base_url`) over the defaults. UserError for what no
    server can be asked with."""
    if any(map(names_a_key, arguments)):
        raise UserError(
            f"--engine-args: a key comes from the environment and from nowhere else: set {KEY_VARIABLES[0]}"
        )
    settings = take_arguments("openai", arguments, DEFAULTS, _LEAST)
    return {**settings, "base_url": check_base_url(str(settings["base_url"]))}


def model_info(source: ModelSource, server: Server, settings: Settings) -> ModelInfo:
    """What can be said of a model that is elsewhere."""
    template = stable_hash([server.reply.prompt_tokens, server.reply.prompt_ids])
    listed = server.entry.get("max_model_len")
    return ModelInfo(
        name=server.model,
        fingerprint=stable_hash(["openai", *server.identity, template]),
        parameters=settings["parameters"] or _local_parameters(source),
        dtype="unknown",
        template_hash=template,
        context_length=settings["context_length"] or (listed if isinstance(listed, int) else 0),
    )


def _local_parameters(source: ModelSource) -> int:
    """Numbers in the weights of `--pretrained` if they lie on this machine, read from the files' heads; else
    0."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for path in Path(source.location).glob("*.safetensors") if source.is_local else ():
        try:
            with safe_open(path, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (no mapping: it has no iterator)
                    size = 1
                    for length in tensors.get_slice(name).get_shape():
                        size *= length
                    count += size
        except (SafetensorError, OSError):
            return 0
    return count
