"""What a run will ask of the machine, said before it starts: calls, tokens and disk at most.

Counts are upper bounds from the limits of the steps: answers usually end sooner, and a plan may have fewer
criteria. No time is promised that was not measured: tokens per second show once the first batch is done.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.limits import token_limit
from harness.lm.tasks import TaskData
from harness.options import DISTILL_INPUTS, RunOptions
from harness.programs.base import get_method
from harness.variants import Variant

DISK_PER_CALL = 4_000
"""Bytes in store and samples, about: prompt text and ids, response, keys."""

ASKED_BEFORE = 24
"""Kept inputs per task that System 1 is asked about before training: enough to see that nearly all of its
answers are the targets already, few enough to cost seconds."""


def estimate(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """One line on a run: scored prompts, calls, generated tokens at most, disk."""
    calls = tokens = 0
    for task in tasks:
        for variant in variants:
            per_item, most = _cost(options, task, variant.method_for(task.spec.s2_method))
            calls += len(task.indices) * per_item * options.seeds
            tokens += len(task.indices) * most * options.seeds
    prompts = sum(len(task.indices) for task in tasks) * len(variants)
    more_calls, more_tokens = _distillation(options, variants, tasks)
    what = (
        f"{_counted(len(tasks), 'task')} x {_counted(len(variants), 'variant')}, {prompts:,} scored prompts"
    )
    return f"{what}: {_most(calls + more_calls, tokens + more_tokens)}"


def estimate_distillation(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """The same line for checkpoints alone; training comes on top of it."""
    what = f"{_counted(len(tasks), 'task')} to distil"
    return f"{what}: {_most(*_distillation(options, variants, tasks))}, and training"


def _distillation(
    options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]
) -> tuple[int, int]:
    """Calls and generated tokens of all teachers, at most, and of asking System 1 before training."""
    calls = tokens = 0
    for task in tasks:
        for variant in variants:
            if variant.kind != "distilled":
                continue
            per_item, most = _cost(options, task, variant.teacher_for(task.spec.s2_method))
            inputs = min(teacher_inputs(options, task), len(task.rows("train")))
            inputs *= 2 if task.spec.swap else 1
            sampled = inputs * teacher_samples(options, task, variant)
            calls += sampled * per_item * options.seeds
            tokens += sampled * most * options.seeds
            if variant.recipe != "s1":
                before = min(ASKED_BEFORE, inputs) * options.seeds
                calls += before
                tokens += before * _cost(options, task, "direct")[1]
    return calls, tokens


def _most(calls: int, tokens: int) -> str:
    return (
        f"at most about {calls:,} calls, {tokens / 1e3:,.0f} thousand generated tokens, "
        f"{calls * DISK_PER_CALL / 1e6:,.0f} MB on disk"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


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


def _cost(options: RunOptions, task: TaskData, method_name: str) -> tuple[int, int]:
    """Calls and generated tokens per item, at most."""
    method = get_method(method_name)
    calls = tokens = 0
    for step in method.steps:
        times = _times(task, method_name, step) * int(method.fixed.get("k", 1))
        calls += times
        tokens += times * token_limit(task.spec, step, options.sampling)
    return calls, tokens


def _times(task: TaskData, method_name: str, step: str) -> int:
    """How often one item makes a step: a judging plan has a call per criterion."""
    if step != "solve":
        return 1
    options = task.spec.method_options.get(method_name, {})
    return int(options.get("max_criteria", 5)) * (2 if options.get("solve") == "single" else 1)
