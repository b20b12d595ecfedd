"""A task's own right answers, and what its own rule gives a text: the far end of the round trip.

What lm-eval calls the target of a row may be the answer, a list of them, or a whole worked solution; some
tasks score by another column. So several texts of a row are candidates, and the task's metric says which one
is right.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.lm.filters import Reader
from tasks.spec import RawScores

LONG = 25
"""Words. An answer of more is a text, of which no two samples are word for word the same."""
MOST_CANDIDATES = 12
PERCENT = frozenset({"bleu", "chrf", "ter"})
"""Metrics of lm-eval's that go from 0 to 100."""
_NAMES = ("answer", "target", "gold", "label", "solution", "output", "value", "response")
"""Parts of names of columns that hold what is right."""


def targets(task: Any, row: Mapping[str, Any]) -> list[str]:
    """What the task's `doc_to_target` says, as texts; empty where it raises."""
    try:
        found = task.doc_to_target(copy.deepcopy(dict(row)))
        if isinstance(found, int) and task.config.doc_to_choice is not None:
            found = task.doc_to_choice(dict(row))[found]
    except Exception:  # templates and functions of a task are its author's
        return []
    return [
        str(each) for each in (found if isinstance(found, list | tuple) else [found]) if str(each).strip()
    ]


def candidates(task: Any, reader: Reader, others: list[Reader], row: Mapping[str, Any]) -> list[str]:
    """Short texts that may be the right answer of a row, the likeliest first."""
    found: list[str | None] = []
    for text in (*targets(task, row), *_leaves(row)):
        read = [each.answer(text, row) for each in (reader, *others)]
        # What a filter takes an answer out of is no answer itself, but a worked solution.
        found += [*read, text if not any(read) or text in read else None]
    short = [text.strip() for text in found if text and len(text.split()) <= LONG]
    return list(dict.fromkeys(short))[:MOST_CANDIDATES]


def _leaves(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if any(part in str(name).casefold() for part in _NAMES):
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value[:MOST_CANDIDATES]:
            yield from _texts(each)


def scores(task: Any, reader: Reader, text: str, row: Mapping[str, Any]) -> RawScores | None:
    """What the task's own rule gives a text that `reader` reads, by metric; None where it raises."""
    try:
        given = task.process_results(copy.deepcopy(dict(row)), [reader.raw(text, row)])
    except Exception:  # as above
        return None
    return dict(given) if isinstance(given, Mapping) else None


def figure(task: Any, metric: str, value: Any) -> float | None:
    """The score of one item. Of a metric of all items together (BLEU, a list of the parts of an item) it is
    what the task's own aggregation makes of that item alone. None where that is not a figure."""
    alone = number(value)
    if alone is None and value is not None:
        try:
            alone = number(task.aggregation()[metric]([value]))
        except Exception:  # an aggregation is its author's, and one item may be too few for it
            return None
    return alone / 100 if alone is not None and metric in PERCENT else alone


def number(value: Any) -> float | None:
    """A score that is one figure; None for what is a list, a part of a corpus metric or no figure."""
    if isinstance(value, list | tuple | dict | str) or value is None:
        return None
    try:
        figure = float(value)
    except (TypeError, ValueError):
        return None
    return figure if math.isfinite(figure) else None
