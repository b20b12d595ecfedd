"""Helpers for all packages: files written whole or not at all, JSON with one kind of error, text on one
line.

`results.schema` declares the formats of a run folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SCRATCH = re.compile(r"\..+\.(jsonl?|yaml|md|csv|tex|html)\.\w+")
"""Pattern of the temporary names under which files of a run folder are written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` for the block to write. It replaces `path` atomically if the block
    succeeds, else it is removed. OSError names `path` if the disk refuses."""
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
    """Replace a file by `text` in UTF-8, atomically; returns `path`. OSError as in `replacing`."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_hashed(path: Path, text: str) -> str:
    """Like `write_whole`; returns the SHA-256 of the content."""
    write_whole(path, text)
    return hashlib.sha256(text.encode()).hexdigest()


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Writes JSON lines as `write_whole` does; returns the SHA-256 of the content."""
    return write_hashed(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def remove_scratch(folder: Path) -> None:
    """Remove temporary files of killed processes from a run folder; the caller must hold its lock."""
    for path in folder.rglob(".*.*"):
        if _SCRATCH.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text from outside. ValueError if it is not JSON, not UTF-8,
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
    """`text` as one line for a terminal or a log. Control and bidirectional characters become `?`, so that
    text from outside can neither control the terminal nor add a line."""
    line = " ".join(str(text).split())
    return "".join("?" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") else sign for sign in line)
