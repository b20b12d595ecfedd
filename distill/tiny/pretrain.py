"""Training of the embedded model from random weights, on a CPU or a GPU, in float32.

    python -m distill.tiny.pretrain --output FOLDER

Examples are drawn (corpus.py), those that overlap an item of a split are left out, and each other one is
used once: loss on replies alone, one example a sequence, batches of examples of like length. Muon for
the matrices of the blocks, AdamW for embeddings and norms. Every SAVE_EVERY steps the state is written; the
same command continues from there. One seed gives one model: examples, order and weights follow from it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.tiny.card import RECIPE, write_card
from distill.tiny.corpus import (
    Example,
    Mixture,
    draw,
    prompts_hash,
    split_items,
    vocabulary_text,
    without_overlap,
)
from distill.tiny.recipe import Recipe
from distill.tiny.sequences import Sequences, batches, encode
from distill.tiny.tokenizer import build_tokenizer
from harness.progress import say
from tasks.sources import content_hash

STATE = "state.pt"
SAVE_EVERY = 200
VOCABULARY_SAMPLE = 30_000
"""Examples whose words make the vocabulary."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the model; continued if it exists"
    )
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument(
        "--direct", type=float, default=Recipe.direct, help="percent of direct answers, by task"
    )
    parser.add_argument(
        "--stop-after", type=int, default=0, help="leave after this many steps, to go on later"
    )
    given = parser.parse_args(arguments)
    train(Recipe(seed=given.seed, direct=given.direct), given.output, given.stop_after)
    return 0


