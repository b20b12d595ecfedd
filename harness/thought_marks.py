"""Marks of thoughts for methods that go on from a thought, or teach one; `tasks.thoughts` reads replies.

It stands apart from the answer rules because the code of these names checkpoints.
"""

from __future__ import annotations

import re

from tasks.thoughts import MARKS, Pair

_EACH = re.compile("|".join(re.escape(mark) for pair in MARKS for mark in pair))


def open_in(text: str, own: Pair | None = None) -> Pair | None:
    """The marks of the thought that `text` ends in, `own` among them; None where it ends in none."""
    pairs = MARKS if own is None else (own, *MARKS)
    begun = [(text.rfind(pair[0]), pair) for pair in pairs]
    place, pair = max(begun, key=lambda each: each[0])
    return pair if place >= 0 and pair[1] not in text[place + len(pair[0]) :] else None


def without_marks(text: str) -> str:
    """`text`, thoughts included, without the marks around them."""
    return _EACH.sub("", text)
