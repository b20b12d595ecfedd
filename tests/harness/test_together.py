"""Two commands at once: on one run folder the second leaves, with one cache both end well and train once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from forked import Commands, Place, Started
from kill_fixtures import ARGUMENTS, Undisturbed, arguments_for, complaint, small_place, tables_in

from harness.models import source as models
from harness.models.gguf import VERSION
from harness.models.source import convert_gguf


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held(commands: Commands, place: Place, moment: int) -> Started:
    """The command, stopped at that moment."""
    first = commands.start(place, ARGUMENTS, strike_at=moment, how="SIGSTOP")
    until(lambda: psutil.Process(first.pid).status() == psutil.STATUS_STOPPED)
    return first


def test_the_second_command_on_a_run_folder_says_so_and_leaves(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The first is held in the middle of a write meanwhile."""
    place, beside = small_place(tmp_path / "first"), small_place(tmp_path / "second")
    first = held(commands, place, undisturbed.moment("after s2", "write run/samples", 0))
    before = {path: path.read_bytes() for path in place.work.rglob("*") if path.is_file()}
    line = complaint(commands.run(beside, ARGUMENTS, work=str(place.work)), 2)
    assert "run is used by another process" in line
    assert {path: path.read_bytes() for path in place.work.rglob("*") if path.is_file()} == before
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait().status == 0
    assert tables_in(place.work / "run") == undisturbed.tables


def test_two_runs_that_share_a_cache_train_once_and_end_alike(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    place, beside = small_place(tmp_path / "first"), small_place(tmp_path / "second")
    first = held(commands, place, undisturbed.moment("after teacher", "write cache/checkpoints", 0))
    second = commands.start(beside, arguments_for(output="other/run"), work=str(place.work))
    until(lambda: "waiting for another run" in (beside.root / "err").read_text())
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait().status == second.wait().status == 0
    assert not [line for line in beside.moments if line.startswith("teacher") or "checkpoints" in line]
    tables, other = tables_in(place.work / "run"), tables_in(place.work / "other" / "run")
    assert tables == undisturbed.tables
    del tables["leaderboard.html"], other["leaderboard.html"]  # the page names the run's folder
    assert tables == other


def test_a_model_that_two_processes_want_is_converted_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks hold between threads as between processes, since each opens the lock file for itself."""
    converted: list[Path] = []

    def convert(gguf: Path, home: Path) -> None:
        converted.append(gguf)
        time.sleep(0.3)
        home.mkdir()
        (home / "config.json").write_text("{}")
        (home / "converted").write_text(VERSION)

    monkeypatch.setattr(models, "convert", convert)
    (tmp_path / "model.gguf").write_bytes(b"weights")
    homes: list[Path] = []
    working = [
        threading.Thread(target=lambda: homes.append(convert_gguf(tmp_path / "model.gguf"))) for _ in range(3)
    ]
    for each in working:
        each.start()
    for each in working:
        each.join()
    assert len(converted) == 1
    assert len(homes) == 3 and len(set(homes)) == 1
