"""Worked last letters for few-shot chain of thought: (question, reply), our own.

No word here is in any item, generated or public.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        'Take the last letters of the words in "Ottilie Casimir" and concatenate them.',
        'The last letter of "Ottilie" is "e". The last letter of "Casimir" is "r". '
        "Joined: e + r = er.\nAnswer: er",
    ),
    (
        'Take the last letters of each words in "Thorben Ludmila Fergus Radek" and concatenate them.',
        'The last letter of "Thorben" is "n". The last letter of "Ludmila" is "a". '
        'The last letter of "Fergus" is "s". The last letter of "Radek" is "k". '
        "Joined: n + a + s + k = nask.\nAnswer: nask",
    ),
    (
        'Take the last letters of the words in "Dagmar Tancred Zebulon" and concatenate them.',
        'The last letter of "Dagmar" is "r". The last letter of "Tancred" is "d". '
        'The last letter of "Zebulon" is "n". '
        "Joined: r + d + n = rdn.\nAnswer: rdn",
    ),
    (
        'Take the last letters of each words in "Osric Philippa Gustav Beatrix" and concatenate them.',
        'The last letter of "Osric" is "c". The last letter of "Philippa" is "a". '
        'The last letter of "Gustav" is "v". The last letter of "Beatrix" is "x". '
        "Joined: c + a + v + x = cavx.\nAnswer: cavx",
    ),
)
