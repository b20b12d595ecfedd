"""What do k samples of one prompt cost the hf engine? Seconds as ratios, model loaded before the clock.

    python tests/benchmarks/hf_samples.py                                      # smollm2, 16 prompts, k = 8
    python tests/benchmarks/hf_samples.py --prompts 2 --samples 2 --prompt-tokens 64 --tokens 4 --rounds 1

ours       all samples of all prompts at once: a prompt is computed once for its k samples
passes     the same engine, k passes over the prompts with one sample each: ours takes at most 0.6 of it
generate   transformers' `generate(num_return_sequences=k)`: ours takes at most 1.05 of it

Prompts are random ids, no two begin alike. No id ends a sample, so that all arms make the same number of
tokens; all draw at temperature 0.7. `generate` gets the batch size of the list with which it is fastest.
Prints a card and, last, one line of JSON with medians of ratios; exit 1 if one is above its bound.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from measuring import (
    FIXTURES,
    Figures,
    decode_limit,
    finish,
    machine,
    median_seconds,
    ratios,
    shown_machine,
    take_turns,
    timed,
)

sys.path.insert(0, str(FIXTURES))
from tiny_models import request

from harness.engines.hf.engine import HuggingFaceEngine
from harness.models.source import resolve_model
from harness.types import Request

BOUNDS = {"passes": 0.6, "generate": 1.05}
TEMPERATURE = 0.7


def draw_prompts(options: argparse.Namespace, vocabulary: int) -> list[list[int]]:
    draw = random.Random(0)
    return [
        [draw.randrange(min(100, vocabulary // 2), vocabulary) for _ in range(options.prompt_tokens)]
        for _ in range(options.prompts)
    ]


def engine_seconds(engine: HuggingFaceEngine, requests: Sequence[Request], tokens: int) -> float:
    """Runs all requests, in the batches that the engine plans."""

    def work() -> None:
        for batch in engine.plan(requests):
            for done in engine.generate(batch):
                assert done.generated_tokens == tokens, "no id may end a sample"

    return timed(work)


def generate_seconds(
    model: Any, prompts: Sequence[Sequence[int]], rows: int, options: argparse.Namespace
) -> float:
    """transformers' own sampling, `rows` rows a batch."""
    import torch

    each = max(1, rows // options.samples)

    def work() -> None:
        for start in range(0, len(prompts), each):
            ids = torch.tensor(prompts[start : start + each], device=model.device)
            made = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=1.0,
                top_k=0,
                num_return_sequences=options.samples,
                max_new_tokens=options.tokens,
            )
            assert made.shape[1] == ids.shape[1] + options.tokens, "no id may end a sample"
        if model.device.type == "cuda":
            torch.cuda.synchronize()

    return timed(work)


def main(arguments: Sequence[str] | None = None) -> int:
    """Load both sides, warm up, run the rounds, print."""
    import torch
    from transformers import AutoModelForCausalLM

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2", help="smollm2 or a model folder")
    parser.add_argument("--dtype", default="auto", choices=("auto", "bfloat16", "float32"))
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--samples", type=int, default=8, help="k")
    parser.add_argument("--prompt-tokens", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=32, help="of each sample")
    parser.add_argument(
        "--generate-rows", default="32,64,128", help="batch sizes that generate may choose from"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)

    engine = HuggingFaceEngine.load(resolve_model(options.pretrained, dtype=options.dtype), {})
    engine._end_ids = frozenset()
    model = AutoModelForCausalLM.from_pretrained(
        engine.model.folder, dtype=getattr(torch, engine.model.dtype), use_safetensors=True
    ).to(engine._model.device)
    model.generation_config.eos_token_id = None
    prompts = draw_prompts(options, model.config.get_text_config().vocab_size)
    drawn = {"temperature": TEMPERATURE, "max_tokens": options.tokens}

    def samples(which: Sequence[int], some: Sequence[Sequence[int]]) -> list[Request]:
        return [
            request(prompt, item=str(place), seed=sample, **drawn)
            for place, prompt in enumerate(some)
            for sample in which
        ]

    every = range(options.samples)

    def passes(some: Sequence[Sequence[int]]) -> float:
        return sum(engine_seconds(engine, samples([sample], some), options.tokens) for sample in every)

    few = prompts[: max(1, 16 // options.samples)]
    engine_seconds(engine, samples(every, few), options.tokens)
    passes(few)
    generate_seconds(model, few, 16, options)
    tried = {
        rows: generate_seconds(model, prompts, rows, options)
        for rows in map(int, options.generate_rows.split(","))
    }
    best = min(tried, key=lambda rows: tried[rows])
    shared_before = engine.execution.shared_prefix_tokens
    engine_seconds(engine, samples(every, prompts), options.tokens)
    shared = engine.execution.shared_prefix_tokens - shared_before
    arms: dict[str, Any] = {
        "ours": lambda: {"seconds": engine_seconds(engine, samples(every, prompts), options.tokens)},
        "passes": lambda: {"seconds": passes(prompts)},
        "generate": lambda: {"seconds": generate_seconds(model, prompts, best, options)},
    }
    rounds = take_turns(arms, options.rounds)

    medians: Figures = {arm: statistics.median(ratios(rounds, "ours", arm)) for arm in BOUNDS}
    made = options.prompts * options.samples * options.tokens
    rates = {arm: made / median_seconds(rounds, arm) for arm in arms}
    about = machine(engine._model.device.type)
    rows = min(int(engine.facts()["batch_rows"]), options.prompts * options.samples)
    limit = decode_limit(engine.model.parameters, engine.model.dtype, rows, about)
    good = all(medians[arm] <= bound for arm, bound in BOUNDS.items())
    card = [
        f"{options.samples} samples of {options.prompts} prompts, {options.prompt_tokens} + {options.tokens} "
        f"tokens, {options.pretrained}, {engine.model.dtype}",
        *(f"  ours / {arm}: {medians[arm]:.3f} (at most {bound})" for arm, bound in BOUNDS.items()),
        *(f"  {arm:8} {median_seconds(rounds, arm):7.2f} s, {rates[arm]:6.0f} tokens/s" for arm in arms),
        f"  generate with batches of {best} rows; prompt tokens that ours shared: {shared}; useful rows of "
        f"decode steps {engine.execution.as_dict()['useful_decode_share']:.1%}",
        f"  memory alone would allow {limit:,.0f} tokens/s with {rows} rows",
        shown_machine(about),
    ]
    report = {
        "status": "ok" if good else "missed",
        "ratios": {arm: round(value, 3) for arm, value in medians.items()},
        "at_most": BOUNDS,
        "rounds": [{arm: round(each[arm]["seconds"], 3) for arm in arms} for each in rounds],
        "tokens_per_second": {arm: round(rate, 1) for arm, rate in rates.items()},
        "useful_decode_share": round(engine.execution.as_dict()["useful_decode_share"], 4),
        "memory_limit_tokens_per_second": round(limit),
        "generate_rows": best,
        "shared_prefix_tokens": shared,
        "dtype": engine.model.dtype,
        "machine": about,
    }
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
