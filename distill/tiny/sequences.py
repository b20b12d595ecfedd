"""Examples as token ids, and the batches for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distill.tiny.recipe import Recipe
from tasks.sources import rng

CHUNK = 50
"""Batches whose examples are sorted by length together."""


@dataclass(frozen=True)
class Sequences:
    """Tokenised examples: ids of the whole exchange and where the reply begins."""

    ids: list[list[int]]
    replies: list[int]


def encode(tokenizer: Any, exchanges: Sequence[tuple[str, str]]) -> Sequences:
    """Ids of prompt and reply as the chat template joins them; the reply ends with the end of a turn."""
    asked = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        for prompt, _ in exchanges
    ]
    prompts = tokenizer(asked, add_special_tokens=False)["input_ids"]
    replies = tokenizer([reply + tokenizer.eos_token for _, reply in exchanges], add_special_tokens=False)[
        "input_ids"
    ]
    ids = [[*prompt, *reply] for prompt, reply in zip(prompts, replies, strict=True)]
    return Sequences(ids, [len(prompt) for prompt in prompts])


def batches(sequences: Sequences, recipe: Recipe, leg: int) -> list[list[int]]:
    """Positions of the examples of a leg, a list per batch: similar lengths together inside a chunk,
    chunks and batches in random order."""
    lengths = [len(ids) for ids in sequences.ids]
    order = list(range(len(lengths)))
    random = rng("tiny batches", recipe.seed, *([leg] if leg else []))
    random.shuffle(order)
    mean = sum(lengths) / max(len(lengths), 1)
    chunk = max(int(CHUNK * recipe.batch_tokens / mean), 1)
    plan: list[list[int]] = []
    for start in range(0, len(order), chunk):
        part = sorted(order[start : start + chunk], key=lambda place: lengths[place])
        made = list(_filled(part, lengths, recipe.batch_tokens))
        random.shuffle(made)
        plan.extend(made)
    return plan[: recipe.legs[leg].steps or None]


def _filled(places: Sequence[int], lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for place in places:
        if batch and lengths[place] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
