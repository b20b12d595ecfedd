"""Chooses the unlabeled inputs for the teacher: training rows that overlap no test item (rule 7).

Labels of the rows are never read here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from distill.teacher.overlap import OverlapIndex, OverlapItem, split_overlapping
from harness.errors import UserError
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.session import Session
from harness.types import Item, stable_hash
from tasks import registry


@dataclass(frozen=True)
class TeacherInputs:
    """Rows that the teacher will be asked about."""

    task: TaskData
    units: list[list[Item]]
    """One item per unit, or both orders of a pair, or an item and its other forms (`with_other_forms`)."""
    overlapping: dict[str, int]
    """Candidates that overlap a test item, by kind. They are left out, or used if overlap is allowed."""
    why_none: str | None = None
    """Why the teacher is not asked anything, as sentences; None if it is asked."""


@dataclass(frozen=True)
class TestItems:
    """Test items of all tasks that the source of data has, including tasks outside the run."""

    index: OverlapIndex
    unchecked: dict[str, str] = field(default_factory=dict)
    """Tasks whose test items could not be loaded, with the reason."""


def test_items(context: Session) -> TestItems:
    """Test items of every registered task and of the user's own tasks in the run. A task without data in
    the source is reported."""
    return context.once("test items", lambda: _test_items(context))


def _test_items(context: Session) -> TestItems:
    options = context.options
    here = {task.name for task in context.tasks}
    arguments = json.dumps({"seed": 0, **options.task_args}, sort_keys=True)
    items = [overlap_item(item) for task in context.tasks for item in task.test_items()]
    unchecked: dict[str, str] = {}
    for family in registry.families():
        for name in registry.expand([family], options.data):
            found, reason = ([], None) if name in here else _other_test_items(name, options.data, arguments)
            items += found
            if reason is not None:
                unchecked[family] = reason
    return TestItems(OverlapIndex(items), unchecked)


@lru_cache(maxsize=8)  # small, for a process that makes many runs with other seeds
def _other_test_items(name: str, data: str, arguments: str) -> tuple[list[OverlapItem], str | None]:
    """Test items of a task outside the run, or why there are none; the same for every variant and seed."""
    try:
        [task] = load_tasks([name], data, [], json.loads(arguments), None)
    except UserError as error:
        return [], str(error)
    return [overlap_item(item) for item in task.items("test")], None


def choose_inputs(
    task: TaskData,
    wanted: int,
    tests: Sequence[OverlapItem] | OverlapIndex,
    allow_overlap: bool,
    least: int = 0,
) -> TeacherInputs:
    """At most `wanted` units of the train split, drawn by content hash. None of them overlaps a test item
    unless `allow_overlap`. Returns no units and the reason if the task has no training rows, or the
    overlap leaves fewer than `least`."""
    if task.undistillable:
        return TeacherInputs(task, [], {}, task.undistillable)
    # A repeated row is one input, and its samples count once.
    items = list({item.item_id: item for item in map(task.item, task.rows("train"))}.values())
    candidates = [overlap_item(item) for item in items]
    kept, overlapping = split_overlapping(candidates, tests)
    if not allow_overlap:
        clean = {candidate.id for candidate in kept}
        items = [item for item in items if item.item_id in clean]
    units: dict[str, list[Item]] = {}
    for item in items:
        unit = item.cluster_id if task.spec.swap else item.item_id
        units.setdefault(unit, []).append(item)
    if task.spec.swap:
        units = {name: pair for name, pair in units.items() if len(pair) == 2}
    if not allow_overlap and any(overlapping.values()) and len(units) < least:
        return TeacherInputs(
            task, [], dict(overlapping),
            f"{len(units)} training inputs are left of {len(candidates)}, the others overlap test items, and "
            f"distillation needs {least}: give the task other training rows, or --allow-overlap.",
        )  # fmt: skip
    # The hash leaves out the task's name: the parts of judging draw the same inputs in the same order.
    order = sorted(units, key=lambda unit: stable_hash(["train", unit]))
    return TeacherInputs(task, [units[name] for name in order[:wanted]], dict(overlapping))


def with_other_forms(inputs: TeacherInputs) -> TeacherInputs:
    """The same inputs, each with the question in other words if the task can do that (`TaskSpec.perturb`).
    Only the teacher sees the other form; it is never trained on."""
    perturb = inputs.task.spec.perturb
    units = []
    for unit in inputs.units:
        row = perturb(unit[0].fields) if perturb else None
        if row is None:
            units.append(unit)
            continue
        texts = {"prompt": str(row["prompt"]), "question": str(row["question"])}
        other = replace(unit[0], item_id=f"{unit[0].item_id}-other", fields=row, **texts)
        units.append([unit[0], other])
    return replace(inputs, units=units)


def overlap_item(item: Item) -> OverlapItem:
    """The part of an item for the overlap check: its own words, without the task's template."""
    if item.own_words:  # a column of a user's own task has the user's meaning
        return OverlapItem(item.item_id, item.own_words, (), item.prompt)
    row = item.fields
    return OverlapItem(
        item.item_id, str(row.get("text") or item.question), tuple(row.get("symbols") or ()), item.prompt
    )
