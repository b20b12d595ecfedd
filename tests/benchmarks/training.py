"""How fast is our training beside TRL's SFTTrainer with its defaults? Real tokens per second, as a ratio.

    python tests/benchmarks/training.py                    # smollm2, 96 examples, 3 rounds
    python tests/benchmarks/training.py --dtype bfloat16 --examples 960 --rounds 5      # a GPU

Three arms train one epoch over the same examples, with the same dtype, LoRA, examples per step and no
gradient checkpointing:

    trl      SFTTrainer with its defaults: batches at random, padded to their longest
    grouped  the same, batches by length (transformers' group_by_length): what padding costs
    ours     distill.training as `s2d-bench` runs it; it beats `grouped` by its vocabulary projection

Examples are from three generated tasks; one to four judge prompts are joined, as real pairs are longer than
generated ones: about 60 to 500 tokens with the chat template. A round runs every arm once, in an order
that rotates; ratios are of one round, their median is the result. Tokens are those of the examples, without
padding; time is from the first step to the end of training. With more examples, batches of similar length
are easier to make. Prints a card and, last, one line of JSON; exit 1 if the median is below --least.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from measuring import take_turns

from distill.training.data import example
from distill.training.job import TrainingJob
from distill.training.settings import training_settings

TASKS = ("last_letter", "coin_flip", "judge")
ARMS = ("trl", "grouped", "ours")
WARM_UP = 16
"""Examples of an untimed first training of each arm, in which kernels are chosen and compiled."""


def make_job(model: str, count: int, dtype: str, output: Path) -> TrainingJob:
    """`count` examples with the data's labels in place of a teacher's answers. `dtype` auto is the hf
    engine's choice on this machine."""
    import torch
    from transformers import AutoTokenizer

    from harness.engines.hf.settings import pick_dtype
    from harness.models.source import resolve_model
    from tasks.registry import spec

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = str(pick_dtype(dtype, device)).removeprefix("torch.")
    folder = resolve_model(model).location
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts, targets = [], []
    for place in range(count):
        task = spec(TASKS[place % len(TASKS)])
        rows = _rows(task.name)[place // len(TASKS) :][: 1 + place % 4 if task.name == "judge" else 1]
        turn = [{"role": "user", "content": "\n\n".join(row["prompt"] for row in rows)}]
        prompts.append(
            list(tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False))
        )
        answer = tokenizer(task.target(rows[0]["target"]), add_special_tokens=False).input_ids
        targets.append([*answer, tokenizer.eos_token_id])
    return TrainingJob(
        name="benchmark",
        model_folder=folder,
        dtype=dtype,
        output=str(output),
        prompts=prompts,
        targets=targets,
        seed=0,
        settings=training_settings({"epochs": 1}),
    )


@cache
def _rows(task: str) -> list[dict[str, Any]]:
    import importlib

    from tasks.registry import MODULES

    return list(importlib.import_module(MODULES[task]).load(data="embedded")["train"])


def ours(job: TrainingJob) -> dict[str, float]:
    """Trains like `s2d-bench`, in this process."""
    from distill.training.child import train

    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "checkpoint"
        train(replace(job, output=str(output)))
        facts = json.loads((output / "training.json").read_text())
    return {name: facts[name] for name in ("seconds", "tokens", "padding_tokens")}


def trl(job: TrainingJob, **more: Any) -> dict[str, float]:
    """Trains with TRL's defaults, except for what all arms share."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        began = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.perf_counter()

    filled = 0

    class Counting(SFTTrainer):
        def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any) -> Any:
            nonlocal filled
            filled += inputs["input_ids"].numel()
            return super().training_step(model, inputs, *rest)

    clock = Clock()
    rows = [example(prompt, target) for prompt, target in zip(job.prompts, job.targets, strict=True)]
    settings = job.settings
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Counting(
            model=AutoModelForCausalLM.from_pretrained(
                job.model_folder, dtype=getattr(torch, job.dtype), use_safetensors=True
            ),
            args=SFTConfig(
                output_dir=scratch,
                num_train_epochs=settings["epochs"],
                per_device_train_batch_size=settings["batch"],
                learning_rate=settings["learning_rate"],
                bf16=job.dtype == "bfloat16",
                gradient_checkpointing=False,
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
                **more,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(job.model_folder),
            peft_config=LoraConfig(
                r=settings["rank"],
                lora_alpha=settings["alpha"],
                lora_dropout=settings["dropout"],
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
            callbacks=[clock],
        )
        from transformers import PrinterCallback

        trainer.remove_callback(PrinterCallback)
        trainer.train()
        seconds = time.perf_counter() - clock.began
    tokens = sum(len(row["input_ids"]) for row in rows)
    return {"seconds": seconds, "tokens": tokens, "padding_tokens": filled - tokens}


RUN: dict[str, Callable[[TrainingJob], dict[str, float]]] = {
    "trl": trl,
    "grouped": lambda job: trl(job, train_sampling_strategy="group_by_length"),
    "ours": ours,
}


def multiply_rate(dtype: str) -> float:
    """FLOP/s of a large matrix product on this device: training is compared with this limit."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    one = torch.randn(2048, 2048, dtype=getattr(torch, dtype), device=device)
    best = float("inf")
    for _ in range(8):
        begin = time.perf_counter()
        float((one @ one)[0, 0])
        best = min(best, time.perf_counter() - begin)
    return 2 * 2048**3 / best


