"""Engines: what turns requests into completions.

The rest of the program knows an engine only by its entry in `KINDS`. The engine's modules are imported when
the entry is used.
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
    """Shown in the help."""
    module: str
    """Module with the engine's class."""
    class_name: str
    settings: str
    """Module with `check_arguments` for the engine's arguments."""
    weights: Literal["here", "on a server", "none"] = "here"
    """Where the weights are. Only weights on this machine can be trained."""
    by_ids: bool = True
    """Whether it takes prompts as ids, so that a call can go on from what another one generated."""
    changes_no_text: frozenset[str] = frozenset()
    """Arguments that change no text, or that the name of the weights already covers. Their values do not
    change the name of a checkpoint."""

    def open(self, source: ModelSource, arguments: Settings) -> Engine:
        """Loads the engine with its model. UserError for an argument that the engine does not have."""
        loaded: Engine = getattr(import_module(self.module), self.class_name).load(source, arguments)
        return loaded

    def check(self, arguments: Mapping[str, Any]) -> None:
        """UserError for an argument that the engine does not have or cannot run with. Loads no model, so a
        mistyped argument leaves no run folder behind."""
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
            changes_no_text=frozenset({"batch_rows", "batch_tokens", "device"}),
        ),
        EngineKind(
            "vllm",
            "vLLM in this process",
            "harness.engines.vllm.engine",
            "VllmEngine",
            "harness.engines.vllm.settings",
            changes_no_text=frozenset({
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
            by_ids=False,
            changes_no_text=frozenset({"concurrency", "context_length", "parameters", "timeout"}),
        ),
        EngineKind(
            "scripted",
            "a Python function, for tests",
            "harness.engines.scripted",
            "ScriptedEngine",
            "harness.engines.scripted",
            weights="none",
            changes_no_text=frozenset({"script", "batch_rows"}),
        ),
    )
}  # fmt: skip
