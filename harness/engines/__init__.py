"""Engines: what turns requests into completions. Each is imported only when it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import UserError

if TYPE_CHECKING:
    from harness.engines.base import Engine
    from harness.models.source import ModelSource


def open_engine(name: str, source: ModelSource, arguments: dict[str, Any]) -> Engine:
    """The engine of that name with the model loaded. UserError for an argument it does not have."""
    if name == "scripted":
        from harness.engines.scripted import ScriptedEngine

        return ScriptedEngine.load(arguments)
    if name == "vllm":
        from harness.engines.vllm.engine import VllmEngine

        return VllmEngine.load(source, arguments)
    if name == "openai":
        from harness.engines.openai.engine import OpenAIEngine

        return OpenAIEngine.load(source, arguments)
    from harness.engines.hf.engine import HuggingFaceEngine

    return HuggingFaceEngine.load(source, arguments)


def check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """UserError for an argument that the engine of that name does not have or cannot run with. No model is
    loaded, so that a mistyped one leaves no run folder."""
    if name == "scripted":
        from harness.engines import scripted

        scripted.check_arguments(arguments)
    elif name == "vllm":
        from harness.engines.vllm import engine as vllm

        vllm.check_arguments(arguments)
    elif name == "openai":
        from harness.engines.openai import settings as openai_settings

        openai_settings.check_arguments(arguments)
    else:
        from harness.engines.hf import settings as hf_settings

        hf_settings.check_arguments(arguments)


def take_arguments(
    engine: str, arguments: Mapping[str, Any], known: Mapping[str, Any], least: Mapping[str, int]
) -> dict[str, Any]:
    """`known` defaults overlaid with `arguments`. UserError names an argument the engine does not have, and
    a number below the `least` that it may be."""
    for name, value in arguments.items():
        if isinstance(known.get(name), int) and (isinstance(value, bool) or not isinstance(value, int)):
            raise UserError(f"--engine-args {name}={value}: give a whole number")
        if name in least and value < least[name]:
            raise UserError(f"--engine-args {name}={value}: it must be at least {least[name]}")
        if name not in known:
            raise UserError(
                f"--engine-args {name}: the {engine} engine has no such argument; it takes {', '.join(known)}"
            )
    return {**known, **arguments}
