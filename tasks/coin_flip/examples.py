"""Worked coin flips for few-shot chain of thought: (question, reply), our own, three of each answer.

No name here is in any item, generated or public, so the examples show how to count and reveal no answer. All
end in the same form, and each number of people from 2 to 4 has examples of both answers, because a small
model copies the last sentence of the most similar example.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A coin is heads up. Ottilie does not flip the coin. Casimir does not flip the coin. "
        "Radek flips the coin. Is the coin still heads up?",
        "Ottilie does not flip: 0 flips. Casimir does not flip: 0 flips. Radek flips: 1 flip. "
        "1 is odd, so the coin is tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Dagmar flips the coin. Zebulon flips the coin. Is the coin still heads up?",
        "Dagmar flips: 1 flip. Zebulon flips: 2 flips. 2 is even, so the coin is heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Henrike flips the coin. Osric does not flip the coin. Beatrix flips the coin. "
        "Lorcan flips the coin. Is the coin still heads up?",
        "Henrike flips: 1 flip. Osric does not flip: 1 flip. Beatrix flips: 2 flips. Lorcan flips: 3 flips. "
        "3 is odd, so the coin is tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Thorben flips the coin. Ludmila flips the coin. Fergus does not flip the coin. "
        "Is the coin still heads up?",
        "Thorben flips: 1 flip. Ludmila flips: 2 flips. Fergus does not flip: 2 flips. "
        "2 is even, so the coin is heads up.\nAnswer: yes",
    ),
    (
        "A coin is heads up. Philippa flips the coin. Gustav does not flip the coin. "
        "Is the coin still heads up?",
        "Philippa flips: 1 flip. Gustav does not flip: 1 flip. "
        "1 is odd, so the coin is tails up.\nAnswer: no",
    ),
    (
        "A coin is heads up. Tancred does not flip the coin. Sunniva does not flip the coin. "
        "Leopold does not flip the coin. Ulrike does not flip the coin. Is the coin still heads up?",
        "Tancred does not flip: 0 flips. Sunniva does not flip: 0 flips. Leopold does not flip: 0 flips. "
        "Ulrike does not flip: 0 flips. 0 is even, so the coin is heads up.\nAnswer: yes",
    ),
)
