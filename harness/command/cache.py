"""What `s2d-bench` keeps on this machine: distilled checkpoints and converted models, listed and removed.

Everything lies under $S2D_CACHE (default: the user's cache folder) and can be made again: removing costs
time, never a result. A checkpoint that another run makes or reads is locked, and is not removed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from distill.checkpoint import RECORD_FILE
from harness.errors import UserError, one_line
from harness.models.source import cache_folder
from results.files import parse_json

PLACES = ("checkpoints", "models")


@dataclass(frozen=True)
class Entry:
    """One folder of the cache."""

    name: str
    """The name for `rm`: `checkpoints/NAME` or `models/NAME`."""
    path: Path
    bytes: int
    changed: float
    """Time of the newest file, in seconds since the epoch."""
    about: str
    """What it contains, or that it is not finished."""

    @property
    def made(self) -> Path:
        """The final folder of the checkpoint or model, which runs lock."""
        name = self.path.name
        return self.path.with_name(name[1:].removesuffix(".training")) if name.startswith(".") else self.path


def kept() -> list[Entry]:
    """All entries, checkpoints first, by name."""
    entries = []
    for place in PLACES:
        folder = cache_folder() / place
        if folder.is_dir():
            entries += [_entry(place, path) for path in sorted(folder.iterdir()) if path.is_dir()]
    return entries


def listed(entries: Sequence[Entry]) -> list[str]:
    """Lines for people: the folder, then an entry a line."""
    total = sum(entry.bytes for entry in entries)
    lines = [f"{cache_folder()}: {len(entries)} kept, {size(total)}"]
    wide = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        day = time.strftime("%Y-%m-%d", time.localtime(entry.changed))
        lines.append(f"{entry.name:<{wide}}  {size(entry.bytes):>9}  {day}  {one_line(entry.about)}")
    return lines


def remove(names: Sequence[str]) -> list[Entry]:
    """Removes every entry whose name, with or without its place, begins with one of `names`. UserError if a
    name matches no entry, or an entry is in use: then nothing is removed."""
    entries = kept()
    if not names:
        raise UserError("cache rm: name what to remove, as `s2d-bench cache ls` lists it")
    chosen: dict[str, Entry] = {}
    for name in names:
        fitting = [
            one for one in entries if name and (one.name.startswith(name) or one.path.name.startswith(name))
        ]
        if not fitting:
            raise UserError(f"cache rm {name}: no entry has that name: see s2d-bench cache ls")
        chosen |= {one.name: one for one in fitting}
    locks = []
    try:
        for entry in chosen.values():
            lock = FileLock(f"{entry.made}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise UserError(
                    f"cache rm: {entry.name} is in use by another run: wait until it ends"
                ) from error
            locks.append(lock)
        for entry in chosen.values():
            shutil.rmtree(entry.path)
    finally:
        for lock in locks:
            lock.release()
    return list(chosen.values())


def size(count: float) -> str:
    """Bytes in a unit that fits: `1.2 GB`."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} bytes"


def _entry(place: str, path: Path) -> Entry:
    files = [file.stat() for file in path.rglob("*") if file.is_file()]
    changed = max((each.st_mtime for each in files), default=path.stat().st_mtime)
    about = _about(path) if place == "checkpoints" else "converted model"
    return Entry(f"{place}/{path.name}", path, sum(each.st_size for each in files), changed, about)


def _about(folder: Path) -> str:
    """What a checkpoint was taught, from its record."""
    if folder.name.startswith("."):
        return "a training that was stopped; the same command continues it"
    try:
        records = parse_json((folder / RECORD_FILE).read_bytes())["records"]
        tasks = ", ".join(records)
        first = next(iter(records.values()))
        return (
            f"{tasks}, taught by {first['teacher_method']}, {first['kept']} of {first['inputs']} inputs kept"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return "not finished"
