"""Latency of one item in sequential calls and generated tokens, on the longest path to its answer.

Calls that a program asks for together run in parallel, so only the longest of such a wave counts: the solve
calls of Branch-Solve-Merge, the samples of a vote. This part of latency does not depend on machine or load;
it comes only from the records, so equal records give equal figures.

Waves are read from the names of steps: a program numbers the calls of one list (`solve:1`, `solve:2`), and
parallel samples have a number in front (`1/reason`, `2/reason`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.schema import JsonObject, step_kind


@dataclass(frozen=True)
class Wait:
    """One item: calls in sequence, and the tokens generated in them."""

    calls: int
    tokens: int


def longest_way(steps: Sequence[JsonObject]) -> Wait:
    """The wait of one samples row from its `steps`; of parallel calls only the longest counts."""
    chains: dict[str, list[list[JsonObject]]] = {}
    for step in steps:
        name = str(step.get("name") or "")
        waves = chains.setdefault(name.rpartition("/")[0], [])
        if waves and _together(waves[-1], name):
            waves[-1].append(step)
        else:
            waves.append([step])
    waits = [
        Wait(len(waves), sum(max(int(step.get("generated_tokens") or 0) for step in wave) for wave in waves))
        for waves in chains.values()
    ]
    return Wait(
        max((wait.calls for wait in waits), default=0), max((wait.tokens for wait in waits), default=0)
    )


def _together(wave: Sequence[JsonObject], name: str) -> bool:
    """Whether a step belongs to the current wave: numbered like its steps, but not one of them."""
    names = [str(step.get("name") or "") for step in wave]
    return ":" in name and ":" in names[0] and step_kind(name) == step_kind(names[0]) and name not in names


def in_words(waits: Sequence[Wait]) -> str:
    """Median tokens, the 95th percentile in brackets, and the median of calls: `41 (60), 2 calls`."""
    if not waits:
        return ""
    median, most = (_percentile([wait.tokens for wait in waits], share) for share in (0.5, 0.95))
    calls = _percentile([wait.calls for wait in waits], 0.5)
    return f"{median:,} ({most:,}), {calls} {'call' if calls == 1 else 'calls'}"


def _percentile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least `share` of all values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
