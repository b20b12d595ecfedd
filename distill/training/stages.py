"""Reasoning removed in stages: how `distilled-steps` is trained (Deng et al., arXiv 2405.14838).

At first System 1 is taught to write the teacher's reasoning before its answer. Stage after stage more of the
reasoning is dropped from its beginning, until the answer stands alone. The removal takes half of the tokens
that plain distillation would train on, the same number in each stage; the answer alone takes the other half,
so both trainings see equally many tokens.

Stages are a part of the job: examples in order, each with its stage. Neither torch nor TRL is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from distill.training.data import Examples, example
from distill.training.job import TrainingJob
from distill.training.settings import passes
from harness.errors import RunError, UserError
from harness.types import Settings, stable_hash


def check(settings: Settings) -> None:
    """Raises UserError for a setting that stages do not support."""
    if settings["validation"]:
        raise UserError(
            "--train-args validation: distilled-steps trains on other targets in every stage and holds "
            "nothing out: leave validation out"
        )


def remaining(reasoning: Sequence[int], stage: int, stages: int) -> Sequence[int]:
    """Returns the ids that stage `stage` (from 0) of `stages` leaves; the last one (`stages`) leaves none."""
    return reasoning[len(reasoning) * stage // stages :]


def staged(job: TrainingJob, reasoning: Sequence[Sequence[int]]) -> TrainingJob:
    """Returns `job` with the ids of `reasoning` before its answers, removed in stages. It trains on about as
    many tokens as `job` itself."""
    stages = int(job.settings["stages"])
    lengths = [len(prompt) + len(target) for prompt, target in zip(job.prompts, job.targets, strict=True)]
    whole = sum(lengths) * passes(job.settings, len(job.prompts))
    shares = [0.5 / stages] * stages + [0.5]
    made = replace(job, prompts=[], targets=[], groups=[], stages=[])
    for stage, share in enumerate(shares):
        left = [list(remaining(each, stage, stages)) for each in reasoning]
        costs = [length + len(ids) for length, ids in zip(lengths, left, strict=True)]
        for place in _drawn(job.seed, stage, costs, share * whole):
            made.prompts.append(job.prompts[place])
            made.targets.append([*left[place], *job.targets[place]])
            made.groups.extend(job.groups[place : place + 1])
            made.stages.append(stage)
    steps = len(made.stages) / job.settings["batch"]
    # Stages replace epochs; without checkpoints in between a killed training would start over.
    once = {"epochs": 1, "max_steps": 0, "save_steps": job.settings["save_steps"] or max(1, round(steps / 8))}
    return replace(made, settings={**job.settings, **once})


def _drawn(seed: int, stage: int, costs: Sequence[int], budget: float) -> Iterable[int]:
    """Yields places of examples in turn, in a drawn order, until `budget` tokens are spent."""
    order = sorted(range(len(costs)), key=lambda place: stable_hash(["stage", seed, stage, place]))
    spent, count = 0, 0
    while order and spent + costs[order[count % len(order)]] / 2 <= budget:
        yield order[count % len(order)]
        spent += costs[order[count % len(order)]]
        count += 1


def staged_examples(job: TrainingJob, max_length: int) -> tuple[Examples, list[int]]:
    """Returns the examples of a staged job, in its order, and the stage of each. RunError if none is short
    enough."""
    fitting = [
        (example(prompt, target), stage)
        for prompt, target, stage in zip(job.prompts, job.targets, job.stages, strict=True)
        if not max_length or len(prompt) + len(target) <= max_length
    ]
    if not fitting:
        raise RunError(f"no example has at most max_length={max_length} tokens: raise it or leave it out")
    rows = [row for row, _ in fitting]
    return Examples(rows, [], len(job.stages) - len(rows)), [stage for _, stage in fitting]
