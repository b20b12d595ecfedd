"""Adapters in vLLM: each has a number, a name, a folder and a rank.

Only names and settings are kept here; engine.py loads adapters into vLLM and probes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.engines.vllm.settings import rank_that_fits


class Adapters:
    """The adapters of one engine, by name."""

    def __init__(self) -> None:
        self._requests: dict[str, Any] = {}
        self._ranks: dict[str, int] = {}
        self.newest = 0
        """The number of the newest adapter; numbers start at 1."""

    def add(self, name: str, folder: Path) -> Any:
        """The `LoRARequest` of a new adapter; an earlier one with the same name is forgotten."""
        from vllm.lora.request import LoRARequest

        rank = adapter_rank(folder)
        rank_that_fits(rank)
        # vLLM caches weights by number and prefixes by name, so neither is ever used again for another
        # folder.
        self.newest += 1
        request = LoRARequest(f"{name}-{self.newest}", self.newest, str(folder.resolve()))
        self._requests[name], self._ranks[name] = request, rank
        return request

    def drop(self, name: str) -> None:
        del self._requests[name], self._ranks[name]

    def request(self, name: str | None) -> Any:
        """The `LoRARequest` of that name; None for the model itself."""
        return None if name is None else self._requests[name]

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def rank(self) -> int | None:
        """The `max_lora_rank` that all of them need; None without adapters."""
        return rank_that_fits(max(self._ranks.values())) if self._ranks else None


def adapter_rank(folder: Path) -> int:
    """The largest rank of a PEFT adapter's layers."""
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return max([int(settings["r"]), *map(int, (settings.get("rank_pattern") or {}).values())])
