"""Generated word problems: somebody has some things, then a few changes happen; how many are there now?

They are small on purpose (all results within 0 to 60, changes by 2 to 12, doubling, tripling), so that a
small model can learn single steps but cannot do the whole at once. Splits share no name and no chain of
numbers: the hash of a chain decides its split. Three in ten belong to no split but to `corpus`: the text that
the embedded model is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tasks.names import NAMES
from tasks.sources import content_hash, rng
from tasks.spec import TaskRow

SIZES = {"train": 3000, "validation": 300, "test": 500}
STEPS = (3, 4, 5)
"""Default numbers of changes, in turn."""
HIGHEST = 60
THINGS = (
    "apples", "books", "cards", "coins", "eggs", "pens", "plums", "shells", "stamps", "stones",
)  # fmt: skip
MORE = ("finds", "buys", "wins", "gets")
FEWER = ("loses", "sells", "drops", "gives away")
TIMES = {2: "doubles", 3: "triples"}
Change = tuple[str, int]
"""An operator, `+`, `-` or `*`, and its number."""


def items(split: str, seed: int, steps: int | None) -> list[TaskRow]:
    """`SIZES[split]` different problems: keys question, target (a number), symbols (the name), text.

    `steps` is the number of changes; None takes 3, 4 and 5 in turn. `text` is the name, the thing and the
    chain, without the sentences that all stories share.
    """
    random = rng("gsm8k", split, seed, steps)
    rows: dict[str, TaskRow] = {}
    while len(rows) < SIZES[split]:
        made = item(random, NAMES[split], steps or STEPS[len(rows) % len(STEPS)], split)
        rows[made["question"]] = made
    return list(rows.values())


def item(random: Random, names: Sequence[str], steps: int, split: str) -> TaskRow:
    """A story of `steps` changes about one of `names`, with a chain of numbers that belongs to `split`."""
    while True:
        start, changes, result = _chain(random, steps)
        if _split_of(start, changes) == split:
            break
    name, thing = random.choice(names), random.choice(THINGS)
    return {
        "question": _story(random, name, thing, start, changes),
        "target": str(result),
        "symbols": [name.lower()],
        "text": " ".join([name, thing, str(start), *(f"{sign}{number}" for sign, number in changes)]),
    }


def _chain(random: Random, steps: int) -> tuple[int, list[Change], int]:
    """(start, changes, result); every intermediate result is in 0..HIGHEST."""
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
    return "test" if bucket < 2 else "validation" if bucket == 2 else "train" if bucket < 7 else "corpus"


def _story(random: Random, name: str, thing: str, start: int, changes: list[Change]) -> str:
    sentences = [f"{name} has {start} {thing}."]
    for sign, number in changes:
        if sign == "*":
            sentences.append(f"The number of {thing} {TIMES[number]}.")
        else:
            sentences.append(f"{name} {random.choice(MORE if sign == '+' else FEWER)} {number} {thing}.")
    return " ".join([*sentences, f"How many {thing} does {name} have now?"])
