"""What a run will ask of the machine, said before it starts: calls, tokens and disk at most.

Counts are upper bounds from the tasks' limits: answers usually end sooner, and a plan may have fewer
criteria. No time is promised that was not measured: tokens per second show once the first batch is done.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.lm import TaskData
from harness.options import DISTILL_INPUTS, RunOptions
from harness.programs.base import get_method
from harness.variants import Variant, parse_variants

DISK_PER_CALL = 4_000
"""Bytes in store and samples, about: prompt text and ids, response, keys."""


def estimate(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """One line: scored prompts, calls, generated tokens at most, disk."""
    prompts = calls = tokens = 0
    for task in tasks:
        rows = len(task.indices)
        for variant in variants:
            per_item, most = _cost(task, variant.method_for(task.spec.s2_method))
            prompts += rows
            calls += rows * per_item * options.seeds
            tokens += rows * most * options.seeds
            if variant.kind == "distilled":
                teacher_calls, teacher_most = _cost(task, teacher_method(options, task, variant))
                samples = teacher_samples(options, task, variant)
                inputs = min(teacher_inputs(options, task), len(task.rows("train")))
                inputs *= 2 if task.spec.swap else 1
                calls += inputs * samples * teacher_calls * options.seeds
                tokens += inputs * samples * teacher_most * options.seeds
    return (
        f"{len(tasks)} tasks x {len(variants)} variants, {prompts} scored prompts: at most about "
        f"{calls} calls, {tokens / 1e3:.0f} thousand generated tokens, "
        f"{calls * DISK_PER_CALL / 1e6:.0f} MB on disk"
    )


def teacher_method(options: RunOptions, task: TaskData, variant: Variant) -> str:
    """The teacher of a distilled variant: System 1 itself for the control, else the method of the run's
    one s2 variant where it names one, else the task's own."""
    if variant.recipe == "s1":
        return "direct"
    named = [other.method for other in parse_variants(options.models) if other.kind == "s2"]
    return (named[0] if len(named) == 1 else None) or task.spec.s2_method


def teacher_inputs(options: RunOptions, task: TaskData) -> int:
    """Unlabeled inputs to draw, at most."""
    if options.distill_inputs is not None:
        return options.distill_inputs
    paper = task.spec.paper if options.preset == "paper" else None
    if paper:
        return paper.inputs
    return task.spec.inputs_embedded if options.data == "embedded" else DISTILL_INPUTS


def teacher_samples(options: RunOptions, task: TaskData, variant: Variant) -> int:
    """Teacher samples per input, or per order where both orders of a pair are asked. Without a filter
    nothing is voted on: one."""
    if variant.recipe == "nofilter":
        return 1
    if options.data != "embedded" and task.spec.samples_per_order is not None:
        return task.spec.samples_per_order
    if options.samples is not None:
        return options.samples
    few = options.data == "embedded" and options.preset is None
    return task.spec.samples_embedded if few else task.spec.samples


def _cost(task: TaskData, method_name: str) -> tuple[int, int]:
    """Calls and generated tokens per item, at most."""
    method = get_method(method_name)
    calls = tokens = 0
    for step in method.steps:
        times = _times(task, method_name, step) * int(method.fixed.get("k", 1))
        calls += times
        tokens += times * task.spec.token_limit(step)
    return calls, tokens


def _times(task: TaskData, method_name: str, step: str) -> int:
    """How often one item makes a step: a judging plan has a call per criterion."""
    if step != "solve":
        return 1
    options = task.spec.method_options.get(method_name, {})
    return int(options.get("max_criteria", 5)) * (2 if options.get("solve") == "single" else 1)
