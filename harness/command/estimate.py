"""The size of a run in one line, which every run prints before its first call; forecast.py has more detail.

Nothing is measured here: these are upper bounds from limits and methods, of what is still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.command.plan import Held, Part, Plans, distillation, evaluation, still_held
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.variants import Variant, untrained_first

DISK_PER_CALL = 4_000
"""Approximate bytes in store and samples: prompt text and ids, response, keys."""

FEW = 10_000
"""Tokens; more are given in thousands."""


class Size(NamedTuple):
    """What is still to come."""

    line: str
    """Scored prompts, and at most how many calls and generated tokens."""
    parts: list[Part]


def estimate(
    options: RunOptions,
    variants: Sequence[Variant],
    tasks: Sequence[TaskData],
    held: Held,
    plans: Plans,
    evaluates: bool = True,
) -> Size:
    """Returns what is still to come. `held` is what the run has, `plans` are the checkpoints of distilled
    variants: where they are not known, all of their work counts. `evaluates` is False if only checkpoints
    are made."""
    held = still_held(options, variants, held, plans) if evaluates else {}
    ordered = untrained_first(variants)
    parts = list(distillation(options, ordered, tasks, plans))
    if evaluates:
        parts += evaluation(options, ordered, tasks, held)
    place = {variant.name: number for number, variant in enumerate(ordered)}
    parts.sort(key=lambda part: place[part.variant])  # as the run works: one variant after the other
    what = f"{_counted(len(tasks), 'task')} to distil"
    if evaluates:
        prompts = sum(len(task.indices) for task in tasks) * len(variants) * options.seeds
        of = f"{_counted(len(tasks), 'task')} x {_counted(len(variants), 'variant')}"
        what = f"{of}, {prompts:,} scored prompts"
    if done := sum(held.values()):
        what += f", {done:,} of them already done"
    made = {plan.folder: plan.is_there for found in plans.values() for _, plan in found}
    if there := sum(made.values()):
        what += f", {there} of {len(made)} checkpoints already made"
    training = ", and training" if not evaluates and (not plans or there < len(made)) else ""
    return Size(f"{what}: {_most(parts)}{training}", parts)


def _most(parts: Sequence[Part]) -> str:
    calls, tokens = sum(part.calls for part in parts), sum(part.generated_tokens for part in parts)
    open_ended = sorted({part.method for part in parts if part.items and not part.each.bounded})
    word = f"about (no bound for {', '.join(open_ended)})" if open_ended else "at most"
    some = f"{tokens:,}" if tokens < FEW else f"{tokens / 1e3:,.0f} thousand"
    megabytes = calls * DISK_PER_CALL / 1e6
    disk = f"about {megabytes:,.0f}" if megabytes >= 1 else "less than 1"
    return f"{word} {_counted(calls, 'call')}, {some} generated tokens; {disk} MB on disk"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
