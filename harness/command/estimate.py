"""The size of a run in one line, which every run prints first; forecast.py has more detail.

Nothing is measured here: these are upper bounds from limits and methods.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.command.plan import Held, Part, distillation, evaluation
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.variants import Variant

DISK_PER_CALL = 4_000
"""Approximate bytes in store and samples: prompt text and ids, response, keys."""


def estimate(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData], held: Held) -> str:
    """Returns one line: scored prompts, and at most how many calls and generated tokens are still to come;
    `held` is what the run has already."""
    taught = {variant.name for variant in variants if variant.kind == "distilled"}
    # More tasks or items may change a distilled checkpoint: then all of its items are asked again.
    held = {names: rows for names, rows in held.items() if names[0] not in taught}
    parts = [*evaluation(options, variants, tasks, held), *distillation(options, variants, tasks)]
    prompts = sum(len(task.indices) for task in tasks) * len(variants) * options.seeds
    what = (
        f"{_counted(len(tasks), 'task')} x {_counted(len(variants), 'variant')}, {prompts:,} scored prompts"
    )
    kept = sum(held.values())
    if kept:
        what += f", {kept:,} of them already done"
    return f"{what}: {_most(parts)}"


def estimate_distillation(options: RunOptions, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str:
    """Returns the same line for checkpoints without evaluation; training comes on top."""
    what = f"{_counted(len(tasks), 'task')} to distil"
    return f"{what}: {_most(list(distillation(options, variants, tasks)))}, and training"


def _most(parts: Sequence[Part]) -> str:
    calls, tokens = sum(part.calls for part in parts), sum(part.generated_tokens for part in parts)
    open_ended = sorted({part.method for part in parts if part.items and not part.each.bounded})
    word = f"about (no bound for {', '.join(open_ended)})" if open_ended else "at most"
    said = f"{word} {calls:,} calls, {tokens / 1e3:,.0f} thousand generated tokens"
    return f"{said}; about {calls * DISK_PER_CALL / 1e6:,.0f} MB on disk"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
