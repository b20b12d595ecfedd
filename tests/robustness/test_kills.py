"""A run that is killed or stopped at any moment goes on where it was, and ends as if nothing had happened.

On the scripted engine. Moments are counted (moments.py), so a write is killed in its middle and a
commit on either side; `make soak` does it at 50 random ones.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from forked import Commands
from kill_fixtures import (
    ARGUMENTS,
    Undisturbed,
    calls_in,
    complaint,
    last_line,
    slow_but,
    small_place,
    tables_in,
)

MOMENTS = {
    "while the teacher is sampled": ("teacher", "call", 20),
    "before a batch is committed": ("s2", "before commit", 1),
    "while the adapter is written": ("after teacher", "write cache/checkpoints", 0),
    "before the checkpoint's record is in place": ("after teacher", "s2d.json", -1),
    "while samples are written": ("after distilled", "write run/samples/distilled", 1),
    "while the leaderboard is written": ("after distilled", "write run/.leaderboard.json", 0),
    "in its very first write": ("start", "write run/.manifest.json", 0),
}


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(when, marks=pytest.mark.slow if number in (0, 5) else ())
        for number, when in enumerate(MOMENTS)
    ],
)
def test_a_killed_run_ends_with_the_same_tables_and_repeats_no_finished_call(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path, when: str
) -> None:
    undisturbed.survives(commands, tmp_path, ARGUMENTS, *MOMENTS[when])


@pytest.mark.slow
def test_a_run_may_be_killed_again_and_again(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Ten times, each a little later; the killed processes continue each other."""
    draw = random.Random(7)
    place = small_place(tmp_path)
    kills = 0
    for _ in range(10):
        kills += commands.run(place, ARGUMENTS, strike_at=draw.randrange(1, 40)).status == -9
    assert kills > 5
    undisturbed.goes_on(commands, place, ARGUMENTS)


def test_without_output_a_run_that_lacks_its_last_table_is_found_and_goes_on(
    commands: Commands, tmp_path: Path
) -> None:
    place = small_place(tmp_path)
    arguments = ARGUMENTS[: ARGUMENTS.index("--output")]
    assert commands.run(place, arguments).status == 0
    (run,) = (place.work / "runs").iterdir()
    tables, calls = tables_in(run), calls_in(run)
    (run / "leaderboard.html").unlink()
    assert commands.run(place, arguments).status == 0
    assert [each.name for each in run.parent.iterdir()] == [run.name]
    assert (tables_in(run), calls_in(run)) == (tables, calls)
    assert commands.run(place, arguments).status == 0
    assert len(list(run.parent.iterdir())) == 2, "a run that is done is not taken up"


STOPS = {
    "at its beginning": ("SIGTERM", "start", "rename run/manifest.json", 0),
    "in base": ("SIGINT", "base", "call", 3),
    "in s2": ("SIGTERM", "s2", "after commit", 0),
    "before a scheduler's time limit": ("SIGUSR1", "s2", "call", 5),
    "in the teacher": ("SIGINT", "teacher", "call", 30),
    "in training": ("SIGINT", "after teacher", "write cache/checkpoints", 0),
    "in distilled": ("SIGINT", "distilled", "before commit", 0),
    "in its tables": ("SIGTERM", "after distilled", "write run/.leaderboard", 2),
}


@pytest.mark.parametrize("when", slow_but("in the teacher", STOPS))
def test_a_stopped_run_says_how_to_go_on(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path, when: str
) -> None:
    """Also where the shell had it ignore the signal, as shells do with SIGINT in the background."""
    place = small_place(tmp_path)
    name, *moment = STOPS[when]
    struck = commands.run(place, ARGUMENTS, strike_at=undisturbed.moment(*moment), how=name, ignored=[name])
    line = complaint(struck, {"SIGINT": 130, "SIGTERM": 143, "SIGUSR1": 138}[name])
    assert "the same command continues" in line
    assert last_line(struck)["status"] == "stopped"
    if when not in ("at its beginning", "in its tables"):  # before there is a manifest, after the run
        assert '"status": "stopped"' in (place.work / "run" / "manifest.json").read_text()
    undisturbed.goes_on(commands, place, ARGUMENTS)


def test_a_fresh_run_that_is_stopped_goes_on_without_fresh(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    place = small_place(tmp_path)
    struck = commands.run(
        place, [*ARGUMENTS, "--fresh"], strike_at=undisturbed.moment("base", "call", 3), how="SIGTERM"
    )
    assert "the same command without --fresh continues" in complaint(struck, 143)
    undisturbed.goes_on(commands, place, ARGUMENTS)
