"""The record beside a checkpoint: that it is complete, the result of its distillation, and hashes of its
files.

`s2d.json` is written last, so a folder without it is not a checkpoint yet. It holds the SHA-256 of every file
that an engine loads; a checkpoint with a changed file is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from results.files import file_hash, parse_json, write_whole
from results.schema import Distillation

RECORD_FILE = "s2d.json"
SCHEMA = 1
LOADED = (".safetensors", ".json", ".jinja")
"""Suffixes of files that an engine loads; cards and examples are for people, who may edit them."""


@dataclass(frozen=True)
class Distilled:
    """The result of distillation for one task: a checkpoint, or the reason why there is none."""

    folder: Path | None
    record: Distillation
    """The entry of the manifest's `distillation`."""


def write_record(folder: Path, records: Mapping[str, Distillation]) -> None:
    """Records that the checkpoint in `folder` is complete; `records` are the manifest's entries by task."""
    text = json.dumps({"schema": SCHEMA, "records": records, "files": _digests(folder)}, indent=1)
    write_whole(folder / RECORD_FILE, text)


def read_record(folder: Path) -> dict[str, Distillation] | None:
    """The entries by task of a complete checkpoint; None if there is none. UserError if it is damaged or
    has another version."""
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    try:
        found = parse_json(file.read_text(encoding="utf-8"))
        schema = found.get("schema", 0)
    except (ValueError, AttributeError) as error:  # AttributeError: it is JSON, but not an object
        raise _refused(folder, f"{RECORD_FILE} cannot be read") from error
    if schema != SCHEMA:
        raise _refused(folder, f"it has version {schema}, this release uses version {SCHEMA}")
    records, files = found.get("records"), found.get("files")
    if not isinstance(files, dict) or not isinstance(records, dict):
        raise _refused(folder, f"{RECORD_FILE} was changed or damaged")
    if not all(isinstance(record, dict) for record in records.values()):
        raise _refused(folder, f"{RECORD_FILE} was changed or damaged")
    now = _digests(folder)
    changed = sorted(name for name in {*files, *now} if files.get(name) != now.get(name))
    if changed or not records:
        raise _refused(folder, f"{changed[0] if changed else RECORD_FILE} was changed or damaged")
    return dict(records)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: file_hash(path)
        for path in sorted(folder.iterdir())
        if path.suffix in LOADED and path.name != RECORD_FILE and not path.name.startswith(".")
    }


def _refused(folder: Path, why: str) -> UserError:
    return UserError(
        f"checkpoint {folder} is not used: {why}; remove the folder, and the same command makes it again"
    )
