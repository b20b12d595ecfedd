"""A run in planned looks that is killed in any of them ends with the same tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forked import Commands
from kill_fixtures import Undisturbed, arguments_for

ARGUMENTS = arguments_for("--until-decided", "--looks", "3", "--no-futility")
MOMENTS = {
    "in the first look": ("s2", "call", 3),
    "in the second look": ("base", "call", -1),
    "in the last look": ("distilled", "before commit", -1),
    "while the samples of a look are written": ("after distilled", "write run/samples", 1),
    "between two looks": ("after distilled", "rename run/manifest.json", 1),
    "while the plan is written": ("start", "rename run/manifest.json", 1),
}


@pytest.fixture(scope="module")
def undisturbed(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed.of(commands, tmp_path_factory.mktemp("looks"), ARGUMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("when", MOMENTS)
def test_a_run_that_is_killed_in_a_look_ends_with_the_same_tables(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path, when: str
) -> None:
    place = undisturbed.survives(commands, tmp_path, ARGUMENTS, *MOMENTS[when])
    plan = json.loads((place.work / "run" / "manifest.json").read_text())["looks"]
    assert plan["made_anew"] == [] and all(entry["ended"] for entry in plan["tasks"].values())
