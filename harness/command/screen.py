"""How wide the terminal is, and whether it takes colours.

If standard output is not a terminal, tables are 100 columns wide (or $COLUMNS) and plain, so that a file or a
pipe gets the same text on every machine. $NO_COLOR and TERM=dumb switch colours off (https://no-color.org).
"""

from __future__ import annotations

import os
import shutil
import sys

PLAIN, NARROWEST, WIDEST = 100, 60, 200


def width() -> int:
    """Columns for tables: the terminal's, from 60 to 200."""
    found = shutil.get_terminal_size((PLAIN, 24)).columns if sys.stdout.isatty() else _asked()
    return max(NARROWEST, min(WIDEST, found))


def colored() -> bool:
    """Whether text may have colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _asked() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else PLAIN
