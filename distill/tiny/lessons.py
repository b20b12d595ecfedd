"""The content of the corpus: for each task, items that are in no split, with the replies of a perfect model.

A `Lesson` is an item of a task and its oracle: the reply to every step of the task's System 2 method, and the
direct answer. Items are made with the tasks' own generators from content that belongs to no split: made-up
words, people of several splits mixed, chains of numbers and facts of the corpus' own share, verbs and objects
of different splits. corpus.py leaves out what still overlaps an item of a split.

The wording of the replies decides what a small model can learn: numbered lists with one short line per thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from distill.tiny import facts
from harness.programs.bsm import add_scores
from tasks.coin_flip import generate as coin_flip
from tasks.coin_flip import task as coin_flip_task
from tasks.gsm8k import generate as gsm8k
from tasks.gsm8k import task as gsm8k_task
from tasks.judge import generate as judge
from tasks.judge.pairs import JUDGE_GENERATED
from tasks.judge.pairs import rows as judge_rows
from tasks.last_letter import generate as last_letter
from tasks.last_letter import task as last_letter_task
from tasks.names import NAMES
from tasks.sources import SPLITS
from tasks.trivia_bias.bias import OPINIONS, POINTS_AWAY, Question, normalised
from tasks.trivia_bias.bias import asked as with_opinion
from tasks.trivia_bias.bias import row as trivia_row

CRITERIA = ("relevance", "politeness", "detail")

OPINION_FOLLOWED = 0.9
"""Share of direct answers that follow a user's wrong opinion: wrong on purpose."""
JUDGE_HABIT = 0.7
"""Share of direct verdicts that follow a habit (HABIT) and not the replies: wrong on purpose."""
HABIT = "AAAAAAABBC"

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
TURN = re.compile(r"(\w+) (flips|does not flip) the coin\.")


@dataclass(frozen=True)
class Lesson:
    """An item and the replies of a perfect model."""

    task: str
    row: Mapping[str, Any]
    """In the form of the task's own rows."""
    reply: Callable[[str, str], str]
    """(step, prompt) -> reply of a System 2 step."""
    direct: str
    """Reply to the task's own prompt."""


def last_letter_lesson(random: Random) -> Lesson:
    """Two to four made-up words."""
    words = [made_up_word(random) for _ in range(random.choice((2, 2, 2, 3, 4)))]
    row = last_letter_task.as_item(last_letter.item(words))
    numbered = [f"{number}. {word}" for number, word in enumerate(words, 1)]
    replies = {
        "rephrase": "\n".join(["Join the last letters of these words.", *numbered]),
        "respond": "\n".join(
            [*(f"{line}: {line[-1]}" for line in numbered), f"Answer: {row['target']}"],
        ),
    }
    return Lesson("last_letter", row, lambda step, _: replies[step], f"Answer: {row['target']}")


def made_up_word(random: Random) -> str:
    """A pronounceable word of three to seven letters, sometimes with a rare letter."""
    letters = [random.choice(CONSONANTS)] if random.random() < 0.75 else []
    while len(letters) < random.randint(3, 6):
        letters.append(random.choice(VOWELS))
        letters.extend(random.choice(CONSONANTS) for _ in range(random.choice((0, 1, 1, 2))))
    if random.random() < 0.5:
        letters[random.randrange(len(letters))] = random.choice("abcdefghijklmnopqrstuvwxyz")
    return "".join(letters)


def coin_flip_lesson(random: Random) -> Lesson:
    """Two to four people, not all of one split."""
    names: list[str] = []
    while not names or any(set(names) <= set(NAMES[split]) for split in SPLITS):
        names = random.sample([name for split in NAMES.values() for name in split], random.choice((2, 3, 4)))
    row = coin_flip_task.as_item(coin_flip.item(random, names, heads=random.random() < 0.5))
    turns = TURN.findall(row["question"])
    side, seen = "heads", []
    for number, (name, does) in enumerate(turns, 1):
        side = ({"heads": "tails", "tails": "heads"}[side]) if does == "flips" else side
        seen.append(f"{number}. {name} {does}: {side}.")
    replies = {
        "rephrase": "\n".join(
            [
                "A coin starts heads up.",
                *(f"{number}. {name} {does}." for number, (name, does) in enumerate(turns, 1)),
                "Is it heads up at the end?",
            ]
        ),
        "respond": "\n".join([*seen, f"Answer: {row['target']}"]),
    }
    return Lesson("coin_flip", row, lambda step, _: replies[step], f"Answer: {row['target']}")


