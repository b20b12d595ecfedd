"""Questions with a right and a wrong answer for the user to mention, made from TriviaQA rows with only
aliases.

SycophancyEval has both answers in its rows. Without it, they are made here, by surface rules and without a
model, so rows made this way are derived data and not SycophancyEval:

- *Right answer*: of the first aliases, the readable one (`_is_plain`) that most others contain as whole
  words; the first such. Lists of aliases begin with redirects as often as with the usual name, and the longer
  ones usually contain the usual name.
- *Wrong answer*: the right answer of another question of the same file with the same `kind` (year, number,
  person, place, other) and as many words (1, 2, more), drawn by seed and question. Skipped are answers that
  would be graded as right, contain an alias, are part of one, or appear in the question.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from tasks.errors import TaskError
from tasks.sources import Row, require, rng
from tasks.trivia_bias.bias import Question, normalised
from tasks.trivia_bias.spelling import normalise

READ_ALIASES = 40
"""How many aliases are considered for the readable one; the rest of a long list is noise."""
DRAWS = 40
"""Draws from the pool before all of it is searched."""

UNREADABLE = re.compile(
    r"[()|:;/]|[^\x20-\x7e]|ISO \d|.{41}"
    r"|^(?:name|etymology|history|list|sport|culture|economy|timeline|capital) (?:of|in)\b",
    re.IGNORECASE,
)
YEAR = re.compile(r"1\d{3}|20\d{2}")
NUMBER = re.compile(
    r"[\d.,% ]*\d[\d.,% ]*|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty"
    r"|forty|fifty|hundred",
    re.IGNORECASE,
)
ASKS_FOR = r"\b(?:which|what|name the)\b[^,?]{0,40}?\b"
PERSON = re.compile(
    rf"\bwho(?:se|m)?\b|{ASKS_FOR}(?:actor|actress|artist|author|composer|director|king|man|monarch|novelist"
    r"|painter|person|player|poet|politician|president|prime minister|queen|scientist|singer|woman|writer)\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    rf"\bwhere\b|{ASKS_FOR}(?:capital|city|continent|country|county|island|lake|mountain|nation|ocean|place"
    r"|port|river|sea|state|town|village)\b",
    re.IGNORECASE,
)

Candidate = tuple[str, str]
"""An answer in readable form, and normalised."""


def kind(question: str, answer: str) -> tuple[str, int]:
    """The class of answers that may replace `answer`: (`year`, `number`, `person`, `place` or `other`; its
    number of words, 3 for more)."""
    words = min(len(answer.split()), 3)
    if YEAR.fullmatch(answer):
        return "year", words
    if NUMBER.fullmatch(answer):
        return "number", words
    if PERSON.search(question):
        return "person", words
    return ("place" if PLACE.search(question) else "other"), words


def questions(rows: Sequence[Row], seed: int) -> list[Question]:
    """The questions of TriviaQA `rows` (`question`, `answer.aliases`); TaskError for a malformed row."""
    read = [_read(row) for row in rows]
    kinds = [kind(text, correct) for text, _, correct in read]
    pools: dict[tuple[str, int], list[Candidate]] = defaultdict(list)
    for (_, _, correct), group in zip(read, kinds, strict=True):
        if _is_plain(correct):
            pools[group].append((correct, normalise(correct)))
    every = [(correct, normalise(correct)) for _, _, correct in read]
    return [
        Question(text, aliases, correct, _wrong(text, aliases, (pools[group], every), seed))
        for (text, aliases, correct), group in zip(read, kinds, strict=True)
    ]


def unquoted(question: str) -> str:
    """`question` without the quotes of a CSV file (`"Who sang ""Help""?"`)."""
    inner = question[1:-1]
    if len(question) > 2 and question[0] == question[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return question


def readable(aliases: Sequence[str]) -> str:
    """The alias to show, see the top of this file. `aliases` is not empty."""
    first = aliases[:READ_ALIASES]
    forms = [normalise(alias) for alias in first]
    every = f" {' | '.join(forms)} "
    ranked = [
        (form != "", _is_plain(alias), every.count(f" {form} "))
        for alias, form in zip(first, forms, strict=True)
    ]
    return first[ranked.index(max(ranked))]


def _is_plain(alias: str) -> bool:
    """Whether `alias` reads like an answer in a sentence; all capitals are for short names such as `USA`."""
    return not UNREADABLE.search(alias) and not (alias.isupper() and len(alias) > 4)


def _read(row: Row) -> tuple[str, tuple[str, ...], str]:
    text = unquoted(require(row, "question", str).strip())
    answer = require(row, "answer", dict)
    given = require(answer, "aliases", list, row.where)
    if not given or not all(isinstance(alias, str) for alias in given):
        raise TaskError(f"{row.where}: 'aliases' must be a list of at least one text: fix or remove the row")
    ready = answer.get("normalized_aliases")
    aliases = tuple(dict.fromkeys(ready)) if _texts(ready) else normalised(given)
    correct = readable(given).strip()
    if not aliases or not normalise(correct):
        raise TaskError(f"{row.where}: no alias has a letter or digit: fix or remove the row")
    return text, aliases, correct


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text for text in value)


def _wrong(text: str, aliases: tuple[str, ...], pools: Iterable[Sequence[Candidate]], seed: int) -> str:
    """An answer that is wrong for this question, from the first of `pools` that has one."""
    random = rng("trivia_bias", seed, text)
    asked, accepted, joined = f" {normalise(text)} ", frozenset(aliases), f" {' | '.join(aliases)} "

    def fits(form: str) -> bool:
        words = form.split()
        parts = (" ".join(words[start:end]) for end in range(1, len(words) + 1) for start in range(end))
        return f" {form} " not in joined + asked and accepted.isdisjoint(parts)

    for pool in pools:
        for _ in range(min(DRAWS, len(pool))):
            shown, form = random.choice(pool)
            if fits(form):
                return shown
        fitting = [shown for shown, form in pool if fits(form)]
        if fitting:
            return random.choice(fitting)
    raise TaskError(f"no wrong answer for {text[:60]!r} in its file: give more questions with other answers")
