"""A part of a run as its own run folder: some of its variants, tasks or items, without new calls.

    s2d-bench report RUN --limit 40 --variants base,s2

The part is written to `RUN/views/`, so the run's own tables do not change. Its records are those of the run:
items are drawn as by `--limit`, so a part of 40 items holds what a run of 40 would have asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.files import write_hashed, write_whole
from results.records.lines import RESUME, parse
from results.records.load import require_as_written, sample_files
from results.records.manifest import read_manifest
from results.records.roles import tasks_of
from results.schema import JsonObject, Manifest, drawn, short_hash

Ids = tuple[list[str], list[str]]
"""Items and clusters of the rows of a task."""

_PLAIN = re.compile(r"[\w+*-][\w .+*-]*")

LONGEST = 120
"""Maximum characters of a view's name."""


@dataclass(frozen=True)
class Part:
    """The selected part of a run; None and empty select everything."""

    variants: Sequence[str] = ()
    tasks: Sequence[str] = ()
    limit: int | None = None
    """Clusters per task."""

    def __bool__(self) -> bool:
        return bool(self.variants or self.tasks or self.limit is not None)

    @property
    def name(self) -> str:
        """Name of its folder."""
        limit = [] if self.limit is None else [f"limit-{self.limit}"]
        name = "_".join([*limit, *("+".join(part) for part in (self.variants, self.tasks) if part)])
        if len(name) <= LONGEST and _PLAIN.fullmatch(name):
            return name
        return f"view-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def write_view(folder: Path, part: Part) -> Path:
    """Writes the folder of a part and returns it. ResultsError for names that the run does not have."""
    manifest = read_manifest(folder)
    require_as_written(folder, manifest)
    if manifest.get("looks"):
        raise ResultsError(
            f"{folder} asked its items in planned looks (--until-decided), and its claims hold for all of "
            "it: leave --variants, --tasks and --limit out"
        )
    if part.limit is not None and part.limit < 1:
        raise ResultsError(f"--limit {part.limit}: it must be at least 1")
    variants = _named(part.variants, manifest["variants"], "--variants", folder)
    tasks = _named(part.tasks, manifest["tasks"], "--tasks", folder)
    home = Path(folder) / "views" / Part(variants if part.variants else (), part.tasks, part.limit).name
    files = sample_files(folder, manifest)
    counts: dict[str, Ids] = {}
    hashes: dict[str, str] = {}
    for task in tasks:
        for variant in variants:
            path = files.get((task, variant))
            if path is None:
                continue
            chosen = _chosen(path, task, part.limit)
            counts[task] = [str(row["item_id"]) for _, row in chosen], [_cluster(row) for _, row in chosen]
            # Names of existing files: names in a manifest may hold anything.
            name, text = (
                f"samples/{path.parent.name}/{path.name}",
                b"".join(line for line, _ in chosen).decode(),
            )
            hashes[name] = write_hashed(home / name, text)
    seen = _seen(manifest, variants, tasks, counts)
    seen["samples"] = hashes
    if part.limit is not None:
        seen["options"] = {**manifest["options"], "limit": part.limit}
        seen["notes"] = [*_beyond(part.limit, counts), *seen["notes"]]
    write_whole(home / "manifest.json", json.dumps(seen, indent=1, ensure_ascii=False) + "\n")
    return home


def _beyond(limit: int, counts: Mapping[str, Ids]) -> list[str]:
    """A note if the run has fewer questions than the limit."""
    sizes = {task: len(set(clusters)) for task, (_, clusters) in counts.items()}
    fewer = [f"{size:,} of {task}" for task, size in sizes.items() if size < limit]
    return [
        f"--limit {limit:,}: the run has only {', '.join(fewer)}, and all of them are used. To ask more, "
        "repeat the run's command with a larger --limit."
    ] if fewer else []  # fmt: skip


def _named(asked: Sequence[str], there: Mapping[str, object], option: str, folder: Path) -> list[str]:
    """The requested names, in the run's order; all if none was requested. A variant may be named as in
    `--models` (`s2:cot`)."""
    wanted = {name if name in there else _as_in_tables(name) for name in asked}
    if unknown := sorted(wanted - there.keys()):
        raise ResultsError(
            f"{option} {unknown[0]}: {folder} does not have it: it has {', '.join(there)} (to add one, give "
            "the run's command again with it)"
        )
    return [name for name in there if not wanted or name in wanted]


def _as_in_tables(name: str) -> str:
    head, colon, method = name.partition(":")
    return f"{head}-from-{method}" if colon and head.startswith("distilled") else name.replace(":", "-")


def _cluster(row: JsonObject) -> str:
    return str(row.get("cluster_id") or row["item_id"])


def _chosen(path: Path, task: str, limit: int | None) -> list[tuple[bytes, JsonObject]]:
    """Lines of a samples file, as they are and parsed."""
    with path.open("rb") as file:
        found = [
            (line, parse(line, path, number)) for number, line in enumerate(file, start=1) if line.strip()
        ]
    for _, row in found:
        if "item_id" not in row:
            raise ResultsError(f"{path}: a row has no usable 'item_id': {RESUME}")
    clusters = set(drawn(task, {_cluster(row) for _, row in found}, limit))
    return [(line, row) for line, row in found if _cluster(row) in clusters]


def _seen(
    manifest: Manifest, variants: Sequence[str], tasks: Sequence[str], ids: Mapping[str, Ids]
) -> Manifest:
    """The manifest of the part."""
    other = [task for task in manifest["tasks"] if task not in tasks]
    seen: Manifest = {**manifest}
    seen["variants"] = {
        name: {**entry, "teacher": None} if entry.get("teacher") not in (None, *variants) else entry
        for name, entry in manifest["variants"].items()
        if name in variants
    }
    seen["tasks"] = {
        name: {
            **entry,
            "n_items": len(set(ids[name][0])),
            "n_clusters": len(set(ids[name][1])),
            "items_hash": short_hash(sorted(set(ids[name][0]))),
        }
        if name in ids
        else entry
        for name, entry in manifest["tasks"].items()
        if name in tasks
    }
    seen["comparisons"] = [pair for pair in manifest["comparisons"] if set(pair) <= set(variants)]
    seen["distillation"] = [
        entry
        for entry in manifest["distillation"]
        if (entry.get("variant") or "distilled") in variants and set(tasks_of(manifest, entry)) & set(tasks)
    ]
    seen["notes"] = [
        note for note in manifest["notes"] if not any(note.startswith(f"{task}: ") for task in other)
    ]
    return seen
