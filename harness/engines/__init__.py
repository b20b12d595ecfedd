"""Engines: what turns requests into completions.

An entry of `KINDS` is all that the rest knows of an engine; its modules are imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from harness.types import Settings

if TYPE_CHECKING:
    from harness.engines.base import Engine
    from harness.models.source import ModelSource


@dataclass(frozen=True)
class EngineKind:
    """An engine before it is loaded."""

    name: str
    description: str
    """For the help."""
    module: str
    """Has the engine's class."""
    class_name: str
    settings: str
    """Module whose `check_arguments` knows the engine's arguments."""
    weights: Literal["here", "on a server", "none"] = "here"
    """Where they lie: only those that are here can be trained."""
    no_matter: frozenset[str] = frozenset()
    """Arguments that change no text, or that the name of the weights covers: with any of their values a
    checkpoint is the same."""

    def open(self, source: ModelSource, arguments: Settings) -> Engine:
        """The engine with its model. UserError for an argument that it does not have."""
        loaded: Engine = getattr(import_module(self.module), self.class_name).load(source, arguments)
        return loaded

    def check(self, arguments: Mapping[str, Any]) -> None:
        """UserError for an argument that the engine does not have or cannot run with. No model is loaded, so
        that a mistyped one leaves no run folder."""
        import_module(self.settings).check_arguments(arguments)


KINDS: dict[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind(
            "hf",
            "transformers and PEFT",
            "harness.engines.hf.engine",
            "HuggingFaceEngine",
            "harness.engines.hf.settings",
            no_matter=frozenset({"batch_rows", "batch_tokens", "device"}),
        ),
        EngineKind(
            "vllm",
            "vLLM in this process",
            "harness.engines.vllm.engine",
            "VllmEngine",
            "harness.engines.vllm.settings",
            no_matter=frozenset({
                "gpu_memory_utilization", "max_num_seqs", "max_num_batched_tokens", "max_model_len",
                "enable_sleep_mode", "tensor_parallel_size", "data_parallel_size", "pipeline_parallel_size",
                "swap_space", "seed",
            }),
        ),
        EngineKind(
            "openai",
            "a compatible server",
            "harness.engines.openai.engine",
            "OpenAIEngine",
            "harness.engines.openai.settings",
            weights="on a server",
            no_matter=frozenset({"concurrency", "context_length", "parameters", "timeout"}),
        ),
        EngineKind(
            "scripted",
            "a Python function, for tests",
            "harness.engines.scripted",
            "ScriptedEngine",
            "harness.engines.scripted",
            weights="none",
            no_matter=frozenset({"script", "batch_rows"}),
        ),
    )
}  # fmt: skip
