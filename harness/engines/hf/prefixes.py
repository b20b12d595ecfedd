"""Which prompts of a batch begin alike, and how waiting prompts are split into batches.

Samples of one prompt, the criteria of one judging plan and the worked examples of a few-shot prompt share
long beginnings; their keys and values are computed once. All functions here are pure functions of token ids:
no tensor, no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.types import Request

MIN_SHARED = 48
"""Shorter shared beginnings are not worth a second prefill pass."""

MIN_COMMON = 16
MIN_COMMON_SHARE = 0.15
"""A beginning that all rows share is computed once if it has this many ids and this share of their ids.
Below that, the cost of a mask is larger than the gain. Both values are chosen, not tuned."""


@dataclass(frozen=True)
class PrefixGroup:
    """Rows (positions in the batch) whose prompts share their first `length` ids."""

    length: int
    rows: tuple[int, ...]


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of leading ids that are equal."""
    limit = min(len(first), len(second))
    if tuple(first[:limit]) == tuple(second[:limit]):
        return limit
    low, high = 0, limit
    while high - low > 1:  # bisection: tuple comparison is far quicker than a loop over ids
        middle = (low + high) // 2
        if tuple(first[low:middle]) == tuple(second[low:middle]):
            low = middle
        else:
            high = middle
    return low


def common_beginning(pieces: Sequence[Sequence[int]]) -> int:
    """Number of leading ids that all pieces share, or 0 if too few for a separate pass. Each piece keeps
    at least one id."""
    least, most = min(pieces, key=tuple), max(pieces, key=tuple)
    length = min(common_prefix(least, most), min(map(len, pieces)) - 1)
    return length if worth_sharing(length, len(pieces), sum(map(len, pieces))) else 0


def worth_sharing(length: int, rows: int, ids: int) -> bool:
    """Whether a beginning of `length` ids that all `rows` share is worth a separate pass; they have `ids`
    ids together."""
    return length >= MIN_COMMON and length * (rows - 1) >= MIN_COMMON_SHARE * ids


def group_by_prefix(prompts: Sequence[Sequence[int]], shortest: int = MIN_SHARED) -> list[PrefixGroup]:
    """Splits all rows into groups. A group shares at least `shortest` ids, leaves each row at least one
    more id, and shares at least half of its shortest prompt, so that one very different prompt cannot
    spoil a group. Rows that share nothing get length 0."""
    order = sorted(range(len(prompts)), key=lambda row: tuple(prompts[row]))
    groups: list[PrefixGroup] = []
    current: list[int] = []
    shared = 0
    for row in order:
        if current:
            length = min(shared, common_prefix(prompts[current[0]], prompts[row]), len(prompts[row]) - 1)
            if length >= shortest and 2 * length >= len(prompts[row]):
                current.append(row)
                shared = length
                continue
            groups.append(PrefixGroup(shared if len(current) > 1 else 0, tuple(current)))
        current, shared = [row], len(prompts[row]) - 1
    if current:
        groups.append(PrefixGroup(shared if len(current) > 1 else 0, tuple(current)))
    return groups


def plan_batches(
    requests: Sequence[Request], max_rows: int, token_budget: int, separate: Callable[[Request], object]
) -> list[list[Request]]:
    """Batches of similar requests: each has one adapter and one `separate` key, rows of similar length and
    with shared beginnings, at most `max_rows` rows and `token_budget` key-value positions (rows x (longest
    prompt + most generated tokens)). The longest come first, so that memory that is too small shows at
    once."""
    kinds: dict[str, list[Request]] = {}
    for request in requests:
        kinds.setdefault(repr((request.adapter, separate(request))), []).append(request)
    batches: list[list[Request]] = []
    for kind in sorted(kinds):
        members = kinds[kind]
        prompts = [request.prompt_ids for request in members]
        groups = group_by_prefix(prompts)
        groups.sort(
            key=lambda group: (
                -max(len(prompts[row]) + members[row].sampling.max_tokens for row in group.rows),
                members[group.rows[0]].key,
            )
        )
        batch: list[Request] = []
        widest = 0
        for group in groups:
            for row in group.rows:
                width = len(prompts[row]) + members[row].sampling.max_tokens
                if batch and (len(batch) >= max_rows or (len(batch) + 1) * max(widest, width) > token_budget):
                    batches.append(batch)
                    batch, widest = [], 0
                batch.append(members[row])
                widest = max(widest, width)
        if batch:
            batches.append(batch)
    return batches
