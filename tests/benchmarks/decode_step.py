"""How much of a decode step of the hf engine is its matrix products? Milliseconds, as a ratio.

    python tests/benchmarks/decode_step.py --pretrained model.gguf --dtype bfloat16 --rows 16

step      one decode step of a batch: the time of long answers less that of short ones, by tokens
products  the linear layers of the model alone, output layer included, each once on input of the same shape

Prompts are random ids, and no id ends an answer, so that every step has all rows. Prints a card and, last,
one line of JSON with the median of the ratios; exit 1 if it is above --bound.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from beside_commit import prompts
from measuring import Figures, finish, machine, median_seconds, ratios, shown_machine, take_turns, timed

SHORT, LONG = 4, 36
"""Tokens of an answer."""


def step(engine: Any, rows: int, width: int) -> Figures:
    """Seconds of one decode step."""
    from harness.types import Request, Sampling

    spent = []
    for length in (SHORT, LONG):
        asked = [
            Request(str(row), "answer", 0, [], tuple(ids), Sampling(max_tokens=length), 0, None, f"{row}")
            for row, ids in enumerate(prompts(engine._model.config.vocab_size, rows, width, width, 1))
        ]
        spent.append(timed(lambda asked=asked: engine.generate(asked)))
    return {"seconds": (spent[1] - spent[0]) / (LONG - SHORT)}


def products(engine: Any, rows: int) -> Figures:
    """Seconds of all linear layers, one after the other."""
    import torch

    layers = [each for each in engine._model.modules() if isinstance(each, torch.nn.Linear)]
    given = {
        each.in_features: torch.randn(rows, 1, each.in_features, dtype=each.weight.dtype) for each in layers
    }

    def once() -> None:
        for each in layers:
            each(given[each.in_features])

    with torch.inference_mode():
        once()
        return {"seconds": statistics.median(timed(once) for _ in range(5)), "layers": len(layers)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, run the rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2", help="smollm2, a GGUF file or a model folder")
    parser.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--width", type=int, default=100, help="tokens of a prompt")
    parser.add_argument("--bound", type=float, default=1.2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)

    from harness.engines.hf.engine import HuggingFaceEngine
    from harness.models.source import resolve_model

    source = resolve_model(options.pretrained, dtype=options.dtype)
    engine = HuggingFaceEngine.load(source, {"device": "cpu"})
    engine._end_ids = frozenset()
    step(engine, options.rows, options.width)  # the first pass also compiles and allocates
    rounds = take_turns(
        {
            "step": lambda: step(engine, options.rows, options.width),
            "products": lambda: products(engine, options.rows),
        },
        options.rounds,
    )
    ratio = statistics.median(ratios(rounds, "step", "products"))
    milliseconds = {name: 1000 * median_seconds(rounds, name) for name in ("step", "products")}
    card = [
        f"{options.pretrained}, {options.dtype}, {options.rows} rows after {options.width} tokens, "
        f"{options.rounds} rounds, {shown_machine(machine())}",
        f"  step {ratio:.2f} times its products ({milliseconds['step']:.0f} ms, "
        f"{milliseconds['products']:.0f} ms)",
    ]
    report = {
        "status": "missed" if ratio > options.bound else "ok",
        "bound": options.bound,
        "ratio": ratio,
        "milliseconds": milliseconds,
        "rounds": rounds,
    }
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
