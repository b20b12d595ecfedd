"""Checks whether a page on disk is up to date, so that it need not be drawn again.

Drawing takes most of the time of `report`. The last line of a page holds two hashes, of all its inputs
(leaderboard, manifest, samples, this package and the drawing libraries) and of the text before it, and the
number of its chunks. If all match, the page is kept.
"""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from results.schema import Leaderboard, Manifest

PACKAGE = Path(__file__).resolve().parents[1]
LIBRARIES = ("matplotlib", "jinja2")
OPENING = "<!-- s2d-bench "


def inputs_hash(manifest: Manifest, steady: Any, leaderboard: Leaderboard, paper: bool) -> str | None:
    """Hash of what a page is made from; `steady` is the part of the manifest that the page repeats. None
    if the run has not finished, because then its samples may change."""
    if not manifest["samples"]:
        return None
    digest = hashlib.sha256()
    versions = [metadata.version(name) for name in LIBRARIES]
    about = [manifest["samples"], manifest.get("command"), steady, leaderboard, paper, versions]
    digest.update(json.dumps(about, sort_keys=True, default=str).encode("utf-8", "replace"))
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".js", ".css", ".j2", ".json"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def sealed(text: str, inputs: str | None, chunks: int) -> str:
    """The page with its last line; without one if there is no hash of the inputs."""
    if inputs is None:
        return text
    text = text.rstrip("\n") + "\n"
    return f"{text}{OPENING}{inputs} {_hash(text.encode('utf-8'))} {chunks} -->\n"


def is_current(page: Path, inputs: str | None, chunks: int) -> bool:
    """Whether `page` was made from these inputs and is complete; `chunks` is the number on disk."""
    if inputs is None or not page.is_file():
        return False
    body, opening, rest = page.read_bytes().rpartition(OPENING.encode())
    return bool(opening) and rest == f"{inputs} {_hash(body)} {chunks} -->\n".encode()


def whole(page: Path) -> str | None:
    """The text of a page with a last line that matches it; None for any other file."""
    if not page.is_file():
        return None
    body, _, rest = page.read_bytes().rpartition(OPENING.encode())
    _, _, told = rest.partition(b" ")
    return body.decode("utf-8") if told.startswith(_hash(body).encode()) else None


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
