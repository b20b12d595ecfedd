"""The run folder: one process at a time, one set of options, and nothing of anybody else's in it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import folder as folders
from harness.errors import UserError
from harness.folder import RunFolder, held_manifest
from harness.options import RunOptions

HOLD = (
    "import sys; from harness.folder import RunFolder; from harness.options import RunOptions\n"
    "folder = RunFolder.open(RunOptions(output=sys.argv[1]), 'first')\n"
    "print('held', flush=True); sys.stdin.readline()"
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begin(status: str = "running", **options: Any) -> Path:
    """A run folder that was begun and left with this status."""
    folder = RunFolder.open(RunOptions(**options), "command")
    folder.save(status=status)
    folder.close()
    return folder.path


def refused(**options: Any) -> str:
    with pytest.raises(UserError) as caught:
        begin(**options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_run_says_what_it_is() -> None:
    path = begin(output="run", tasks=("gsm8k",))
    manifest = json.loads((path / "manifest.json").read_text())
    assert (manifest["schema"], manifest["run"], manifest["status"]) == (1, "run", "running")
    assert manifest["command"] == "command"
    assert RunOptions.from_dict(manifest["options"]) == RunOptions(output="run", tasks=("gsm8k",))
    assert {"python", "torch", "transformers", "lm-eval"} <= set(manifest["versions"])
    assert manifest["hardware"]["cores"] >= 1 and manifest["hardware"]["memory_gb"] > 0


def test_a_run_is_taken_up_again_with_its_manifest() -> None:
    folder = RunFolder.open(RunOptions(output="run"), "first")
    folder.save(status="failed", distillation=[{"task": "gsm8k"}])
    folder.close()
    again = RunFolder.open(RunOptions(output="run"), "second")
    assert again.manifest["distillation"] == [{"task": "gsm8k"}]
    assert (again.manifest["status"], again.manifest["command"]) == ("running", "second")
    assert again.manifest["started"] == folder.manifest["started"]
    again.close()


def test_a_second_process_is_turned_away_and_comes_in_when_the_first_is_killed() -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        assert "used by another process" in refused(output="run")
    finally:
        first.kill()
        first.wait()
    assert begin(output="run") == Path("run")


def test_a_refused_folder_is_not_held() -> None:
    begin(output="run")
    assert "--seed" in refused(output="run", seed=1)
    assert begin(output="run") == Path("run")


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("seed", 4, "--seed 0, now it is 4"),
        ("limit", 9, "was extended by another command"),
        ("models", "base", "was extended by another command"),
        ("sampling", {"temperature": 1}, "--sampling {}"),
        ("distill_inputs", 5, "--distill-inputs None, now it is 5"),
    ],
)
def test_other_options_are_refused_by_name(option: str, value: Any, shown: str) -> None:
    begin(output="run")
    assert shown in refused(output="run", **{option: value})


def test_margin_and_prices_may_differ() -> None:
    begin(output="run")
    assert begin(output="run", margin=2.0, prices="prices.yaml") == Path("run")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"schema": 99}', "\udcff"],
    ids=["empty", "cut", "list", "bare", "newer", "binary"],
)
def test_a_damaged_manifest_is_named_and_left_alone(text: str) -> None:
    path = begin(output="run")
    damaged = text.encode("utf-8", "surrogateescape")
    (path / "manifest.json").write_bytes(damaged)
    assert "manifest.json" in refused(output="run")
    assert (path / "manifest.json").read_bytes() == damaged


def test_a_folder_with_other_things_is_left_alone() -> None:
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("one")
    assert "chapter.txt" in refused(output="thesis")
    assert [path.name for path in Path("thesis").iterdir() if path.name != ".lock"] == ["chapter.txt"]


def test_an_output_that_is_a_file_is_named() -> None:
    Path("notes").write_text("mine")
    assert "notes cannot be written" in refused(output="notes")


def test_a_kill_during_the_first_write_leaves_a_folder_that_can_be_used() -> None:
    Path("run").mkdir()
    Path("run/.lock").touch()
    Path("run/.manifest.json.4711").write_text('{"sch')
    assert begin(output="run") == Path("run")


def with_tables(path: Path) -> Path:
    """A finished run is done once its tables are written."""
    (path / "leaderboard.html").write_text("")
    return path


def test_a_run_that_was_killed_before_its_tables_goes_on() -> None:
    path = begin("finished")
    (path / "leaderboard.json").write_text("{}")  # the first of its tables, and the page is the last
    assert begin("finished") == path


def test_a_page_of_an_earlier_state_does_not_make_a_run_done() -> None:
    folder = RunFolder.open(RunOptions(), "command")
    (folder.path / "leaderboard.html").write_text("")  # `report` wrote it of the unfinished run
    folder.finish()
    folder.close()
    assert held_manifest(folder.path)["status"] == "finished"  # and then it was killed, before its tables
    assert begin("finished") == folder.path


def test_of_a_run_that_asked_nothing_nothing_stays(tmp_path: Path) -> None:
    for there in (False, True):
        path = tmp_path / f"run{there}"
        if there:
            path.mkdir()
        folder = RunFolder.open(RunOptions(output=str(path)), "command")
        folder.nothing_asked = True
        folder.close()
        assert path.exists() is there and not (there and list(path.iterdir()))
    folder = RunFolder.open(RunOptions(output="shared"), "command")
    (folder.path / "notes").mkdir()
    (folder.path / "gpu.log").write_text("of somebody else")
    folder.nothing_asked = True
    folder.close()
    assert sorted(path.name for path in folder.path.iterdir()) == ["gpu.log", "notes"]
    kept = begin(output="kept")
    again = RunFolder.open(RunOptions(output="kept"), "command")
    again.nothing_asked = True
    again.close()
    assert (kept / "manifest.json").is_file(), "it was begun before"


def test_a_run_in_this_folder_has_its_name(tmp_path: Path) -> None:
    assert json.loads((begin(output=".") / "manifest.json").read_text())["run"] == tmp_path.name


def test_runs_of_somebody_else_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin()
    usual = folders.held_manifest

    def refuse(each: Path) -> Any:
        if each.name.startswith("zz"):
            raise PermissionError(13, "Permission denied", str(each))
        return usual(each)

    (path.parent / "zz-theirs").mkdir()
    monkeypatch.setattr(folders, "held_manifest", refuse)
    assert begin() == path


def test_fresh_does_not_take_up_a_run_that_is_there() -> None:
    begin(output="run")
    assert "--fresh" in refused(output="run", fresh=True)


def test_the_newest_unfinished_run_with_the_same_options_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    usual = time.strftime

    def ticking(form: str, *when: Any) -> str:
        return f"20260101-0000{next(clock):02d}" if form == "%Y%m%d-%H%M%S" else usual(form, *when)

    monkeypatch.setattr("harness.folder.time.strftime", ticking)
    begun: Callable[..., Path] = begin
    old = begun("failed")
    new = begun("failed", fresh=True)
    other = begun("failed", seed=5)
    finished = with_tables(begun("finished", fresh=True))
    assert len({old, new, other, finished}) == 4
    assert begun("failed") == new
    assert begun("failed", margin=1.0) == new
    assert begun("failed", seed=5) == other
    assert begun("failed", seed=6) not in {old, new, other, finished}
    assert with_tables(begun("finished")) == new
    assert begun("failed") == old
    with_tables(begun("finished"))
    assert begun("failed") not in {old, new, other, finished}


def test_strangers_under_runs_do_no_harm() -> None:
    Path("runs/zzz-folder").mkdir(parents=True)
    Path("runs/zzz-damaged").mkdir()
    Path("runs/zzz-damaged/manifest.json").write_text("{")
    Path("runs/zzz-file").write_text("x")
    path = begin(pretrained="org/Some-Model")
    assert path.parent == Path("runs") and path.name.endswith("-Some-Model")


def test_two_runs_of_one_second_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.folder.time.strftime", lambda *_: "20260101-000000")
    paths = [begin("finished", fresh=True) for _ in range(3)]
    assert len(set(paths)) == 3


def test_no_manifest_is_none() -> None:
    assert held_manifest(Path()) is None
