"""A whole run on the hf engine with a real training, on a random model: killed while it trains, and stopped.

Marked `slow`: each case starts child processes that import TRL.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from forked import Commands, Place, Started
from kill_fixtures import calls_in, complaint, tables_in
from run_fixtures import write_task
from tiny_models import save_model

pytestmark = pytest.mark.slow
WHOLE_TEXT = "filter_list:\n  - name: whole-text\n    filter:\n      - function: take_first\n"
"""Whatever the model says is its answer, so that a random one can be a teacher."""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("own")
    return [
        "--pretrained", str(save_model(folder / "model", spread=0.1)), "--dtype", "float32", "--data",
        "embedded", "--include-path", str(write_task(folder / "tasks", more=WHOLE_TEXT)), "--tasks", "sums",
        "--distill-inputs", "20", "--samples", "1", "--sampling", "max_tokens=8", "--train-args",
        "epochs=30,batch=4,save_steps=10,learning_rate=0.01,dropout=0.1", "--output", "run",
    ]  # fmt: skip


def in_training(started: Started) -> list[psutil.Process]:
    """Wait until a checkpoint of the training is whole; the processes that train."""
    deadline = time.monotonic() + 120
    while not any(started.place.work.glob("cache/checkpoints/.*.training/checkpoint-*/whole.json")):
        assert time.monotonic() < deadline and psutil.pid_exists(started.pid)
        time.sleep(0.005)
    return psutil.Process(started.pid).children(recursive=True)


@pytest.mark.soak
def test_a_run_killed_while_it_trains_ends_with_the_same_tables(
    commands: Commands, arguments: list[str], tmp_path: Path
) -> None:
    whole, place = Place(tmp_path / "whole"), Place(tmp_path / "killed")
    done = commands.run(whole, arguments)
    assert done.status == 0, done.stderr
    killed = commands.start(place, arguments)
    training = in_training(killed)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait().status == -9
    assert training and not psutil.wait_procs(training, timeout=10)[1], "the training outlived its run"
    finished = calls_in(place.work / "run")
    done = commands.run(place, arguments)
    assert done.status == 0, done.stderr
    assert finished.items() <= calls_in(place.work / "run").items()
    assert tables_in(place.work / "run") == tables_in(whole.work / "run")
    (facts,) = place.work.glob("cache/checkpoints/*/training.json")
    assert json.loads(facts.read_text())["resumed_from_step"] is not None


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_run_stopped_while_it_trains_says_how_to_go_on_and_ends_its_training(
    commands: Commands, arguments: list[str], tmp_path: Path, name: str, status: int
) -> None:
    stopped = commands.start(Place(tmp_path), arguments, ignored=["SIGINT"])
    training = in_training(stopped)
    os.kill(stopped.pid, getattr(signal, name))
    assert "the same command continues" in complaint(stopped.wait(), status)
    assert training and not psutil.wait_procs(training, timeout=10)[1], "the training outlived its run"
