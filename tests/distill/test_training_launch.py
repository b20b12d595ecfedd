"""Several processes, by the shipped configurations of accelerate, on two CPU processes.

Marked `slow`: child processes that import TRL, three at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from tiny_models import save_model
from training_fixtures import make_job, started

from distill.training.accelerate_config import SHIPPED, launch_command
from distill.training.job import TrainingJob
from distill.training.parent import train_all
from distill.training.resume import last_whole, training_folder
from harness.errors import RunError

pytestmark = pytest.mark.slow
FSDP_ON_CPU = Path(__file__).parents[1] / "scripts" / "fsdp_on_cpu.py"
TRAINING = {"epochs": 3, "validation": 0.2, "learning_rate": 1e-3, "save_steps": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("launch") / "model", spread=0.1, end_every=0)


def two_processes(folder: Path, name: str) -> Path:
    """A shipped configuration for two processes on the CPU."""
    shipped = yaml.safe_load((SHIPPED / f"{name}.yaml").read_text())
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**shipped, "num_processes": 2, "use_cpu": True}))
    return file


def facts(job: TrainingJob) -> dict[str, Any]:
    return dict(json.loads((Path(job.output) / "training.json").read_text()))


def tensors(job: TrainingJob) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    name = "adapter_model" if job.settings["tuning"] == "lora" else "model"
    return dict(load_file(Path(job.output) / f"{name}.safetensors"))


def assert_alike(one: TrainingJob, two: TrainingJob) -> None:
    """Two processes begin with the same weights, and their batches together are those of one process: so
    the result is the same but for rounding."""
    assert (facts(one)["processes"], facts(two)["processes"]) == (1, 2)
    assert facts(one)["steps"] == facts(two)["steps"] == 18
    assert facts(one)["tokens"] == facts(two)["tokens"]
    for before, after in zip(facts(one)["evaluations"], facts(two)["evaluations"], strict=True):
        assert after["loss"] == pytest.approx(before["loss"], rel=1e-4)
        assert after["answer"] == before["answer"]
    for key, tensor in tensors(one).items():
        torch.testing.assert_close(tensors(two)[key], tensor, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_two_processes_learn_what_one_learns(model: Path, tmp_path: Path, tuning: str) -> None:
    launch = two_processes(tmp_path, "ddp")
    one = make_job(model, tmp_path / "one", count=30, tuning=tuning, **TRAINING)
    two = make_job(model, tmp_path / "two", count=30, tuning=tuning, launch=str(launch), **TRAINING)
    train_all([one, two])
    assert_alike(one, two)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ddp.yaml", "one", "two"]


def fsdp(jobs: list[TrainingJob], folder: Path) -> subprocess.CompletedProcess[str]:
    listing = folder / "jobs.json"
    listing.write_text(json.dumps([asdict(job) for job in jobs]))
    command = launch_command(str(two_processes(folder, "fsdp")), listing, devices=0)
    start = command[: command.index("-m", 2)]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [*start, str(FSDP_ON_CPU), str(listing)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root, "TOKENIZERS_PARALLELISM": "false"},
        timeout=600,
        check=False,
    )


def test_weights_that_are_spread_over_processes_learn_the_same_and_are_resumed(
    model: Path, tmp_path: Path
) -> None:
    """FSDP as shipped, by a script that talks accelerate into it on CPUs. The first pass finds a file in
    the place of each output, which stops it at the end; with its last checkpoint gone, the second pass
    has the last two steps to do."""
    ones = [make_job(model, tmp_path / f"one-{t}", count=30, tuning=t, **TRAINING) for t in ("lora", "full")]
    train_all(ones)
    twos = [make_job(model, tmp_path / f"two-{t}", count=30, tuning=t, **TRAINING) for t in ("lora", "full")]
    for one, two in zip(ones, twos, strict=True):
        output = Path(two.output)
        output.write_text("in the way")
        stopped = fsdp([two], tmp_path)
        assert stopped.returncode != 0 and output.name in stopped.stderr
        shards = re.findall(r"sharded (\d+) of (\d+)", stopped.stdout)
        assert len(shards) == 2 and all(held == every != "0" for held, every in shards)
        output.unlink()
        found = last_whole(training_folder(output))
        assert found is not None and found.step == 18
        shutil.rmtree(found.folder)
        again = fsdp([two], tmp_path)
        assert again.returncode == 0, again.stderr
        assert facts(two)["resumed_from_step"] == 16
        assert_alike(one, two)


def test_several_processes_that_cannot_share_a_step_say_so_in_one_line(model: Path, tmp_path: Path) -> None:
    launch = two_processes(tmp_path, "ddp")
    job = make_job(model, tmp_path / "odd", batch=3, launch=str(launch))
    with pytest.raises(RunError, match="give --train-args batch a multiple of 2") as caught:
        train_all([job])
    assert "\n" not in str(caught.value)


def test_a_killed_process_is_named_and_all_of_them_resume(model: Path, tmp_path: Path) -> None:
    launch = two_processes(tmp_path, "ddp")
    long = {"epochs": 30, "save_steps": 20, "learning_rate": 1e-3}
    job = make_job(model, tmp_path / "two", launch=str(launch), **long)
    working, errors = started(job, 40, 0.005)
    workers = [
        child
        for child in psutil.Process().children(recursive=True)
        if "distill.training.parent" in child.cmdline()
        and "accelerate.commands.launch" not in child.cmdline()
    ]
    assert len(workers) == 2
    workers[1].kill()
    working.join()
    assert "Signal 9" in str(errors[0]) and "\n" not in str(errors[0])
    assert not any(worker.is_running() for worker in workers)
    train_all([job])
    assert facts(job)["resumed_from_step"] >= 40
    assert facts(job)["steps"] == 180
    straight = make_job(model, tmp_path / "straight", launch=str(launch), **long)
    train_all([straight])
    for key, tensor in tensors(straight).items():
        torch.testing.assert_close(tensors(job)[key], tensor, rtol=1e-4, atol=1e-6)
