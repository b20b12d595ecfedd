"""A part of a run (`report RUN --limit N`) says when the run is smaller than what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

from results_fixtures import FakeTask, make_run

from results.analysis import leaderboard
from results.records.view import Part, write_view
from results.tables import render


def test_a_limit_beyond_the_run_says_how_many_it_has(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask("a", 12), FakeTask("b", 30, rows=2), FakeTask("c", 50)])
    view = write_view(folder, Part(limit=40))
    text = " ".join(render.terminal(leaderboard.build(view)).split())
    assert "--limit 40: the run has only 12 of a, 30 of b, and all of them are used." in text
    assert "50 of c" not in text


def test_a_limit_within_the_run_says_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask("a", 12)])
    for limit in (11, 12):
        assert (
            json.loads((write_view(folder, Part(limit=limit)) / "manifest.json").read_text())["notes"] == []
        )
    assert json.loads((write_view(folder, Part(("base",))) / "manifest.json").read_text())["notes"] == []
