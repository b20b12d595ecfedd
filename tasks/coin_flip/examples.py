"""Worked coin flips that few-shot chain of thought shows: (question, reply), our own, two of each answer.

No name here is in any item, generated or public, so the examples teach how to keep track and no fact.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A coin is heads up. Ottilie flips the coin. Casimir does not flip the coin. "
        "Is the coin still heads up?",
        "The coin starts heads up. Ottilie flips it: tails up. Casimir does not flip it: still tails up. "
        "At the end the coin is tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Thorben flips the coin. Ludmila flips the coin. Fergus does not flip the coin. "
        "Is the coin still heads up?",
        "The coin starts heads up. Thorben flips it: tails up. Ludmila flips it: heads up. "
        "Fergus does not flip it: still heads up. At the end the coin is heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Dagmar does not flip the coin. Zebulon does not flip the coin. "
        "Is the coin still heads up?",
        "The coin starts heads up. Dagmar does not flip it: still heads up. "
        "Zebulon does not flip it: still heads up. At the end the coin is heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Henrike flips the coin. Osric does not flip the coin. Beatrix flips the coin. "
        "Lorcan flips the coin. Is the coin still heads up?",
        "The coin starts heads up. Henrike flips it: tails up. Osric does not flip it: still tails up. "
        "Beatrix flips it: heads up. Lorcan flips it: tails up. At the end the coin is tails up.\nAnswer: no",
    ),
)
