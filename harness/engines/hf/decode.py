"""One batch through a transformers model: shared prefill, then decode steps for unfinished rows only.

A row leaves the batch at the step at which it ends, so no step is spent on finished rows. Each row has its
own random generator, so its draws do not depend on the other rows. This module handles tensors and token ids;
engine.py handles requests and text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from harness.engines.base import Execution
from harness.engines.hf.cache import GROW_BY, Cache, join_caches, keep_rows
from harness.engines.hf.draw import next_tokens
from harness.engines.hf.passes import Passes
from harness.engines.hf.prefixes import PrefixGroup, common_beginning, group_by_prefix
from harness.engines.hf.rows import Choose, Row

CHUNK_TOKENS_LEAST = 512
CHUNK_TOKENS_MOST = 4096
LONG_PROMPT = 256
"""From this length on, attention is a large part of the work."""


def decode_batch(
    passes: Passes,
    rows: Sequence[Row],
    end_ids: frozenset[int],
    stopped: Callable[[Row], bool],
    execution: Execution,
    choose: Choose = next_tokens,
) -> None:
    """Fills `generated` and `ended_by_stop` of each row. `stopped` says whether a row's text contains one
    of its stop strings; `choose` picks ids from logits. `execution` gets the counts of wasted and shared
    work."""
    device = passes.device
    for row in rows:
        row.draw_numbers()
    with torch.inference_mode():
        logits, mask, cache = _prefill(passes, rows, execution)
        active = list(range(len(rows)))
        lengths = mask.sum(dim=1)
        while True:
            tokens = choose(logits, [rows[index] for index in active])
            keep = [
                position
                for position, index in enumerate(active)
                if rows[index].goes_on(tokens[position], end_ids, stopped)
            ]
            if not keep:
                return
            if len(keep) < len(active):
                order = keep_rows(cache, keep)
                chosen = torch.tensor(order, device=device)
                mask, lengths = mask[chosen], lengths[chosen]
                active = [active[position] for position in order]
            execution.decode_rows += len(active)
            execution.useful_decode_rows += len(active)
            mask = torch.cat([mask, mask.new_ones((len(active), 1))], dim=1)
            step_ids = torch.tensor([[rows[index].generated[-1]] for index in active], device=device)
            logits = passes(step_ids, mask, lengths[:, None], cache)
            lengths = lengths + 1


def _prefill(
    passes: Passes, rows: Sequence[Row], execution: Execution
) -> tuple[torch.Tensor, torch.Tensor, Cache]:
    """Last-position logits (rows, vocabulary), attention mask (rows, positions) and cache. Computes shared
    beginnings once per group, then each row's own end."""
    prompts = [row.prompt_ids for row in rows]
    groups = group_by_prefix(prompts, passes.shortest)
    # Shared beginnings put padding in the middle of a row, and a sliding window would count it.
    if not passes.shares or all(group.length == 0 for group in groups):
        return _forward_in_chunks(passes, prompts, execution)
    longest_end = max(
        len(prompts[row]) - group.length for group in groups if group.length for row in group.rows
    )
    starts: list[tuple[int, ...]] = []
    owner: list[int] = [0] * len(rows)
    for group in groups:
        starts.append(prompts[group.rows[0]][: _split(group, prompts, longest_end)])
        for row in group.rows:
            owner[row] = len(starts) - 1
            if row != group.rows[0]:
                execution.shared_prefix_tokens += len(starts[-1])
    ends = [prompt[len(starts[owner[row]]) :] for row, prompt in enumerate(prompts)]
    room = max(map(len, ends)) + GROW_BY
    _, mask, cache = _forward_in_chunks(passes, starts, execution, owner, room)
    chosen = torch.tensor(owner, device=passes.device)
    logits, mask = _forward(passes, ends, mask[chosen], cache, execution)
    return logits, mask, cache


