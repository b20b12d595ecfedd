"""Writes everything in a run folder that is for readers: five files, and items beside the page.

The command and Python both call this, so both write the same files.
"""

from __future__ import annotations

from pathlib import Path

from results.page.build import write_page
from results.schema import Leaderboard
from results.tables.write import write_all


def publish(run_folder: Path, leaderboard: Leaderboard, paper: bool = False) -> Path:
    """Write the tables and the page of a leaderboard into its run folder; returns the page's path. `paper`
    adds the paper's findings.
    """
    folder = Path(run_folder)
    write_all(folder, leaderboard)
    return write_page(folder, leaderboard, paper)