def parameters(job: TrainingJob) -> tuple[int, int]:
    """Parameters of the whole model and of its vocabulary projection."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(job.model_folder)
    return model.num_parameters(), model.get_output_embeddings().weight.numel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all rounds; 0 where the median ratio reaches --least."""
    parser = argparse.ArgumentParser(description="Training speed against TRL's defaults.")
    parser.add_argument("--model", default="smollm2", help="as for --pretrained")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--examples", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--least", type=float, default=1.2, help="the median ratio to reach")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        job = make_job(chosen.model, chosen.examples, chosen.dtype, Path(scratch))
    lengths = [len(p) + len(t) for p, t in zip(job.prompts, job.targets, strict=True)]
    few = replace(job, prompts=job.prompts[:WARM_UP], targets=job.targets[:WARM_UP])
    for arm in ARMS:
        RUN[arm](few)
    rounds = take_turns({arm: partial(RUN[arm], job) for arm in ARMS}, chosen.rounds)

    def rate(one: dict[str, dict[str, float]], arm: str) -> float:
        return one[arm]["tokens"] / one[arm]["seconds"]

    def ratio(one: str, other: str) -> float:
        return statistics.median(rate(each, one) / rate(each, other) for each in rounds)

    rates = {arm: statistics.median(rate(each, arm) for each in rounds) for arm in ARMS}
    padding = {
        arm: rounds[0][arm]["padding_tokens"] / (rounds[0][arm]["tokens"] + rounds[0][arm]["padding_tokens"])
        for arm in ARMS
    }
    whole, head = parameters(job)
    limit = multiply_rate(job.dtype)
    # Forward, and backward through activations: two per parameter each. A prompt position needs no logits.
    wanted = {arm: 4.0 * (whole - (head if arm == "ours" else 0)) for arm in ARMS}
    print(
        f"\n{chosen.model}, {job.dtype}, {chosen.examples} examples of {min(lengths)} to {max(lengths)} "
        f"tokens ({sum(lengths)} in all, {sum(map(len, job.targets))} of them targets), "
        f"batch {job.settings['batch']}"
    )
    for arm in ARMS:
        print(
            f"  {arm:8} {rates[arm]:8.0f} tokens/s   padding {padding[arm]:5.1%}   "
            f"{rates[arm] * wanted[arm] / limit:5.1%} of the speed of a matrix product"
        )
    gain = {"batches": ratio("grouped", "trl"), "projection": ratio("ours", "grouped")}
    print(
        f"  ours / trl: {ratio('ours', 'trl'):.2f}, of it {gain['batches']:.2f} by batches of like length "
        f"and {gain['projection']:.2f} by logits at target positions only"
    )
    reached = ratio("ours", "trl") >= chosen.least
    report = {
        "status": "ok" if reached else "missed",
        "model": chosen.model,
        "dtype": job.dtype,
        "ratio": round(ratio("ours", "trl"), 3),
        "ratios": [round(rate(each, "ours") / rate(each, "trl"), 3) for each in rounds],
        "gains": {name: round(value, 3) for name, value in gain.items()},
        "tokens_per_second": {arm: round(rates[arm], 1) for arm in ARMS},
        "padding_share": {arm: round(padding[arm], 3) for arm in ARMS},
        "matrix_product_flops": round(limit),
        "rounds": chosen.rounds,
    }
    print(json.dumps(report))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
