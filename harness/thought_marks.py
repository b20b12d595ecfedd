"""Thought marks for methods that continue or teach a thought; `tasks.thoughts` reads replies.

This file is separate from the answer rules, whose code is hashed into the names of checkpoints.
"""

from __future__ import annotations

import re

from tasks.thoughts import MARKS, Pair

_EACH = re.compile("|".join(re.escape(mark) for pair in MARKS for mark in pair))


def open_in(text: str, own: Pair | None = None) -> Pair | None:
    """Returns the marks of the thought still open at the end of `text`, or None; `own` marks count too."""
    pairs = MARKS if own is None else (own, *MARKS)
    begun = [(text.rfind(pair[0]), pair) for pair in pairs]
    place, pair = max(begun, key=lambda each: each[0])
    return pair if place >= 0 and pair[1] not in text[place + len(pair[0]) :] else None


def without_marks(text: str) -> str:
    """Returns `text` without thought marks; the thoughts themselves stay."""
    return _EACH.sub("", text)
