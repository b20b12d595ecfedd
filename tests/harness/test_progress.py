"""What a log file gets of a phase: a line now and then with done, total, speed and time left."""

from __future__ import annotations

import re
import time

import pytest

from harness import progress
from harness.progress import Progress, clock

LINE = re.compile(r"base: (\d+) of (\d+) calls, \d+ tok/s, 0:0\d elapsed, (.*)")


def test_a_log_gets_lines_while_a_batch_is_under_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.05)
    with Progress("base", planned=40) as shown:
        shown.expect(10)
        time.sleep(0.12)
        shown.replayed(2)
        shown.made(3, 60)
        time.sleep(0.12)
    lines = capsys.readouterr().err.splitlines()
    found = [match.groups() for line in lines if (match := LINE.fullmatch(line))]
    assert found[0] == ("0", "40", "time left not known yet")
    assert found[-1][:2] == ("5", "40") and found[-1][2].endswith(" left")
    assert lines[-1].startswith("base: done, 3 calls, 2 from the store, 60 tokens")
    assert len(found) >= 3


def test_a_short_phase_and_a_quiet_one_say_little(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("base") as shown:
        shown.made(1, 1)
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.01)
    with Progress("base", quiet=True) as shown:
        shown.made(1, 1)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_durations_are_read_at_a_glance() -> None:
    assert [clock(seconds) for seconds in (7, 750, 11_100)] == ["0:07", "12:30", "3:05:00"]


def test_a_training_keeps_the_pace_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.pace() == {progress.PACE: "60.0"}
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert progress.pace() == {}
