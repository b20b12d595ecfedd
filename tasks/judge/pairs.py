"""A pair of responses and its human votes, and the two prompts that ask a judge about it.

Every pair is asked in both orders: two rows, one cluster. Votes change places with the responses, so
`votes_a` always counts the votes for the response shown first in that row. The prompt is the direct judge of
the paper (the idea is from Zheng et al. 2023, arXiv 2306.05685, the wording is ours): question, both
responses, then the instruction. Branch-Solve-Merge prompts begin with the same words, so the prompts of one
row share a prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tasks.sources import content_hash
from tasks.spec import TaskRow

ORDERS = ("as_given", "swapped")

SHOWN = "Question:\n{question}\n\nResponse A:\n{response_a}\n\nResponse B:\n{response_b}"
VERDICT_FORM = '"[[A]]", "[[B]]" or "[[C]]" (a tie)'
JUDGE = (
    "Act as an impartial judge of the two responses. Weigh how helpful, relevant, accurate, thorough, "
    "creative and detailed each one is. Do not let their order, their length or any name sway you. "
    "Reply only with the verdict: [[A]] if Response A is better, [[B]] if Response B is better, "
    "[[C]] for a tie."
)
"""The last paragraph of the prompt for real data."""
JUDGE_GENERATED = (
    "Which response is better in relevance, politeness and detail? "
    "Reply only with the verdict: [[A]], [[B]] or [[C]] for a tie."
)
"""The same for generated data, whose gold follows from these three."""

NO_RESPONSE = "(empty)"
"""Shown for an empty response: the vote is on that, and a blank would look like a broken prompt."""


@dataclass(frozen=True)
class Pair:
    """Two responses to one question, with the number of votes for each and for a tie."""

    key: tuple[Any, ...]
    """Names the pair in its data set; equal keys are one cluster."""
    question: str
    first: str
    second: str
    votes_first: int = 0
    votes_second: int = 0
    votes_tie: int = 0


def rows(task: str, pairs: Iterable[Pair], instruction: str = JUDGE) -> list[TaskRow]:
    """Two rows a pair, one for each order. `weight` is the number of votes, `weights` that of other metrics.

    Without ties only votes for a response count as weight; inconsistency and the first-position rate count
    prompts. `item_id` depends on the pair, since two models may give the same text and get different votes.
    """
    return [_row(task, pair, order, instruction) for pair in pairs for order in ORDERS]


def _row(task: str, pair: Pair, order: str, instruction: str) -> TaskRow:
    a, b, votes_a, votes_b = pair.first, pair.second, pair.votes_first, pair.votes_second
    if order == "swapped":
        a, b, votes_a, votes_b = b, a, votes_b, votes_a
    shown = SHOWN.format(question=pair.question, response_a=a or NO_RESPONSE, response_b=b or NO_RESPONSE)
    prompt = f"{shown}\n\n{instruction}"
    votes = votes_a + votes_b + pair.votes_tie
    cluster = content_hash(task, *pair.key)
    gold = majority(votes_a, votes_b, pair.votes_tie)
    return {
        "item_id": content_hash(task, prompt, gold, cluster, order),
        "cluster_id": cluster,
        "weight": float(votes),
        "weights": json.dumps(
            {"agreement_no_ties": votes_a + votes_b, "inconsistency": 1, "first_position": 1}
        ),
        "prompt": prompt,
        "question": shown,
        "user_question": pair.question,
        "response_a": a or NO_RESPONSE,
        "response_b": b or NO_RESPONSE,
        "answer_form": VERDICT_FORM,
        "target": gold,
        "text": "\n".join((pair.question, a, b)),
        "order": order,
        "votes_a": votes_a,
        "votes_b": votes_b,
        "votes_tie": pair.votes_tie,
        "n": votes,
    }


def majority(votes_a: int, votes_b: int, votes_tie: int) -> str:
    """The verdict with the most votes, `A`, `B` or `C`; `C` if two share the lead."""
    votes = {"A": votes_a, "B": votes_b, "C": votes_tie}
    leaders = [verdict for verdict, count in votes.items() if count == max(votes.values())]
    return leaders[0] if len(leaders) == 1 else "C"
