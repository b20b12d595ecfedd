"""Sample the System 2 teacher on unlabeled inputs and keep the answers that agree with themselves.

Inputs are training rows whose content does not overlap any test item (rule 7). Labels, where a row has
one, are never read here. The calls go through the run's own scheduler and store: they resume and are
counted like any other (paper.md section 1; arXiv 2407.06023).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distill.filters import Vote, majority, swap_consistent
from distill.overlap import OverlapItem, split_overlapping
from harness.estimate import teacher_samples
from harness.lm import TaskData
from harness.programs.base import get_method
from harness.run import RunContext
from harness.types import Item, Response, stable_hash


@dataclass(frozen=True)
class Example:
    """A training example before it is made of ids: System 1's prompt and the answer it should give."""

    item: Item
    answer: str
    margin: float
    """Share of the winner less share of the runner-up, of all samples drawn."""


@dataclass
class Sampled:
    """What sampling a task left, with every drop counted."""

    task: str
    method: str
    inputs: int
    samples_per_input: int
    examples: list[Example]
    dropped: Counter[str] = field(default_factory=Counter)
    generated_tokens: int = 0
    prompt_tokens: int = 0


@dataclass(frozen=True)
class TeacherInputs:
    """Rows that the teacher will be asked about."""

    task: TaskData
    units: list[list[Item]]
    """One item per unit, or both orders of a pair."""
    overlapping: dict[str, int]
    """Candidates left out, by kind of overlap."""


def choose_inputs(
    task: TaskData, wanted: int, tests: Sequence[OverlapItem], allow_overlap: bool
) -> TeacherInputs:
    """At most `wanted` units of the train split, drawn by content hash, none of which overlaps a test
    item. None may be left: such a task is not distilled, and its row says so."""
    items = [task.item(row) for row in task.rows("train")]
    overlapping: dict[str, int] = {}
    if not allow_overlap:
        candidates = [overlap_item(task, item) for item in items]
        kept, overlapping = split_overlapping(candidates, tests)
        clean = {candidate.id for candidate in kept}
        items = [item for item in items if item.item_id in clean]
    units: dict[str, list[Item]] = {}
    for item in items:
        unit = item.cluster_id if task.spec.swap else item.item_id
        units.setdefault(unit, []).append(item)
    if task.spec.swap:
        units = {name: pair for name, pair in units.items() if len(pair) == 2}
    # The task's name is not in it: the parts of judging draw the same inputs in the same order.
    order = sorted(units, key=lambda unit: stable_hash(["train", unit]))
    return TeacherInputs(task, [units[name] for name in order[:wanted]], dict(overlapping))


def overlap_item(task: TaskData, item: Item) -> OverlapItem:
    """What the overlap check compares: the item's own words, without the task's template."""
    row = item.fields
    return OverlapItem(
        item.item_id, str(row.get("text") or item.question), tuple(row.get("symbols") or ()), item.prompt
    )


def sample_teachers(
    context: RunContext, chosen: Sequence[TeacherInputs], method_name: str | None, seed: int, phase: str
) -> list[Sampled]:
    """Sample all tasks in one stream of batches, then vote. `method_name` None is each task's own."""
    jobs, places = [], []
    for place, inputs in enumerate(chosen):
        task = inputs.task
        method = get_method(method_name or task.spec.s2_method)
        for unit in inputs.units:
            for item in unit:
                for index in range(teacher_samples(context.options, task)):
                    jobs.append(context.job(task, item, method, seed, sample_index=index, teacher=True))
                    places.append((place, item.item_id))
    responses = context.scheduler.run(jobs, phase)
    drawn: dict[tuple[int, str], list[Response]] = {}
    for key, response in zip(places, responses, strict=True):
        drawn.setdefault(key, []).append(response)
    return [
        _vote(context, inputs, place, drawn, method_name or inputs.task.spec.s2_method)
        for place, inputs in enumerate(chosen)
    ]


def _vote(
    context: RunContext,
    inputs: TeacherInputs,
    place: int,
    drawn: dict[tuple[int, str], list[Response]],
    method: str,
) -> Sampled:
    task = inputs.task
    sampled = Sampled(task.name, method, len(inputs.units), teacher_samples(context.options, task), [])
    for unit in inputs.units:
        votes: list[Vote] = []
        for item in unit:
            responses = drawn[place, item.item_id]
            votes.append(_majority(task, [_answer(task, response) for response in responses]))
            for response in responses:
                for step in response.steps:
                    sampled.generated_tokens += step.completion.generated_tokens
                    sampled.prompt_tokens += step.completion.prompt_tokens
        if task.spec.swap is not None:
            reason = swap_consistent(votes[0].answer, votes[1].answer, task.spec.swap).reason
        else:
            reason = votes[0].reason
        if reason is not None:
            sampled.dropped[reason] += 1
            continue
        for item, vote in zip(unit, votes, strict=True):
            if vote.answer is not None:
                sampled.examples.append(Example(item, vote.answer, float(vote.margin)))
    return sampled


def _majority(task: TaskData, answers: Sequence[str | None]) -> Vote:
    """The vote over what answers mean (`vote_key`); the winner is its most common spelling, of equally
    common ones the first."""
    keys = [None if answer is None else task.spec.vote_key(answer) for answer in answers]
    vote = majority(keys)
    if vote.answer is None:
        return vote
    spellings = Counter(answer for answer, key in zip(answers, keys, strict=True) if key == vote.answer)
    return replace(vote, answer=spellings.most_common(1)[0][0])


def _answer(task: TaskData, response: Response) -> str | None:
    """A failure has no answer, so it cannot vote (rule 5)."""
    return None if response.error is not None else task.spec.answer(response.text)


def label_accuracy(task: TaskData, examples: Sequence[Example]) -> float | None:
    """Share of kept answers that the task's own metric calls right; None where rows have no label.

    Computed after the examples are fixed and used for nothing but the report.
    """
    right: list[float] = []
    for example in examples:
        row: dict[str, Any] = dict(example.item.fields)
        scores = task.task.process_results(row, [task.spec.target(example.answer)])
        for metric in task.spec.metrics:
            if metric.aggregation == "mean" and isinstance(scores.get(metric.name), int | float):
                right.append(float(scores[metric.name]))
                break
    return sum(right) / len(right) if right else None
