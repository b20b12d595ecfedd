"""Generated pairs of short replies; which is better follows from their surface.

A reply is an opening, a line that takes up the question or does not, and one to three tips. Three things are
scored, each 1, 3 or 5 as in a judge's scale from 1 to 5: politeness (the opening), relevance (the line) and
detail (the number of tips). The gold verdict is the greater sum; equal sums are a tie.

Each split has its own verbs, objects and tips, so no item and no sentence with content is shared; openings
are the same everywhere, since they carry the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tasks.judge.pairs import Pair
from tasks.sources import rng

SIZES = {"train": 1200, "validation": 150, "test": 300}
"""Pairs in each split; every pair is asked in both orders."""

OPENINGS: Mapping[int, tuple[str, ...]] = {
    5: ("Thank you for asking.", "I am happy to help.", "What a good question."),
    3: ("", "Okay.", "Here you go."),
    1: ("What a silly question.", "Not this again.", "You should know that."),
}
"""Politeness -> possible openings of a reply."""
LINES: Mapping[int, str] = {
    5: "To {verb} the {object}:",
    3: "In general:",
    1: "On another topic, to {other_verb} the {other_object}:",
}
"""Relevance -> the line that takes up the question, or does not."""
DETAIL: Mapping[int, int] = {5: 3, 3: 2, 1: 1}
"""Detail -> number of tips."""
QUESTION = "How do I {verb} the {object}?"


@dataclass(frozen=True)
class Words:
    """The words for the items of one split."""

    verbs: tuple[str, ...]
    objects: tuple[str, ...]
    tips: tuple[str, ...]


def _words(verbs: str, objects: str, tips: str) -> Words:
    sentences = tuple(f"{tip.strip()}." for tip in tips.split(".") if tip.strip())
    return Words(tuple(verbs.split()), tuple(objects.split()), sentences)


WORDS: Mapping[str, Words] = {
    "train": _words(
        "fix clean paint move open store wash carry lift sell pack dry",
        "bike table lamp car door boat chair clock piano tent shelf mirror",
        "Work slowly. Wear gloves. Use a soft cloth. Ask a friend. Read the manual. Take a photo first. "
        "Keep it level. Use warm water. Start at the top. Check each screw. Cover the floor. Wait an hour.",
    ),
    "validation": _words(
        "hang polish fold bend tie",
        "picture ladder basket rope bench",
        "Count to ten. Hold it tight. Look for cracks. Mark the middle. Use both hands. Save the parts.",
    ),
    "test": _words(
        "repair wrap lock build measure cut hide test",
        "fence window drum stove kite wagon sofa radio",
        "Plan ahead. Turn it over. Bring a torch. Make a sketch. Stay patient. Choose a dry day. "
        "Sort the pieces. Buy spare tape. Press gently. Label every side.",
    ),
}
"""Split -> its words; no verb, object or tip is in two splits."""


@dataclass(frozen=True)
class Reply:
    """A response and its scores by criterion, 1, 3 or 5."""

    text: str
    scores: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.scores.values())


def pairs(split: str, seed: int) -> list[Pair]:
    """`SIZES[split]` pairs that differ in question or replies, with the gold verdict as one vote."""
    random = rng("judge", split, seed)
    made: dict[tuple[str, str, str], Pair] = {}
    while len(made) < SIZES[split]:
        question, first, second = draw(WORDS[split], random)
        key = (question, min(first.text, second.text), max(first.text, second.text))
        if first.text != second.text and key not in made:
            made[key] = pair(question, first, second)
    return list(made.values())


def draw(words: Words, random: Random) -> tuple[str, Reply, Reply]:
    """A question about `words` and two replies with scores."""
    verb, other_verb = random.sample(words.verbs, 2)
    thing, other_thing = random.sample(words.objects, 2)
    names = {"verb": verb, "object": thing, "other_verb": other_verb, "other_object": other_thing}
    return QUESTION.format(**names), _reply(words, names, random), _reply(words, names, random)


def _reply(words: Words, names: Mapping[str, str], random: Random) -> Reply:
    politeness, relevance, detail = (random.choice((1, 3, 5)) for _ in range(3))
    opening = random.choice(OPENINGS[politeness])
    tips = random.sample(words.tips, DETAIL[detail])
    text = " ".join(part for part in (opening, LINES[relevance].format(**names), *tips) if part)
    return Reply(text, {"relevance": relevance, "politeness": politeness, "detail": detail})


def pair(question: str, first: Reply, second: Reply) -> Pair:
    """The pair with its gold verdict as one vote."""
    difference = first.total - second.total
    return Pair(
        (question, first.text, second.text),
        question,
        first.text,
        second.text,
        votes_first=int(difference > 0),
        votes_second=int(difference < 0),
        votes_tie=int(difference == 0),
    )
