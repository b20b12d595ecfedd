"""`leaderboard.json`, `.md`, `.csv` and `.tex` of a run folder, each written whole or not at all.

No wall-clock figure is written: equal records give equal bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

from results.files import write_whole
from results.schema import Leaderboard
from results.tables import csv_file, latex, render


def write_all(run_folder: Path, leaderboard: Leaderboard) -> list[Path]:
    """Write the four files; returns their paths."""
    texts = {
        "leaderboard.json": json.dumps(leaderboard, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "leaderboard.md": render.markdown(leaderboard),
        "leaderboard.csv": csv_file.csv_text(leaderboard),
        "leaderboard.tex": latex.latex(leaderboard),
    }
    return [write_whole(Path(run_folder) / name, text) for name, text in texts.items()]
