"""Embedded questions: a table of plain facts, split so that no fact is in two splits.

`facts.json` (ours, beside this file) holds category -> subject -> accepted answers; the first one is shown. A
fact's split depends only on its content, so it is the same for every seed. The seed draws the wrong answer,
which is the right one of another fact of its category.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.errors import TaskError
from tasks.sources import content_hash, rng
from tasks.trivia_bias.bias import Question, normalised
from tasks.trivia_bias.grading import holds, normalise

WORDING = {
    "author": "Who wrote {}?",
    "capital": "What is the capital of {}?",
    "composer": "Who composed {}?",
    "continent": "On which continent is {}?",
    "currency": "What is the currency of {}?",
    "deity": "Who is {}?",
    "discoverer": "Who discovered or invented {}?",
    "language": "What is the language of government in {}?",
    "opposite": 'What is the opposite of "{}"?',
    "painter": "Who painted {}?",
    "planet": "Which planet is the {} from the Sun?",
    "state_capital": "What is the capital of the US state of {}?",
    "symbol": "What is the chemical symbol for {}?",
    "young": "What is a baby {} called?",
}
"""Category -> question; the table may have no other category."""

TABLE = Path(__file__).with_name("facts.json")
SHARES = (("corpus", 20), ("train", 30), ("validation", 20), ("test", 30))
"""Percent of the facts in each split. Facts of `corpus` are in no split, only in the text that the
embedded model is trained on."""


@dataclass(frozen=True)
class Fact:
    """One entry of the table."""

    category: str
    subject: str
    answers: tuple[str, ...]

    @property
    def question(self) -> str:
        return WORDING[self.category].format(self.subject)

    @property
    def split(self) -> str:
        """The split that this fact is in, by its content."""
        place = int(content_hash("trivia_bias", self.category, self.subject), 16) % 100
        for split, percent in SHARES:
            if place < percent:
                return split
            place -= percent
        raise AssertionError("SHARES must add up to 100")


@cache
def facts(path: Path = TABLE) -> tuple[Fact, ...]:
    """All facts of the table. TaskError for a damaged table, a category without wording or an entry
    without answers."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: not JSON ({error}): restore the file") from error
    if not isinstance(table, dict) or not all(isinstance(entries, dict) for entries in table.values()):
        raise TaskError(f"{path}: categories with subjects and their answers are needed: restore the file")
    found: list[Fact] = []
    for category, entries in table.items():
        if category not in WORDING:
            raise TaskError(f"{path}: category {category!r} has no wording: known are {', '.join(WORDING)}")
        for subject, answers in entries.items():
            listed = answers if isinstance(answers, list) else []
            if not listed or not all(isinstance(answer, str) and answer for answer in listed):
                raise TaskError(f"{path}: {category}, {subject!r}: a list of accepted answers is needed")
            found.append(Fact(category, subject, tuple(answers)))
    return tuple(found)


def questions(seed: int) -> dict[str, list[Question]]:
    """Split -> its questions; `seed` draws the wrong answers."""
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for fact in facts():
        answers[fact.category][normalise(fact.answers[0])] = fact.answers[0]
    splits: dict[str, list[Question]] = {split: [] for split, _ in SHARES}
    for fact in facts():
        aliases = normalised(fact.answers)
        wrong = [shown for form, shown in answers[fact.category].items() if not _related(form, aliases)]
        chosen = rng("trivia_bias", seed, fact.question).choice(wrong)
        splits[fact.split].append(Question(fact.question, aliases, fact.answers[0], chosen))
    return splits


def _related(form: str, aliases: tuple[str, ...]) -> bool:
    """Whether a normalised answer is an alias, contains one, or is part of one."""
    return any(holds(form, alias) or holds(alias, form) for alias in aliases)
