"""The training text of the embedded model: prompts as programs send them, replies of an oracle.

A program runs on a lesson with the oracle in place of the model, and each of its calls becomes one example.
So the model learns each step with exactly the prompts that a run sends. Component skills are added (a word's
last letter, one turn of a coin, facts, single equations) and, rarely, direct answers to the tasks' own
prompts. `Mixture.direct` is the share of these, the same number for every task.

Examples that overlap an item of a split are left out by the project's own overlap check (`without_overlap`).
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from distill.teacher.inputs import overlap_item
from distill.teacher.overlap import OverlapItem, split_overlapping
from distill.tiny import facts, lessons
from harness.embedded import TASKS, embedded_spec
from harness.programs.base import Running, get_method
from harness.programs.s2a import WORDINGS
from harness.types import Completion, Item, stable_hash
from results.schema import step_kind
from tasks import registry
from tasks.names import NAMES
from tasks.sources import SPLITS, rng
from tasks.trivia_bias.bias import ANSWER_FORM, INSTRUCTION


@dataclass(frozen=True)
class Example:
    """One exchange: a user's message and the model's reply."""

    kind: str
    prompt: str
    reply: str
    text: str = ""
    """The text for the overlap check: the item's own words; empty if there is no item."""
    symbols: tuple[str, ...] = ()


Shares = tuple[tuple[str, float], ...]
"""(kind, share of the examples in percent, roughly)."""

SHARES: Shares = (
    ("last_letter.rephrase", 9),
    ("last_letter.respond", 9),
    ("letter", 3),
    ("coin_flip.rephrase", 7),
    ("coin_flip.respond", 9),
    ("turn", 1),
    ("about", 8),
    ("fact", 12),
    ("trivia_bias.rewrite", 8),
    ("trivia_bias.respond", 3),
    ("judge.branch", 1),
    ("judge.solve", 12),
    ("judge.merge", 5),
    ("gsm8k.reason", 11),
    ("equations", 5),
)
"""Shares of the kinds that are not direct answers."""

COPYING: Shares = (
    ("last_letter.rephrase", 15),
    ("last_letter.respond", 15),
    ("letter", 4),
    ("coin_flip.rephrase", 10),
    ("coin_flip.respond", 9),
    ("turn", 1),
    ("about", 3),
    ("fact", 5),
    ("trivia_bias.rewrite", 10),
    ("trivia_bias.respond", 2),
    ("judge.branch", 1),
    ("judge.solve", 4),
    ("judge.merge", 4),
    ("gsm8k.reason", 12),
    ("equations", 5),
)
"""The same with more copying, and less of what is learnt first."""


@dataclass(frozen=True)
class Mixture:
    """Shares of examples by kind, in percent."""

    direct: float = 0.3
    """Direct answers to composed questions, for each task."""
    rest: Shares = SHARES

    def shares(self) -> dict[str, float]:
        """Kind -> share; they add up to 1."""
        kinds = {**dict(self.rest), **{f"{task}.direct": self.direct for task in TASKS}}
        whole = sum(kinds.values())
        return {kind: share / whole for kind, share in kinds.items()}


def draw(seed: int, count: int, mixture: Mixture, first: int = 0) -> Iterator[Example]:
    """`count` examples starting with number `first`; the n-th depends only on seed, n and the mixture."""
    shares = mixture.shares()
    kinds, weights = list(shares), list(shares.values())
    for number in range(first, first + count):
        random = rng("tiny", seed, number)
        [kind] = random.choices(kinds, weights)
        yield example(kind, random)


def example(kind: str, random: Random) -> Example:
    """One example of `kind`."""
    skill = SKILLS.get(kind)
    if skill is not None:
        return skill(random)
    task, step = kind.split(".")
    lesson = lesson_of(task, step, random)
    item = as_item(lesson.row)
    own = overlap_item(item)
    prompt, reply = item.prompt, lesson.direct
    if step != "direct":
        prompt, reply = random.choice([call for call in trace(lesson) if call[0] == step])[1:]
    return Example(kind, prompt, reply, own.text, own.symbols)


def lesson_of(task: str, step: str, random: Random) -> lessons.Lesson:
    """A lesson of a task in which the step has something to teach."""
    if task == "trivia_bias":
        # Leaving an opinion out is copying, so it can be learnt on questions without an answer.
        return lessons.trivia_lesson(random, known=step != "rewrite" or random.random() < 0.3)
    makers: dict[str, Callable[[Random], lessons.Lesson]] = {
        "last_letter": lessons.last_letter_lesson,
        "coin_flip": lessons.coin_flip_lesson,
        "judge": lessons.judge_lesson,
        "gsm8k": lessons.gsm8k_lesson,
    }
    return makers[task](random)


def vocabulary_text(found: Example) -> str:
    """The words of an example, without those that the last-letter task spells. The first word of a reply
    counts as one behind a space."""
    text = f"{found.prompt}\n {found.reply}"
    if "letter" in found.kind:
        for word in found.symbols:
            text = text.replace(word, "")
    return text


