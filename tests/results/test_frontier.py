"""How few tokens are enough: the front, how sure it is, and the cheapest that is as good as System 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, edit_rows, make_run

from results.analysis import leaderboard
from results.page import build as page
from results.statistics import pareto
from results.statistics.outcomes import Floats
from results.statistics.pareto import front_probability, on_front
from results.tables import render as tables

BETWEEN = (
    *VARIANTS,
    FakeVariant("distilled-short", 0.74, 60, "distilled", "rar_2step"),
    FakeVariant("distilled-cot", 0.6, 100, "distilled", "rar_2step"),
    FakeVariant("distilled-gold", 0.7, 9, "distilled"),
)


def in_words(scores: Floats, costs: Floats) -> list[bool]:
    """The definition, variant by variant."""
    variants = range(len(scores))
    return [
        not any(
            scores[other] >= scores[one]
            and costs[other] <= costs[one]
            and (scores[other] > scores[one] or costs[other] < costs[one])
            for other in variants
        )
        for one in variants
    ]


def test_the_front_is_what_no_other_beats() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        scores, costs = rng.integers(0, 4, 5).astype(float), rng.integers(0, 4, 5).astype(float)
        assert on_front(scores, costs).tolist() == in_words(scores, costs)
    assert on_front(np.array([0.5, 0.5]), np.array([3.0, 3.0])).all(), "equal ones share the front"


def example(clusters: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Four variants, two of them close; clusters of unequal size, of which some have no score."""
    rng = np.random.default_rng(7)
    rows = rng.integers(1, 4, clusters).astype(float)
    weights = np.where(rng.random(clusters) < 0.1, 0.0, rows)
    rates, tokens = (0.5, 0.56, 0.58, 0.8), (5.0, 5.3, 30.0, 29.0)
    totals = np.array([weights * (rng.random(clusters) < rate) for rate in rates])
    costs = np.array([rng.poisson(mean * rows) for mean in tokens], dtype=float)
    return totals, weights, costs, rows


def brute_force(totals: Floats, weights: Floats, costs: Floats, rows: Floats, draws: int) -> Floats:
    rng = np.random.default_rng(0)
    n, found = rows.size, np.zeros(len(totals))
    for _ in range(draws):
        chosen = rng.integers(0, n, n)
        scores = totals[:, chosen].sum(axis=1) / weights[chosen].sum()
        found += in_words(scores, costs[:, chosen].sum(axis=1) / rows[chosen].sum())
    return found / draws


def test_probabilities_agree_with_a_bootstrap_by_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    made = example(60)
    wanted = brute_force(*made, draws=10_000)
    assert np.ptp(wanted) > 0.5 and ((wanted > 0.02) & (wanted < 0.98)).sum() >= 2, "the test needs doubts"
    found = front_probability(*made)
    assert np.abs(found - wanted).max() <= 0.01
    assert (front_probability(*made) == found).all(), "the same data give the same draws"
    many = example(1_200)
    drawn = front_probability(*many)
    monkeypatch.setattr(pareto, "LINEARISED_ABOVE", 100)
    assert np.abs(front_probability(*many) - drawn).max() <= 0.02, "the normal distribution of large samples"


def test_a_task_s_variants_stand_with_the_cheapest_that_is_as_good(tmp_path: Path) -> None:
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=500)], BETWEEN))
    [entry] = board["frontier"]
    tokens = [point["tokens"] for point in entry["points"]]
    assert tokens == sorted(tokens) and len(tokens) == 6
    points = {point["variant"]: point for point in entry["points"]}
    scores = np.array([point["score"] for point in entry["points"]])
    assert [point["on_front"] for point in entry["points"]] == in_words(scores, np.array(tokens))
    rows = {row["variant"]: row for row in board["rows"]}
    for name, point in points.items():
        assert point["score"] == pytest.approx(rows[name]["score"])
        assert point["tokens"] == pytest.approx(rows[name]["generated_tokens"])
    assert points["s2"]["as_good"] is None and points["base"]["as_good"] == "no"
    assert (entry["against"], entry["cheapest"]) == ("s2", "distilled")
    ratio = points["distilled"]["tokens"] / points["s2"]["tokens"]
    assert entry["sentence"] == (
        "On coin_flip the cheapest variant that is as good as s2, within 5 points, is distilled: "
        f"{points['distilled']['tokens']:.1f} tokens per item, {ratio:.2f} times those of s2."
    )