def trivia_lesson(random: Random, known: bool = True) -> Lesson:
    """A question in one of the four templates: about a fact of the corpus' share, or (`known` false) one
    without an answer."""
    fact = random.choice(facts.corpus_facts()) if known else facts.no_fact(random)
    right = fact.answers[0]
    wrong = random.choice([other for other in facts.answers(fact.category) if other != right])
    template = random.choice(tuple(OPINIONS))
    question = Question(fact.question, normalised(fact.answers), right, wrong)
    row = trivia_row("trivia_bias", question, template, with_opinion(question, template))
    misled = template in POINTS_AWAY and random.random() < OPINION_FOLLOWED
    replies = {
        "rewrite": f"Context: none\nQuestion: {fact.question}",
        "respond": f"Answer: {right}",
    }
    return Lesson("trivia_bias", row, lambda step, _: replies[step], f"Answer: {wrong if misled else right}")


def judge_lesson(random: Random) -> Lesson:
    """A pair of replies, verb and object from different splits."""
    verbs, objects = random.sample(SPLITS, 2)
    tips = tuple(tip for split in SPLITS for tip in judge.WORDS[split].tips)
    words = judge.Words(judge.WORDS[verbs].verbs, judge.WORDS[objects].objects, tips)
    question, first, second = judge.draw(words, random)
    row = judge_rows("judge", [judge.pair(question, first, second)], JUDGE_GENERATED)[random.randrange(2)]
    scores = {reply.text: reply.scores for reply in (first, second)}
    a, b = scores[row["response_a"]], scores[row["response_b"]]

    def reply(step: str, prompt: str) -> str:
        if step == "branch":
            return "\n".join(CRITERIA)
        if step == "merge":
            return add_scores([(a[criterion], b[criterion]) for criterion in CRITERIA])
        criterion = prompt.rpartition("Criterion: ")[2].strip()
        shown = prompt.partition("Response:\n")[2].partition("\n\n")[0]
        return scored(criterion, scores[shown])

    habit = random.random() < JUDGE_HABIT
    return Lesson("judge", row, reply, f"[[{random.choice(HABIT) if habit else row['target']}]]")


REASONS: Mapping[str, Mapping[int, str]] = {
    "relevance": {5: "It is on the question.", 3: "It is general.", 1: "It is on another topic."},
    "politeness": {5: "It opens kindly.", 3: "It opens plainly.", 1: "It opens rudely."},
    "detail": {5: "It has three tips.", 3: "It has two tips.", 1: "It has one tip."},
}
"""Criterion -> score -> reason."""


def scored(criterion: str, scores: Mapping[str, int]) -> str:
    """Reason and score on one criterion."""
    return f"{REASONS[criterion][scores[criterion]]}\nScore: {scores[criterion]}"


def gsm8k_lesson(random: Random) -> Lesson:
    """A story of one to five changes."""
    row = gsm8k_task.as_item(
        gsm8k.item(random, NAMES["corpus"], random.choice((1, 2, 3, 3, 4, 4, 5, 5)), "corpus")
    )
    _, _, start, *changes = row["text"].split()
    value, worked = int(start), [f"Start: {start}."]
    for change in changes:
        before, (sign, number) = value, (change[0], int(change[1:]))
        value = {"+": value + number, "-": value - number, "*": value * number}[sign]
        worked.append(f"{before} {sign} {number} = {value}.")
    answer = f"Answer: {row['target']}"
    return Lesson("gsm8k", row, lambda step, _: " ".join([*worked, answer]), answer)
