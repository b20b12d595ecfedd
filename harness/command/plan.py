"""The calls of a run by phase and task, with upper bounds.

Step limits bound the tokens and methods bound the calls, so no run exceeds these numbers; answers usually
end sooner, and a judging plan may have fewer criteria. No model is loaded or asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

from distill.teacher.filter_kinds import FILTERS, Filter
from distill.teacher.plan import ASKED_BEFORE, teacher_inputs, teacher_phase, teacher_samples
from distill.teacher.select import USC_TOKENS, choose_filter
from harness.calls import Most, most_of
from harness.folder import held_manifest
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.variants import Variant, unteachable
from results.errors import ResultsError
from results.records.lines import lines

BEFORE, CHOOSING = "System 1 before", "choosing"
DIRECT, USC = "direct", "usc"


Kind = tuple[str, str, bool]
"""Task, method, and whether a teacher is sampled."""


@dataclass(frozen=True)
class Part:
    """One phase on one task."""

    phase: str
    """The variant, or what comes before its training."""
    task: TaskData
    method: str
    items: int
    """Programs of the method, at most."""
    each: Most
    """Upper bounds for one of them."""
    scored: bool = False
    """Whether it writes rows of samples."""
    teaches: bool = False
    """Whether it is sampled like the teacher."""

    @property
    def kind(self) -> Kind:
        """What the probe measures for it."""
        return self.task.name, self.method, self.teaches

    @property
    def calls(self) -> int:
        """Calls, at most."""
        return self.items * self.each.calls

    @property
    def generated_tokens(self) -> int:
        """Generated tokens, at most."""
        return self.items * self.each.generated_tokens


class Inputs(NamedTuple):
    """What a teacher would be asked about."""

    units: int
    """Unlabeled inputs."""
    asked: int
    """Their prompts: both orders of a pair, all forms of a question."""


Held = Mapping[tuple[str, str], int]
"""(variant, task) -> scored prompts that the run in `--output` has."""
Known = Mapping[tuple[str, str, int], Inputs]
"""(variant, task, seed) -> the inputs of a checkpoint; none if it exists already."""


def held_rows(options: RunOptions) -> Held:
    """Returns what the run in `--output` has, and need not ask again with the same weights."""
    manifest = held_manifest(Path(options.output)) if options.output else None
    found: dict[tuple[str, str], int] = {}
    for name in {} if manifest is None else manifest.get("samples") or {}:
        variant, _, file = str(name).removeprefix("samples/").partition("/")
        try:
            rows = lines(Path(str(options.output)) / str(name))
            found[variant, file.removesuffix(".jsonl")] = len({(row["item_id"], row["seed"]) for row in rows})
        except (OSError, KeyError, ResultsError):  # it will be written again
            continue
    return found


def evaluation(
    options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData], held: Held
) -> Iterator[Part]:
    """Yields the scored prompts of every variant."""
    for variant in variants:
        for task in tasks:
            method = variant.method_for(task.spec.s2_method)
            items = len(task.indices) * options.seeds - held.get((variant.name, task.name), 0)
            most = _most(options, task, method)
            yield Part(variant.name, task, method, max(0, items), most, scored=True)


def distillation(
    options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData], known: Known | None = None
) -> Iterator[Part]:
    """Yields for each seed the samples of the teachers, the calls of a filter that lets the model choose, and
    those of System 1 before training."""
    taught = [each for each in variants if each.kind == "distilled"]
    for variant, seed, task in product(taught, options.every_seed, tasks):
        if unteachable(variant, task.spec.s2_method):
            continue
        recipe, name = variant.recipe, teacher_phase(variant)
        method = variant.teacher_for(task.spec.s2_method)
        chosen = _filter(options, task, variant)
        inputs = (known or {}).get((variant.name, task.name, seed)) or _inputs_at_most(options, task, chosen)
        samples = inputs.asked * teacher_samples(options, task, variant)
        if recipe.samples != 0:
            most = _most(options, task, method)
            yield Part(name, task, method, samples, most, teaches=True)
        if chosen.model_chooses:
            yield Part(f"{name}, {CHOOSING}", task, USC, inputs.units, Most(1, USC_TOKENS, True))
        if recipe.asks_before:
            before = min(ASKED_BEFORE, inputs.asked)
            yield Part(f"{name}, {BEFORE}", task, DIRECT, before, _most(options, task, DIRECT))


def _inputs_at_most(options: RunOptions, task: TaskData, chosen: Filter) -> Inputs:
    """An upper bound: inputs that overlap test items are not left out yet."""
    if task.undistillable:
        return Inputs(0, 0)
    units = min(teacher_inputs(options, task), len(task.rows("train")))
    return Inputs(units, units * (2 if task.spec.swap or chosen.other_forms else 1))


def _most(options: RunOptions, task: TaskData, method: str) -> Most:
    return most_of(task.spec, method, options.sampling)


def _filter(options: RunOptions, task: TaskData, variant: Variant) -> Filter:
    if not variant.recipe.filtered:
        return FILTERS["none"]
    return choose_filter(task, options.filter, options.preset).kind