def _forward_in_chunks(
    passes: Passes,
    pieces: Sequence[tuple[int, ...]],
    execution: Execution,
    owner: Sequence[int] = (),
    room: int = GROW_BY,
) -> tuple[torch.Tensor, torch.Tensor, Cache]:
    """Prefills in chunks of similar length, then joins them: a prompt is not padded to the longest of its
    batch, and activations stay small. `owner[row]` is the piece at the start of a cache row (if `owner` is
    empty, each row has its own piece); logits and mask are per piece. `room` positions will follow. A
    beginning that all prompts share, usually the template's system turn, is computed once."""
    width = max(len(piece) for piece in pieces)
    common = common_beginning(pieces) if passes.shares else 0
    beginning = passes.new_cache()
    if common:
        _forward(passes, [pieces[0][:common]], None, beginning, execution)
        execution.shared_prefix_tokens += common * (len(pieces) - 1)
        pieces = [piece[common:] for piece in pieces]

    def forward(chunk: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor, Cache]:
        own = [pieces[row] for row in chunk]
        past, cache = None, passes.new_cache()
        if common:
            past = torch.ones((len(own), common), dtype=torch.long, device=passes.device)
            everywhere = [(0, row) for row in range(len(own))]
            cache = join_caches([beginning], [everywhere], max(map(len, own)) + GROW_BY, keep=True)
        return *_forward(passes, own, past, cache, execution), cache

    chunks = _chunks([len(piece) for piece in pieces]) if passes.shares else [list(range(len(pieces)))]
    if len(chunks) == 1 and not owner:
        return forward(range(len(pieces)))
    caches, logits = [], None
    mask = torch.zeros((len(pieces), width), dtype=torch.long, device=passes.device)
    for chunk in chunks:
        part, part_mask, cache = forward(chunk)
        caches.append(cache)
        if logits is None:
            logits = part.new_empty((len(pieces), part.shape[1]))
        logits[chunk] = part
        mask[chunk, width - part_mask.shape[1] :] = part_mask
    assert logits is not None
    rows_of: dict[int, list[int]] = {}
    for row, piece in enumerate(owner or range(len(pieces))):
        rows_of.setdefault(piece, []).append(row)
    places = [
        [(source, row) for source, piece in enumerate(chunk) for row in rows_of[piece]] for chunk in chunks
    ]
    return logits, mask, join_caches(caches, places, room)


def _chunks(lengths: Sequence[int]) -> list[list[int]]:
    """Rows in chunks, longest first. A chunk ends when it is large. Once it keeps a matrix product busy,
    it also ends where the next row is much shorter, or, among long rows, shorter at all. Without padding,
    attention is purely causal and costs half as much as with a mask."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    chunks: list[list[int]] = []
    width = 0
    for row in order:
        tokens = len(chunks[-1]) * width if chunks else 0
        other = lengths[row] < (width if width >= LONG_PROMPT else 0.85 * width)
        busy = tokens >= CHUNK_TOKENS_LEAST
        if not chunks or (other and busy) or tokens + width > CHUNK_TOKENS_MOST:
            chunks.append([])
            width = lengths[row]
        chunks[-1].append(row)
    return chunks


def _split(group: PrefixGroup, prompts: Sequence[tuple[int, ...]], longest_end: int) -> int:
    """Where to cut a group's prompts. A single row is cut near its end, so that its second pass is as
    short as that of the others."""
    if group.length:
        return group.length
    length = len(prompts[group.rows[0]])
    return max(1, length - longest_end) if length > 1 else 0


def _forward(
    passes: Passes,
    pieces: Sequence[tuple[int, ...]],
    past_mask: torch.Tensor | None,
    cache: Cache,
    execution: Execution,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Feeds one piece per row, padded on the left; returns the last logits and the mask so far."""
    width = max(len(piece) for piece in pieces)
    execution.padding_tokens += sum(width - len(piece) for piece in pieces)
    ids = torch.tensor([[passes.pad_id] * (width - len(piece)) + list(piece) for piece in pieces])
    mask = torch.tensor([[0] * (width - len(piece)) + [1] * len(piece) for piece in pieces])
    ids, mask = ids.to(passes.device), mask.to(passes.device)
    before = 0 if past_mask is None else past_mask.sum(dim=1, keepdim=True)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + before
    whole = mask if past_mask is None else torch.cat([past_mask, mask], dim=1)
    return passes(ids, whole, positions, cache), whole
