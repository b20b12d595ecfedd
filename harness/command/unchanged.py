"""Whether nothing that could change a record has changed since a run began: packages, our own code, and
whatever its options name (tasks, methods, data, weights, adapters, scripts).
"""

from __future__ import annotations

import calendar
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from harness.options import NOT_COMPARED
from harness.origin import versions
from harness.types import Settings
from results.schema import Manifest

CODE = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "tasks", "distill", "results")


def is_unchanged(manifest: Manifest) -> bool:
    """Whether packages, code and all files that the options of a run name are those of its start."""
    if manifest.get("versions") != versions():
        return False
    try:
        started = calendar.timegm(time.strptime(str(manifest.get("started")), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return False
    options = manifest.get("options", {})
    named = {name: value for name, value in options.items() if name not in NOT_COMPARED}
    return all(changed < started for changed in _changes(named))


def _changes(options: Settings) -> Iterator[float]:
    """When each file that could change a record was last written, moved or replaced."""
    for place in [*(CODE / package for package in PACKAGES), *_named(options)]:
        for path in [place] if place.is_file() else _files(place):
            status = path.stat()
            # A copy may keep the old mtime, but not the old ctime.
            yield max(status.st_mtime, status.st_ctime)


def _named(options: Settings) -> Iterator[Path]:
    """Yields files and folders named anywhere in the options: `--data DIR`, `mine=./adapter`."""
    for text in re.split(r"[\n,=@]", "\n".join(_texts(options))):
        with suppress(OSError, ValueError):  # too long for a path, or not a path
            path = Path(text.strip()).expanduser()
            if text.strip() and path.exists():
                yield path


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in _texts(each))


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(root) / name for name in names)
