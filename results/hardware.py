"""Measured time of a run, its throughput, and the limit of the hardware, if known.

Wall-clock figures are in the manifest and never in `leaderboard.*`: these sentences are only for the
terminal. They describe the last session: a resumed run reads its finished calls from the store.

The limit is memory bandwidth: each decode step reads all weights once, so one sequence gets at most
bandwidth / weights tokens per second, and a batch this times its rows. FLOP/s count the requested work, 2 per
parameter for every prompt token and every generated one, for comparison with the data sheet.
"""

from __future__ import annotations

import textwrap

from results.schema import Manifest
from results.tables import cells

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "float8": 1, "int8": 1}


def time_text(manifest: Manifest, width: int = 100) -> str:
    """The sentences of `time_lines` for a terminal; empty where nothing was timed."""
    return "\n".join(textwrap.fill(line, width, subsequent_indent="  ") for line in time_lines(manifest))


def time_lines(manifest: Manifest) -> list[str]:
    """Sentences on phases, engine and limit; empty where nothing was timed."""
    lines = [line for line in (_phases(manifest), _engine(manifest)) if line]
    limit = single_sequence_limit(manifest)
    if lines and limit is not None:
        lines.append(
            f"Limit of memory bandwidth: {limit:,.0f} tokens/s for one sequence, times the rows of a batch."
        )
    return lines


def single_sequence_limit(manifest: Manifest) -> float | None:
    """Tokens per second that memory bandwidth allows one sequence; None if a figure is unknown."""
    model, hardware = manifest["model"], manifest["hardware"]
    parameters, size = model.get("parameters"), BYTES.get(str(model.get("dtype")).removeprefix("torch."))
    bandwidth = hardware.get("memory_bandwidth_gbs")
    if not parameters or not size or not bandwidth:
        return None
    return float(bandwidth) * 1e9 / (float(parameters) * size)


def _phases(manifest: Manifest) -> str:
    """Seconds by variant. Those of a distilled one include its teacher's sampling and its training."""
    timing = {name: float(value) for name, value in manifest["timing"].items()
              if isinstance(value, (int, float))}  # fmt: skip
    total = timing.pop("total", sum(timing.values()))
    if total <= 0:
        return ""
    parts = ", ".join(f"{cells.plain(name)} {seconds:,.1f} s" for name, seconds in timing.items())
    taught = any(name.startswith("distilled") for name in timing)
    return (
        f"Time of the last session: {total:,.1f} s"
        + (f" ({parts})" if parts else "")
        + ("; distilled variants include teacher and training." if taught else ".")
    )


def _engine(manifest: Manifest) -> str:
    """Work of the engine and its speed."""
    done = manifest["execution"]
    seconds, generated = float(done.get("seconds") or 0), float(done.get("generated_tokens") or 0)
    if seconds <= 0 or not generated:
        return ""
    prompt = float(done.get("prompt_tokens") or 0)
    line = (
        f"Engine: {generated:,.0f} tokens generated and {prompt:,.0f} prompt tokens read in "
        f"{seconds:,.1f} s, {generated / seconds:,.0f} generated tokens/s"
    )
    parameters = manifest["model"].get("parameters")
    if parameters:
        speed = 2.0 * float(parameters) * (generated + prompt) / seconds
        number, unit = cells.scaled(speed)
        line += f", {number} {unit}FLOP/s requested"
    if done.get("decode_rows"):
        line += f"; {100 * float(done['useful_decode_share']):.1f} % of the rows of decode steps were useful"
    return line + "."
