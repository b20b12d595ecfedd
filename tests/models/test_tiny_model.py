"""The embedded model as it is shipped; its training in small: same seed same weights, resume, the loss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.tiny.card import RECIPE, card
from distill.tiny.corpus import COPYING, prompts_hash
from distill.tiny.pretrain import STATE, train
from distill.tiny.recipe import Leg, Recipe
from harness.models.source import TINY, resolve_model
from harness.options import RunOptions

SMALL = Recipe(
    legs=(Leg(220, 12, ((0, 0.2), (5, 1.0))), Leg(120, 0, ((0, 0.5), (15, 0.02)), COPYING)),
    hidden=48,
    layers=2,
    heads=2,
    feed_forward=96,
    batch_tokens=1024,
)


def test_it_is_the_default_and_small() -> None:
    assert RunOptions().pretrained == "tiny"
    source = resolve_model("tiny")
    assert source.is_local
    assert sum(file.stat().st_size for file in TINY.iterdir()) < 9_000_000
    record = json.loads((TINY / RECIPE).read_text())
    assert record["parameters"] <= 4_000_000


def test_it_was_trained_on_the_prompts_that_runs_send() -> None:
    record = json.loads((TINY / RECIPE).read_text())
    assert record["prompts"] == prompts_hash(), (
        "a prompt of a task or program was changed: train the embedded model anew (make tiny-model)"
    )


def test_its_card_says_what_its_record_says() -> None:
    record = json.loads((TINY / RECIPE).read_text())
    vocabulary = json.loads((TINY / "config.json").read_text())["vocab_size"]
    assert (TINY / "README.md").read_text(encoding="utf-8") == card(record, vocabulary)


@pytest.mark.slow
def test_the_recipe_in_short_lowers_the_loss_and_repeats_itself(tmp_path: Path) -> None:
    report = train(SMALL, tmp_path / "first")
    assert report["last_loss"] < report["first_loss"]
    assert report["steps"] > 12
    train(SMALL, tmp_path / "second")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert weights[0] == weights[1]
    train(SMALL, tmp_path / "third", stop_after=5)
    assert (tmp_path / "third" / STATE).is_file()
    train(SMALL, tmp_path / "third")
    assert (tmp_path / "third" / "model.safetensors").read_bytes() == weights[0]
    assert not (tmp_path / "third" / STATE).exists()
