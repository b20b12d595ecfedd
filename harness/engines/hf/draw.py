"""From the logits of a step to the next ids: the most likely id, or one drawn with the row's own random
numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.engines.hf.rows import Row


def next_tokens(logits: torch.Tensor, rows: Sequence[Row]) -> list[int | None]:
    """Greedy or sampled next ids, None for a row with logits that are not finite; `logits` has shape
    (rows, vocabulary)."""
    likeliest = logits.argmax(dim=-1)
    # NaN sorts as the largest number, so checking the largest logit finds it.
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
        for position, token in zip(drawn, draw(part, [rows[i] for i in drawn]), strict=True):
            chosen[position] = token
    return chosen


def draw(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    """Inverse-transform sampling with each row's next uniform number."""
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
    """Sets to zero what top-k and top-p exclude; the most probable token always stays."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    ranks = torch.arange(ordered.shape[-1])[None, :]
    size = ordered.shape[-1]
    top_k = torch.tensor([row.sampling.top_k or size for row in rows])[:, None]
    top_p = torch.tensor([row.sampling.top_p for row in rows])[:, None]
    ordered = ordered.masked_fill(ranks >= top_k, 0.0)
    # As in transformers: top-p is a share of what top-k left.
    before = (ordered.cumsum(dim=-1) - ordered) / ordered.sum(dim=-1, keepdim=True)
    kept = ordered.masked_fill((ranks > 0) & (before >= top_p), 0.0)
    return torch.zeros_like(probabilities).scatter(1, order, kept)
