"""The training child imports our packages, whatever the working folder holds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distill.training import parent as train
from distill.training.accelerate_config import child_environment
from harness.errors import RunError


@pytest.mark.parametrize("module", ["distill.training.accelerate_config", "harness.errors", "tasks.spec"])
def test_files_of_the_working_folder_do_not_stand_for_our_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    for name in ("harness", "distill", "tasks", "results"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('Error: a file of the user, not ours')")
    monkeypatch.chdir(tmp_path)
    train._run([sys.executable, "-m", module])
    (tmp_path / "beside.py").write_text("")
    with pytest.raises(RunError, match="No module named beside"):
        train._run([sys.executable, "-m", "beside"])


def test_what_a_user_has_on_the_path_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere:/else")
    assert child_environment()["PYTHONPATH"].split(":")[-2:] == ["/somewhere", "/else"]
