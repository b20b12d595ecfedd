"""Items of the page's viewer: the outcomes of any two variants, and the texts that are on the page.

A samples file is read twice: once for scores and answers, keeping only the place of each row, then only the
rows whose texts are shown. So a run of 5 tasks, 6 variants and 2,000 items is read without its texts ever
being in memory together.

Every item of a task is in the index, with the score of each variant and which variants gave the same answer,
so that the page can sort items into kinds for any two variants. The texts of at most 200 items per compared
pair are on the page itself: kinds take turns, rare ones first, ordered by the item's hash, so that nobody
selects them. The other texts are in chunks beside the page (`chunks.py`).

This file contains no HTML and no statistics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypedDict

from results.page.scan import Key, Place, Scan
from results.page.texts import ShownItem, embeddable, read_rows, shown_item

LIMIT = 200
"""Items per task and compared pair whose texts are on the page."""
BUDGET = 11_000_000
"""Bytes of texts on one page; the whole page stays under 15 MB."""
CLIPS = (6000, 2500, 1000, 400)
"""Possible maximum characters of a text: a task uses the largest that fits its share of the budget."""
KINDS = (
    "gained", "lost", "both_right", "both_wrong", "same_score", "agree_wrong", "agree_right", "agree_score"
)  # fmt: skip
"""`gained`: b scores higher than a. `both_*` and `same_score` have equal scores and other answers, `agree_*`
equal scores and answers; `*_score` is neither 0 nor 1. page.js has the same rule."""
TURNS = (KINDS[:2], KINDS[2:5], KINDS[5:])
"""Kinds that take turns; those of the first group come first."""


class Index(TypedDict):
    """Outcomes of every item of a task, for page.js: lists with an entry per item."""

    id: list[str]
    seed: list[int]
    sample: list[int]
    score: list[list[float | None]]
    """Per variant."""
    answer: list[list[int]]
    """Per variant: the number of its answer among the item's different answers; -1 without a row."""


@dataclass
class TaskItems:
    """Everything of one task that the page's item viewer gets."""

    task: str
    scans: Mapping[str, Scan]
    keys: list[Key]
    """All items; those whose texts are on the page come first."""
    items: list[ShownItem]
    """Texts of the first ones."""
    pairs: list[tuple[str, str]]
    """Variants that the run compares."""
    clipped: int
    """Characters that a text keeps; longer ones are cut in the middle."""

    def index(self) -> Index:
        """The index of all items."""
        answers = []
        numbers = [_numbered([scan.places.get(key) for scan in self.scans.values()]) for key in self.keys]
        for place, _ in enumerate(self.scans):
            answers.append([each[place] for each in numbers])
        return {
            "id": [key[0] for key in self.keys],
            "seed": [key[1] for key in self.keys],
            "sample": [key[2] for key in self.keys],
            "score": [
                [None if key not in scan.places else scan.places[key].score for key in self.keys]
                for scan in self.scans.values()
            ],
            "answer": answers,
        }

    def as_json(self, starts: Sequence[int] = (), chunks: Sequence[str] = ()) -> str:
        """JSON that is safe in a script element: no `<`, `>`, `&` and no line separators. `chunks` are
        the files beside the page and `starts` the number of the first item of each.
        """
        document = {
            "task": self.task,
            "clipped": self.clipped,
            "variants": list(self.scans),
            "pairs": self.pairs,
            "index": self.index(),
            "items": self.items,
            "starts": list(starts),
            "chunks": list(chunks),
        }
        return embeddable(document)

    def texts(self, keys: Sequence[Key], clip: int) -> list[ShownItem]:
        """The texts of some items."""
        rows = read_rows(self.scans, keys)
        return [shown_item(key, rows, self.scans, clip) for key in keys]


def task_items(
    task: str, scans: Mapping[str, Scan], pairs: Iterable[tuple[str, str]], budget: int, limit: int = LIMIT
) -> TaskItems:
    """The items of one task: all in the index, and the texts of some in at most `budget` bytes of JSON.

    Long texts are cut in the middle first; if that is not enough, fewer items are shown.
    """
    compared = [(a, b) for a, b in pairs if a in scans and b in scans]
    # Pairs take turns, so that the last pair gets its share of the budget.
    turns = zip_longest(*(chosen(scans[a], scans[b], limit) for a, b in compared))
    shown = list(dict.fromkeys(key for turn in turns for key in turn if key is not None))
    every = {key for scanned in scans.values() for key in scanned.places}
    others = sorted(every.difference(shown), key=_shuffled)
    found = TaskItems(task, scans, [*shown, *others], [], compared, CLIPS[0])
    if not shown:
        return found
    rows = read_rows(scans, shown)
    sizes: list[int] = []
    for clip in CLIPS:
        found.items = [shown_item(key, rows, scans, clip) for key in shown]
        found.clipped = clip
        sizes = [len(embeddable(item).encode("utf-8")) + 64 for item in found.items]
        if sum(sizes) <= budget:
            return found
    kept, total = 0, 0
    for size in sizes:
        total += size
        if total > budget:
            break
        kept += 1
    del found.items[kept:]
    return found


def chosen(a: Scan, b: Scan, limit: int = LIMIT) -> list[Key]:
    """At most `limit` items of two variants. Rare kinds take turns with common ones."""
    by_kind: dict[str, list[Key]] = {kind: [] for kind in KINDS}
    for key in sorted(a.places.keys() & b.places.keys(), key=_shuffled):
        by_kind[kind_of(a.places[key], b.places[key])].append(key)
    found: list[Key] = []
    for group in TURNS:
        for turn in zip_longest(*(by_kind[kind] for kind in group)):
            found += [key for key in turn if key is not None]
    return found[:limit]


def kind_of(left: Place, right: Place) -> str:
    """The kind of one item for two variants."""
    if left.score is not None and right.score is not None and left.score != right.score:
        return "gained" if right.score > left.score else "lost"
    same = left.answer == right.answer
    ends = {1.0: "right", 0.0: "wrong"}.get(-1.0 if left.score is None else left.score, "score")
    if same:
        return f"agree_{ends}"
    return "same_score" if ends == "score" else f"both_{ends}"


def _numbered(places: Sequence[Place | None]) -> list[int]:
    """Each variant's answer as a number: equal ones where the answers are equal, -1 for no row."""
    known: dict[str | None, int] = {}
    return [
        -1 if place is None else known.setdefault(json.dumps(place.answer), len(known)) for place in places
    ]


def _shuffled(key: Key) -> bytes:
    return hashlib.sha256(repr(key).encode()).digest()