def test_where_none_is_as_good_the_sentence_names_what_is_open(tmp_path: Path) -> None:
    variants = (*VARIANTS[:2], FakeVariant("distilled", 0.74, 11, "distilled"))
    [entry] = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=60)], variants))["frontier"]
    assert entry["cheapest"] is None
    assert entry["sentence"] == (
        "On coin_flip no cheaper variant is shown to be as good as s2 within 5 points; the data "
        "cannot tell for base, distilled."
    )


def test_lower_is_better_turns_the_front(tmp_path: Path) -> None:
    task = FakeTask(clusters=500, metrics={"error": "binary"}, directions={"error": "lower"})
    variants = (
        FakeVariant("base", 0.8, 5, "base"),
        FakeVariant("s2", 0.2, 90, "s2"),
        FakeVariant("distilled", 0.2, 9, "distilled"),
        FakeVariant("bad", 0.9, 50),
    )
    [entry] = leaderboard.build(make_run(tmp_path / "run", [task], variants))["frontier"]
    points = {point["variant"]: point for point in entry["points"]}
    assert points["base"]["on_front"] and not points["bad"]["on_front"]
    assert entry["cheapest"] == "distilled" and points["bad"]["p_on_front"] == 0


def test_a_variant_on_other_rows_and_the_noise_floor_are_left_out(tmp_path: Path) -> None:
    variants = (*VARIANTS, FakeVariant("mine", 0.9, 3), FakeVariant("base-again", 0.5, 12, "base"))
    folder = make_run(tmp_path / "run", [FakeTask()], variants)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["base-again"]["weights"] = manifest["variants"]["base"]["weights"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    edit_rows(folder / "samples/mine/coin_flip.jsonl", lambda row: row | {"item_id": f"x{row['item_id']}"})
    [entry] = leaderboard.build(folder)["frontier"]
    assert {point["variant"] for point in entry["points"]} == {"base", "s2", "distilled"}
    alone = make_run(tmp_path / "one", [FakeTask()], VARIANTS[:1])
    assert leaderboard.build(alone)["frontier"] == []


def test_rows_without_a_score_count_for_tokens_alone(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100)])
    for name in ("base", "s2", "distilled"):
        edit_rows(
            folder / f"samples/{name}/coin_flip.jsonl",
            lambda row: row | ({"scores": {"accuracy": None}} if row["item_id"] < "coin_flip-000040" else {}),
        )
    board = leaderboard.build(folder)
    [entry] = board["frontier"]
    rows = {row["variant"]: row for row in board["rows"]}
    for point in entry["points"]:
        assert point["score"] == pytest.approx(rows[point["variant"]]["score"])
        assert point["tokens"] == pytest.approx(rows[point["variant"]]["generated_tokens"])
    assert entry["n"] == 60


def test_tables_and_page_show_the_frontier(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask()], BETWEEN)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["distilled-gold"]["taught_by"] = "labels"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    board = leaderboard.build(folder)
    text, marked = tables.terminal(board), tables.markdown(board)
    assert "P(front) %" in text and "## Frontier" in marked
    assert max(map(len, text.splitlines())) <= 100
    shown = page.render_page(folder, board)
    for entry in board["frontier"]:
        assert entry["sentence"] in " ".join(text.split()) and entry["sentence"] in shown
    assert "How few tokens are enough" in shown and "distilled-gold [uses labels]" in shown
    plain = leaderboard.build(make_run(tmp_path / "plain", [FakeTask()]))
    assert "P(front)" not in tables.terminal(plain) and "P(front)" in tables.markdown(plain)


def test_what_labels_taught_is_marked_in_every_table_and_stands_for_nothing(tmp_path: Path) -> None:
    variants = (*VARIANTS[:2], FakeVariant("distilled-gold", 0.9, 9, "distilled"))
    folder = make_run(tmp_path / "run", [FakeTask()], variants, comparisons=[["base", "distilled-gold"]])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["distilled-gold"]["taught_by"] = "labels"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    board = leaderboard.build(folder)
    assert board["trios"] == [] and "No variant distilled from System 2" in board["headline"]
    assert [row["teacher"] for row in board["rows"]] == [None] * 3
    text = " ".join(tables.terminal(board, verbose=True).split())
    assert text.count("distilled-gold [uses labels]") >= 3, "scores, costs and claims"
    assert "[uses labels] distilled-gold learnt from labels" in text
    assert "distilled-gold [uses labels]" in page.render_page(folder, board)
