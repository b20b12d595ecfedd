"""The share of System 2's gain that distillation keeps: by hand, by simulation, and where it is printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, edit_rows, make_run

from results.analysis import leaderboard
from results.page import build as page
from results.statistics.gain import gain_kept
from results.tables import csv_file, latex
from results.tables import render as tables

CELLS = {
    # (base, s2, distilled) right -> items, of 100 in all.
    (0, 0, 0): 20, (0, 0, 1): 3, (0, 1, 0): 12, (0, 1, 1): 30, (1, 0, 0): 4, (1, 0, 1): 1, (1, 1, 0): 5,
    (1, 1, 1): 25,
}  # fmt: skip
"""base 35, s2 72, distilled 59 of 100: 24 of the 37 points of the gain are kept."""


def set_scores(
    folder: Path, scores: Sequence[Sequence[int]], task: str = "coin_flip", metric: str = "accuracy"
) -> None:
    for place, variant in enumerate(("base", "s2", "distilled")):
        edit_rows(
            folder / f"samples/{variant}/{task}.jsonl",
            lambda row, place=place: (
                row | {"scores": {metric: scores[int(row["item_id"].split("-")[1])][place]}}
            ),
        )


def by_hand() -> list[tuple[int, ...]]:
    return [cell for cell, count in CELLS.items() for _ in range(count)]


def kept(board: dict[str, Any], where: str = "comparisons") -> dict[str, Any]:
    (row,) = [row for row in board[where] if "gain_kept" in row]
    assert (row["a"], row["b"], row["claim"]) == ("base", "distilled", "superior")
    return row


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("runs") / "run", [FakeTask(clusters=100)])
    set_scores(folder, by_hand())
    return folder


def test_the_share_by_hand_and_its_bootstrap(run: Path) -> None:
    share = kept(leaderboard.build(run))["gain_kept"]
    assert share["value"] == pytest.approx(24 / 37)
    # An own bootstrap, percentiles of 20,000 draws of whole items.
    rows = np.array(by_hand())
    drawn = rows[np.random.default_rng(0).integers(0, 100, (20_000, 100))].sum(axis=1)
    shares = (drawn[:, 2] - drawn[:, 0]) / (drawn[:, 1] - drawn[:, 0])
    assert share["low"] == pytest.approx(np.quantile(shares, 0.025), abs=0.06)
    assert share["high"] == pytest.approx(np.quantile(shares, 0.975), abs=0.06)
    assert share["low"] < share["value"] < share["high"]


def test_every_table_and_the_page_print_it(run: Path) -> None:
    board = leaderboard.build(run)
    share = kept(board)["gain_kept"]
    value, low, high = (f"{100 * share[key]:.0f}" for key in ("value", "low", "high"))
    line = next(line for line in tables.terminal(board).splitlines() if "gain kept by distilled" in line)
    assert line.endswith(f"{value} % [{low}, {high}]") and value == "65"
    assert f" {value} % [{low}, {high}] |" in tables.markdown(board)
    assert rf"{value} \% [{low}, {high}]" in latex.latex(board)
    (row,) = [row for row in csv.DictReader(io.StringIO(csv_file.csv_text(board))) if row["gain_kept"]]
    assert row["variant"] == "distilled"
    assert [float(row[f"gain_kept{end}"]) for end in ("", "_low", "_high")] == list(share.values())
    assert f"gain kept: {value} %" in page.render_page(run, board)
    assert "Gain kept: (distilled - base) / (teacher - base)" in " ".join(
        tables.terminal(board, verbose=True).split()
    )


def test_where_system_2_gains_nothing_it_is_not_defined(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100)])
    set_scores(folder, [(s2, base, distilled) for base, s2, distilled in by_hand()])
    board = leaderboard.build(folder)
    assert kept(board)["gain_kept"] is None
    assert "not defined" in tables.terminal(board) and "not defined" in tables.markdown(board)
    assert "not defined" in latex.latex(board) and "not defined" in page.render_page(folder, board)
    set_scores(folder, [(base, base, distilled) for base, _, distilled in by_hand()])
    assert kept(leaderboard.build(folder))["gain_kept"] is None


def test_a_gain_that_may_be_none_gives_no_ends(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)])
    set_scores(folder, [(0, 1, 1)] * 4 + [(1, 0, 0)] * 3 + [(0, 0, 1)] * 13)
    share = kept(leaderboard.build(folder))["gain_kept"]
    assert share == {"value": pytest.approx(14.0), "low": None, "high": None}
    assert "1400 % [?, ?]" in tables.terminal(leaderboard.build(folder))


def test_where_less_is_better_a_gain_is_a_fall(tmp_path: Path) -> None:
    task = FakeTask(clusters=100, metrics={"errors": "binary"}, directions={"errors": "lower"})
    folder = make_run(tmp_path / "run", [task])
    set_scores(folder, [tuple(1 - one for one in cell) for cell in by_hand()], metric="errors")
    assert kept(leaderboard.build(folder))["gain_kept"]["value"] == pytest.approx(24 / 37)


def test_over_all_tasks_the_mean_gains_are_divided(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100), FakeTask("gsm8k", 50)])
    set_scores(folder, by_hand())
    set_scores(folder, [(0, 1, 1)] * 10 + [(0, 1, 0)] * 15 + [(1, 1, 1)] * 25, "gsm8k")
    whole = kept(leaderboard.build(folder), "overall")["gain_kept"]
    assert whole["value"] == pytest.approx((0.24 + 0.2) / (0.37 + 0.5))
    assert whole["low"] < whole["value"] < whole["high"]


def test_seeds_that_were_not_distilled_are_left_out_of_all_three(tmp_path: Path) -> None:
    entries = [distillation(seed=0), distillation(seed=1, status="not_distilled", kept=1, checkpoint=None)]
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100, seeds=2)], distillation=entries)
    set_scores(folder, by_hand())
    edit_rows(folder / "samples/distilled/coin_flip.jsonl", lambda row: None if row["seed"] else row)
    edit_rows(
        folder / "samples/s2/coin_flip.jsonl",
        lambda row: row | {"scores": {"accuracy": 0}} if row["seed"] else row,
    )
    assert kept(leaderboard.build(folder))["gain_kept"]["value"] == pytest.approx(24 / 37)


def test_the_share_is_of_its_own_teachers_gain(tmp_path: Path) -> None:
    """`s2` gains nothing, `s2-cot` gains all: what cot taught is measured by cot."""
    variants = [*VARIANTS, FakeVariant("s2-cot", 0.7, 90, "s2", "cot"),
                FakeVariant("distilled-cot", 0.7, 11, "distilled")]  # fmt: skip
    entries = [distillation(), distillation(variant="distilled-cot", teacher_method="cot")]
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100)], variants, distillation=entries)
    rows = by_hand()
    for variant, place in (("base", 0), ("s2", 0), ("distilled", 2), ("s2-cot", 1), ("distilled-cot", 2)):
        edit_rows(
            folder / f"samples/{variant}/coin_flip.jsonl",
            lambda row, place=place: (
                row | {"scores": {"accuracy": rows[int(row["item_id"].split("-")[1])][place]}}
            ),
        )
    found = {
        row["b"]: row["gain_kept"] for row in leaderboard.build(folder)["comparisons"] if "gain_kept" in row
    }
    assert found["distilled"] is None
    assert found["distilled-cot"]["value"] == pytest.approx(24 / 37)


def test_two_tasks_of_equal_items_are_two_independent_looks() -> None:
    base, s2, distilled = np.array(by_hand(), dtype=float).T
    part = (distilled - base, s2 - base, 100.0)
    one, two = gain_kept([part]), gain_kept([part, part])
    assert one and two and one.value == two.value
    narrower = (two.high - two.low) / (one.high - one.low)  # type: ignore[operator]
    assert narrower == pytest.approx(0.5**0.5, abs=0.06)


@pytest.mark.parametrize("n", [150, 6_000])
def test_the_interval_covers_the_truth_as_often_as_promised(n: int) -> None:
    rng = np.random.default_rng(11)
    hits, runs = 0, 120
    for _ in range(runs):
        draw = rng.random((n, 2))
        base, s2 = draw[:, 0] < 0.4, draw[:, 0] < 0.7
        distilled = np.where(draw[:, 1] < 0.6, s2, base)
        noise = rng.random(n) if n > 5_000 else 0.0
        parts = [((distilled - base * 1.0) + noise * 0.01, s2 - base * 1.0 + noise * 0.01, float(n))]
        found = gain_kept(parts)
        assert found is not None and found.low is not None and found.high is not None
        hits += found.low <= 0.6 + (0.4 * 0.005 / 0.3 if n > 5_000 else 0) <= found.high
    assert hits / runs >= 0.89
