"""Bad input ends in exit status 2 and one line that names it and says what to do: never a traceback.

The rows are in bad_input.py and bad_results.py; model folders, adapters and methods, which have to be made,
in test_bad_models.py.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from bad_input import CONFIGS, MONEY_AND_RULES, OPTIONS, ROWS, TASKS, VARIANTS, Bad
from bad_results import RESULTS
from results_fixtures import FakeTask, make_run
from test_end_to_end import Done, run_command

EVERY_ROW = {**OPTIONS, **VARIANTS, **CONFIGS, **MONEY_AND_RULES, **TASKS, **ROWS, **RESULTS}


def check(done: Done, says: tuple[str, ...]) -> None:
    """Checks exit status 2, one line for people with these texts, and one line of JSON with the same."""
    complaints = [line for line in done.stderr.splitlines() if line.startswith("s2d-bench:")]
    assert done.returncode == 2, done.stderr
    assert len(complaints) == 1
    assert done.stderr.rstrip("\n").endswith(complaints[0]), "the complaint is the last line"
    assert "Traceback" not in done.stderr and "unexpected" not in complaints[0]
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["status"], last["error"]) == ("bad_input", complaints[0].removeprefix("s2d-bench: "))
    for words in says:
        assert words in complaints[0]


def write(folder: Path, row: Bad) -> None:
    for name, content in row.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            path.write_text(content(path.read_text()))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("finished") / "run", [FakeTask(clusters=12)])


@pytest.mark.parametrize("name", EVERY_ROW)
def test_bad_input_is_named_with_what_to_do(tmp_path: Path, finished: Path, name: str) -> None:
    row = EVERY_ROW[name]
    for run in ("run", "other"):
        if row.command.split()[0] in ("report", "compare", "gate"):
            shutil.copytree(finished, tmp_path / run)
    write(tmp_path, row)
    check(run_command(tmp_path, shlex.split(row.command)), row.says)


def test_a_mistyped_argument_of_an_engine_leaves_no_run_folder(tmp_path: Path) -> None:
    for name in ("no rows in a batch", "less than no rows", "a device that is none"):
        check(run_command(tmp_path, shlex.split(EVERY_ROW[name].command)), EVERY_ROW[name].says)
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_as_long_as_promised() -> None:
    assert len(EVERY_ROW) >= 60
    assert all(len(row.says) >= 2 for row in EVERY_ROW.values()), "the input, and the next step"
