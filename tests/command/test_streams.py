"""A command whose output nobody can take, or whose input nobody may read, still ends as it should.

Real processes on real files: /dev/full is a disk that is full, a pipe whose reader left is broken.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from results_fixtures import FakeTask, make_run

from harness.command.exit import Course, Stopped, guarded
from harness.errors import UserError

COMMAND = [sys.executable, "-m", "harness.command.cli"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    make_run(folder / "run", [FakeTask(clusters=400)])
    (folder / "holds").write_text("s2 superior to base\n")
    (folder / "fails").write_text("tokens s2 <= 0.1 base\n")
    return folder


def shell(folder: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which `B` is the command; returns the command's own status."""
    script = f'B() {{ "{sys.executable}" -m harness.command.cli "$@"; }}; {line}; exit "${{PIPESTATUS[0]}}"'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("B report run | true", 0, ""),
        ("B gate run --policy fails | true", 1, ""),
        ("B --limit 0 2>&1 >/dev/null | true", 2, ""),
        ("B --limit 0 2>/dev/full", 2, ""),
        ("B report run >/dev/full", 2, "standard output could not be written (No space left on device)"),
        ("B gate run --policy fails >/dev/full", 2, "standard output could not be written"),
        ("B report run >&-", 0, ""),
        ("B report run 2>&-", 0, ""),
        ("B --limit 0 >/dev/full", 2, "--limit 0: it must be at least 1"),
    ],
)
def test_output_that_cannot_be_written_causes_no_traceback_and_changes_no_verdict(
    place: Path, line: str, status: int, says: str
) -> None:
    done = shell(place, line)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert says in done.stderr and "Exception ignored" not in done.stderr


def test_characters_that_an_encoding_lacks_are_escaped(place: Path) -> None:
    make_run(place / "größe", [FakeTask(clusters=20)])
    done = shell(place, "B report größe", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "gr\\xf6\\xdfe" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "ok"


def test_a_file_without_read_permission_is_bad_input(place: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if subprocess.run([*user, "true"], check=False, capture_output=True).returncode:
            pytest.skip("as root every file may be read, and setpriv cannot take that away here")
    else:
        user = []
    make_run(tmp_path / "run", [FakeTask(clusters=20)])
    rows, policy = tmp_path / "run" / "samples" / "base" / "coin_flip.jsonl", tmp_path / "policy"
    policy.write_text("overlap == 0\n")
    for hidden in (rows, policy, tmp_path / "run" / "manifest.json"):
        hidden.chmod(0)
        done = subprocess.run(
            [*user, *COMMAND, "gate", "run", "--policy", "policy"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        hidden.chmod(0o600)
        assert done.returncode == 2, done.stderr
        assert hidden.name in done.stderr and "fix its permissions" in done.stderr


def test_a_folder_in_the_place_of_a_file_is_bad_input(tmp_path: Path) -> None:
    make_run(tmp_path / "run", [FakeTask(clusters=20)])
    rows = tmp_path / "run" / "samples" / "base" / "coin_flip.jsonl"
    rows.unlink()
    (tmp_path / "run" / "leaderboard.md").mkdir()
    done = shell(tmp_path, "B report run")
    assert done.returncode == 1 and "leaderboard.md exists but is not what is needed" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_that_a_library_turned_into_another_error_is_a_stop(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    # Where the tests run under `nohup`, SIGHUP is ignored.
    heard = signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def library(course: Course) -> int:
        try:
            signal.raise_signal(number)
        except (KeyboardInterrupt, Stopped) as stop:
            raise ImportError("initialization failed") from stop
        return 0

    before = [signal.getsignal(each) for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]
    try:
        assert guarded(library) == 128 + number
        after = [signal.getsignal(each) for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]
    finally:
        signal.signal(signal.SIGHUP, heard)
    assert after == before
    assert "stopped; the same command continues" in capsys.readouterr().err


def test_a_run_under_nohup_ignores_sighup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert guarded(lambda course: signal.raise_signal(signal.SIGHUP) or 7) == 7
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stopped_run_with_fresh_in_its_configuration_says_how_to_continue(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(course: Course) -> int:
        course.fresh = True
        raise KeyboardInterrupt

    assert guarded(stopped) == 130
    assert "without --fresh" in capsys.readouterr().err


def test_a_disk_error_is_bad_input_before_a_run_and_a_failed_run_during_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for writing, status in ((False, 2), (True, 1)):

        def refuse(course: Course, writing: bool = writing) -> int:
            course.writing = writing
            raise PermissionError(13, "Permission denied", "x")

        assert guarded(refuse) == status
        assert "x could not be written or read" in capsys.readouterr().err


def test_bad_input_is_one_line_and_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(course: Course) -> int:
        raise UserError("--limit 0:\nno")

    assert guarded(wrong) == 2
    said = capsys.readouterr()
    assert said.err == "s2d-bench: --limit 0: no\n"
    assert json.loads(said.out) == {"status": "bad_input", "error": "--limit 0: no"}
