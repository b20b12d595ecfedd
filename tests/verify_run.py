"""Checks a finished run of the hf engine against plain transformers: counts, prompt ids, adapters.

    python tests/verify_run.py RUN [--calls 50]

What it finds wrong it prints, and exits 1. It trusts nothing that the run says of itself: prompts are
templated again, greedy calls generated again one by one, adapters loaded with plain PEFT.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any


def load(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Manifest and all calls of a run."""
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    store = sqlite3.connect(run / "calls.sqlite")
    store.row_factory = sqlite3.Row
    calls = [dict(row) for row in store.execute("SELECT * FROM calls ORDER BY key")]
    store.close()
    return manifest, calls


def wrong_sums(run: Path, calls: list[dict[str, Any]]) -> list[str]:
    """Rows whose usage is not the sum over their steps, and calls whose counts are not their ids'."""
    found = []
    for path in sorted((run / "samples").glob("*/*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            for count in ("prompt_tokens", "cached_tokens", "generated_tokens"):
                if row["usage"][count] != sum(step[count] for step in row["steps"]):
                    found.append(f"{path.name} {row['item_id']}: {count} is not the sum over its steps")
    for call in calls:
        if len(json.loads(call["prompt_ids"])) != call["prompt_tokens"]:
            found.append(f"call {call['key']}: prompt tokens are not the stored ids")
        if len(json.loads(call["generated_ids"])) != call["generated_tokens"]:
            found.append(f"call {call['key']}: generated tokens are not the stored ids")
    return found


def wrong_prompts(calls: list[dict[str, Any]], tokenizer: Any) -> list[str]:
    """Calls whose prompt ids are not what the chat template gives."""
    found = []
    for call in calls:
        ids = tokenizer.apply_chat_template(
            json.loads(call["messages"]), tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        if list(ids) != json.loads(call["prompt_ids"]):
            found.append(f"call {call['key']}: prompt ids differ from apply_chat_template")
    return found


def wrong_lengths(
    calls: list[dict[str, Any]], model: Any, checkpoints: dict[str, str], tokenizer: Any
) -> tuple[list[str], int]:
    """Greedy calls that plain `generate` ends at another length, and how many were tried."""
    import torch
    from peft import PeftModel

    found = []
    loaded: dict[str, Any] = {}
    for call in calls:
        sampling = json.loads(call["sampling"])
        if call["adapter"] and call["adapter"] not in loaded:
            if not isinstance(model, PeftModel):
                model = PeftModel.from_pretrained(model, checkpoints[call["adapter"]], call["adapter"])
            else:
                model.load_adapter(checkpoints[call["adapter"]], call["adapter"])
            loaded[call["adapter"]] = True
        if isinstance(model, PeftModel):
            if call["adapter"]:
                model.base_model.enable_adapter_layers()
                model.set_adapter(call["adapter"])
            else:
                model.base_model.disable_adapter_layers()
        ids = torch.tensor([json.loads(call["prompt_ids"])])
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=sampling["max_tokens"],
            do_sample=False,
            stop_strings=sampling["stop"] or None,
            tokenizer=tokenizer,
        )
        length = made.shape[1] - ids.shape[1]
        if length != call["generated_tokens"]:
            found.append(f"call {call['key']}: {call['generated_tokens']} tokens counted, {length} again")
    return found, len(calls)


def weak_adapters(manifest: dict[str, Any]) -> list[str]:
    """Checkpoints that do not change the probe's logits."""
    return [
        f"{entry['task']}: the adapter changed the probe by {entry.get('probe_change')}"
        for entry in manifest["distillation"]
        if entry["checkpoint"] and not (entry.get("probe_change") or 0) > 1e-3
    ]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("--calls", type=int, default=50)
    given = parser.parse_args()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.models.source import resolve_model

    manifest, calls = load(given.run)
    folder = resolve_model(manifest["options"]["pretrained"]).location
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, manifest["model"]["dtype"]))
    greedy = [
        call
        for call in calls
        if json.loads(call["sampling"])["temperature"] == 0 and call["finish_reason"] != "error"
    ]
    chosen = random.Random(0).sample(greedy, min(given.calls, len(greedy)))
    checkpoints = {
        f"{entry['variant']}-{entry['task']}-{entry['seed']}": entry["checkpoint"]
        for entry in manifest["distillation"]
        if entry["checkpoint"]
    }
    lengths, tried = wrong_lengths(chosen, model.eval(), checkpoints, tokenizer)
    ended = sum(call["finish_reason"] == "stop" for call in chosen)
    wrong = [
        *wrong_sums(given.run, calls),
        *wrong_prompts(calls, tokenizer),
        *weak_adapters(manifest),
        *lengths,
    ]
    changes = [entry.get("probe_change") or 0 for entry in manifest["distillation"] if entry["checkpoint"]]
    for line in wrong:
        print(line)
    print(
        f"{len(calls)} calls: sums and prompt ids checked; {tried} greedy calls generated again "
        f"({ended} that stop by themselves), {len(lengths)} lengths differ; "
        f"{len(checkpoints)} adapters, least change of the probe "
        f"{min(changes, default=0):.3g}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
