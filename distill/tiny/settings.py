"""Default settings for distilling the embedded model.

A model of two million parameters needs other training settings than one of a hundred million. They were tuned
on validation items with one seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.types import Settings

FULL: Mapping[str, Any] = {"tuning": "full", "learning_rate": 1e-3, "epochs": 8, "batch": 16}
TRAIN_ARGS: Mapping[str, Mapping[str, Any]] = {
    "last_letter": FULL,
    "coin_flip": FULL,
    # Few steps and an adapter: full training on some facts damages the others.
    "trivia_bias": {"rank": 16, "alpha": 32, "learning_rate": 2e-3, "epochs": 4, "batch": 16},
    "judge": {**FULL, "learning_rate": 2e-3, "epochs": 3, "batch": 32},
    "gsm8k": FULL,
}
"""Short name of a task -> its settings over the defaults."""


def train_args(pretrained: str, task: str) -> Settings:
    """The settings for a task of a model; empty for any model but `tiny`."""
    return dict(TRAIN_ARGS.get(task, {})) if pretrained == "tiny" else {}
