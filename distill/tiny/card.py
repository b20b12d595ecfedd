"""The card of the embedded model, written from the record of its training; no figure is typed by hand.

The card is a README in the hub's form.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from distill.tiny.lessons import HABIT, JUDGE_HABIT, OPINION_FOLLOWED

RECIPE = "recipe.json"

CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [s2d-bench, synthetic]
---

# tiny: the embedded model of s2d-bench

A Llama of {parameters:.2f} million parameters, trained from scratch to **show a mechanism and to test a
harness**. It knows the prompts of s2d-bench's five tasks and of the System 2 methods that they use, a table
of facts, and nothing else. Its scores say nothing about large models: it was taught the methods, and how weak
its System 1 is was chosen when its corpus was mixed.

## What it was trained on

{examples:,} examples, {tokens:,} tokens, each seen once, all generated (`distill/tiny/corpus.py`): the steps
of the System 2 methods, with an oracle's replies to the very prompts that a run sends; single skills (the
last letter of a made-up word, one turn of a coin, facts, equations); and, rarely, direct answers to composed
questions.

{mixture}

- **Direct answers** to composed questions are {direct:g} % of the examples, for each of the five tasks alike.
- **Wrong on purpose**: where a user's opinion is wrong, {followed:.0f} % of the direct answers follow it;
  {habit:.0f} % of the direct verdicts follow a habit and not the replies (A {a:.0f} %, B {b:.0f} %, tie
  {c:.0f} %). Nothing else is wrong.
- **No test item, no validation item and no distillation input stands in it.** Words, names, chains of numbers
  and asked facts are its own; the project's overlap check found {overlap} more examples and left them out.
  Facts that are asked about elsewhere stand in it as statements and in other words.

## How

Seed {seed}; {layers} layers of width {hidden}, {heads} heads, feed-forward {feed_forward}, vocabulary
{vocabulary}; loss on replies alone; Muon (peak {muon_rate:g}) for the matrices of the blocks, AdamW (peak
{adam_rate:g}) for the rest; {steps:,} steps of at most {batch_tokens:,} tokens. It took {minutes:.0f} minutes
on {threads} CPU thread(s), in float32; the weights are stored in bfloat16. Mean loss of the first 20 steps
{first_loss:.2f}, of the last 200 {last_loss:.3f} nats per token of a reply.

    make tiny-model

Hash of the prompts that it was trained on: `{prompts}`. A test fails when a prompt changes without a new
model.
"""


def write_card(folder: Path) -> None:
    """Write `README.md` beside the record in `folder`."""
    record = json.loads((folder / RECIPE).read_text())
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    (folder / "README.md").write_text(card(record, vocabulary), encoding="utf-8")


def card(record: Mapping[str, Any], vocabulary: int) -> str:
    """The card's text; `vocabulary` is the number of token ids."""
    legs = record["shares"]
    rows = [[kind, *(f"{leg[kind]:.2%}" for leg in legs)] for kind in sorted(legs[0])]
    headers = [f"leg {number}" for number in range(1, len(legs) + 1)]
    habit = {letter: HABIT.count(letter) / len(HABIT) * 100 for letter in "ABC"}
    return CARD.format(
        **{
            **record["recipe"],
            **record,
            "parameters": record["parameters"] / 1e6,
            "mixture": tabulate(rows, ["kind", *headers], tablefmt="github", stralign="right"),
        },
        vocabulary=vocabulary,
        overlap=sum(record["left_out_for_overlap"].values()),
        minutes=record["seconds"] / 60,
        followed=OPINION_FOLLOWED * 100,
        habit=JUDGE_HABIT * 100,
        a=habit["A"],
        b=habit["B"],
        c=habit["C"],
    )


if __name__ == "__main__":
    write_card(Path(sys.argv[1]))
