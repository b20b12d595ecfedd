"""The settings of a training: one table with default, bounds and meaning, and the check of a user's values.

`--train-args` and a task's own settings are layers over the table. Neither torch nor TRL is imported here, so
that bad settings are reported before anything is sampled or loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from distill.training.accelerate_config import machines
from harness.errors import UserError
from harness.options import ONLY_HOW
from harness.settings import Setting, shown, unknown
from harness.types import Settings

OPTION = "--train-args"


SETTINGS: dict[str, Setting] = {
    "epochs": Setting(4, "passes over the examples, such as 4 or 0.5", above=True),
    "learning_rate": Setting(4e-4, "peak of the linear schedule (with tuning=full: 2e-5)", above=True),
    "batch": Setting(8, "examples per step, over all devices", low=1, whole=True),
    "rank": Setting(16, "rank of the LoRA matrices", low=1, whole=True),
    "alpha": Setting(32, "LoRA's scale is alpha / rank", low=1, whole=True),
    "dropout": Setting(
        0.0, "probability of dropout on LoRA's inputs (with tuning=full: on attention)", high=1, below=True
    ),
    "warmup": Setting(0.1, "share of the steps in which the learning rate rises; from 1 on, steps"),
    "weight_decay": Setting(0.0, "weight decay of AdamW"),
    "tuning": Setting(
        "lora",
        "lora: an adapter on all linear layers but routers; full: every weight",
        choices=("lora", "full"),
    ),
    "max_steps": Setting(0, "train this many steps whatever epochs says; 0: by epochs", whole=True),
    "validation": Setting(
        0.0, "share of the training inputs that is held out and evaluated", high=1, below=True
    ),
    "stop_on": Setting(
        "none",
        "keep the best step by validation, stop after it: answer (share reproduced; then loss) or loss",
        choices=("none", "answer", "loss"),
    ),
    "patience": Setting(2, "evaluations without a new best before stop_on stops", low=1, whole=True),
    "save_steps": Setting(
        0, "steps between evaluations and resumable checkpoints; 0: each epoch", whole=True
    ),
    "max_length": Setting(0, "drop, never cut, examples of more tokens; 0: no limit", whole=True),
    "gradient_checkpointing": Setting(False, "true saves memory and costs about a fifth of the speed"),
    "gradient_accumulation": Setting(1, "parts that each step's batch is computed in", low=1, whole=True),
    "shortest": Setting(
        0.0,
        "distilled-short: draw from this share of the shortest replies; 0: the shortest",
        high=1,
    ),
    "longest_reply": Setting(
        0, "distilled-short, -cot and -steps: teach no reply of more tokens; 0: no bound", whole=True
    ),
    "stages": Setting(
        4, "distilled-steps: parts in which the reasoning is removed", low=1, high=1000, whole=True
    ),
    "launch": Setting(
        "", "several devices: ddp, fsdp or a configuration file of accelerate; empty: one device"
    ),
}

DEFAULTS: Settings = {name: setting.default for name, setting in SETTINGS.items()}

FULL_LEARNING_RATE = 2e-5
"""Default with tuning=full (TRL's default for full training): LoRA's rate would destroy the weights."""

OF_RECIPES = ("shortest", "longest_reply", "stages")
"""Settings that some recipes use (`Recipe.settings`) and the others do not look at."""


def passes(settings: Settings, examples: int) -> float:
    """How often plain training sees each of the `examples`."""
    steps = int(settings.get("max_steps") or 0)
    if not steps or not examples:
        return float(settings["epochs"])
    return steps * int(settings["batch"]) / examples


def training_settings(*layers: Settings) -> Settings:
    """Defaults overlaid with `layers`. UserError for what does not exist or does not go together."""
    merged = dict(DEFAULTS)
    given: Settings = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in SETTINGS:
                raise unknown(OPTION, name, SETTINGS)
            SETTINGS[name].check(OPTION, name, value)
            if name == "launch" and value:
                machines(value)  # checks the file
        given.update(layer)
    if given.get("tuning") == "full":
        merged["learning_rate"] = FULL_LEARNING_RATE
    merged.update(given)
    if merged["stop_on"] != "none" and not merged["validation"]:
        raise UserError(
            f"--train-args stop_on={merged['stop_on']}: nothing is held out to evaluate; add validation=0.1"
        )
    if merged["batch"] % merged["gradient_accumulation"]:
        raise UserError(
            f"--train-args batch={merged['batch']}: give a multiple of gradient_accumulation="
            f"{merged['gradient_accumulation']}, so that every part of a step is equally large"
        )
    return merged


def identity(settings: Settings, used: Sequence[str] = ()) -> Settings:
    """The settings that decide what is learnt: part of a checkpoint's key. `used` are those of
    OF_RECIPES that the recipe uses."""
    unseen = {*ONLY_HOW["train_args"], *(() if settings["validation"] else ("patience", "save_steps"))}
    unseen |= set(OF_RECIPES) - set(used)
    return {name: value for name, value in settings.items() if name not in unseen}


def in_effect(settings: Settings, used: Sequence[str] = ()) -> Settings:
    """The settings that the training uses, as its record shows them: without those of LoRA where every weight
    is trained, and of a validation where nothing is held out. `used` as in `identity`."""
    unused = set(OF_RECIPES) - set(used)
    if settings["tuning"] == "full":
        unused |= {"rank", "alpha"}
    if not settings["validation"]:
        unused |= {"stop_on"}
    if settings["stop_on"] == "none":
        unused |= {"patience"}
    if settings["max_steps"]:
        unused |= {"epochs"}
    return {name: value for name, value in settings.items() if name not in unused}


def settings_help() -> str:
    """A line for each setting: name, default, meaning."""
    return "\n".join(
        f"{name} ({shown(setting.default) or 'none'}): {setting.meaning}"
        for name, setting in SETTINGS.items()
    )
