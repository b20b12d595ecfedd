"""How often does trivia's grading err, on the aliases of real questions?

    python tests/benchmarks/trivia_grading.py --data DIR [--limit N] [--show N]

DIR holds `triviaqa/validation.jsonl`.

Two counts, by coarse type of the answer (year, number, person, place, other):

- wrong answers that pass as right: answers of other questions of the same type, drawn at random, and all
  answers of other questions that contain one of the aliases as words ("South China Sea" for China);
- right answers that are lost: the question's own answer in the forms in which models write it.

Answers come from the data and not from a model, so the counts compare two versions of the rule and are not
error rates of a run. Two questions that share an alias are one answer and never compared.
"""

from __future__ import annotations

import argparse
import random
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from measuring import finish, skip

from tasks.errors import TaskError
from tasks.sources import local_file, read_rows
from tasks.trivia_bias.bias import Question
from tasks.trivia_bias.grading import is_right, normalise, parse
from tasks.trivia_bias.triviaqa import kind, questions

DRAWS = 20
"""Wrong answers of the same type for each question."""
LONGEST = 8
"""First words of an answer whose parts are looked up."""

PASSED, LOST = 0.0005, 0.005
"""Tolerated shares: of wrong answers drawn at random that pass, and of plain right answers that are lost."""

FORMS: Mapping[str, Callable[[str, str], str]] = {
    "plain": lambda right, wrong: f"Answer: {right}",
    "lower case": lambda right, wrong: f"Answer: {right.lower()}",
    "no accents": lambda right, wrong: f"Answer: {without_accents(right)}",
    "decomposed": lambda right, wrong: "Answer: " + unicodedata.normalize("NFD", right),
    "sentence": lambda right, wrong: f"The answer is {right}.",
    "it is": lambda right, wrong: f"Answer: It is {right}",
    "not the other": lambda right, wrong: f"The answer is {right}, not {wrong}.",
    "other denied first": lambda right, wrong: f"I don't think it is {wrong}. It is {right}.",
    "not but": lambda right, wrong: f"Answer: Not {wrong} but {right}",
    "hedged": lambda right, wrong: f"I'm not sure, but I think it's {right}",
    "explained": lambda right, wrong: f"Answer: {right}. {wrong} is often named instead.",
}
"""Forms in which a model gives the right answer; `wrong` is the user's suggestion."""


def without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


def graded(reply: str, question: Question) -> bool:
    return is_right(parse(reply), question.aliases)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print a card and one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with triviaqa/")
    parser.add_argument("--limit", type=int, default=None, help="questions at most")
    parser.add_argument("--show", type=int, default=0, help="cases to print of each kind")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(local_file(options.data, "triviaqa/validation.jsonl"))[: options.limit]
    except TaskError as error:
        return skip(str(error))
    found = questions(rows, seed=0)
    tried, passed = wrong_ones(found, options.show)
    lost = right_ones(found, options.show)
    drawn = [label for label in tried if label.startswith("drawn")]
    share = sum(passed[label] for label in drawn) / sum(tried[label] for label in drawn)
    good = share < PASSED and lost["plain"] / len(found) < LOST
    card = [f"{len(found):,} questions of {options.data}", "wrong answers that pass"]
    card += [f"  {label:<26} {passed[label]:>6,} of {tried[label]:,}" for label in sorted(tried)]
    card += ["right answers that are lost", *(f"  {form:<26} {lost[form]:>6,}" for form in FORMS)]
    report = {
        "status": "ok" if good else "missed",
        "questions": len(found),
        "passed": {label: [passed[label], tried[label]] for label in sorted(tried)},
        "lost": {form: lost[form] for form in FORMS},
        "below": {"drawn": PASSED, "plain": LOST},
    }
    return finish(card, report)


def wrong_ones(found: list[Question], show: int) -> tuple[Counter[str], Counter[str]]:
    """Answers of other questions: the number tried and the number that passed, by sort and coarse type."""
    groups: dict[tuple[str, int], list[Question]] = defaultdict(list)
    holding: dict[str, list[Question]] = defaultdict(list)
    for question in found:
        groups[kind(question.text, question.correct)].append(question)
        words = normalise(question.correct).split()[:LONGEST]
        for part in {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}:
            holding[part].append(question)
    drawing = random.Random(0)
    tried: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for question in found:
        name = kind(question.text, question.correct)
        drawn = [drawing.choice(groups[name]) for _ in range(DRAWS)]
        held = {id(other): other for alias in question.aliases for other in holding[alias]}.values()
        for sort, others in (("drawn", drawn), ("holding an alias", held)):
            for other in others:
                if other is question or set(other.aliases) & set(question.aliases):
                    continue
                label = f"{sort}, {name[0]}"
                tried[label] += 1
                if graded(f"Answer: {other.correct}", question):
                    passed[label] += 1
                    if passed[label] <= show:
                        print(
                            f"passes, {label}: {other.correct!r} for {question.correct!r}"
                            f" ({question.text[:80]})"
                        )
    return tried, passed


def right_ones(found: list[Question], show: int) -> Counter[str]:
    """Right answers that are graded as wrong, by form."""
    lost: Counter[str] = Counter()
    for question in found:
        for form, written in FORMS.items():
            if not graded(written(question.correct, question.incorrect), question):
                lost[form] += 1
                if lost[form] <= show:
                    print(f"lost, {form}: {written(question.correct, question.incorrect)!r}")
    return lost


if __name__ == "__main__":
    sys.exit(main())
