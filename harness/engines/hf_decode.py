"""One batch through a transformers model: shared prefill, then decode steps for unfinished rows only.

Rows leave the batch at the step at which they end, so no step is spent on a finished row. Random draws
come from one generator per row, so a row's draws do not depend on its company. It knows tensors and
token ids; requests and text are hf.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from harness.engines.base import Execution
from harness.engines.hf_cache import GROW_BY, can_grow, join_caches, keep_rows, new_cache
from harness.engines.sharing import PrefixGroup, common_beginning, group_by_prefix
from harness.types import Sampling

CHUNK_TOKENS_LEAST = 512
CHUNK_TOKENS_MOST = 4096
LONG_PROMPT = 256
"""From here on attention is a large part of the work."""


@dataclass
class Row:
    """A prompt on its way to a completion."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    limit: int
    """Most tokens to generate: the request's maximum, or what the context leaves."""
    generated: list[int] = field(default_factory=list)
    ended_by_stop: bool = False
    draws: torch.Tensor | None = None
    """Uniform numbers, one per token; None when greedy."""
    error: str | None = None
    """Why the row could not be completed."""


def decode_batch(
    model: Any,
    rows: Sequence[Row],
    end_ids: frozenset[int],
    stopped: Callable[[Row], bool],
    pad_id: int,
    execution: Execution,
) -> None:
    """Fill `generated` and `ended_by_stop` of each row. `stopped` tells whether a row's text holds one
    of its stop strings. Counts of wasted and shared work go to `execution`."""
    device = model.device
    for row in rows:
        if row.sampling.temperature > 0:
            generator = torch.Generator().manual_seed(row.seed)
            row.draws = torch.rand(row.limit, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        logits, mask, cache = _prefill(model, rows, pad_id, execution)
        active = list(range(len(rows)))
        lengths = mask.sum(dim=1)
        while True:
            tokens = _next_tokens(logits, [rows[index] for index in active])
            keep: list[int] = []
            for position, index in enumerate(active):
                row, token = rows[index], tokens[position]
                if token is None:
                    row.error = f"the model's logits are not finite at token {len(row.generated) + 1}"
                    continue
                row.generated.append(token)
                if token in end_ids or (row.sampling.stop and stopped(row)):
                    row.ended_by_stop = True
                elif len(row.generated) < row.limit:
                    keep.append(position)
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
            logits = model(
                input_ids=step_ids,
                attention_mask=mask,
                position_ids=lengths[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            lengths = lengths + 1


def _prefill(
    model: Any, rows: Sequence[Row], pad_id: int, execution: Execution
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Last-position logits (rows, vocabulary), attention mask (rows, positions) and cache. Shared
    beginnings are computed once per group, then each row's own end."""
    prompts = [row.prompt_ids for row in rows]
    groups = group_by_prefix(prompts)
    # Shared beginnings leave padding in the middle of a row; a sliding window counts it as positions.
    if not can_grow(model.config) or all(group.length == 0 for group in groups):
        return _forward_in_chunks(model, prompts, pad_id, execution)
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
    _, mask, cache = _forward_in_chunks(model, starts, pad_id, execution, owner, room)
    chosen = torch.tensor(owner, device=model.device)
    logits, mask = _forward(model, ends, mask[chosen], cache, pad_id, execution)
    return logits, mask, cache


def _forward_in_chunks(
    model: Any,
    pieces: Sequence[tuple[int, ...]],
    pad_id: int,
    execution: Execution,
    owner: Sequence[int] = (),
    room: int = GROW_BY,
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Prefill in chunks of like length, then put them side by side: a prompt is not padded to the
    longest of its batch, and activations stay small. `owner[row]` is the piece that a row of the cache
    begins with (each its own where empty); logits and mask are of pieces. `room` positions will follow.
    What all begin with, most often a template's system turn, is computed once."""
    growing = can_grow(model.config)
    width = max(len(piece) for piece in pieces)
    common = common_beginning(pieces) if growing else 0
    beginning = new_cache(model.config)
    if common:
        _forward(model, [pieces[0][:common]], None, beginning, pad_id, execution)
        execution.shared_prefix_tokens += common * (len(pieces) - 1)
        pieces = [piece[common:] for piece in pieces]

    def forward(chunk: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor, Any]:
        own = [pieces[row] for row in chunk]
        past, cache = None, new_cache(model.config)
        if common:
            past = torch.ones((len(own), common), dtype=torch.long, device=model.device)
            everywhere = [(0, row) for row in range(len(own))]
            cache = join_caches([beginning], [everywhere], max(map(len, own)) + GROW_BY, keep=True)
        return *_forward(model, own, past, cache, pad_id, execution), cache

    chunks = _chunks([len(piece) for piece in pieces]) if growing else [list(range(len(pieces)))]
    if len(chunks) == 1 and not owner:
        return forward(range(len(pieces)))
    caches, logits = [], None
    mask = torch.zeros((len(pieces), width), dtype=torch.long, device=model.device)
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
    """Rows in chunks, longest first: a chunk ends where it is large, and, once it has work enough to keep
    a matrix product busy, where the next row is much shorter, or shorter at all among long ones. Without
    padding the attention is plainly causal, which costs half of what a mask costs."""
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
    """Where a group's prompts are cut. A lone row is cut near its end, so that the second pass is as
    short for it as for the others."""
    if group.length:
        return group.length
    length = len(prompts[group.rows[0]])
    return max(1, length - longest_end) if length > 1 else 0


def _forward(
    model: Any,
    pieces: Sequence[tuple[int, ...]],
    past_mask: torch.Tensor | None,
    cache: Any,
    pad_id: int,
    execution: Execution,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Feed one piece per row, padded on the left; returns last logits and the mask so far."""
    width = max(len(piece) for piece in pieces)
    execution.padding_tokens += sum(width - len(piece) for piece in pieces)
    ids = torch.tensor([[pad_id] * (width - len(piece)) + list(piece) for piece in pieces])
    mask = torch.tensor([[0] * (width - len(piece)) + [1] * len(piece) for piece in pieces])
    ids, mask = ids.to(model.device), mask.to(model.device)
    before = 0 if past_mask is None else past_mask.sum(dim=1, keepdim=True)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + before
    whole = mask if past_mask is None else torch.cat([past_mask, mask], dim=1)
    output = model(
        input_ids=ids,
        attention_mask=whole,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return output.logits[:, -1], whole


def _next_tokens(logits: torch.Tensor, rows: Sequence[Row]) -> list[int | None]:
    """Greedy or sampled next ids, None for a row whose logits are no numbers; `logits` has shape (rows,
    vocabulary)."""
    likeliest = logits.argmax(dim=-1)
    # A NaN counts as the largest number, so the largest logit tells of any.
    finite = logits.gather(1, likeliest[:, None]).isfinite().squeeze(1).tolist()
    chosen: list[int | None] = [
        token if fine else None for token, fine in zip(likeliest.tolist(), finite, strict=True)
    ]
    drawn = [
        position
        for position, row in enumerate(rows)
        if row.draws is not None and chosen[position] is not None
    ]
    if drawn:
        part = logits[drawn].float().cpu()
        for position, token in zip(drawn, _draw(part, [rows[i] for i in drawn]), strict=True):
            chosen[position] = token
    return chosen


def _draw(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    """Inverse-transform sampling with each row's own next uniform number."""
    temperature = torch.tensor([row.sampling.temperature for row in rows])[:, None]
    probabilities = torch.softmax(logits / temperature, dim=-1)
    if any(row.sampling.top_k or row.sampling.top_p < 1 for row in rows):
        probabilities = _truncate(probabilities, rows)
    cumulative = probabilities.double().cumsum(dim=-1)
    uniform = torch.stack([row.draws[len(row.generated)] for row in rows if row.draws is not None])
    threshold = uniform[:, None] * cumulative[:, -1:]
    indices = torch.searchsorted(cumulative, threshold, right=True).squeeze(1)
    return [int(index) for index in indices.clamp(max=logits.shape[-1] - 1)]


def _truncate(probabilities: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Zero what top-k and top-p leave out; the most probable token always stays."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    ranks = torch.arange(ordered.shape[-1])[None, :]
    size = ordered.shape[-1]
    top_k = torch.tensor([row.sampling.top_k or size for row in rows])[:, None]
    top_p = torch.tensor([row.sampling.top_p for row in rows])[:, None]
    ordered = ordered.masked_fill(ranks >= top_k, 0.0)
    # As transformers does: top-p is a share of what top-k left.
    before = (ordered.cumsum(dim=-1) - ordered) / ordered.sum(dim=-1, keepdim=True)
    kept = ordered.masked_fill((ranks > 0) & (before >= top_p), 0.0)
    return torch.zeros_like(probabilities).scatter(1, order, kept)
