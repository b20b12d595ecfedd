"""Worked coin flips that few-shot chain of thought shows: (question, reply), our own, two of each answer.

No name here is in any item, generated or public, so the examples teach how to count and no fact.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A coin is heads up. Ottilie does not flip the coin. Casimir does not flip the coin. "
        "Radek flips the coin. Is the coin still heads up?",
        "Ottilie does not flip: 0 flips. Casimir does not flip: 0 flips. Radek flips: 1 flip. "
        "An odd number of flips leaves the coin tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Thorben flips the coin. Ludmila flips the coin. Fergus does not flip the coin. "
        "Is the coin still heads up?",
        "Thorben flips: 1 flip. Ludmila flips: 2 flips. Fergus does not flip: 2 flips. "
        "An even number of flips leaves the coin heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Dagmar does not flip the coin. Zebulon does not flip the coin. "
        "Is the coin still heads up?",
        "Dagmar does not flip: 0 flips. Zebulon does not flip: 0 flips. "
        "No flip leaves the coin heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Henrike flips the coin. Osric does not flip the coin. Beatrix flips the coin. "
        "Lorcan flips the coin. Is the coin still heads up?",
        "Henrike flips: 1 flip. Osric does not flip: 1 flip. Beatrix flips: 2 flips. Lorcan flips: 3 flips. "
        "An odd number of flips leaves the coin tails up.\nAnswer: no",
    ),
)
