"""The table of facts as plain statements and as questions in other words than the task's.

A model must know a fact before a user's opinion can mislead it. Facts that test items, validation items and
distillation inputs ask about are in the corpus only in these words; only the corpus' own share of facts is
also asked about in the task's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random

from tasks.trivia_bias.generate import WORDING, Fact, facts

STATEMENTS: Mapping[str, tuple[str, str]] = {
    "author": ("{s} was written by {a}.", "Name the author of {s}."),
    "capital": ("The capital of {s} is {a}.", "Name the capital of {s}."),
    "composer": ("{s} was composed by {a}.", "Name the composer of {s}."),
    "continent": ("The continent of {s} is {a}.", "Name the continent of {s}."),
    "currency": ("The currency of {s} is {a}.", "Name the currency of {s}."),
    "deity": ("{a} is {s}.", "Give the name of {s}."),
    "discoverer": ("{s} goes back to {a}.", "Name the discoverer or inventor of {s}."),
    "language": ("The language of government in {s} is {a}.", "Name the language of government in {s}."),
    "opposite": ('The opposite of "{s}" is {a}.', 'Name the opposite of "{s}".'),
    "painter": ("{s} was painted by {a}.", "Name the painter of {s}."),
    "planet": ("The {s} planet from the Sun is {a}.", "Name the {s} planet from the Sun."),
    "state_capital": (
        "The capital of the US state of {s} is {a}.",
        "Name the capital of the US state of {s}.",
    ),
    "symbol": ("The chemical symbol for {s} is {a}.", "Name the chemical symbol for {s}."),
    "young": ("A baby {s} is called {a}.", "Give the name for a baby {s}."),
}
"""Category -> a statement of the fact, and a question about it that is not the task's."""


def statement(fact: Fact) -> str:
    """The fact as a sentence."""
    return STATEMENTS[fact.category][0].format(s=fact.subject, a=fact.answers[0])


def other_question(fact: Fact) -> str:
    """A question about the fact in other words than the task's."""
    return STATEMENTS[fact.category][1].format(s=fact.subject)


@cache
def by_subject() -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """Every subject of the table with its facts."""
    found: dict[str, list[Fact]] = {}
    for fact in facts():
        found.setdefault(fact.subject, []).append(fact)
    return tuple((subject, tuple(about)) for subject, about in found.items())


@cache
def corpus_facts() -> tuple[Fact, ...]:
    """Facts that no split asks about."""
    return tuple(fact for fact in facts() if fact.split == "corpus")


@cache
def answers(category: str) -> tuple[str, ...]:
    """Different answers of a category, in the form that is shown."""
    return tuple(dict.fromkeys(fact.answers[0] for fact in facts() if fact.category == category))


@cache
def _known() -> frozenset[tuple[str, str]]:
    return frozenset((fact.category, fact.subject) for fact in facts())


def no_fact(random: Random) -> Fact:
    """A question of one category about a subject of another, with any answer of the category: it cannot be
    answered, only copied, and it is not an item of any split."""
    while True:
        category, subject = random.choice(tuple(WORDING)), random.choice(by_subject())[0]
        if (category, subject) not in _known():
            return Fact(category, subject, (random.choice(answers(category)),))
