"""Very few items, equal items and zero tokens: a figure that means nothing is not printed as if it did."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from results_fixtures import FakeTask, FakeVariant, distillation, edit_rows, make_run

from results.analysis import leaderboard, seeds
from results.analysis.choose_test import INTERVALS, score_interval
from results.analysis.clusters import Sample
from results.page import build as page
from results.page import rows as page_rows
from results.schema import Comparison, Leaderboard
from results.statistics.gain import gain_kept
from results.tables import csv_file, latex, render, write


def run_of(folder: Path, n: int, kind: str = "binary", tokens: tuple[int, ...] = (), tasks: int = 1) -> Path:
    """System 2 and distilled are right on all of `n` items and base on none; tokens per item by variant."""
    variants = [
        FakeVariant("base", 0.0, 12, "base"),
        FakeVariant("s2", 1.0, 110, "s2", "rar_2step", 2),
        FakeVariant("distilled", 1.0, 11, "distilled"),
    ]
    names = [f"task{number}" for number in range(tasks)]
    made = [FakeTask(name, n, metrics={"accuracy": kind}) for name in names]
    make_run(folder, made, variants, distillation=[distillation(name) for name in names])
    for name in names:
        for variant, spent in zip(variants, tokens, strict=False):
            edit_rows(
                folder / f"samples/{variant.name}/{name}.jsonl",
                lambda row, spent=spent: row | {"usage": row["usage"] | {"generated_tokens": spent}},
            )
    return folder


def claim(board: Leaderboard, name: str, a: str = "s2") -> Comparison:
    return next(
        row for row in board["comparisons"] if (row["claim"], row["a"], row["b"]) == (name, a, "distilled")
    )


@pytest.mark.parametrize("kind", ["binary", "graded"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_so_few_items_show_no_difference_and_no_ratio(tmp_path: Path, n: int, kind: str) -> None:
    folder = run_of(tmp_path / "run", n, kind)
    board = leaderboard.build(folder)
    better, cheaper = claim(board, "superior", "base"), claim(board, "cheaper")
    assert better["mde"] is None and better["needed_n"] is None
    assert f"{n} item{'' if n == 1 else 's'} cannot show a difference of any size." in better["sentence"]
    assert (cheaper["token_ratio_low"], cheaper["verdict"]) == (None, "cannot_tell")
    assert better["gain_kept"] and (better["gain_kept"]["low"], better["gain_kept"]["high"]) == (None, None)
    assert board["distillation"][0]["break_even"]["tokens"] is None
    assert {point["p_on_front"] for point in board["frontier"][0]["points"]} == {None}
    shown = render.terminal(board, verbose=True) + render.markdown(board) + latex.latex(board)
    if (n, kind) == (1, "binary"):
        shown += page.render_page(folder, board)
    assert "> 100" in shown and "[?, ?]" in shown and "100 % [100, 100]" not in shown
    points = re.findall(r"could have shown \w+ \w+ of ([\d.]+) points", shown)
    assert not points, "no MDE, least of all one beyond the scale"
    csv_file.csv_text(board)


@pytest.mark.parametrize("n", [5, 6, 10])
def test_no_smallest_difference_is_larger_than_the_scale(tmp_path: Path, n: int) -> None:
    board = leaderboard.build(run_of(tmp_path / "run", n))
    found = [row["mde"] for row in board["comparisons"] if row["claim"] != "cheaper"]
    assert all(mde is not None and mde <= 1 for mde in found)


def test_over_tasks_with_too_few_items_each_nothing_is_made_up(tmp_path: Path) -> None:
    board = leaderboard.build(run_of(tmp_path / "run", 3, tasks=2))
    whole = {row["claim"]: row for row in board["overall"] if row["b"] == "distilled"}
    assert whole["superior"]["mde"] is None and "cannot show" not in whole["superior"]["sentence"]
    assert whole["cheaper"]["token_ratio"] and whole["cheaper"]["token_ratio_low"] is None
    assert "one of the tasks has too few items for an interval" in whole["cheaper"]["sentence"]
    render.terminal(board, verbose=True)


def test_a_ratio_that_is_the_same_on_every_item_says_so(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 10, tokens=(4, 20, 4))
    board = leaderboard.build(folder)
    cheaper = claim(board, "cheaper")
    assert cheaper["verdict"] == "yes" and cheaper["sentence"].endswith(
        "0.20 times the generated tokens on every item."
    )
    text = render.terminal(board)
    assert "x0.20 on every item" in text and "[0.20, 0.20]" not in text
    assert "[7.5k, 7.5k]" not in text and " 7.5k" in text, "a break-even without an interval of width 0"
    claims = page_rows.claims(board)["rows"]
    assert "on every item" in {row["figure"]["interval"] for row in claims}


def test_zero_tokens_make_no_share(tmp_path: Path) -> None:
    board = leaderboard.build(run_of(tmp_path / "run", 10, tokens=(0, 0, 0), tasks=2))
    assert "unknown tokens" not in board["headline"] and "%" not in board["headline"]
    whole = next(row for row in board["overall"] if row["claim"] == "cheaper")
    assert whole["token_ratio"] is None and "nan" not in render.terminal(board, verbose=True)
    board = leaderboard.build(run_of(tmp_path / "zero", 10, tokens=(5, 20, 0), tasks=2))
    whole = next(row for row in board["overall"] if (row["claim"], row["a"]) == ("cheaper", "s2"))
    assert "no ratio" in whole["sentence"] and "generated no tokens" not in whole["sentence"]


@pytest.mark.parametrize("moved", [1.0, 0.0])
def test_a_kept_share_without_spread_has_no_ends(moved: float) -> None:
    ones = np.ones(40)
    for n in (40, 6_000):
        gained = np.where(np.arange(n) % 3 == 0, 0.0, 1.0)
        found = gain_kept([(moved * gained, gained, float(n))])
        assert found is not None and (found.value, found.low, found.high) == (moved, None, None)
    spread = gain_kept([(np.where(np.arange(40) % 2, 1.0, 0.0), ones, 40.0)])
    assert spread is not None and spread.low is not None


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("n", [1, 2, 10])
def test_no_interval_of_a_difference_is_a_point_endless_or_beyond_the_scale(
    tmp_path: Path, interval: str, n: int
) -> None:
    folder = run_of(tmp_path / "run", n, "graded")
    board = leaderboard.build(folder, interval=interval)
    for row in board["comparisons"]:
        if row["claim"] != "cheaper":
            assert -1 <= row["ci_low"] < row["ci_high"] <= 1
    write.write_all(folder, board)
    assert json.loads((folder / "leaderboard.json").read_text())["rows"]


@pytest.mark.parametrize("scores", [[0.5], [0.25, 0.75], [0.5] * 40])
def test_equal_or_few_graded_scores_have_an_interval_of_some_width(scores: list[float]) -> None:
    values = np.array(scores)
    found, _ = score_interval(Sample(values, np.ones(values.size), values.size, zero_one=False))
    n = values.size
    assert 0 <= found.low < 0.5 < found.high <= 1
    assert found.high - found.low > 1 / (n + 2), "no narrower than 0/1 scores of the same mean could be"


def test_equal_scores_in_a_unit_of_their_own_have_no_interval(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 10, "graded")
    for variant in ("base", "s2", "distilled"):
        edit_rows(folder / f"samples/{variant}/task0.jsonl", lambda row: row | {"scores": {"accuracy": 7.0}})
    board = leaderboard.build(folder)
    assert {(row["ci_low"], row["ci_high"]) for row in board["rows"]} == {(None, None)}
    shown = render.terminal(board, verbose=True) + latex.latex(board) + render.markdown(board)
    assert {
        row["interval"]
        for row in page_rows.board(board, {row["variant"]: 0 for row in board["rows"]})["rows"]
    } == {""}
    assert "700.0 [700.0" not in shown and "700.0" in shown


def test_seeds_with_equal_scores_have_no_interval_for_training_anew() -> None:
    assert seeds.interval(np.ones((20, 3)), np.ones(20)) == (1.0, 1.0)


def test_the_table_of_seeds_says_why_it_has_none(tmp_path: Path) -> None:
    variants = [FakeVariant("base", 0.0, 12, "base"), FakeVariant("s2", 1.0, 60, "s2", "cot")]
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=20, seeds=3)], variants))
    assert {row["anew_low"] for row in board["rows"]} == {None}
    text = " ".join(render.terminal(board).split())
    assert "needs 3 seeds or more, and scores that differ." in text
