"""A finished run is shown by its own command without loading anything, unless anything could have changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from test_end_to_end import SCRIPTS, TABLES, Done, last_line, run_command

from harness.command import unchanged

SHOWN = "finished: its records are shown"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a script, a price file and a finished run of it, begun a minute ago."""
    folder = tmp_path_factory.mktemp("again")
    shutil.copy(SCRIPTS / "paper_like.py", folder / "script.py")
    assert repeat(folder).returncode == 0
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it. Its manifest gets a later start, because copied files have a new ctime."""
    shutil.copytree(made, tmp_path / "here")
    manifest = json.loads((tmp_path / "here/run/manifest.json").read_text())
    manifest["started"] = "2030-01-01T00:00:00Z"
    (tmp_path / "here/run/manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "here"


def repeat(folder: Path, *more: str) -> Done:
    return run_command(
        folder,
        ["--models", "base,s2", "--engine", "scripted", "--engine-args", "script=script.py", "--tasks",
         "coin_flip", "--limit", "8", "--output", "run", *more],
    )  # fmt: skip


def test_a_finished_run_is_shown_and_its_files_stay(run: Path) -> None:
    before = {name: (run / "run" / name).read_bytes() for name in TABLES}
    done = repeat(run)
    assert done.returncode == 0 and SHOWN in done.stderr and "calls" not in done.stderr
    assert last_line(done)["n_rows"] == 2 and "coin_flip" in done.stdout
    assert {name: (run / "run" / name).read_bytes() for name in TABLES} == before


def test_what_a_kill_left_beside_the_tables_is_removed(run: Path) -> None:
    """A run is finished before its tables are written, so a kill among them leaves a finished run."""
    left = run / "run/.leaderboard.json.9642"
    left.write_text("{")
    with FileLock(run / "run/.lock"):
        assert SHOWN in repeat(run).stderr
        assert left.is_file(), "another process may be writing it"
    assert SHOWN in repeat(run).stderr
    assert not left.exists()


def test_options_of_the_tables_may_differ(run: Path) -> None:
    done = repeat(run, "--margin", "8")
    assert SHOWN in done.stderr
    assert json.loads((run / "run/leaderboard.json").read_text())["margin"] == 0.08


def later(path: Path) -> None:
    """Makes the file look as if it had been written after the run."""
    os.utime(path, (2e9, 2e9))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a script that the options name": lambda run: later(run / "script.py"),
    "samples that somebody edited": lambda run: (run / "run/samples/base/coin_flip.jsonl").write_text("{}\n"),
    "samples that are gone": lambda run: (run / "run/samples/s2/coin_flip.jsonl").unlink(),
    "another version": lambda run: edit(run, versions={"s2d-bench": "0.0.1"}),
    "a run that was stopped": lambda run: edit(run, status="failed"),
    "a manifest without a date": lambda run: edit(run, started=None),
    "our own code": lambda run: edit(run, started="2001-01-01T00:00:00Z"),
}


def edit(run: Path, **keys: object) -> None:
    manifest = json.loads((run / "run/manifest.json").read_text())
    (run / "run/manifest.json").write_text(json.dumps(manifest | keys))


@pytest.mark.parametrize("change", CHANGES)
def test_the_run_is_opened_if_anything_could_have_changed(run: Path, change: str) -> None:
    CHANGES[change](run)
    done = repeat(run)
    assert done.returncode == 0 and SHOWN not in done.stderr and "from the store" in done.stderr


def test_other_options_are_refused_as_before(run: Path) -> None:
    done = repeat(run, "--limit", "9", "--seed", "4")
    assert SHOWN not in done.stderr


def test_paths_are_found_wherever_options_name_them(tmp_path: Path) -> None:
    from harness.options import RunOptions

    for name in ("data", "adapter", "tasks", "script.py", "blocks.yaml"):
        (tmp_path / name).mkdir() if "." not in name else (tmp_path / name).touch()
    options = RunOptions(
        models=f"base,mine={tmp_path}/adapter", data=f"{tmp_path}/data", include_path=(f"{tmp_path}/tasks",),
        engine_args={"script": f"{tmp_path}/script.py"}, task_config=f"{tmp_path}/blocks.yaml",
    )  # fmt: skip
    assert {path.name for path in unchanged._named(options.as_dict())} >= {
        "data", "adapter", "tasks", "script.py", "blocks.yaml"
    }  # fmt: skip
