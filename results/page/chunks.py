"""Texts of items in chunk files beside the page, which it loads on request.

A page opened from a disk may load only scripts, so a chunk is a script: one call of the page's function with
JSON as text, escaped as on the page. A page without its chunks shows the texts that it holds, and says where
the others are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.files import write_whole
from results.page.items import CLIPS, TaskItems
from results.page.texts import embeddable

FOLDER = "leaderboard_items"
SIZE = 100
"""Items of one chunk."""
BUDGET = 60_000_000
"""Maximum bytes of all chunks together; other texts are only in samples/."""


@dataclass(frozen=True)
class Plan:
    """The chunks of a task, with their items."""

    names: list[str]
    """File names, without the folder."""
    starts: list[int]
    """Number of the first item of each."""


def plan(items: TaskItems, number: int) -> Plan:
    """Chunks for the items of the task of this `number` whose texts are not on the page."""
    slug = re.sub(r"[^A-Za-z0-9_-]", "-", items.task)[:60]
    starts = list(range(len(items.items), len(items.keys), SIZE))
    return Plan([f"{number}-{slug}-{place}.js" for place, _ in enumerate(starts, start=1)], starts)


def write_chunks(folder: Path, tasks: Sequence[TaskItems]) -> list[Path]:
    """Write the chunks of all tasks into a run folder, and remove those of an earlier page; their paths."""
    home = folder / FOLDER
    written = []
    share = BUDGET // max(1, len(tasks))
    for number, items in enumerate(tasks):
        for name, text in _chunks(items, plan(items, number), share):
            written.append(write_whole(home / name, text))
    if home.is_dir():
        for old in set(home.glob("*.js")).difference(written):
            old.unlink()
    return written


def count(folder: Path) -> int:
    """Number of chunks in a run folder."""
    return sum(1 for _ in (folder / FOLDER).glob("*.js"))


def _chunks(items: TaskItems, planned: Plan, budget: int) -> Iterator[tuple[str, str]]:
    for name, start in zip(planned.names, planned.starts, strict=True):
        texts = items.texts(items.keys[start : start + SIZE], CLIPS[1])
        text = f"s2dItems({json.dumps(name)},{json.dumps(embeddable(texts))});\n"
        budget -= len(text)
        if budget < 0:
            return
        yield name, text
