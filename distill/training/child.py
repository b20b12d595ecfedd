"""One training in the child process: load, train or resume, write the checkpoint, tidy up.

With several processes each runs this; only the main one writes. The checkpoint is moved into place when it is
complete, so a folder with its name is always complete.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from distill.training.data import Examples, split_examples
from distill.training.job import TrainingJob
from distill.training.resume import FACTS, Resumable, last_whole, prepare, training_folder
from distill.training.settings import DEFAULTS
from distill.training.stages import staged_examples
from harness import storage
from harness.engines.hf.load import auto_class, empty_model
from harness.errors import RunError
from harness.types import Settings

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate")


def train(job: TrainingJob) -> None:
    """Makes the checkpoint of `job`. RunError if its examples or settings do not fit the machine."""
    from accelerate import PartialState
    from datasets import Dataset
    from transformers import AutoTokenizer, EarlyStoppingCallback, set_seed
    from transformers.utils import logging as transformers_logging

    from distill.training.adapter import adapter_settings
    from distill.training.progress import Meter, Watch
    from distill.training.trainer import DistillTrainer

    transformers_logging.disable_progress_bar()
    settings = {**DEFAULTS, **job.settings}
    stages: list[int] = []
    if job.stages:
        examples, stages = staged_examples(job, settings["max_length"])
    else:
        examples = split_examples(
            job.prompts,
            job.targets,
            job.groups,
            validation=settings["validation"],
            max_length=settings["max_length"],
            seed=job.seed,
        )
    output = Path(job.output)
    folder = training_folder(output)
    described = _described(job, settings)
    adapter = None
    if settings["tuning"] == "lora":
        adapter = adapter_settings(lambda: empty_model(described, job.trust_remote_code), settings)
    # This comes first, because it connects the processes: under FSDP only one of them then reads the weights.
    config = _config(job, settings, folder, bool(examples.validation))
    state = PartialState()
    set_seed(job.seed)
    model, config.padding_free = _load(job, settings, described)
    tokenizer = AutoTokenizer.from_pretrained(job.model_folder, **_source(job))
    generation = copy.deepcopy(model.generation_config)
    if state.is_main_process:
        prepare(folder, job.hash())
    state.wait_for_everyone()
    last = last_whole(folder)
    if last and last.finished:
        # The trainer would make one more step before it checks whether it is done.
        config.num_train_epochs, config.max_steps = 0, -1
    meter = Meter(last.totals if last else None)
    trainer = DistillTrainer(
        meter=meter,
        stages=stages,
        model=model,
        args=config,
        train_dataset=Dataset.from_list(examples.train),
        eval_dataset=Dataset.from_list(examples.validation) if examples.validation else None,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[EarlyStoppingCallback(settings["patience"])] if settings["stop_on"] != "none" else [],
    )
    trainer.add_callback(Watch(job.name, meter, trainer.order))
    with storage.naming(folder):
        trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
    facts = _facts(trainer, settings, examples, meter.totals(), last)
    # Gathered from all processes; with DeepSpeed the trained weights are only in its wrapper.
    trained = trainer.model_wrapped if trainer.is_deepspeed_enabled else trainer.model
    weights = trainer.accelerator.get_state_dict(trained)
    if state.is_main_process:
        draft = folder / "checkpoint"
        with storage.naming(draft):
            _save(trainer.accelerator.unwrap_model(trainer.model), weights, draft, job, settings, generation)
        (draft / FACTS).write_text(json.dumps({**facts, "job": job.hash()}, indent=1))
        draft.rename(output)
        shutil.rmtree(folder)
        print(
            f"train {job.name}: {len(examples.train)} examples, {facts['steps']} steps, "
            f"loss {facts['loss']:.3f}, {facts['tokens_per_second']:.0f} tokens/s, {facts['seconds']:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    state.wait_for_everyone()


def _source(job: TrainingJob) -> Settings:
    return {"revision": job.revision, "trust_remote_code": job.trust_remote_code}


def _described(job: TrainingJob, settings: Settings) -> Any:
    """The model's configuration for training."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(job.model_folder, **_source(job))
    if settings["tuning"] == "full" and settings["dropout"]:
        text = config.get_text_config()
        if not hasattr(text, "attention_dropout"):
            raise RunError(f"a {config.model_type} model takes no dropout: leave it out or use tuning=lora")
        text.attention_dropout = settings["dropout"]
    return config


def _load(job: TrainingJob, settings: Settings, config: Any) -> tuple[Any, bool]:
    """The model, and whether its batches can be joined without padding."""
    import torch

    from distill.training.trainer import can_flatten

    # Full tuning keeps float32 weights: bfloat16 cannot represent AdamW's small steps.
    dtype = torch.float32 if settings["tuning"] == "full" else _dtype(job)
    model = auto_class(config).from_pretrained(
        job.model_folder, config=config, dtype=dtype, use_safetensors=True, **_source(job)
    )
    flatten = _dtype(job) != torch.float32 and can_flatten(model)
    if flatten:
        model.set_attn_implementation("flash_attention_2")
    return model, flatten


