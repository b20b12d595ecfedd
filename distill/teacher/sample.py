"""Samples the teacher on unlabeled inputs: k runs of a program per input, in waves where votes are curtailed.

The calls use the run's own scheduler and store: they resume and are counted like any other (arXiv
2407.06023).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from distill.teacher.curtail import Spelled, certain, next_wave
from distill.teacher.inputs import TeacherInputs
from harness.lm.task import TaskData
from harness.programs.base import get_method
from harness.session import Session
from harness.types import Item, Response


@dataclass(frozen=True)
class TeacherAsk:
    """What to sample of one task."""

    inputs: TeacherInputs
    method: str
    samples: int
    """Samples per item: per order of a pair, per form of a question."""
    majority: float | None = None
    """Share of all samples that a majority must pass, where no more are drawn than its vote needs; None where
    all samples are drawn."""


@dataclass
class Draws:
    """The teacher's responses to one task."""

    ask: TeacherAsk
    responses: dict[str, list[Response]]
    """By item id, in the order of the samples. Curtailed votes have fewer than were asked for."""
    _votes: dict[str, list[Spelled]] = field(default_factory=dict, repr=False)

    def votes(self, item: Item) -> list[Spelled]:
        """What each response to an item votes for, and how it spells that; each response is read once."""
        task, known = self.ask.inputs.task, self._votes.setdefault(item.item_id, [])
        for response in self.responses[item.item_id][len(known) :]:
            answer = answer_in(task, item, response)
            known.append((None if answer is None else task.spec.vote_key(answer), answer))
        return known

    @property
    def counts(self) -> tuple[int, int]:
        """(samples drawn, samples that would have been drawn without curtailing)."""
        drawn = sum(map(len, self.responses.values()))
        return drawn, self.ask.samples * len(self.responses)

    def tokens(self) -> tuple[int, int]:
        """(generated, prompt) tokens of all calls, kept or not."""
        steps = [step for drawn in self.responses.values() for each in drawn for step in each.steps]
        generated = sum(step.completion.generated_tokens for step in steps)
        return generated, sum(step.completion.prompt_tokens for step in steps)


def sample_teachers(context: Session, asks: Sequence[TeacherAsk], seed: int, phase: str) -> list[Draws]:
    """Responses of all tasks, drawn in one stream of batches, or one for each wave of curtailed votes."""
    draws = [Draws(ask, {item.item_id: [] for unit in ask.inputs.units for item in unit}) for ask in asks]
    waves = 0
    while True:
        jobs, places = [], []
        for drawn in draws:
            task, method = drawn.ask.inputs.task, get_method(drawn.ask.method)
            for item, more in _missing(drawn):
                turns = task.history(item.fields)
                responses = drawn.responses[item.item_id]
                for index in range(len(responses), len(responses) + more):
                    jobs.append(
                        context.job(task, item, method, seed, sample_index=index, teacher=True, history=turns)
                    )
                    places.append(responses)
        if not jobs:
            return draws
        waves += 1
        named = phase if waves == 1 else f"{phase}, wave {waves}"
        for responses, response in zip(places, context.scheduler.run(jobs, named), strict=True):
            responses.append(response)


def _missing(drawn: Draws) -> Iterator[tuple[Item, int]]:
    """The items that need more samples now, each with their number."""
    ask = drawn.ask
    for unit in ask.inputs.units:
        if ask.majority is None:
            missing = [(item, ask.samples - len(drawn.responses[item.item_id])) for item in unit]
        else:
            votes = [drawn.votes(item) for item in unit]
            # Without a majority on one of its prompts the whole input is dropped.
            if any(certain(vote, ask.samples, ask.majority) == "dropped" for vote in votes):
                continue
            missing = [
                (item, next_wave(vote, ask.samples, ask.majority))
                for item, vote in zip(unit, votes, strict=True)
            ]
        yield from ((item, more) for item, more in missing if more)


def answer_in(task: TaskData, item: Item, response: Response) -> str | None:
    """The answer in a response; None for a failure, so it cannot vote (rule 5)."""
    return None if response.error is not None else task.spec.answer_of(response.text, item.fields)
