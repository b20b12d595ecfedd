"""Token ids and labels for the trainer, with a share of the inputs held out.

Labels are made only here: the ids of the answer, end of sequence included, count; those of the prompt do not.
So it does not matter whether the padding id is the end-of-sequence id: padding is added later, with its own
labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import RunError
from harness.types import stable_hash

IGNORED = -100
"""Label of ids without loss."""

Row = dict[str, list[int]]


@dataclass(frozen=True)
class Examples:
    """The examples for training and for evaluation."""

    train: list[Row]
    validation: list[Row]
    too_long: int
    """Examples that were dropped because they are too long."""


def example(prompt: Sequence[int], target: Sequence[int]) -> Row:
    """One example: loss on `target` alone."""
    return {"input_ids": [*prompt, *target], "labels": [*[IGNORED] * len(prompt), *target]}


def split_examples(
    prompts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    groups: Sequence[str],
    *,
    validation: float,
    max_length: int,
    seed: int,
) -> Examples:
    """Drops what is longer than `max_length` tokens (0: nothing) and holds out the share `validation` of the
    input units. Examples with the same name in `groups` are one unit, such as both orders of a pair; without
    groups, those with equal prompts. Which units are held out depends on their names and the seed, not on
    their order.

    RunError if no example, or no second unit, is left.
    """
    units: dict[str, list[Row]] = {}
    too_long = 0
    for place, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
        if max_length and len(prompt) + len(target) > max_length:
            too_long += 1
            continue
        unit = groups[place] if groups else stable_hash(list(prompt))
        units.setdefault(unit, []).append(example(prompt, target))
    if not units:
        raise RunError(f"no example has at most max_length={max_length} tokens: raise it or leave it out")
    held = _held_out(list(units), validation, seed)
    train = [row for unit, rows in units.items() if unit not in held for row in rows]
    # Evaluation batches of equal lengths need no padding.
    evaluated = sorted((row for unit in held for row in units[unit]), key=lambda row: len(row["input_ids"]))
    return Examples(train, evaluated, too_long)


def _held_out(units: list[str], share: float, seed: int) -> list[str]:
    if not share:
        return []
    if len(units) < 2:
        raise RunError(f"validation={share} needs at least two inputs, there is one: leave it out")
    count = min(max(round(share * len(units)), 1), len(units) - 1)
    return sorted(units, key=lambda unit: stable_hash(["validation", seed, unit]))[:count]
