"""What a run will ask of the machine, in one line, which every run says first; forecast.py says more.

Nothing is measured here: these are the most that limits and methods allow.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.command.plan import Part, distillation, evaluation, held_rows
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.variants import Variant

DISK_PER_CALL = 4_000
"""Bytes in store and samples, about: prompt text and ids, response, keys."""


def estimate(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """One line on a run: scored prompts, calls and generated tokens at most, without what it has already."""
    taught = {variant.name for variant in variants if variant.kind == "distilled"}
    # What is added may give a distilled variant another checkpoint, and then all is asked again.
    held = {names: rows for names, rows in held_rows(options).items() if names[0] not in taught}
    parts = [*evaluation(options, variants, tasks, held), *distillation(options, variants, tasks)]
    prompts = sum(len(task.indices) for task in tasks) * len(variants)
    what = (
        f"{_counted(len(tasks), 'task')} x {_counted(len(variants), 'variant')}, {prompts:,} scored prompts"
    )
    kept = sum(held.values())
    if kept:
        what += f", {kept:,} of them there already"
    return f"{what}: {_most(parts)}"


def estimate_distillation(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """The same line for checkpoints alone; training comes on top of it."""
    what = f"{_counted(len(tasks), 'task')} to distil"
    return f"{what}: {_most(list(distillation(options, variants, tasks)))}, and training"


def _most(parts: Sequence[Part]) -> str:
    calls, tokens = sum(part.calls for part in parts), sum(part.generated_tokens for part in parts)
    open_ended = sorted({part.method for part in parts if part.items and not part.each.bounded})
    word = f"about (nothing bounds {', '.join(open_ended)})" if open_ended else "at most"
    said = f"{word} {calls:,} calls, {tokens / 1e3:,.0f} thousand generated tokens"
    return f"{said}; about {calls * DISK_PER_CALL / 1e6:,.0f} MB on disk"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
