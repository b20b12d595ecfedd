"""The calls of a run that are still to come, by phase and task, with upper bounds.

Step limits bound the tokens and methods bound the calls, so no run exceeds these numbers; answers usually
end sooner, and a judging plan may have fewer criteria. Work that is known to be done is not counted: rows of
the run, and checkpoints of the cache. Only a loaded model tells which checkpoints those are; no model is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from distill.plan import Planned, planned
from distill.teacher.filter_kinds import FILTERS, Filter
from distill.teacher.plan import ASKED_BEFORE, teacher_inputs, teacher_phase, teacher_samples
from distill.teacher.select import USC_TOKENS, choose_filter
from harness.calls import Most, most_of
from harness.command.unchanged import is_unchanged
from harness.folder import held_manifest, place_of
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.session import Session
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

    variant: str
    """The variant that needs it."""
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
"""(variant, task) -> scored prompts that the run has."""
Plans = Mapping[str, Sequence[tuple[int, Planned]]]
"""Distilled variant -> its checkpoints, each with its seed. A variant that is missing has unknown ones."""


def held_rows(options: RunOptions, tasks: Sequence[TaskData]) -> Held:
    """Returns what the run to be continued has of `tasks`, and need not ask again with the same weights. If
    code or data have changed since its start, nothing is certain, and nothing counts."""
    place = place_of(options)
    manifest = held_manifest(place)
    if manifest is None or not is_unchanged(manifest):
        return {}
    asked = {task.name: {item.item_id for item in task.scored_items()} for task in tasks}
    found: dict[tuple[str, str], int] = {}
    # The manifest of a run that was stopped lists none of them.
    for file in sorted(place.glob("samples/*/*.jsonl")):
        variant, task = file.parent.name, file.stem
        try:
            there = {(row["item_id"], row["seed"]) for row in lines(file)}
        except (OSError, KeyError, ResultsError):  # it will be written again
            continue
        found[variant, task] = sum(
            item in asked.get(task, ()) and seed in options.every_seed for item, seed in there
        )
    return found


def checkpoints(session: Session, variants: Sequence[Variant]) -> Plans:
    """Returns the checkpoints of each distilled variant, and whether the cache has them."""
    seeds = session.options.every_seed
    return {
        variant.name: [(seed, plan) for seed in seeds for plan in planned(session, variant, seed)]
        for variant in variants
        if variant.kind == "distilled"
    }


def still_held(options: RunOptions, variants: Sequence[Variant], held: Held, plans: Plans) -> Held:
    """Returns `held` without the rows of distilled variants that are from another checkpoint, or whose
    checkpoint is not known."""
    manifest = held_manifest(place_of(options))
    records = [] if manifest is None else manifest.get("distillation") or []
    there = {
        (entry["variant"], entry["task"], entry["seed"], entry["checkpoint"])
        for entry in records
        if entry.get("checkpoint")
    }
    kept = dict(held)
    for variant, task in held:
        mine = [(seed, plan) for seed, plan in plans.get(variant, ()) if plan.task.name == task]
        same = mine and all(
            plan.is_there and (variant, task, seed, str(plan.folder)) in there for seed, plan in mine
        )
        if not same and any(each.kind == "distilled" and each.name == variant for each in variants):
            del kept[variant, task]
    return kept


def evaluation(
    options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData], held: Held
) -> Iterator[Part]:
    """Yields the scored prompts of every variant."""
    for variant in variants:
        for task in tasks:
            method = variant.method_for(task.spec.s2_method)
            items = len(task.indices) * options.seeds - held.get((variant.name, task.name), 0)
            most = _most(options, task, method)
            yield Part(variant.name, variant.name, task, method, max(0, items), most, scored=True)


def distillation(
    options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData], plans: Plans
) -> Iterator[Part]:
    """Yields for each seed the samples of the teachers, the calls of a filter that lets the model choose, and
    those of System 1 before training. A checkpoint of `plans` that is there needs none of them, and variants
    with the same teacher share its samples."""
    known = {
        (variant, plan.task.name, seed): Inputs(0, 0) if plan.is_there else Inputs(plan.inputs, plan.asked)
        for variant, found in plans.items()
        for seed, plan in found
    }
    taught = [each for each in variants if each.kind == "distilled"]
    drawn: dict[tuple[str, str, int], int] = {}
    for variant, seed, task in product(taught, options.every_seed, tasks):
        if unteachable(variant, task.spec.s2_method):
            continue
        recipe, name = variant.recipe, teacher_phase(variant)
        method = variant.teacher_for(task.spec.s2_method)
        chosen = _filter(options, task, variant)
        inputs = known.get((variant.name, task.name, seed)) or _inputs_at_most(options, task, chosen)
        samples = inputs.asked * teacher_samples(options, task, variant)
        if recipe.samples != 0:
            most = _most(options, task, method)
            of = task.name, method, seed
            new = max(0, samples - drawn.get(of, 0))
            drawn[of] = drawn.get(of, 0) + new
            yield Part(variant.name, name, task, method, new, most, teaches=True)
        if chosen.model_chooses:
            each = Most(1, USC_TOKENS, True)
            yield Part(variant.name, f"{name}, {CHOOSING}", task, USC, inputs.units, each)
        if recipe.asks_before:
            before, most = min(ASKED_BEFORE, inputs.asked), _most(options, task, DIRECT)
            yield Part(variant.name, f"{name}, {BEFORE}", task, DIRECT, before, most)


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
