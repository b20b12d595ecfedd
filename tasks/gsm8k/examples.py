"""Worked word problems for few-shot chain of thought: (question, reply), our own.

Every equation holds, and the last one gives the answer. No name here is in any generated item.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A shelf holds 14 jars. Ottilie puts 9 more on it and then takes 6 away. How many jars are there?",
        "At first there are 14 jars. With 9 more there are 14 + 9 = 23. After 6 are taken away, "
        "23 - 6 = 17 are left.\nAnswer: 17",
    ),
    (
        "Casimir has 60 beads and shares them equally among 5 bracelets. He then adds 2 beads to each "
        "bracelet and sells the bracelets for 3 dollars a bead. How many dollars does one bracelet bring?",
        "Sharing gives 60 / 5 = 12 beads for each bracelet. With 2 more there are 12 + 2 = 14 beads. "
        "At 3 dollars a bead that is 14 * 3 = 42 dollars.\nAnswer: 42",
    ),
    (
        "A baker sells 35 rolls in the morning and twice as many in the afternoon. He baked 120 rolls. "
        "How many does he have left?",
        "In the afternoon he sells 2 * 35 = 70 rolls. On the whole day he sells 35 + 70 = 105. "
        "So 120 - 105 = 15 are left.\nAnswer: 15",
    ),
    (
        "Ludmila saves 12 dollars a week for 6 weeks. A quarter of it goes to her brother, and she buys a "
        "lamp for 45 dollars. How many dollars has she left?",
        "In 6 weeks she saves 6 * 12 = 72 dollars. A quarter of it is 72 / 4 = 18. After that she has "
        "72 - 18 = 54 dollars. After the lamp she has 54 - 45 = 9 dollars.\nAnswer: 9",
    ),
)
