"""Worked last letters that few-shot chain of thought shows: (question, reply), our own.

No word here is in any item, generated or public.
"""

from __future__ import annotations

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        'Take the last letters of the words in "Ottilie Casimir" and concatenate them.',
        "Ottilie ends in e. Casimir ends in r. Joined: e + r = er.\nAnswer: er",
    ),
    (
        'Take the last letters of each words in "Thorben Ludmila Fergus Radek" and concatenate them.',
        "Thorben ends in n. Ludmila ends in a. Fergus ends in s. Radek ends in k. "
        "Joined: n + a + s + k = nask.\nAnswer: nask",
    ),
    (
        'Take the last letters of the words in "Dagmar Tancred Zebulon" and concatenate them.',
        "Dagmar ends in r. Tancred ends in d. Zebulon ends in n. Joined: r + d + n = rdn.\nAnswer: rdn",
    ),
    (
        'Take the last letters of each words in "Osric Philippa Gustav Beatrix" and concatenate them.',
        "Osric ends in c. Philippa ends in a. Gustav ends in v. Beatrix ends in x. "
        "Joined: c + a + v + x = cavx.\nAnswer: cavx",
    ),
)
