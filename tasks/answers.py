"""The marker that every task asks for, `Answer:`, and what a model wrote after it.

Shared, so that all tasks find it the same way. What counts as an answer there is each task's own rule.
"""

from __future__ import annotations

import re

MARKER = re.compile(r"\banswer[*_]*\s*:[\s*_]*", re.IGNORECASE)
"""`Answer:` in any case, also in Markdown bold (`**Answer:** 7`, `**Answer**: 7`), with the space after."""


def after_marker(text: str) -> str | None:
    """All that follows the last `Answer:`; empty where nothing does, None where there is no marker."""
    end = None
    for match in MARKER.finditer(text):
        end = match.end()
    return None if end is None else text[end:].strip()


def first_line(text: str) -> str:
    """The first line of `text` that is not blank, stripped; empty where there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """The last line of `text` that is not blank, stripped; empty where there is none."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
