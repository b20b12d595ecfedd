"""Pairs with human votes: MT-bench (lmsys/mt_bench_human_judgments) and the test set of PandaLM.

One `Pair` holds all votes on it, from all judges and for both orders of the models in the file.

- *MT-bench* (Zheng et al. 2023, arXiv 2306.05685): a pair is (question, two models, turn). A vote on turn 2
  is on the whole conversation: the question then holds both user messages and each response holds that
  model's two answers.
- *PandaLM* (Wang et al. 2023, arXiv 2306.05087): three annotators a row. Rows with the same texts are one
  pair, since models often answer alike. In a few rows a response is the JSON value true instead of the text,
  some responses are empty, and one row has its task only in `input`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.errors import TaskError
from tasks.judge.pairs import Pair
from tasks.sources import Row, require

TWO_TURNS = "First message:\n{first}\n\nSecond message:\n{second}"
TWO_ANSWERS = "To the first message:\n{first}\n\nTo the second message:\n{second}"

Vote = tuple[int, int, int]
"""Votes for the first response, for the second, for a tie."""
MT_BENCH_VOTES: Mapping[str, Vote] = {"model_a": (1, 0, 0), "model_b": (0, 1, 0), "tie": (0, 0, 1)}
PANDALM_VOTES: Mapping[int, Vote] = {1: (1, 0, 0), 2: (0, 1, 0), 0: (0, 0, 1)}
ANNOTATORS = ("annotator1", "annotator2", "annotator3")


def mt_bench(rows: Sequence[Row]) -> list[Pair]:
    """The pairs of `rows`, one vote a row; the models of a pair are in alphabetical order."""
    votes: dict[tuple[Any, ...], list[Vote]] = defaultdict(list)
    texts: dict[tuple[Any, ...], tuple[str, str, str]] = {}
    for row in rows:
        models = [require(row, "model_a", str), require(row, "model_b", str)]
        turn, winner = require(row, "turn", int), require(row, "winner", str)
        if turn not in (1, 2):
            raise TaskError(f"{row.where}: 'turn' is {turn}, expected 1 or 2: fix or remove the row")
        if winner not in MT_BENCH_VOTES:
            expected = ", ".join(MT_BENCH_VOTES)
            raise TaskError(
                f"{row.where}: 'winner' is {winner!r}, expected {expected}: use the split `human`"
            )
        turned = models != sorted(models)
        key = (require(row, "question_id", int), *sorted(models), turn)
        (question, a), (same, b) = (_conversation(row, f"conversation_{side}", turn) for side in "ab")
        if question != same:
            raise TaskError(
                f"{row.where}: the two conversations ask different questions: fix or remove the row"
            )
        texts.setdefault(key, (question, b, a) if turned else (question, a, b))
        votes[key].append(_turned(MT_BENCH_VOTES[winner]) if turned else MT_BENCH_VOTES[winner])
    return [Pair(key, *texts[key], *_total(votes[key])) for key in texts]


def pandalm(rows: Sequence[Row]) -> list[Pair]:
    """The pairs of `rows`, three votes a row; the order is that of the first row with these texts."""
    votes: dict[tuple[str, str, str], list[Vote]] = defaultdict(list)
    for row in rows:
        question = "\n\n".join(part for part in (_text(row, "instruction"), _text(row, "input")) if part)
        if not question:
            raise TaskError(f"{row.where}: neither 'instruction' nor 'input' has text: fix or remove the row")
        first, second = (_text(row, key) for key in ("response1", "response2"))
        turned = first != second and (question, second, first) in votes
        key = (question, second, first) if turned else (question, first, second)
        for annotator in ANNOTATORS:
            label = require(row, annotator, int)
            if label not in PANDALM_VOTES:
                raise TaskError(
                    f"{row.where}: {annotator!r} is {label}, expected 0, 1 or 2: fix or remove the row"
                )
            votes[key].append(_turned(PANDALM_VOTES[label]) if turned else PANDALM_VOTES[label])
    return [Pair(key, *key, *_total(given)) for key, given in votes.items()]


def _conversation(row: Row, key: str, turn: int) -> tuple[str, str]:
    """(question, response) of a conversation up to `turn`: one message each, or both joined."""
    messages = require(row, key, list)
    contents = [message.get("content") if isinstance(message, dict) else None for message in messages]
    texts = [text for text in contents[: 2 * turn] if isinstance(text, str)]
    if len(texts) < 2 * turn:
        raise TaskError(
            f"{row.where}: {key!r} needs {2 * turn} messages for turn {turn}: fix or remove the row"
        )
    if turn == 1:
        return texts[0].strip(), texts[1].strip()
    asked = TWO_TURNS.format(first=texts[0].strip(), second=texts[2].strip())
    return asked, TWO_ANSWERS.format(first=texts[1].strip(), second=texts[3].strip())


def _text(row: Row, key: str) -> str:
    """`row[key]` as text, which may be empty; JSON true and false are read as words."""
    if key not in row or not isinstance(row[key], (str, bool)):
        raise TaskError(f"{row.where}: {key!r} must be text: fix or remove the row")
    return str(row[key]).strip()


def _turned(vote: Vote) -> Vote:
    return vote[1], vote[0], vote[2]


def _total(votes: Sequence[Vote]) -> Vote:
    first, second, tie = (sum(column) for column in zip(*votes, strict=True))
    return first, second, tie
