"""Pairs from OpenAssistant message trees (Köpf et al. 2023, arXiv 2304.07327): oasst1 and oasst2.

English prompts that open a conversation, with two or more replies that people ranked among each other (0 is
best). Deleted messages and replies without a rank are left out. The reply with the better rank counts as one
human vote. The paper does not say which pairs it drew from the ranks, so `PAIRINGS` is an option; the default
compares the best reply with each other one.

All pairs of a tree are in one split, so no prompt is in two. Prompts and metrics are elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise

from tasks.errors import TaskError
from tasks.judge.pairs import Pair
from tasks.sources import Row, content_hash, require

LOCAL_SHARES = (("train", 55), ("validation", 10), ("test", 35))
"""Percent of the trees in each split, if there is one file of trees (the validation split of oasst1)."""
HUB_SHARES = (("train", 95), ("validation", 5))
"""The same for the hub's train split; the hub's validation split is the test."""

Ranked = Sequence[str]
"""Texts of the replies to one prompt, best first."""


def _best_vs_each(replies: Ranked) -> list[tuple[str, str]]:
    return [(replies[0], other) for other in replies[1:]]


def _adjacent(replies: Ranked) -> list[tuple[str, str]]:
    return list(pairwise(replies))


def _best_vs_worst(replies: Ranked) -> list[tuple[str, str]]:
    return [(replies[0], replies[-1])]


def _every(replies: Ranked) -> list[tuple[str, str]]:
    return list(combinations(replies, 2))


PAIRINGS: Mapping[str, Callable[[Ranked], list[tuple[str, str]]]] = {
    "best_vs_each": _best_vs_each,
    "adjacent": _adjacent,
    "best_vs_worst": _best_vs_worst,
    "all": _every,
}
"""Task argument `pairs` -> (better, worse) pairs of the replies to one prompt."""


def pairs(rows: Sequence[Row], shares: Sequence[tuple[str, int]], pairing: str) -> dict[str, list[Pair]]:
    """Split -> pairs; `shares` are percent of the trees, 100 in sum. TaskError for bad rows or pairing."""
    if pairing not in PAIRINGS:
        raise TaskError(f"task argument pairs={pairing!r}: use one of {', '.join(PAIRINGS)}")
    openings = {
        require(row, "message_id", str): row for row in rows if _is(row, "prompter") and _parent(row) is None
    }
    replies: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        rank, parent = require(row, "rank", (int, float, type(None))), _parent(row)
        if rank is not None and not 0 <= rank < 1_000_000:
            raise TaskError(f"{row.where}: 'rank' is {rank}, expected a number from 0: fix or remove the row")
        if rank is not None and parent in openings and _is(row, "assistant"):
            replies[str(parent)].append((int(rank), require(row, "text", str).strip()))
    splits: dict[str, list[Pair]] = {split: [] for split, _ in shares}
    for message, ranked in replies.items():
        opening = openings[message]
        question = require(opening, "text", str).strip()
        texts = list(dict.fromkeys(text for _, text in sorted(ranked)))
        split = _split(require(opening, "message_tree_id", str), shares)
        splits[split] += [
            Pair((message, better, worse), question, better, worse, votes_first=1)
            for better, worse in (PAIRINGS[pairing](texts) if len(texts) > 1 else ())
        ]
    return splits


def _is(row: Row, role: str) -> bool:
    """Whether `row` is an English message of that role that was not deleted."""
    return require(row, "role", str) == role and require(row, "lang", str) == "en" and not row.get("deleted")


def _parent(row: Row) -> str | None:
    """The message that this one replies to; None for an opening."""
    parent = row.get("parent_id")
    if parent is not None and not isinstance(parent, str):
        raise TaskError(f"{row.where}: 'parent_id' is not text: fix or remove the row")
    return parent


def _split(tree: str, shares: Sequence[tuple[str, int]]) -> str:
    place = int(content_hash("oasst", tree), 16) % 100
    for split, percent in shares[:-1]:
        if place < percent:
            return split
        place -= percent
    return shares[-1][0]
