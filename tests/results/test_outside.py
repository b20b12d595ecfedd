"""Figures of a run beside those that statsmodels, scipy and pandas make of its samples.

tests/benchmarks/outside_statistics.py does the same for real runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from results_fixtures import FakeTask, make_run

from results.analysis.leaderboard import build

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import outside_statistics as outside


def test_every_figure_agrees_to_a_millionth(tmp_path: Path) -> None:
    tasks = (FakeTask(clusters=80), FakeTask("trivia_bias", clusters=50, rows=3, within=0.7))
    run = make_run(tmp_path / "run", tasks=tasks)
    found = list(outside.figures(run, build(run, interval="obuchowski")))
    for word in ("score", "low", "Holm", "ratio", "difference", " p"):
        assert any(what.endswith(word) for what, _, _ in found), word
    for what, ours, theirs in found:
        assert ours == pytest.approx(theirs, abs=1e-6), what
