"""A task's right answers, and the score that its own rule gives a text.

lm-eval's target of a row may be the answer, a list of answers, or a worked solution; some tasks score by
another column. So several texts of a row are candidates, and the task's metric decides which one is right.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.lm.filters import Reader
from tasks.spec import RawScores

LONG = 25
"""Words. A longer answer is a text; two samples of it are never equal word for word."""
MOST_CANDIDATES = 12
PERCENT = frozenset({"bleu", "chrf", "ter"})
"""Metrics of lm-eval with values from 0 to 100."""
_NAMES = ("answer", "target", "gold", "label", "solution", "output", "value", "response")
"""Parts of column names that suggest a right answer."""


def targets(task: Any, row: Mapping[str, Any]) -> list[str]:
    """The results of the task's `doc_to_target` as texts; empty if it raises."""
    try:
        found = task.doc_to_target(copy.deepcopy(dict(row)))
        if isinstance(found, int) and task.config.doc_to_choice is not None:
            found = task.doc_to_choice(dict(row))[found]
    except Exception:  # templates and functions of a task are its author's code
        return []
    return [
        str(each) for each in (found if isinstance(found, list | tuple) else [found]) if str(each).strip()
    ]


def candidates(task: Any, reader: Reader, others: list[Reader], row: Mapping[str, Any]) -> list[str]:
    """Short texts that may be the right answer of a row, most likely first."""
    found: list[str | None] = []
    for text in (*targets(task, row), *_leaves(row)):
        read = [each.answer(text, row) for each in (reader, *others)]
        # If a filter extracts an answer from a text, the text is not the answer but a worked solution.
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
    """The scores of the task's own rule for a text that `reader` reads, by metric; None if it raises."""
    try:
        given = task.process_results(copy.deepcopy(dict(row)), [reader.raw(text, row)])
    except Exception:  # as above
        return None
    return dict(given) if isinstance(given, Mapping) else None


def figure(task: Any, metric: str, value: Any) -> float | None:
    """The score of one item. For a metric over all items together (BLEU, or lists), it is the task's own
    aggregation of that item alone. None if that is not a number."""
    alone = number(value)
    if alone is None and value is not None:
        try:
            alone = number(task.aggregation()[metric]([value]))
        except Exception:  # an aggregation is its author's code, and one item may be too few for it
            return None
    return alone / 100 if alone is not None and metric in PERCENT else alone


def number(value: Any) -> float | None:
    """A score that is one number; None for a list or a part of a corpus metric."""
    if isinstance(value, list | tuple | dict | str) or value is None:
        return None
    try:
        figure = float(value)
    except (TypeError, ValueError):
        return None
    return figure if math.isfinite(figure) else None
