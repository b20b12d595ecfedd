"""The settings of a training: one table with default, bounds and meaning, and the check of what a user gives.

`--train-args` and a task's own settings are layers over the table. It knows nothing of torch or TRL, so
that bad settings are named before anything is sampled or loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from distill.training.accelerate_config import machines
from harness.errors import UserError
from harness.types import Settings


@dataclass(frozen=True)
class Setting:
    """One setting and the values that it takes."""

    default: int | float | str | bool
    meaning: str
    low: float = 0
    above: bool = False
    """Whether `low` itself is too little."""
    below: float = math.inf
    """Values are less than this."""
    whole: bool = False
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    "epochs": Setting(4, "passes over the examples, such as 4 or 0.5", above=True),
    "learning_rate": Setting(4e-4, "peak of the linear schedule (with tuning=full: 2e-5)", above=True),
    "batch": Setting(8, "examples per step, over all devices", low=1, whole=True),
    "rank": Setting(16, "rank of the LoRA matrices", low=1, whole=True),
    "alpha": Setting(32, "LoRA's scale is alpha / rank", low=1, whole=True),
    "dropout": Setting(0.0, "of what LoRA reads; with tuning=full, of attention; a share", below=1),
    "warmup": Setting(0.1, "share of the steps in which the learning rate rises; from 1 on, steps"),
    "weight_decay": Setting(0.0, "AdamW's"),
    "tuning": Setting(
        "lora",
        "lora: an adapter on all linear layers but routers; full: every weight",
        choices=("lora", "full"),
    ),
    "max_steps": Setting(0, "train this many steps whatever epochs says; 0: by epochs", whole=True),
    "validation": Setting(0.0, "share of the training inputs that is held out and evaluated", below=1),
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
    "launch": Setting(
        "", "several devices: ddp, fsdp or a configuration file of accelerate; empty: one device"
    ),
}

DEFAULTS: Settings = {name: setting.default for name, setting in SETTINGS.items()}

FULL_LEARNING_RATE = 2e-5
"""Default with tuning=full: LoRA's rate would wreck the weights (TRL's own default for full training)."""

ONLY_HOW = ("gradient_checkpointing", "gradient_accumulation", "launch")
"""Settings of how the work is done, which leave what is learnt as it is (but for rounding)."""


def training_settings(*layers: Settings) -> Settings:
    """Defaults overlaid with `layers`. UserError names what does not exist or does not go together."""
    merged = dict(DEFAULTS)
    given: Settings = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in SETTINGS:
                raise UserError(f"--train-args {name}: not known; there are {', '.join(SETTINGS)}")
            _check(name, value, SETTINGS[name])
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


def identity(settings: Settings) -> Settings:
    """The settings that decide what is learnt: what a checkpoint's key has to hold."""
    unseen = {*ONLY_HOW, *(() if settings["validation"] else ("patience", "save_steps"))}
    return {name: value for name, value in settings.items() if name not in unseen}


def settings_help() -> str:
    """A line for each setting: name, default, meaning."""
    return "\n".join(
        f"{name} ({_shown(setting.default) or 'none'}): {setting.meaning}"
        for name, setting in SETTINGS.items()
    )


def _check(name: str, value: Any, setting: Setting) -> None:
    wrong = f"--train-args {name}={_shown(value)}: give "
    if isinstance(setting.default, bool):
        if not isinstance(value, bool):
            raise UserError(f"{wrong}true or false")
    elif isinstance(setting.default, str):
        if setting.choices and value not in setting.choices:
            raise UserError(f"{wrong}{' or '.join(setting.choices)}")
        if not isinstance(value, str):
            raise UserError(f"{wrong}a name or a file")
        if name == "launch" and value:
            machines(value)  # which reads it
    elif (
        isinstance(value, bool)
        or not isinstance(value, int if setting.whole else int | float)
        or not math.isfinite(value)
        or value < setting.low
        or (setting.above and value == setting.low)
        or value >= setting.below
    ):
        kind = "a whole number" if setting.whole else "a number"
        bound = f"above {setting.low:g}" if setting.above else f"of at least {setting.low:g}"
        raise UserError(
            f"{wrong}{kind} {bound}{f' and below {setting.below:g}' if setting.below < math.inf else ''}"
        )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
