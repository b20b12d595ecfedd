"""What a log file gets of a phase: a line now and then with done, total, speed and time left."""

from __future__ import annotations

import io
import re
import time
from types import SimpleNamespace

import pytest

from harness import progress
from harness.progress import Progress, TrainingLines, clock

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


def test_a_batch_under_way_counts_in_a_log_and_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One batch may have all calls of a phase: until it ends, nothing else would move."""
    for each in ("SECONDS_BETWEEN", "SECONDS_OF_A_BAR"):
        monkeypatch.setattr(progress, each, 0.05)

    def shown_by() -> None:
        ended, tokens = iter(range(30, 1000, 10)), iter(range(500, 10_000, 500))
        with Progress("base", planned=200, under_way=lambda: (next(ended), next(tokens))):
            time.sleep(0.3)

    shown_by()
    lines = [match.groups() for line in capsys.readouterr().err.splitlines() if (match := LINE.match(line))]
    assert [int(done) for done, _, _ in lines[:3]] == [30, 40, 50]
    assert "not known" not in lines[0][2]
    screen = _Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    shown_by()
    assert "30/200" in screen.getvalue() and "50/200" in screen.getvalue()
    assert re.search(r"[1-9]\d* tok/s", screen.getvalue())


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


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TRAINING = [
    "train sums: step 1 of 80, loss 2.100, 90 tokens/s, 1:20 left",
    "train sums: step 40 of 80, loss 1.000, 95 tokens/s, 0:40 left",
    "train sums: step 40 of 80, validation loss 1.200, 50.0% of the answers reproduced",
    "train sums: 24 examples, 80 steps, loss 0.900, 95 tokens/s, 80 s",
]


def test_a_training_keeps_the_pace_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.pace() == {progress.PACE: "60.0"}
    monkeypatch.setattr("sys.stderr", _Terminal())
    assert progress.pace() == {progress.PACE: "1.0"}


def test_a_log_has_the_lines_of_a_training_and_a_terminal_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown_by(place: io.StringIO | None) -> str:
        if place is not None:
            monkeypatch.setattr("sys.stderr", place)
        lines = TrainingLines()
        for line in TRAINING:
            lines.show(line)
        lines.close()
        return capsys.readouterr().err if place is None else place.getvalue()

    assert shown_by(None).splitlines() == TRAINING
    screen = shown_by(_Terminal())
    assert "train sums:  50%" in screen and "step 40 of 80, loss 1.000" in screen
    assert [line.rpartition("\r")[2] for line in screen.split("\n")] == [*TRAINING[2:], ""]


def test_a_training_prints_its_first_step_and_then_keeps_the_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from distill.training.progress import SECONDS_BETWEEN, Meter, Watch

    assert SECONDS_BETWEEN == 60.0
    clock = iter(range(10_000))
    monkeypatch.setattr("distill.training.progress.time.perf_counter", lambda: float(next(clock)))
    meter = Meter()
    watch = Watch("sums", meter, None)
    state = SimpleNamespace(global_step=0, max_steps=80, is_world_process_zero=True, epoch=0)
    arguments = SimpleNamespace(world_size=1)
    watch.on_train_begin(arguments, state, None)
    for step in range(1, 81):
        state.global_step = step
        meter.add(10, 10, 1.0)
        watch.on_step_end(arguments, state, None)
        if step % 10 == 0:
            watch.on_evaluate(arguments, state, None, {"eval_loss": 1.0, "eval_answer": 0.5})
    lines = capsys.readouterr().err.splitlines()
    steps = [int(line.split()[3]) for line in lines if "validation" not in line]
    assert steps[0] == 1 and 2 <= len(steps) <= 6
    told = [int(line.split()[3]) for line in lines if "validation" in line]
    assert (told[0], told[-1]) == (10, 80) and len(told) < 8
