"""Reads a samples file once for the page: position, score, answer and wait of each row.

Texts stay on disk: `texts.py` reads those of the shown rows, by their positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results.page.latency import Wait, longest_way
from results.records.lines import parse
from results.records.load import sample_files
from results.schema import JsonObject, Manifest
from results.schema import Task as TaskEntry

Key = tuple[str, int, int]
"""item_id, seed, sample_index: the pairing key of two variants' rows."""


@dataclass
class Place:
    """One row of a samples file: its position, score and answer."""

    offset: int
    line: int
    score: float | None
    answer: str | None
    metric: str | None


@dataclass
class Scan:
    """Result of one pass over a samples file: positions and waits of its rows."""

    path: Path
    places: dict[Key, Place] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    """Sequential calls and tokens of each row."""


def scan_run(folder: Path, manifest: Manifest) -> dict[str, dict[str, Scan]]:
    """task -> variant -> what its samples file holds, in the manifest's order; missing files are
    left out."""
    files = sample_files(folder, manifest)
    return {
        task: {
            variant: scan(files[task, variant], _metrics(entry))
            for variant in manifest["variants"]
            if (task, variant) in files
        }
        for task, entry in manifest["tasks"].items()
    }


def scan(path: Path, metrics: Sequence[str]) -> Scan:
    """One pass over a samples file. The first of `metrics` that applies to a row decides its score."""
    found = Scan(path)
    offset = 0
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                row = parse(line, path, number)
                scores = row.get("scores") or {}
                metric = next((name for name in metrics if scores.get(name) is not None), None)
                score = None if metric is None else float(scores[metric])
                found.places[_key(row)] = Place(offset, number, score, row.get("answer"), metric)
                found.waits.append(longest_way(row.get("steps") or []))
            offset += len(line)
    return found


def _metrics(entry: TaskEntry) -> list[str]:
    return [entry["primary"], *(name for name in entry["metrics"] if name != entry["primary"])]


def _key(row: JsonObject) -> Key:
    return str(row.get("item_id")), int(row.get("seed") or 0), int(row.get("sample_index") or 0)
