"""Full tuning, early stopping, fixed steps, parts of a step; each a real training.

Marked `slow`: every case starts a child process that imports TRL. On the tiny random model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import save_model
from training_fixtures import END, make_job

from distill.training.data import Row, split_examples
from distill.training.job import TrainingJob
from distill.training.parent import train_all

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("modes") / "model", spread=0.1, end_every=0)


def facts(job: TrainingJob) -> dict[str, Any]:
    return dict(json.loads((Path(job.output) / "training.json").read_text()))


def tensors(job: TrainingJob, name: str = "adapter_model.safetensors") -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(Path(job.output) / name))


def load(job: TrainingJob) -> Any:
    """The trained model as anybody would load it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if job.settings["tuning"] == "full":
        return AutoModelForCausalLM.from_pretrained(job.output).eval()
    base = AutoModelForCausalLM.from_pretrained(job.model_folder, dtype=torch.float32)
    return PeftModel.from_pretrained(base, job.output).eval()


def loss_on(model: Any, rows: list[Row]) -> float:
    """Per target id, one example at a time."""
    total, count = 0.0, 0
    for row in rows:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        here = int((labels != -100).sum())
        with torch.no_grad():
            total += float(model(ids, labels=labels).loss) * here
        count += here
    return total / count


def held_out(job: TrainingJob) -> list[Row]:
    share = job.settings["validation"]
    return split_examples(
        job.prompts, job.targets, job.groups, validation=share, max_length=0, seed=job.seed
    ).validation


def greedy(model: Any, prompt: list[int]) -> list[int]:
    said = model.generate(
        torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=END, pad_token_id=END
    )
    return list(said[0][len(prompt) :].tolist())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_full_tuning_leaves_a_model_of_its_own(model: Path, tmp_path: Path, dtype: str) -> None:
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    fitting = {"learning_rate": 3e-3, "epochs": 10, "dropout": 0.1}
    job = make_job(model, tmp_path / "full", same_answer=True, tuning="full", **fitting)
    job.dtype = dtype
    train_all([job])
    names = {path.name for path in Path(job.output).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "training.json"} <= names
    assert not {name for name in names if name.startswith("adapter") or name.endswith((".bin", ".pt"))}
    assert facts(job)["tuning"] == "full"
    trained = load(job)
    assert trained.dtype == getattr(torch, dtype)
    assert [greedy(trained, prompt) for prompt in job.prompts[:6]] == job.targets[:6]
    for kind in (AutoConfig, GenerationConfig):
        before, after = (kind.from_pretrained(folder).to_dict() for folder in (model, job.output))
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert changed <= {"dtype", "transformers_version", "_name_or_path", "architectures"}
    text = "answer yes 7"
    both = [AutoTokenizer.from_pretrained(folder)(text).input_ids for folder in (model, job.output)]
    assert both[0] == both[1]


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = save_model(tmp_path / "tied", spread=0.1)
    config = AutoConfig.from_pretrained(folder, tie_word_embeddings=True)
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    job = make_job(folder, tmp_path / "full", tuning="full", epochs=1)
    job.dtype = "bfloat16"
    train_all([job])
    names = set(tensors(job, "model.safetensors"))
    assert "model.embed_tokens.weight" in names and "lm_head.weight" not in names
    trained = load(job)
    assert trained.lm_head.weight is trained.model.embed_tokens.weight


def test_stopping_on_the_answer_ends_when_it_is_learnt_and_keeps_the_first_best_step(
    model: Path, tmp_path: Path
) -> None:
    stopping = {"validation": 0.2, "stop_on": "answer", "patience": 8, "save_steps": 5}
    job = make_job(model, tmp_path / "learnt", same_answer=True, epochs=60, **stopping)
    train_all([job])
    found = facts(job)
    answers = [evaluation["answer"] for evaluation in found["evaluations"]]
    assert found["validation_examples"] == 5 and found["examples"] == 19
    assert max(answers) == 1.0 and answers[0] < 1.0
    assert found["best_step"] == 5 * (answers.index(1.0) + 1)
    assert found["steps"] == found["best_step"] + 40 < 300, "eight evaluations more, none better"
    trained = load(job)
    for row in held_out(job):
        prompt = [each for each, label in zip(row["input_ids"], row["labels"], strict=True) if label == -100]
        assert greedy(trained, prompt) == job.targets[0]


def test_stopping_on_the_loss_keeps_the_weights_of_the_best_step(model: Path, tmp_path: Path) -> None:
    """Answers without a rule: the training loss falls, that of the inputs held out soon rises."""
    stopping = {"validation": 0.25, "stop_on": "loss", "patience": 2, "save_steps": 3}
    job = make_job(model, tmp_path / "stopped", epochs=60, learning_rate=0.01, **stopping)
    train_all([job])
    losses = {each["step"]: each["loss"] for each in facts(job)["evaluations"]}
    best = min(losses, key=lambda step: losses[step])
    assert facts(job)["best_step"] == best < facts(job)["steps"] == max(losses)
    assert loss_on(load(job), held_out(job)) == pytest.approx(losses[best], rel=1e-4)
    assert losses[max(losses)] > losses[best] + 0.01


def test_steps_lengths_and_tokens_are_what_was_asked_for(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = make_job(model, tmp_path / "steps", max_steps=7, max_length=30, gradient_checkpointing=True)
    train_all([job])
    lengths = [len(p) + len(t) for p, t in zip(job.prompts, job.targets, strict=True)]
    fitting = [length for length in lengths if length <= 30]
    found = facts(job)
    assert (found["steps"], found["examples"], found["too_long"]) == (7, len(fitting), 24 - len(fitting))
    assert 0 < found["too_long"] < 20
    one = make_job(model, tmp_path / "one", epochs=1)
    train_all([one])
    assert facts(one)["tokens"] == sum(lengths)
    assert facts(one)["padding_tokens"] > 0
    assert set(facts(one)["versions"]) >= {"torch", "trl", "transformers", "peft"}
    said = capfd.readouterr().err
    assert "train one: 24 examples, 6 steps, loss " in said


def test_parts_of_a_step_learn_what_the_whole_step_learns(model: Path, tmp_path: Path) -> None:
    jobs = [
        make_job(model, tmp_path / "whole", epochs=3),
        make_job(model, tmp_path / "parts", epochs=3, gradient_accumulation=2),
    ]
    train_all(jobs)
    whole, parts = map(tensors, jobs)
    assert facts(jobs[0])["steps"] == facts(jobs[1])["steps"] == 18
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-2, atol=1e-4)
