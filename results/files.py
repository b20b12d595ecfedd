"""What every floor writes and reads with the same care: files whole or not at all, JSON with one kind of
error, text on one line.

No format is known here: what a run folder holds is declared in `results.schema`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SCRATCH = re.compile(r"\..+\.(jsonl?|yaml|md|csv|tex|html)\.\w+")
"""Names under which the files of a run folder are written before they get their own."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file beside `path`, for the block to write: it replaces `path` in one step when the block
    ends well, and goes when it does not. OSError that names `path` where the disk refuses."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        # Some systems flush only what is open for writing.
        with scratch.open("r+b") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException as error:
        with suppress(OSError):
            scratch.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def write_whole(path: Path, text: str) -> Path:
    """Replace a file by `text` in UTF-8, in one step; returns `path`. OSError as of `replacing`."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")
    return path


def remove_scratch(folder: Path) -> None:
    """Remove what killed processes left half-written in a run folder, which one process holds."""
    for path in folder.rglob(".*.*"):
        if _SCRATCH.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text that anybody may have edited. ValueError where it is not JSON, not UTF-8,
    holds an integer over Python's digit limit, or is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def one_line(text: object) -> str:
    """`text` as one line for a terminal or a log: what a name, a file or a library holds can neither steer
    the terminal (control and bidirectional characters become `?`) nor forge a second line."""
    line = " ".join(str(text).split())
    return "".join("?" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") else sign for sign in line)
