"""How a reply becomes an answer, and when an answer is right.

`parse` reads the answer out of any text; `is_right` compares it with the accepted aliases. Both are the
same for every variant of a model. The paper does not say how it graded (paper.md, section 6), so the rule
is written down here and kept strict:

1. `parse`: the text after the last "Answer:", else the whole reply; of it the first sentence of the first
   line that is not empty, without emphasis, quotes, leading article and final stop. Case is kept, since this
   text is also what a distilled model learns to print.
2. `is_right`: normalised the way TriviaQA publishes it (`normalise`), the answer equals an alias; or it has
   at most MOST_WORDS words and contains an alias as whole words ("The capital of France is Paris"), unless
   it denies or offers a choice ("not Paris", "Paris or Lyon", "Paris/Lyon", "Paris and Lyon", "Paris, Lyon,
   Nice"; after one comma stands a place or a title). An alias that is a single letter must be equal, since
   a letter stands in too many sentences by chance.

This file does not know where questions and aliases come from.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection

from tasks.answers import after_marker

MOST_WORDS = 10
"""An answer longer than this is an explanation: an alias in it proves nothing."""

UNSURE = re.compile(
    r"\b(?:not|never|neither|nor|or|cannot|n t|no longer|either|but|except|instead|rather|than|unlike|wrong"
    r"|incorrect|false)\b"
)
"""In normalised text: words that deny or offer a choice. `n t` is what is left of "isn't"."""
BETWEEN = re.compile(r"[/&]|\band\b", re.IGNORECASE)
"""What stands between several answers; in other places it is part of a name or of the question."""
LEAD_IN = re.compile(r"^(?:(?:it|this|that|answer|answers|they) (?:is|was|are|were) )+")
SHORT = 3
"""Words of another answer in a list, at most, unless the right one is longer."""

ARTICLE = re.compile(r"\b(?:a|an|the)\b")
LEADING_ARTICLE = re.compile(r"^(?:a|an|the)\s+(?=\S)", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[^\s.!?])[.!?]+[\"'”’)*_]*(?=\s)")
ABBREVIATION = re.compile(r"(?:^|[\s.(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|St|Ft|Mt|Jr|Sr|vs|Prof)$")
"""What stands before a stop that does not end a sentence: an initial, a title."""
LONGEST_ABBREVIATION = 5
"""Characters that `ABBREVIATION` matches, at most."""

PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`_", " "))
"""TriviaQA puts a space for each of these marks."""
AROUND = " \t*_`\"'“”‘’"


def normalise(text: str) -> str:
    """`text` as TriviaQA compares answers: lower case, no punctuation, no articles, single spaces.

    Joshi et al. 2017 (arXiv 1705.03551), as their published evaluation script does it.
    """
    return " ".join(ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split())


def parse(text: str) -> str | None:
    """The answer that `text` gives (rule 1 above), or None where nothing is left. Never raises."""
    marked = after_marker(text)
    for line in (text if marked is None else marked).splitlines():
        sentence = _first_sentence(line.strip(AROUND)).strip(AROUND + ".!?;,:")
        answer = " ".join(LEADING_ARTICLE.sub("", sentence, count=1).split())
        if normalise(answer):
            return answer
    return None


def is_right(answer: str | None, aliases: Collection[str]) -> bool:
    """Whether `answer` is one of `aliases` (normalised already) by rule 2 above."""
    # What follows is about the answer: "Lyon; Paris is a common mistake".
    whole = answer or ""
    text = whole.split(";")[0] or whole
    said = normalise(text)
    if not said:
        return False
    if said in aliases or normalise(whole) in aliases:
        return True
    if len(said.split()) > MOST_WORDS:
        return False
    return any(
        holds(said, alias) and not UNSURE.search(_around(said, alias)) and not _is_of_many(text, alias)
        for alias in aliases
        if len(alias) > 1 or alias.isdigit()
    )


def _around(said: str, alias: str) -> str:
    """What stands beside the alias, contractions as the words they stand for: `isn t` reads `is n t`."""
    rest = f" {said} ".replace(f" {alias} ", " | ", 1)
    return re.sub(r"n t\b", " n t", rest)


def _is_of_many(text: str, alias: str) -> bool:
    """Whether the alias is one entry of a list of answers: alone in its part, beside others as short."""
    several = text.split(",") if text.count(",") > 1 else []
    for split in (BETWEEN.split(text), several):
        parts = [part for part in map(normalise, split) if part]
        others = [part for part in parts if LEAD_IN.sub("", part) != alias]
        most = max(SHORT, len(alias.split()))
        if len(others) < len(parts) and any(len(part.split()) <= most for part in others):
            return True
    return False


def holds(text: str, words: str) -> bool:
    """Whether normalised `text` contains normalised `words` as whole words."""
    return bool(words) and f" {words} " in f" {text} "


def _first_sentence(line: str) -> str:
    for end in SENTENCE_END.finditer(line):
        # From the line's start this would take quadratic time where every stop follows an initial.
        if not ABBREVIATION.search(line, max(0, end.start() - LONGEST_ABBREVIATION), end.start()):
            return line[: end.start()]
    return line
