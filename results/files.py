"""`leaderboard.json`, `.md`, `.csv` and `.tex` of a run folder, each written whole or not at all.

A file is written beside its target and renamed over it, so a reader never sees half of one. No wall-clock
figure is written: equal records give equal bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from results.tables import render as tables


def write_all(run_folder: Path, leaderboard: dict[str, Any]) -> list[Path]:
    """Write the four files; returns their paths."""
    texts = {
        "leaderboard.json": json.dumps(leaderboard, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "leaderboard.md": tables.markdown(leaderboard),
        "leaderboard.csv": tables.csv_text(leaderboard),
        "leaderboard.tex": tables.latex(leaderboard),
    }
    return [write_text(Path(run_folder) / name, text) for name, text in texts.items()]


def write_text(path: Path, text: str) -> Path:
    """Replace `path` by `text` (UTF-8) in one step. OSError that names it where the disk refuses."""
    try:
        return _replace(path, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _replace(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp makes a private file; the target gets what any new file would get.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    return path
