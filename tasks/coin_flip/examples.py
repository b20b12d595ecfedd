"""Worked coin flips that few-shot chain of thought shows: (question, reply), our own, two of each answer.

No name here is in any item, generated or public, so the examples teach how to find out and no fact.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A coin is heads up. Ottilie flips the coin. Casimir does not flip the coin. Radek does not flip the "
        "coin. Is the coin still heads up?",
        "Ottilie flips the coin. That is 1 flip, an odd number, so the coin is tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Thorben flips the coin. Ludmila flips the coin. Fergus does not flip the coin. "
        "Is the coin still heads up?",
        "Thorben and Ludmila flip the coin. That is 2 flips, an even number, so the coin is heads up.\n"
        "Answer: yes",
    ),
    (
        "A coin is heads up. Dagmar does not flip the coin. Zebulon does not flip the coin. "
        "Is the coin still heads up?",
        "Nobody flips the coin. That is 0 flips, an even number, so the coin is heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Henrike flips the coin. Osric does not flip the coin. Beatrix flips the coin. "
        "Lorcan flips the coin. Is the coin still heads up?",
        "Henrike, Beatrix and Lorcan flip the coin. That is 3 flips, an odd number, so the coin is "
        "tails up.\nAnswer: no",
    ),
)
