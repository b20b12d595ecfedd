"""Samples the teacher on unlabeled inputs: k runs of a program per input.

The calls use the run's own scheduler and store: they resume and are counted like any other (arXiv
2407.06023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.teacher.inputs import TeacherInputs
from harness.programs.base import get_method
from harness.session import Session
from harness.types import Response


@dataclass(frozen=True)
class TeacherAsk:
    """What to sample of one task."""

    inputs: TeacherInputs
    method: str
    samples: int
    """Samples per item: per order of a pair, per form of a question."""


@dataclass
class Draws:
    """The teacher's responses to one task."""

    ask: TeacherAsk
    responses: dict[str, list[Response]]
    """By item id, in the order of the samples."""

    def tokens(self) -> tuple[int, int]:
        """(generated, prompt) tokens of all calls, kept or not."""
        steps = [step for drawn in self.responses.values() for each in drawn for step in each.steps]
        generated = sum(step.completion.generated_tokens for step in steps)
        return generated, sum(step.completion.prompt_tokens for step in steps)


def sample_teachers(context: Session, asks: Sequence[TeacherAsk], seed: int, phase: str) -> list[Draws]:
    """Responses of all tasks, drawn in one stream of batches."""
    draws = [Draws(ask, {}) for ask in asks]
    jobs, places = [], []
    for drawn in draws:
        task, method = drawn.ask.inputs.task, get_method(drawn.ask.method)
        for item in (item for unit in drawn.ask.inputs.units for item in unit):
            turns = task.history(item.fields)
            for index in range(drawn.ask.samples):
                jobs.append(
                    context.job(task, item, method, seed, sample_index=index, teacher=True, history=turns)
                )
                places.append(drawn.responses.setdefault(item.item_id, []))
    for responses, response in zip(places, context.scheduler.run(jobs, phase), strict=True):
        responses.append(response)
    return draws