def train(recipe: Recipe, output: Path, stop_after: int = 0) -> dict[str, Any]:
    """Trains to the end (or for `stop_after` steps) and writes the model; returns the record for the card
    and the tests."""
    import torch

    output.mkdir(parents=True, exist_ok=True)
    drawn, overlapping = examples_of(recipe)
    tokenizer = build_tokenizer(vocabulary_text(found) for found in drawn[0][:VOCABULARY_SAMPLE])
    legs = [encode(tokenizer, [(found.prompt, found.reply) for found in leg]) for leg in drawn]
    plan = [
        (leg, place, batch)
        for leg in range(len(legs))
        for place, batch in enumerate(batches(legs[leg], recipe, leg))
    ]
    examples = sum(len(batch) for _, _, batch in plan)
    tokens = sum(len(legs[leg].ids[place]) for leg, _, batch in plan for place in batch)
    say(
        f"{examples} examples, {tokens} tokens, {len(plan)} steps, vocabulary {len(tokenizer)}, "
        f"{sum(overlapping.values())} left out for overlap"
    )
    torch.manual_seed(recipe.seed)
    model = build_model(recipe, tokenizer)
    optimisers = build_optimisers(model, recipe)
    state = resume(output / STATE, recipe, model, optimisers)
    done, losses, before = state["step"], state["losses"], state["seconds"]
    began = time.monotonic()
    model.train()
    for step in range(done, len(plan)):
        seconds = before + time.monotonic() - began
        if stop_after and step >= done + stop_after:
            save(output / STATE, recipe, model, optimisers, step, losses, seconds)
            return {"steps": step, "losses": losses}
        leg, place, batch = plan[step]
        set_rates(optimisers, recipe, recipe.legs[leg].rates, place)
        losses.append(train_step(model, optimisers, legs[leg], batch))
        if (step + 1) % SAVE_EVERY == 0:
            save(output / STATE, recipe, model, optimisers, step + 1, losses, seconds)
            recent = sum(losses[-SAVE_EVERY:]) / SAVE_EVERY
            left = (time.monotonic() - began) / (step + 1 - done) * (len(plan) - step - 1)
            say(
                f"step {step + 1} of {len(plan)}, loss {recent:.3f}, {seconds:.0f} s, about {left:.0f} s left"
            )
    seconds = before + time.monotonic() - began
    last = min(SAVE_EVERY, max(len(losses) // 4, 1))
    report = {
        "recipe": asdict(recipe),
        "shares": [Mixture(recipe.direct, leg.rest).shares() for leg in recipe.legs],
        "examples": examples,
        "left_out_for_overlap": dict(overlapping),
        "tokens": tokens,
        "steps": len(plan),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(seconds),
        "threads": torch.get_num_threads(),
        "first_loss": round(sum(losses[:20]) / len(losses[:20]), 4),
        "last_loss": round(sum(losses[-last:]) / last, 4),
        "prompts": prompts_hash(),
    }
    model.to(torch.bfloat16).save_pretrained(output)
    tokenizer.save_pretrained(output)
    (output / RECIPE).write_text(json.dumps(report, indent=2) + "\n")
    write_card(output)
    (output / STATE).unlink(missing_ok=True)
    say(f"written to {output}: loss {report['first_loss']} to {report['last_loss']} in {seconds:.0f} s")
    return report


def examples_of(recipe: Recipe) -> tuple[list[list[Example]], Counter[str]]:
    """Examples of each leg, and how many more overlap an item of a split, by kind."""
    items, legs, first = split_items(), [], 0
    overlapping: Counter[str] = Counter()
    for leg in recipe.legs:
        found = list(draw(recipe.seed, leg.examples, Mixture(recipe.direct, leg.rest), first))
        found, left_out = without_overlap(found, items)
        legs.append(found)
        overlapping += left_out
        first += leg.examples
    return legs, overlapping


def build_model(recipe: Recipe, tokenizer: Any) -> Any:
    """A Llama with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden,
            intermediate_size=recipe.feed_forward,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def build_optimisers(model: Any, recipe: Recipe) -> list[Any]:
    """Muon for the matrices inside blocks, AdamW for everything else."""
    import torch

    matrices: list[Any] = []
    others: list[Any] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and ".layers." in name else others).append(parameter)
    return [
        torch.optim.Muon(
            matrices,
            lr=recipe.muon_rate,
            momentum=0.95,
            weight_decay=recipe.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            others, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True
        ),
    ]


def set_rates(
    optimisers: Sequence[Any], recipe: Recipe, rates: Sequence[tuple[int, float]], step: int
) -> None:
    """Peak rates times the share that `rates` has at this step of the leg."""
    import numpy as np

    share = float(np.interp(step, [at for at, _ in rates], [height for _, height in rates]))
    for optimiser, peak in zip(optimisers, (recipe.muon_rate, recipe.adam_rate), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = peak * share


def train_step(model: Any, optimisers: Sequence[Any], sequences: Sequences, batch: Sequence[int]) -> float:
    """One step on one batch; returns the mean loss of its reply tokens, in nats."""
    import torch

    longest = max(len(sequences.ids[place]) for place in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    scored = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, place in enumerate(batch):
        length = len(sequences.ids[place])
        ids[row, :length] = torch.tensor(sequences.ids[place])
        scored[row, sequences.replies[place] - 1 : length - 1] = True
    # Padding is on the right and attention is causal, so no token that counts sees it. Only positions that
    # predict a reply pass through the vocabulary.
    states = model.model(input_ids=ids[:, :-1]).last_hidden_state
    scored = scored[:, :-1]
    loss = torch.nn.functional.cross_entropy(model.lm_head(states[scored]), ids[:, 1:][scored])
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser in optimisers:
        optimiser.step()
    value = loss.item()
    if not math.isfinite(value):
        raise RuntimeError("the loss is not finite: lower --muon-rate and --adam-rate")
    return value


def save(
    path: Path,
    recipe: Recipe,
    model: Any,
    optimisers: Sequence[Any],
    step: int,
    losses: list[float],
    seconds: float,
) -> None:
    """Writes the state of the training in one step."""
    import torch

    part = path.with_suffix(".part")
    torch.save(
        {
            "key": _key(recipe),
            "model": model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in optimisers],
            "step": step,
            "losses": losses,
            "seconds": seconds,
        },
        part,
    )
    part.replace(path)


def resume(path: Path, recipe: Recipe, model: Any, optimisers: Sequence[Any]) -> dict[str, Any]:
    """Loads the state of the same recipe into model and optimisers; empty if there is none."""
    import torch

    if path.is_file():
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["key"] == _key(recipe):
            model.load_state_dict(state["model"])
            for optimiser, values in zip(optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(values)
            say(f"continued at step {state['step']}")
            return state
        say(f"{path} belongs to another recipe: training starts again")
    return {"step": 0, "losses": [], "seconds": 0.0}


def _key(recipe: Recipe) -> str:
    """What a state belongs to: the recipe, and the prompts of its examples."""
    return content_hash(asdict(recipe), prompts_hash())


if __name__ == "__main__":
    sys.exit(main())
