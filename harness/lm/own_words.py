"""The part of an item's text that distinguishes it from other items of its task: without the words that all
share.

Prompts of a task are made from one template. The overlap check (13 equal words in a row) must look only at
the rest, or a template of 13 words would make all items overlap.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

RUN = 13
"""Number of words in a row that the overlap check compares."""
SHARED = 0.5
"""Share of the texts. Words in every second prompt say nothing about one item."""
LEAST = 4
"""Fewest texts that show what the template is."""

Run = tuple[str, ...]


def shared_runs(texts: Sequence[str]) -> frozenset[Run]:
    """Runs of words that at least half of `texts` contain; none if there are too few texts."""
    if len(texts) < LEAST:
        return frozenset()
    counts = Counter(run for text in texts for run in set(_runs(_words(text))))
    return frozenset(run for run, count in counts.items() if count >= SHARED * len(texts))


def own_words(text: str, shared: frozenset[Run]) -> str:
    """`text` without its shared runs; unchanged if nothing would be left or nothing is shared."""
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
