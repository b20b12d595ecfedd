"""Fine-tune the model on prompt ids -> answer ids with TRL, in a process of its own.

    python -m distill.train JOBS.json

Examples are token ids from the start: the very prompt ids that System 1 is evaluated with, then the
answer and the end-of-sequence id, which alone carry loss (rule 2). Nothing is tokenised again, so no id
can differ. One process trains all jobs of a phase over one loaded model; each checkpoint is moved into
place when it is complete. This file knows nothing of tasks, teachers or runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError
from harness.progress import say

DEFAULTS: dict[str, Any] = {
    "epochs": 4,
    "learning_rate": 4e-4,
    "batch": 8,
    "rank": 16,
    "alpha": 32,
    "dropout": 0.0,
    "warmup": 0.1,
    "weight_decay": 0.0,
}
"""LoRA on all linear layers; `batch` is examples per step, `warmup` a share of the steps."""

WHOLE = ("batch", "rank", "alpha")

IGNORED = -100
"""Label of ids that carry no loss."""


@dataclass
class TrainingJob:
    """One checkpoint to make."""

    name: str
    model_folder: str
    dtype: str
    output: str
    """Folder of the checkpoint; it exists once training has succeeded."""
    prompts: list[list[int]]
    targets: list[list[int]]
    """Answer ids, the end-of-sequence id last."""
    seed: int
    trust_remote_code: bool = False
    revision: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def training_settings(*layers: dict[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with `layers`. UserError names a setting that does not exist."""
    merged = dict(DEFAULTS)
    for layer in layers:
        for name, value in layer.items():
            if name not in DEFAULTS:
                raise UserError(f"--train-args {name}: not known; there are {', '.join(DEFAULTS)}")
            if name in WHOLE and (not isinstance(value, int) or value < 1):
                raise UserError(f"--train-args {name}={value}: give a whole number of at least 1")
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise UserError(f"--train-args {name}={value}: give a number of at least 0")
        merged.update(layer)
    return merged


def train_all(jobs: Sequence[TrainingJob]) -> None:
    """Train in a child process, so that its memory is given back and its threads end with it.

    RunError with the child's last line where it fails; finished checkpoints stay.
    """
    with tempfile.TemporaryDirectory() as scratch:
        listing = Path(scratch) / "jobs.json"
        listing.write_text(json.dumps([asdict(job) for job in jobs]))
        child = subprocess.Popen(
            [sys.executable, "-m", "distill.train", str(listing)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"},
        )
        assert child.stderr is not None
        last = ""
        try:
            for line in child.stderr:
                if line.startswith("train "):
                    say(line.rstrip())
                elif line.strip():
                    last = line.strip()
            status = child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if status != 0:
        raise RunError(
            f"training failed ({last or f'exit status {status}'}): mend that and repeat the command"
        )


def main(argv: Sequence[str]) -> int:
    """Entry of the child process."""
    _end_with_parent()
    jobs = [TrainingJob(**job) for job in json.loads(Path(argv[0]).read_text())]
    for job in jobs:
        if not Path(job.output).is_dir():
            _train(job)
    return 0


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed, which no `finally` of the parent survives."""
    if sys.platform == "linux":
        import ctypes
        import signal

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _train(job: TrainingJob) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
    from transformers.utils import logging as transformers_logging
    from trl import SFTConfig, SFTTrainer

    transformers_logging.disable_progress_bar()
    settings = job.settings
    set_seed(job.seed)
    common = {"revision": job.revision, "trust_remote_code": job.trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(job.model_folder, **common)
    model = AutoModelForCausalLM.from_pretrained(
        job.model_folder, dtype=getattr(torch, job.dtype), use_safetensors=True, **common
    )
    data = Dataset.from_list(
        [
            {"input_ids": [*prompt, *target], "labels": [*[IGNORED] * len(prompt), *target]}
            for prompt, target in zip(job.prompts, job.targets, strict=True)
        ]
    )
    final = Path(job.output)
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=str(scratch / "trainer"),
                num_train_epochs=settings["epochs"],
                per_device_train_batch_size=settings["batch"],
                learning_rate=settings["learning_rate"],
                warmup_steps=settings["warmup"],
                weight_decay=settings["weight_decay"],
                lr_scheduler_type="linear",
                max_length=None,
                packing=False,
                bf16=job.dtype == "bfloat16",
                fp16=job.dtype == "float16",
                gradient_checkpointing=False,
                train_sampling_strategy="group_by_length",
                seed=job.seed,
                data_seed=job.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
                dataloader_pin_memory=False,
            ),
            train_dataset=data,
            processing_class=tokenizer,
            peft_config=LoraConfig(
                r=settings["rank"],
                lora_alpha=settings["alpha"],
                lora_dropout=settings["dropout"],
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        result = trainer.train()
        folder = scratch / "checkpoint"
        trainer.model.save_pretrained(folder, safe_serialization=True)
        facts = {
            "steps": trainer.state.global_step,
            "loss": result.training_loss,
            "seconds": result.metrics.get("train_runtime"),
        }
        (folder / "training.json").write_text(json.dumps(facts, indent=1))
        # A run that was killed and repeated at once may have trained it meanwhile: same job, same result.
        if not final.is_dir():
            folder.rename(final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(
        f"train {job.name}: {len(job.prompts)} examples, {facts['steps']} steps, "
        f"loss {facts['loss']:.3f}, {facts['seconds']:.0f} s",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
