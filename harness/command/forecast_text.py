"""A forecast as a table for people and as one JSON object for scripts."""

from __future__ import annotations

from textwrap import wrap

from harness.command.forecast import TRAINING, Forecast, Row
from harness.command.probe import Range
from harness.command.status_line import status_line
from results.schema import JsonObject

WIDTH = 100
COLUMNS = (
    "phase", "task", "calls", "calls_at_most", "prompt_tokens", "generated_tokens", "generated_at_most",
    "seconds",
)  # fmt: skip


def table(forecast: Forecast) -> str:
    """Returns the table in at most 100 columns, and notes on what it is based on."""
    from tabulate import tabulate

    rows = [
        (
            row.phase, row.task, _short(row.calls), _bound(row.calls_at_most), _range(row.prompt_tokens),
            _range(row.generated_tokens), _bound(row.generated_at_most), _time(row.seconds),
        )
        for row in [*forecast.rows, forecast.total]
    ]  # fmt: skip
    heads = ("phase", "task", "calls", "most", "prompt tok.", "output tok.", "most", "time")
    disk = _range(forecast.total.disk_bytes)
    shown = tabulate(
        rows, heads, maxcolwidths=[16, 14, *[None] * 6], colalign=("left", "left", *["right"] * 6)
    )
    said = [f"Disk: {disk}B. {_memory(forecast.memory_gb)}"]
    if forecast.fetch_bytes:
        said = [
            f"The model is not on this machine yet ({_short(forecast.fetch_bytes)}B to fetch), so nothing "
            "was measured: these are upper bounds only. Fetch the model and repeat the command."
        ]
    else:
        said.append("Ranges come from a few real items of each task; `most` is an upper bound.")
    if any(row.phase == TRAINING for row in forecast.rows):
        said.append("Training (its tokens are listed as prompt tokens) is estimated from the reading speed.")
    lines = [*shown.splitlines(), "", *(line for each in said for line in wrap(each, WIDTH))]
    return "\n".join(line.rstrip() for line in lines)


def as_json(forecast: Forecast) -> JsonObject:
    """Returns one object that fits the line for scripts. If it has too many rows, it has one per phase."""
    total = forecast.total
    found: JsonObject = {
        "status": "dry_run",
        "probed": not forecast.fetch_bytes,
        "calls": total.calls,
        "calls_at_most": total.calls_at_most,
        "prompt_tokens": _whole(total.prompt_tokens),
        "generated_tokens": _whole(total.generated_tokens),
        "generated_at_most": total.generated_at_most,
        "seconds": _whole(total.seconds),
        "disk_bytes": _whole(total.disk_bytes),
        "memory_gb": {name: round(value, 3) for name, value in forecast.memory_gb.items()},
        "columns": list(COLUMNS),
        "rows": [_cells(row) for row in forecast.rows],
    }
    if "left_out" not in status_line(found):
        return found
    phases: dict[str, Row] = {}
    for row in forecast.rows:
        phases[row.phase] = phases[row.phase].plus(row) if row.phase in phases else row
    return {**found, "rows": [[row.phase, "all", *_cells(row)[2:]] for row in phases.values()]}


def _cells(row: Row) -> list[object]:
    return [
        _whole(value) if isinstance(value, tuple) else value
        for value in (getattr(row, name) for name in COLUMNS)
    ]


def _whole(values: Range) -> list[int]:
    return [round(value) for value in values]


def _bound(value: int | None) -> str:
    return "none" if value is None else _short(value)


def _range(values: Range) -> str:
    low, high = (_short(value) for value in values)
    if low == high:
        return low
    return f"{low.rstrip('kMGT')}-{high}" if low[-1] == high[-1] else f"{low}-{high}"


def _short(value: float) -> str:
    """Returns a number in a few characters: 950, 4.79k, 168k, 1.2M."""
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.0f}"


def _time(values: Range) -> str:
    """Returns seconds as `3-34s`, `12-25m`, `1.5-3h`."""
    size, sign, form = 1, "s", ".0f"
    if values[1] >= 120:
        size, sign, form = (3600, "h", ".3g") if values[1] >= 7200 else (60, "m", ".3g")
    low, high = (f"{value / size:{form}}" for value in values)
    return f"{low}{sign}" if low == high else f"{low}-{high}{sign}"


def _memory(found: dict[str, float]) -> str:
    if not found:
        return "Memory: the engine does not report it."
    said = f"Memory: weights {found['weights']:.2g} GB, the probe took {found['probe']:.2g} GB"
    if "training" in found:
        said += f", training {found['training']:.2g} GB by arithmetic, without activations"
    return f"{said}."
