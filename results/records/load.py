"""Reads a run folder as `RunData`: its manifest, and one `Columns` per (task, variant)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.files import file_hash
from results.records.columns import Columns, read_samples
from results.records.lines import lines, parse
from results.records.manifest import read_manifest
from results.schema import JsonObject, Manifest, Metric


@dataclass(frozen=True)
class RunData:
    """A loaded run folder."""

    folder: Path
    manifest: Manifest
    columns: dict[tuple[str, str], Columns]
    """By (task, variant), in the manifest's order of tasks, then of variants."""
    missing: tuple[tuple[str, str], ...] = ()
    """Pairs of the manifest without a samples file (not distilled, or the run is unfinished)."""

    @property
    def tasks(self) -> list[str]:
        return list(self.manifest["tasks"])

    @property
    def variants(self) -> list[str]:
        return list(self.manifest["variants"])

    def metrics(self, task: str) -> dict[str, Metric]:
        """Metrics of a task with kind, direction and aggregation, the primary one first."""
        entry = self.manifest["tasks"][task]
        primary = entry["primary"]
        return {primary: entry["metrics"][primary]} | {
            k: v for k, v in entry["metrics"].items() if k != primary
        }


def load_run(folder: Path) -> RunData:
    """Load a run folder. Errors name the file, the line and the wrong key."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    require_as_written(folder, manifest)
    files = sample_files(folder, manifest)
    columns: dict[tuple[str, str], Columns] = {}
    missing = []
    for task, entry in manifest["tasks"].items():
        for variant in manifest["variants"]:
            path = files.get((task, variant))
            if path is None:
                missing.append((task, variant))
                continue
            columns[task, variant] = read_samples(path, task, variant, list(entry["metrics"]))
    if not columns:
        raise ResultsError(
            f"{folder}/samples holds no rows of the manifest's tasks: let the run finish first"
        )
    return RunData(folder, manifest, columns, tuple(missing))


def require_as_written(folder: Path, manifest: Manifest) -> None:
    """Raises ResultsError if a samples file is missing, or differs from what the finished run wrote."""
    for name, written in manifest["samples"].items():
        path = folder / name
        found = None
        if path.is_file():
            found = file_hash(path)
        if found != written:
            raise ResultsError(
                f"{path} is not the file that the run wrote: repeat the run's command, which writes it again "
                "from the stored calls"
            )


def sample_files(folder: Path, manifest: Manifest) -> dict[tuple[str, str], Path]:
    """(task, variant) -> samples file, by the names in the first row of each file. For a finished run, only
    the files in its manifest count. ResultsError if two files hold the same variant and task."""
    listed = [Path(folder) / name for name in manifest["samples"]]
    found: dict[tuple[str, str], Path] = {}
    for path in listed or sorted(filter(Path.is_file, Path(folder).glob("samples/*/*.jsonl"))):
        with path.open("rb") as handle:
            first = handle.readline()
        if not first.strip():
            continue
        row = parse(first, path, 1)
        task, variant = str(row.get("task", path.stem)), str(row.get("variant", path.parent.name))
        if other := found.get((task, variant)):
            raise ResultsError(f"{other} and {path} both hold {variant} on {task}: move the copy away")
        found[task, variant] = path
    return found


def iter_rows(run: RunData | Path, variant: str, task: str) -> Iterator[JsonObject]:
    """Every row of one samples file with its texts, one at a time, in file order."""
    folder = run.folder if isinstance(run, RunData) else Path(run)
    manifest = run.manifest if isinstance(run, RunData) else read_manifest(folder)
    path = sample_files(folder, manifest).get((task, variant))
    if path is None:
        raise ResultsError(f"{folder} holds no samples of variant {variant!r} on task {task!r}")
    yield from lines(path)
