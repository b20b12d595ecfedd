"""Generated coin flips: some people flip a coin, some do not; the answer is the parity of the flips.

No name of a training item is in a validation or test item. Half of the items end heads up, so that a
constant answer scores 50 %. The patterns of flips are few (4 to 16) and recur in every split.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tasks.names import NAMES
from tasks.sources import rng
from tasks.spec import TaskRow

SIZES = {"train": 3000, "validation": 300, "test": 500}
PEOPLE = (2, 3, 4)
"""Default numbers of people who take turns."""
QUESTION = "A coin is heads up. {steps} Is the coin still heads up?"
STEP = {True: "{name} flips the coin.", False: "{name} does not flip the coin."}


def items(split: str, seed: int, people: int | None) -> list[TaskRow]:
    """`SIZES[split]` different items: keys question, target (yes or no), symbols (names), text.

    `people` is the number of people in an item; None takes 2, 3 and 4 in turn. Answers alternate.
    """
    random = rng("coin_flip", split, seed, people)
    rows: dict[str, TaskRow] = {}
    while len(rows) < SIZES[split]:
        count = people or PEOPLE[len(rows) // 2 % len(PEOPLE)]
        made = item(random, random.sample(NAMES[split], count), heads=len(rows) % 2 == 0)
        rows[made["question"]] = made
    return list(rows.values())


def item(random: Random, names: Sequence[str], heads: bool) -> TaskRow:
    """A question about these people, who leave the coin heads up or not."""
    flips = [random.random() < 0.5 for _ in names]
    # One more person decides the parity; a random one, so that no position in the story reveals it.
    if (sum(flips) % 2 == 0) != heads:
        place = random.randrange(len(names))
        flips[place] = not flips[place]
    steps = " ".join(STEP[flip].format(name=name) for name, flip in zip(names, flips, strict=True))
    return {
        "question": QUESTION.format(steps=steps),
        "target": "yes" if heads else "no",
        "symbols": [name.lower() for name in names],
        "text": " ".join(names),
    }
