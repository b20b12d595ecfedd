"""A training that is killed goes on from its last whole checkpoint and ends as if nothing had happened.

Marked `slow`: each case starts child processes that import TRL.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_models import save_model
from training_fixtures import make_job, started

from distill.training.job import TrainingJob
from distill.training.parent import train_all
from distill.training.resume import last_whole, mark_whole, training_folder
from distill.training.stages import staged
from harness.errors import RunError

pytestmark = pytest.mark.slow
STEPS = 240
LONG = {"epochs": 40, "save_steps": 25, "dropout": 0.1, "validation": 0.05, "learning_rate": 1e-3}
"""Six steps an epoch, so that every kill falls into the middle of one; dropout draws random numbers."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("kill") / "model", spread=0.1)


def facts(output: str) -> dict[str, Any]:
    return dict(json.loads((Path(output) / "training.json").read_text()))


def weights(output: str) -> bytes:
    return (Path(output) / "adapter_model.safetensors").read_bytes()


def kill_at(job: TrainingJob, step: int) -> str:
    """Train, kill the child with SIGKILL once the checkpoint of `step` is whole, and give the error."""
    working, errors = started(job, step, 0.002)
    for child in psutil.Process().children():
        if "distill.training.parent" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
    working.join()
    assert errors, "training ended before it could be killed"
    return str(errors[0])


def test_a_killed_training_ends_with_the_steps_and_weights_of_one_that_was_not(
    model: Path, tmp_path: Path
) -> None:
    whole = make_job(model, tmp_path / "whole", count=25, **LONG)
    train_all([whole])
    killed = make_job(model, tmp_path / "killed", count=25, **LONG)
    folder = training_folder(tmp_path / "killed")

    assert "the system killed it" in kill_at(killed, 50)
    assert not (tmp_path / "killed").exists()
    kill_at(killed, 125)
    found = last_whole(folder)
    assert found is not None and found.step >= 125
    half = folder / "checkpoint-235"
    shutil.copytree(found.folder, half)
    (half / "optimizer.pt").write_bytes(b"half-writ")
    train_all([killed])

    assert facts(killed.output)["steps"] == facts(whole.output)["steps"] == STEPS
    assert facts(killed.output)["resumed_from_step"] == found.step
    assert weights(killed.output) == weights(whole.output), "float32 on a CPU repeats to the bit"
    for name in ("tokens", "padding_tokens", "evaluations"):
        assert facts(killed.output)[name] == facts(whole.output)[name]
    assert facts(killed.output)["loss"] == pytest.approx(facts(whole.output)["loss"], rel=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


@pytest.mark.parametrize(
    ("ends", "least", "most"),
    [
        ({"max_steps": 75}, 75, 75),
        ({"epochs": 4}, 24, 24),
        ({"max_steps": 400, "validation": 0.1, "stop_on": "loss", "patience": 1}, 50, 399),
    ],
    ids=["max-steps", "epochs", "stopped-early"],
)
def test_a_training_that_fails_after_its_last_step_trains_no_further(
    model: Path, tmp_path: Path, ends: dict[str, Any], least: int, most: int
) -> None:
    """75 steps end in the middle of an epoch, where the trainer alone would take one more. A file in the
    place of the output lets everything succeed but the last move."""
    straight = make_job(model, tmp_path / "straight", save_steps=25, **ends)
    job = make_job(model, tmp_path / "done", save_steps=25, **ends)
    (tmp_path / "done").write_text("in the way")
    with pytest.raises(RunError, match="done"):
        train_all([straight, job])
    steps = facts(straight.output)["steps"]
    assert least <= steps <= most
    found = last_whole(training_folder(tmp_path / "done"))
    assert found is not None and found.finished and found.step == steps
    (tmp_path / "done").unlink()
    train_all([job])
    assert facts(job.output)["steps"] == facts(job.output)["resumed_from_step"] == steps
    assert weights(job.output) == weights(straight.output)
    for name in ("tokens", "evaluations", "best_step"):
        assert facts(job.output)[name] == facts(straight.output)[name]


def test_the_checkpoints_of_other_settings_are_not_resumed(model: Path, tmp_path: Path) -> None:
    job = make_job(model, tmp_path / "job", epochs=80, save_steps=25)
    kill_at(job, 25)
    other = make_job(model, tmp_path / "job", epochs=2, save_steps=25)
    train_all([other])
    assert facts(other.output)["resumed_from_step"] is None
    assert facts(other.output)["steps"] == 12


def test_what_a_kill_left_beside_a_complete_checkpoint_is_removed(model: Path, tmp_path: Path) -> None:
    job = make_job(model, tmp_path / "made")
    made = made_as_if_by(job)
    left = training_folder(made) / "checkpoint-5"
    left.mkdir(parents=True)
    mark_whole(left, finished=True, totals={})
    train_all([job])
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert (made / "adapter_model.safetensors").read_bytes() == b"made before"


def made_as_if_by(job: TrainingJob) -> Path:
    """A checkpoint that was complete when the run was killed, before it was recorded."""
    output = Path(job.output)
    output.mkdir()
    (output / "training.json").write_text(json.dumps({"job": job.hash()}))
    (output / "adapter_model.safetensors").write_bytes(b"made before")
    return output


def test_a_checkpoint_of_other_examples_is_not_taken_for_this_one(model: Path, tmp_path: Path) -> None:
    """Its folder bears the same name where only the engine's arguments differed."""
    job = make_job(model, tmp_path / "made", epochs=1)
    other = make_job(model, tmp_path / "made", epochs=1, count=20)
    made_as_if_by(other)
    train_all([job])
    assert facts(job.output)["examples"] == 24 and facts(job.output)["job"] == job.hash()
    assert weights(job.output) != b"made before"


def test_a_disk_that_refuses_weights_is_named(model: Path, tmp_path: Path) -> None:
    """The system's own refusal: no file of the child may grow beyond so many bytes."""
    adapter = make_job(model, tmp_path / "adapter", epochs=1)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, usual[1]))
    try:
        with pytest.raises(RunError) as caught:
            train_all([adapter])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    line = str(caught.value)
    assert ".adapter.training" in line and "could not be written" in line and "free some space" in line
    assert not Path(adapter.output).exists()
    train_all([adapter])
    assert facts(adapter.output)["steps"] == 6


def test_a_training_whose_run_is_gone_already_does_not_begin(model: Path, tmp_path: Path) -> None:
    """A run that is killed while its child starts can send it no signal."""
    (tmp_path / "jobs.json").write_text(json.dumps([asdict(make_job(model, tmp_path / "made"))]))
    done = subprocess.run(
        [sys.executable, "-m", "distill.training.parent", str(tmp_path / "jobs.json")],
        env={**os.environ, "S2D_TRAINING_PARENT": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.json"]


def test_a_killed_training_in_stages_goes_on_in_its_stage(model: Path, tmp_path: Path) -> None:
    def job(name: str) -> TrainingJob:
        plain = make_job(model, tmp_path / name, count=25, **{**LONG, "validation": 0.0, "stages": 4})
        return staged(plain, [list(range(5, 17)) for _ in plain.prompts])

    whole, killed = job("whole"), job("killed")
    train_all([whole])
    kill_at(killed, 50)
    train_all([killed])
    assert facts(killed.output)["resumed_from_step"] >= 50
    assert facts(killed.output)["steps"] == facts(whole.output)["steps"]
    assert (
        facts(killed.output)["tokens"]
        == facts(whole.output)["tokens"]
        == sum(map(len, [*whole.prompts, *whole.targets]))
    )
    assert weights(killed.output) == weights(whole.output)
