"""Throughput of a run beside the limit of its hardware, where the limit is known.

Wall-clock figures live in the manifest and never in `leaderboard.*`; these sentences are for the terminal and
the page. The limit is that of memory: each decode step reads all weights once, so a step of a batch takes at
least weights / bandwidth, and one sequence alone gets at most bandwidth / weights tokens per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.load import RunData

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}


def throughput_lines(run: RunData) -> list[str]:
    """One sentence per variant that was timed, and one for the limit of a single sequence if it is known."""
    lines = []
    timing = run.manifest.get("timing") or {}
    for variant in run.variants:
        seconds = timing.get(variant)
        tokens = sum(
            float(columns.usage["generated_tokens"].sum())
            for (_, of_variant), columns in run.columns.items()
            if of_variant == variant
        )
        if isinstance(seconds, (int, float)) and seconds > 0 and tokens:
            speed = tokens / seconds
            lines.append(f"{variant}: {tokens:,.0f} tokens in {seconds:,.1f} s, {speed:,.0f} tokens/s.")
    limit = single_sequence_limit(run.manifest)
    if lines and limit is not None:
        lines.append(
            f"Limit of memory for one sequence: {limit:,.0f} tokens/s; a batch may pass it, up to the limit "
            "times its size."
        )
    return lines


def single_sequence_limit(manifest: Mapping[str, Any]) -> float | None:
    """Tokens per second that memory bandwidth allows one sequence; None where a figure is unknown."""
    model, hardware = manifest.get("model") or {}, manifest.get("hardware") or {}
    parameters, size = model.get("parameters"), BYTES.get(str(model.get("dtype")).removeprefix("torch."))
    bandwidth = hardware.get("memory_bandwidth_gbs")
    if not parameters or not size or not bandwidth:
        return None
    return float(bandwidth) * 1e9 / (float(parameters) * size)
