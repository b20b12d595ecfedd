"""Generated word problems: somebody has some things, then a few changes happen; how many are there now?

Small on purpose (all results within 0 to 60, changes by 2 to 12, doubling, tripling), so that a small model
can learn single steps while the whole stays out of reach in one go. Splits share no name and no chain of
numbers: a chain belongs to the split that its hash says.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tasks.names import NAMES
from tasks.sources import content_hash, rng

SIZES = {"train": 3000, "validation": 300, "test": 500}
STEPS = (3, 4, 5)
"""Numbers of changes, in turn, where no difficulty is given."""
HIGHEST = 60
THINGS = (
    "apples", "books", "cards", "coins", "eggs", "pens", "plums", "shells", "stamps", "stones",
)  # fmt: skip
MORE = ("finds", "buys", "wins", "gets")
FEWER = ("loses", "sells", "drops", "gives away")
TIMES = {2: "doubles", 3: "triples"}
Change = tuple[str, int]
"""An operator, `+`, `-` or `*`, and its number."""


def items(split: str, seed: int, steps: int | None) -> list[dict[str, Any]]:
    """`SIZES[split]` different problems: keys question, target (a number), symbols (the name), text.

    `steps` is the number of changes; None takes 3, 4 and 5 in turn. `text` is the name, the thing and
    the chain, without the sentences that all stories share.
    """
    random = rng("gsm8k", split, seed, steps)
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < SIZES[split]:
        start, changes, result = _chain(random, steps or STEPS[len(rows) % len(STEPS)])
        if _split_of(start, changes) != split:
            continue
        name, thing = random.choice(NAMES[split]), random.choice(THINGS)
        question = _story(random, name, thing, start, changes)
        rows[question] = {
            "question": question,
            "target": str(result),
            "symbols": [name.lower()],
            "text": " ".join([name, thing, str(start), *(f"{sign}{number}" for sign, number in changes)]),
        }
    return list(rows.values())


def _chain(random: Random, steps: int) -> tuple[int, list[Change], int]:
    """(start, changes, result); every result on the way lies in 0..HIGHEST."""
    start = value = random.randint(2, 20)
    changes: list[Change] = []
    while len(changes) < steps:
        sign = random.choice("++--*")
        number = random.choice(tuple(TIMES)) if sign == "*" else random.randint(2, 12)
        after = {"+": value + number, "-": value - number, "*": value * number}[sign]
        if 0 <= after <= HIGHEST and not (sign == "*" and value == 0):
            value = after
            changes.append((sign, number))
    return start, changes, value


def _split_of(start: int, changes: list[Change]) -> str:
    bucket = int(content_hash(start, changes), 16) % 10
    return "test" if bucket < 2 else "validation" if bucket == 2 else "train"


def _story(random: Random, name: str, thing: str, start: int, changes: list[Change]) -> str:
    sentences = [f"{name} has {start} {thing}."]
    for sign, number in changes:
        if sign == "*":
            sentences.append(f"The number of {thing} {TIMES[number]}.")
        else:
            sentences.append(f"{name} {random.choice(MORE if sign == '+' else FEWER)} {number} {thing}.")
    return " ".join([*sentences, f"How many {thing} does {name} have now?"])
