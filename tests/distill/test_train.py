"""Training in a child process on a tiny random model: the end is learnt, PEFT loads it, seeds repeat it.

Marked `slow`: three child processes that import TRL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import questions, request, save_model

from distill.training.job import TrainingJob
from distill.training.parent import train_all
from distill.training.settings import training_settings
from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import RunError
from harness.models.source import ModelSource
from harness.types import user

pytestmark = pytest.mark.slow
ANSWERS = ("Answer: yes", "Answer: seven")
SETTINGS = {"epochs": 40, "learning_rate": 0.02, "batch": 4, "rank": 8, "alpha": 16}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose only end is its end-of-sequence id, which is its padding id too."""
    return save_model(tmp_path_factory.mktemp("train") / "model", end_every=0, spread=0.1)


@pytest.fixture(scope="module")
def engine(model: Path) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(ModelSource("tiny", str(model), dtype="float32"), {"device": "cpu"})


@pytest.fixture(scope="module")
def prompts(engine: HuggingFaceEngine) -> list[tuple[int, ...]]:
    return [engine.prompt_ids([user(text)]) for text in questions(8, longest=20)]


def job(
    engine: HuggingFaceEngine, prompts: list[tuple[int, ...]], output: Path, seed: int = 0, **settings: Any
) -> TrainingJob:
    """Odd prompts learn one answer, even ones the other: lengths differ, so batches are padded."""
    targets = [list(engine.target_ids(ANSWERS[place % 2])) for place in range(len(prompts))]
    return TrainingJob(
        name=output.name,
        model_folder=str(engine.model.folder),
        dtype="float32",
        output=str(output),
        prompts=[list(prompt) for prompt in prompts],
        targets=targets,
        seed=seed,
        settings=training_settings(SETTINGS, settings),
    )


@pytest.fixture(scope="module")
def trained(
    engine: HuggingFaceEngine, prompts: list[tuple[int, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder with `one` and `same` (one seed), and `other` (another seed), all by one child."""
    root = tmp_path_factory.mktemp("checkpoints")
    short = {"epochs": 2}
    train_all(
        [
            job(engine, prompts, root / "one"),
            job(engine, prompts, root / "brief", **short),
            job(engine, prompts, root / "other", seed=1, **short),
        ]
    )
    yield root


def test_an_answer_is_learnt_with_its_end_though_padding_has_the_same_id(
    engine: HuggingFaceEngine, prompts: list[tuple[int, ...]], trained: Path
) -> None:
    assert engine._tokenizer.pad_token_id == engine._tokenizer.eos_token_id
    engine.add_adapter("one", trained / "one")
    asked = [request(prompt, adapter="one", max_tokens=40) for prompt in prompts]
    for place, done in enumerate(engine.generate(asked)):
        assert done.text == ANSWERS[place % 2]
        assert done.finish_reason == "stop", "without loss on the end of sequence it would go on"
        assert done.generated_ids == engine.target_ids(ANSWERS[place % 2])
    base = engine.generate([request(prompt, max_tokens=40) for prompt in prompts])
    assert all(done.text not in ANSWERS for done in base)


def test_the_checkpoint_is_a_plain_peft_adapter_in_safetensors(model: Path, trained: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    names = {path.name for path in (trained / "one").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "training.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7]])
    before = base(ids).logits.detach().clone()
    loaded = PeftModel.from_pretrained(base, str(trained / "one"))
    assert not torch.allclose(before, loaded(ids).logits, atol=1e-3)
    facts = json.loads((trained / "one" / "training.json").read_text())
    assert facts["steps"] == 80
    assert facts["loss"] < 3


def test_one_seed_gives_equal_bytes_and_another_seed_others(
    engine: HuggingFaceEngine, prompts: list[tuple[int, ...]], trained: Path, tmp_path: Path
) -> None:
    train_all([job(engine, prompts, tmp_path / "brief", epochs=2)])

    def weights(folder: Path) -> bytes:
        return (folder / "adapter_model.safetensors").read_bytes()

    assert weights(tmp_path / "brief") == weights(trained / "brief")
    assert weights(trained / "other") != weights(trained / "brief")


def test_a_failing_child_is_one_line_and_leaves_no_checkpoint(
    engine: HuggingFaceEngine, prompts: list[tuple[int, ...]], trained: Path, tmp_path: Path
) -> None:
    good = job(engine, prompts, trained / "one")
    bad = job(engine, prompts, tmp_path / "bad")
    bad.model_folder = str(tmp_path / "nowhere")
    with pytest.raises(RunError, match="training failed") as caught:
        train_all([good, bad])
    assert "\n" not in str(caught.value) and "nowhere" in str(caught.value)
    assert list(tmp_path.iterdir()) == [], "no half-made checkpoint"
