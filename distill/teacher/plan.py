"""How much the teacher is asked: unlabeled inputs, samples of each, and how many System 1 is asked before."""

from __future__ import annotations

from harness.lm.task import TaskData
from harness.options import DISTILL_INPUTS, RunOptions
from harness.recipes import DISTILLED
from harness.variants import Variant

ASKED_BEFORE = 24
"""Kept inputs per task that System 1 is asked about before training. Enough to see whether nearly all of
its answers are the targets already, and few enough to take only seconds."""


def teacher_inputs(options: RunOptions, task: TaskData) -> int:
    """Most unlabeled inputs to draw."""
    if options.distill_inputs is not None:
        return options.distill_inputs
    paper = task.spec.paper if options.preset == "paper" else None
    if paper:
        return paper.inputs
    return task.spec.inputs_embedded if options.data == "embedded" else DISTILL_INPUTS


def teacher_samples(options: RunOptions, task: TaskData, variant: Variant) -> int:
    """Teacher samples per input, or per order if both orders of a pair are asked."""
    if variant.recipe.samples is not None:
        return variant.recipe.samples
    if options.data != "embedded" and task.spec.samples_per_order is not None:
        return task.spec.samples_per_order
    if options.samples is not None:
        return options.samples
    few = options.data == "embedded" and options.preset is None
    return task.spec.samples_embedded if few else task.spec.samples


def teacher_phase(variant: Variant) -> str:
    """The name of the phase in which a variant's teacher is sampled."""
    return "teacher" if variant.recipe == DISTILLED else f"teacher of {variant.name}"
