"""What sets one item of a task apart from the others: its text without the words that all of them share.

Prompts of a task are made of one template. Whether a training input overlaps a test item (13 words in a row
are the same) must be asked of what is left, or a template of 13 words would make all of them overlap.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

RUN = 13
"""Words in a row, as the overlap check compares them."""
SHARED = 0.5
"""Share of the texts. What every second prompt holds tells nothing of one item."""
LEAST = 4
"""Texts that tell what a template is."""

Run = tuple[str, ...]


def shared_runs(texts: Sequence[str]) -> frozenset[Run]:
    """Runs of words that at least half of `texts` hold; none where there are too few texts to tell."""
    if len(texts) < LEAST:
        return frozenset()
    counts = Counter(run for text in texts for run in set(_runs(_words(text))))
    return frozenset(run for run, count in counts.items() if count >= SHARED * len(texts))


def own_words(text: str, shared: frozenset[Run]) -> str:
    """`text` without its shared runs; the text itself where nothing would be left or nothing is shared."""
    if not shared:
        return text
    found = _words(text)
    covered = {
        place
        for start, run in enumerate(_runs(found))
        if run in shared
        for place in range(start, start + RUN)
    }
    left = [word for place, word in enumerate(found) if place not in covered]
    return " ".join(left) if covered and left else text


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def _runs(found: Sequence[str]) -> list[Run]:
    return [tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1)]
