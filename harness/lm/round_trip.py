"""From a row's own answer to the text of a target and back: read by the task's rule, scored by its metric.

Distillation rests on it: an answer that does not come back would teach a wrong form. `check` shows it, and
training on labels takes an answer only where it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.lm.asked import NO_ANSWER
from harness.lm.filters import readers
from harness.lm.gold import candidates, number, targets
from harness.lm.task import TaskData

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RoundTrip:
    """One answer there and back."""

    answer: str
    target: str
    read: str | None
    score: float | None
    held: bool


def round_trip(task: TaskData, row: Row) -> RoundTrip | None:
    """The trip of a row's own answer: of several that may be it, the first that holds, else the first. None
    where the row has none."""
    first = None
    for answer in _answers(task, row):
        target = task.spec.target(answer)
        read = task.spec.answer_of(target, row)
        score = _score(task, target, row)
        wrong = _score(task, task.spec.target(NO_ANSWER), row)
        same = read is not None and task.spec.vote_key(read) == task.spec.vote_key(answer)
        better = score is None or wrong is None or score > wrong
        if task.spec.primary.higher_is_better is False and score is not None and wrong is not None:
            better = score < wrong
        trip = RoundTrip(answer, target, read, score, same and better)
        if trip.held:
            return trip
        first = first or trip
    return first


def _score(task: TaskData, text: str, row: Row) -> float | None:
    metric = task.spec.primary.name
    return number(task.figure(metric, task.score_of(text, row).get(metric)))


def _answers(task: TaskData, row: Row) -> list[str]:
    if task.foreign is None:
        return targets(task.task, row)
    reader = task.foreign.rule.reader
    return candidates(
        task.task, reader, [other for other in readers(task.task) if other.name != reader.name], row
    )
