"""Small jobs on the tiny random model, for the tests of training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from distill.training.job import TrainingJob
from distill.training.settings import training_settings

END = 1
"""The tiny tokenizer's end-of-sequence id, which is its padding id too."""

QUICK = {"learning_rate": 0.02, "batch": 4, "rank": 8, "alpha": 16}


def random_ids(draw: random.Random, low: int, high: int) -> list[int]:
    """Between `low` and `high` ids that are not special."""
    return [draw.randrange(3, 250) for _ in range(draw.randint(low, high))]


def make_job(
    model: Path, output: Path, *, count: int = 24, seed: int = 0, same_answer: bool = False, **settings: Any
) -> TrainingJob:
    """Random prompts of 3 to 40 ids, each with a random answer of 1 to 6 ids, or all with the same one."""
    draw = random.Random(count)
    targets = [[*random_ids(draw, 1, 6), END] for _ in range(count)]
    return TrainingJob(
        name=output.name,
        model_folder=str(model),
        dtype="float32",
        output=str(output),
        prompts=[random_ids(draw, 3, 40) for _ in range(count)],
        targets=[targets[0]] * count if same_answer else targets,
        seed=seed,
        settings=training_settings(QUICK, settings),
    )