def _dtype(job: TrainingJob) -> Any:
    """Dtype of the computation; float16 becomes float32 without a GPU."""
    import torch

    if job.dtype == "float16" and not torch.cuda.is_available():
        return torch.float32
    return getattr(torch, job.dtype)


def _config(job: TrainingJob, settings: Settings, folder: Path, evaluated: bool) -> Any:
    import torch

    from distill.training.trainer import SFTConfig

    processes = int(os.environ.get("WORLD_SIZE", 1))
    parts = processes * settings["gradient_accumulation"]
    if settings["batch"] % parts:
        raise RunError(
            f"a step of batch={settings['batch']} examples does not divide over {processes} devices and "
            f"gradient_accumulation={settings['gradient_accumulation']}: give --train-args batch a multiple "
            f"of {parts}"
        )
    stop_on = {"none": None, "answer": "progress", "loss": "loss"}[settings["stop_on"]]
    when = "steps" if settings["save_steps"] else "epoch"
    each = settings["save_steps"] or 500
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=settings["epochs"],
        max_steps=settings["max_steps"] or -1,
        per_device_train_batch_size=settings["batch"] // parts,
        per_device_eval_batch_size=settings["batch"] // parts,
        gradient_accumulation_steps=settings["gradient_accumulation"],
        learning_rate=settings["learning_rate"],
        warmup_steps=settings["warmup"],
        weight_decay=settings["weight_decay"],
        lr_scheduler_type="linear",
        max_length=None,
        packing=False,
        bf16=_dtype(job) == torch.bfloat16,
        fp16=_dtype(job) == torch.float16,
        gradient_checkpointing=settings["gradient_checkpointing"],
        # An adapter does not change the routers of a mixture of experts, so their loss is not needed.
        router_aux_loss_coef=0.0 if settings["tuning"] == "lora" else None,
        seed=job.seed,
        data_seed=job.seed,
        save_strategy=when,
        save_steps=each,
        # Keep the last checkpoint until the next one is complete.
        save_total_limit=2,
        restore_callback_states_from_checkpoint=True,
        eval_strategy=when if evaluated else "no",
        eval_steps=each,
        load_best_model_at_end=stop_on is not None,
        metric_for_best_model=stop_on,
        greater_is_better=stop_on == "progress",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _facts(
    trainer: Any,
    settings: Settings,
    examples: Examples,
    totals: dict[str, float],
    last: Resumable | None,
) -> Settings:
    """The content of `training.json`. Tokens are of all epochs, prompt and target, without padding."""
    state = trainer.state
    evaluations = [
        {"step": entry["step"], "loss": entry["eval_loss"], "answer": entry["eval_answer"]}
        for entry in state.log_history
        if "eval_answer" in entry
    ]
    return {
        "tuning": settings["tuning"],
        "steps": state.global_step,
        "loss": totals["loss"] / max(state.global_step, 1),
        "seconds": totals["seconds"],
        "tokens": int(totals["tokens"]),
        "padding_tokens": int(totals["filled"] - totals["tokens"]),
        "tokens_per_second": totals["tokens"] / max(totals["seconds"], 1e-9),
        "examples": len(examples.train),
        "validation_examples": len(examples.validation),
        "too_long": examples.too_long,
        "best_step": state.best_global_step if settings["stop_on"] != "none" else None,
        "evaluations": evaluations,
        "resumed_from_step": last.step if last else None,
        "processes": trainer.accelerator.num_processes,
        "versions": {package: version(package) for package in PACKAGES},
    }


def _save(
    model: Any,
    weights: Settings,
    draft: Path,
    job: TrainingJob,
    settings: Settings,
    generation: Any,
) -> None:
    """Writes an adapter, or a full model with its tokenizer, with the base model's own configuration
    files: the trainer writes its padding id into both configurations."""
    import torch
    from transformers import AutoConfig, AutoTokenizer

    shutil.rmtree(draft, ignore_errors=True)
    if settings["tuning"] == "lora":
        model.save_pretrained(draft, state_dict=weights)
        return
    dtype = getattr(torch, job.dtype)
    cast: dict[int, Any] = {}
    # Tied weights must stay one tensor, which is then written once.
    narrow = {name: cast.setdefault(each.data_ptr(), each.to(dtype)) for name, each in weights.items()}
    model.config = AutoConfig.from_pretrained(job.model_folder, **_source(job))
    model.generation_config = generation
    model.save_pretrained(draft, state_dict=narrow)
    described = draft / "config.json"
    described.write_text(json.dumps({**json.loads(described.read_text()), "dtype": job.dtype}, indent=2))
    AutoTokenizer.from_pretrained(job.model_folder, **_source(job)).save_pretrained(draft)
