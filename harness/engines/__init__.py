"""Engines: what turns requests into completions. Each is imported only when it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
