"""Rows that pool several seeds: the score of each, their spread, and intervals that say what they cover."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_fixtures import FakeTask, distillation, make_run

from results.analysis import leaderboard, seeds
from results.page import build as page
from results.tables import csv_file, latex
from results.tables import render as tables
from results.tables import seeds as seed_rows


def board_of(folder: Path, count: int) -> dict[str, Any]:
    entries = [distillation(seed=seed) for seed in range(count)]
    return leaderboard.build(make_run(folder, [FakeTask(clusters=60, seeds=count)], distillation=entries))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("runs") / "three"
    return folder, board_of(folder, 3)


def test_each_seed_has_its_score_and_the_row_their_mean(three: tuple[Path, dict[str, Any]]) -> None:
    assert three[1]["seeds"] == [0, 1, 2]
    for row in three[1]["rows"]:
        scores = [each["score"] for each in row["by_seed"]]
        assert [each["seed"] for each in row["by_seed"]] == [0, 1, 2] and row["n"] == 60
        assert np.mean(scores) == pytest.approx(row["score"])
        assert row["seed_spread"] == pytest.approx(np.std(scores, ddof=1))


def test_training_anew_is_less_sure_than_these_checkpoints(three: tuple[Path, dict[str, Any]]) -> None:
    for row in three[1]["rows"]:
        assert 0 <= row["anew_low"] < row["score"] < row["anew_high"] <= 1
        assert row["anew_high"] - row["anew_low"] > 0.95 * (row["ci_high"] - row["ci_low"])


def test_two_seeds_say_their_spread_and_no_interval_for_training_anew(tmp_path: Path) -> None:
    board = board_of(tmp_path / "two", 2)
    assert all(row["anew_low"] is None and row["seed_spread"] is not None for row in board["rows"])
    text = " ".join(tables.terminal(board).split())
    assert "needs 3 seeds or more" in text and "trained anew" not in text.split("Seeds")[0].split("SD")[0]


def test_one_seed_needs_no_table_of_seeds(tmp_path: Path) -> None:
    board = board_of(tmp_path / "one", 1)
    assert seed_rows.seed_cells(board, str) == [] and seed_rows.seed_legend(board) == []
    assert "SD" not in tables.terminal(board) and "## Seeds" not in tables.markdown(board)


def test_every_table_and_the_page_show_the_seeds(three: tuple[Path, dict[str, Any]]) -> None:
    folder, board = three
    row = board["rows"][-1]
    scores = ", ".join(f"{100 * each['score']:.1f}" for each in row["by_seed"])
    anew = f"[{100 * row['anew_low']:.1f}, {100 * row['anew_high']:.1f}]"
    for text in (
        tables.terminal(board),
        tables.markdown(board).replace("\\", ""),
        page.render_page(folder, board),
    ):
        assert scores in text and anew in text and "pool seeds 0, 1, 2" in " ".join(text.split())
    assert "pool seeds 0, 1, 2" in latex.latex(board)
    read = list(csv.DictReader(io.StringIO(csv_file.csv_text(board))))[-1]
    assert read["seeds"] == "0 1 2" and float(read["anew_low"]) == row["anew_low"]
    assert [float(pair.split(":")[1]) for pair in read["by_seed"].split()] == [
        e["score"] for e in row["by_seed"]
    ]


def test_many_seeds_are_told_by_their_ends(tmp_path: Path) -> None:
    board = board_of(tmp_path / "six", 6)
    assert "(6 seeds)" in tables.terminal(board)


@pytest.mark.parametrize(("between", "seed_count"), [(0.0, 3), (0.05, 3), (0.15, 5)])
def test_the_interval_for_training_anew_covers_other_seeds_and_items(between: float, seed_count: int) -> None:
    rng = np.random.default_rng(0)
    items, truth, covered = 80, 0.6, 0
    for _ in range(1000):
        ability = truth + between * rng.standard_normal(seed_count)
        hard = 0.25 * rng.standard_normal(items)
        scores = ability[None, :] + hard[:, None] + 0.3 * rng.standard_normal((items, seed_count))
        low, high = seeds.interval(scores, np.ones(items))
        covered += low <= truth <= high
    assert 930 <= covered <= 990


def test_the_interval_is_that_of_the_textbook() -> None:
    # By hand: clusters x seeds [[1, 0, 1], [0, 0, 1]]; sums of squares 1/3 (seeds: means .5, 0, 1), 1/6, 1/3.
    scores = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    of_seeds, of_clusters, left = 2 * (0.0 + 0.25 + 0.25) / 2, 3 * (2 / 36) / 1, (1 / 3) / 2
    variance = of_seeds + of_clusters - left
    low, high = seeds.interval(scores, np.ones(2))
    assert (low + high) / 2 == pytest.approx(0.5)
    free = variance**2 / (of_seeds**2 / 2 + of_clusters**2 / 1 + left**2 / 2)
    from scipy.stats import t

    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, free) * np.sqrt(variance / 6))