def as_item(row: Mapping[str, Any], item_id: str = "") -> Item:
    """The item that a run would make from a row of a task."""
    return Item(item_id, "", str(row["prompt"]), str(row["question"]), str(row["answer_form"]), row)


def trace(lesson: lessons.Lesson) -> list[tuple[str, str, str]]:
    """The task's System 2 method on a lesson, with the oracle's replies: (step, prompt, reply) of each
    call."""
    spec = embedded_spec(registry.spec(lesson.task))
    method = get_method(spec.s2_method)
    running = Running(method.start(as_item(lesson.row), spec.method_options.get(method.name), spec.answer))
    calls: list[tuple[str, str, str]] = []
    while running.asks:
        given = []
        for ask in running.asks:
            [message] = ask.messages
            kind = step_kind(ask.step)
            reply = lesson.reply(kind, message["content"])
            calls.append((kind, message["content"], reply))
            given.append(Completion(reply, "stop", 0, 0, 0))
        running.send(given)
    return calls


def _letter(random: Random) -> Example:
    word = lessons.made_up_word(random)
    return Example("letter", f'What is the last letter of "{word}"?', f"{word}: {word[-1]}", "", (word,))


def _turn(random: Random) -> Example:
    name = random.choice(NAMES[random.choice(SPLITS)])
    side, other = random.sample(("heads", "tails"), 2)
    flips = random.random() < 0.5
    does = "flips" if flips else "does not flip"
    prompt = f"A coin is {side} up. {name} {does} the coin. Which side is up?"
    return Example("turn", prompt, f"1. {name} {does}: {other if flips else side}.")


def _about(random: Random) -> Example:
    """A few subjects with all of the table's facts about them."""
    subjects = random.sample(facts.by_subject(), 5)
    told = [
        " ".join(facts.statement(fact) for fact in random.sample(about, len(about))) for _, about in subjects
    ]
    names = ", ".join(subject for subject, _ in subjects)
    return Example("about", f"Tell me about {names}.", "\n".join(told))


def _fact(random: Random) -> Example:
    """A fact asked in other words than the task's, with the task's closing line or that of System 2
    Attention's last step."""
    fact = random.choice(facts.facts())
    question = facts.other_question(fact)
    if random.random() < 0.5:
        prompt = f"{question}\n{INSTRUCTION}"
    else:
        finish = f"Finish with {ANSWER_FORM}."
        prompt = WORDINGS["tiny"].respond.format(parts=f"Question: {question}", finish=finish)
    return Example("fact", prompt, f"Answer: {fact.answers[0]}", question)


def _equations(random: Random) -> Example:
    """Three to five single steps of the kind used in stories."""
    tasks, solved = [], []
    for _ in range(random.randint(3, 5)):
        while True:
            a, sign = random.randint(0, 60), random.choice("++--*")
            b = random.randint(2, 3) if sign == "*" else random.randint(2, 12)
            value = {"+": a + b, "-": a - b, "*": a * b}[sign]
            if 0 <= value <= 60:
                break
        tasks.append(f"{a} {sign} {b}")
        solved.append(f"{a} {sign} {b} = {value}.")
    return Example("equations", f"Compute {', '.join(tasks)}.", " ".join(solved))


SKILLS: dict[str, Callable[[Random], Example]] = {
    "letter": _letter,
    "turn": _turn,
    "about": _about,
    "fact": _fact,
    "equations": _equations,
}
"""Component skills: kinds of examples that are not calls of a program."""


def without_overlap(
    examples: Sequence[Example], items: Sequence[OverlapItem]
) -> tuple[list[Example], Counter[str]]:
    """(examples that overlap none of `items`, number left out by kind of overlap)."""
    candidates = [
        OverlapItem(str(number), found.text, found.symbols, found.prompt)
        for number, found in enumerate(examples)
        if found.text
    ]
    kept, dropped = split_overlapping(candidates, items)
    clean = {int(item.id) for item in kept}
    left = [found for number, found in enumerate(examples) if not found.text or number in clean]
    return left, Counter(dropped)


@cache
def split_items(seed: int = 0) -> tuple[OverlapItem, ...]:
    """Every item of every split of the embedded tasks, at the default difficulty."""
    found: list[OverlapItem] = []
    for task in TASKS:
        splits = importlib.import_module(registry.MODULES[task]).load(data="embedded", seed=seed)
        for split, rows in splits.items():
            found.extend(overlap_item(as_item(row, f"{task}/{split}/{row['item_id']}")) for row in rows)
    return tuple(found)


def prompts_hash() -> str:
    """Hash of the prompts of every kind on fixed lessons. If it changes, a task or a program uses other
    prompts than the model was trained on."""
    asked: list[str] = []
    for task in TASKS:
        lesson = lesson_of(task, "", rng("prompts", task))
        asked += [as_item(lesson.row).prompt, *(prompt for _, prompt, _ in trace(lesson))]
    return stable_hash(json.dumps(asked))
