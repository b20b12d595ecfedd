"""Labels as a teacher: what supervision gives on the same inputs that System 2 is asked about.

No model is asked. An input is kept if its label, written as a target, is read back by the task's rule and
scored as right; other rows have no usable label.
"""

from __future__ import annotations

from collections.abc import Sequence

from distill.teacher.sample import TeacherAsk
from distill.teacher.select import Drawn, FilterChoice, Sampled
from harness.errors import UserError
from harness.lm.round_trip import round_trip
from harness.lm.task import TaskData
from harness.programs.base import Method, Program, get_method
from harness.recipes import LABELS
from harness.types import Item

FILTER = FilterChoice("labels", 0.0)
TRIED = 8
"""Training rows that are checked before a run: either all rows of a split have labels, or none."""


def _asks_nothing(item: Item) -> Program:
    yield from ()
    return ""


METHOD = Method(LABELS, "the labels of the training rows; no model is asked", (), _asks_nothing)


def teacher(name: str) -> Method:
    """Returns the method of that name, or labels in its place. UserError for an unknown name."""
    return METHOD if name == LABELS else get_method(name)


def require_labels(tasks: Sequence[TaskData]) -> None:
    """Raises UserError if the training rows of a task have no label. A task that cannot be distilled is not
    checked: its row says so."""
    for task in tasks:
        rows = [] if task.undistillable else task.rows("train")[:TRIED]
        if rows and not any((trip := round_trip(task, row)) and trip.held for row in rows):
            raise UserError(
                f"--models distilled-gold: the training rows of {task.name} have no label that the task's "
                "rule reads back: leave distilled-gold or the task out"
            )


def label(ask: TeacherAsk) -> Sampled:
    """Returns every input with its label as answer; an input without one is dropped. Both orders of a pair
    are kept or dropped together."""
    inputs = ask.inputs
    task = inputs.task
    found = Sampled(task.name, LABELS, FILTER, len(inputs.units), 0, [])
    for unit in inputs.units:
        trips = [round_trip(task, item.fields) for item in unit]
        answers = [trip.answer if trip is not None and trip.held else None for trip in trips]
        reason = "no_label" if None in answers else None
        if reason:
            found.dropped[reason] += 1
        for item, answer in zip(unit, answers, strict=True):
            found.drawn.append(Drawn(item, (), (), None if reason else answer, 1.0, reason))
    return found
