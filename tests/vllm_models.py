"""A random model that vLLM's kernels take, and an engine on it that starts as fast as vLLM can.

The model is that of tiny_models.py, four times as wide: vLLM's attention on CPUs wants heads of 32 at least.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiny_models import save_model

from harness.engines.vllm.engine import VllmEngine
from harness.models.source import ModelSource

QUICK_START: dict[str, Any] = {"enforce_eager": True, "max_num_seqs": 32}


def save_vllm_model(folder: Path, **more: Any) -> Path:
    return save_model(folder, **{"hidden": 128, "spread": 0.18, **more})


def open_vllm(model: Path, **arguments: Any) -> VllmEngine:
    """An engine in float32, where batch composition cannot change a text."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    source = ModelSource("tiny-random", str(model), dtype="float32")
    return VllmEngine.load(source, {**QUICK_START, **arguments})
