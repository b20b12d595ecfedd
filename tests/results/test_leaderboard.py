"""`leaderboard.json` and its tables from synthetic runs: keys, verdicts, costs, escaping, speed."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from results_fixtures import (
    VARIANTS,
    FakeTask,
    FakeVariant,
    distillation,
    edit_rows,
    make_run,
)

from results.analysis import leaderboard
from results.errors import ResultsError
from results.files import write_whole
from results.gate import check
from results.page.build import write_page
from results.tables import cells, csv_file, latex, write
from results.tables import render as tables

ROW_KEYS = {
    "task", "variant", "method", "metric", "n", "score", "ci_low", "ci_high", "generated_tokens",
    "prompt_tokens", "cached_tokens", "calls", "failures", "usd_per_1k_items", "flops_per_item",
}  # fmt: skip
COMPARISON_KEYS = {
    "task", "metric", "claim", "a", "b", "n", "difference", "ci_low", "ci_high", "test", "p",
    "p_adjusted", "alpha", "margin",
    "mde", "needed_n", "verdict", "token_ratio", "token_ratio_low", "token_ratio_high",
}  # fmt: skip
JUDGE = FakeTask("judge", 80, 2, {"agreement": "binary", "inconsistency": "binary"},
                 {"inconsistency": "lower"}, within=0.5)  # fmt: skip


def claim(board: dict[str, Any], name: str, a: str, b: str, task: str = "coin_flip") -> dict[str, Any]:
    found = [
        row
        for row in board["comparisons"]
        if (row["claim"], row["a"], row["b"], row["task"]) == (name, a, b, task)
        and (row["primary"] or name == "cheaper")
    ]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "two-tasks"
    return make_run(folder, [FakeTask(), JUDGE], distillation=[distillation(), distillation("judge")])


@pytest.fixture(scope="module")
def board(run: Path) -> dict[str, Any]:
    return leaderboard.build(run)


def test_keys_are_those_of_the_design(board: dict[str, Any]) -> None:
    assert {"schema", "run", "rows", "comparisons", "distillation", "notes"} <= board.keys()
    assert all(row.keys() >= ROW_KEYS for row in board["rows"])
    assert all(row.keys() >= COMPARISON_KEYS for row in board["comparisons"])
    paid = board["distillation"][0]
    assert paid.keys() >= {"task", "teacher_tokens", "samples_per_input", "inputs", "kept", "dropped",
                           "train_tokens", "train_flops", "pseudo_label_accuracy", "break_even"}  # fmt: skip
    assert paid["break_even"].keys() == {"flops", "tokens", "usd"}


def test_first_row_of_a_task_and_variant_is_its_primary_metric(board: dict[str, Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for row in board["rows"]:
        key = row["task"], row["variant"]
        assert row["primary"] == (key not in seen)
        seen.add(key)
    assert [row["metric"] for row in board["rows"] if row["task"] == "judge"][:2] == [
        "agreement",
        "inconsistency",
    ]


def test_n_counts_clusters(board: dict[str, Any]) -> None:
    assert {row["n"] for row in board["rows"] if row["task"] == "judge"} == {80}
    assert claim(board, "superior", "base", "s2", "judge")["n"] == 80


def test_the_three_claims_and_their_verdicts(board: dict[str, Any]) -> None:
    assert claim(board, "superior", "base", "distilled")["verdict"] == "yes"
    assert claim(board, "cheaper", "s2", "distilled")["verdict"] == "yes"
    assert claim(board, "cheaper", "base", "s2")["verdict"] == "no"
    parity = claim(board, "non_inferior", "s2", "distilled")
    assert parity["margin"] == 0.05
    assert (parity["verdict"] == "yes") == (parity["ci_low"] > -0.05) == (parity["p"] <= 0.025)


def test_difference_is_score_b_minus_score_a(board: dict[str, Any]) -> None:
    scores = {(row["task"], row["variant"], row["metric"]): row["score"] for row in board["rows"]}
    for row in board["comparisons"]:
        if row["claim"] != "cheaper":
            expected = (
                scores[row["task"], row["b"], row["metric"]] - scores[row["task"], row["a"], row["metric"]]
            )
            assert row["difference"] == pytest.approx(expected)
            assert row["ci_low"] <= row["difference"] <= row["ci_high"]


def test_holm_runs_over_superiority_on_primary_metrics_only(board: dict[str, Any]) -> None:
    for row in board["comparisons"]:
        adjusted = row["claim"] == "superior" and row["primary"]
        assert (row["p_adjusted"] is not None) == adjusted
    family = sorted(
        (row["p"], row["p_adjusted"]) for row in board["comparisons"] if row["p_adjusted"] is not None
    )
    assert len(family) == 4
    assert family[0][1] == pytest.approx(min(4 * family[0][0], 1))


def test_less_is_better_where_the_manifest_says_so(tmp_path: Path) -> None:
    task = FakeTask(metrics={"error_rate": "binary"}, directions={"error_rate": "lower"})
    board = leaderboard.build(make_run(tmp_path / "run", [task]))
    row = claim(board, "superior", "base", "s2")
    assert row["difference"] > 0.1 and row["verdict"] == "no"
    assert (row["test"], row["interval"]) == ("McNemar mid-p", "Bonett-Price")
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert claim(board, "non_inferior", "s2", "distilled")["direction"] == "lower"


def test_a_rate_without_a_better_end_has_an_interval_and_no_winner(tmp_path: Path) -> None:
    task = FakeTask("judge", 80, 2, {"agreement": "binary", "first_position": "binary"},
                    {"first_position": "none"})  # fmt: skip
    board = leaderboard.build(make_run(tmp_path / "run", [task]))
    rows = [row for row in board["rows"] if row["metric"] == "first_position"]
    assert all(row["ci_low"] < row["score"] < row["ci_high"] for row in rows) and len(rows) == 3
    assert not [row for row in board["comparisons"] if row["metric"] == "first_position"]
    marks = cells.marks(board["rows"], board["comparisons"])
    assert not [key for key in marks if key[2] == "first_position"]


def test_identical_variants_are_never_told_apart(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100)])
    for variant in ("base", "s2"):
        edit_rows(
            folder / "samples" / variant / "coin_flip.jsonl", lambda row: row | {"scores": {"accuracy": 1}}
        )
    row = claim(leaderboard.build(folder), "superior", "base", "s2")
    assert (row["p"], row["difference"], row["verdict"], row["needed_n"]) == (1.0, 0.0, "cannot_tell", None)
    assert row["ci_low"] < 0 < row["ci_high"]
    assert "could have shown a difference of 5.0 points" in row["sentence"]


def test_noise_floor_is_marked_and_left_out_of_the_family(tmp_path: Path) -> None:
    variants = [*VARIANTS, FakeVariant("base-again", 0.55, 12)]
    folder = make_run(tmp_path / "run", variants=variants, comparisons=[["base", "base-again"]])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["base-again"] |= {"weights": "base"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    board = leaderboard.build(folder)
    row = claim(board, "superior", "base", "base-again")
    assert row["noise_floor"] and row["p_adjusted"] is None
    assert "noise floor" in tables.terminal(board)


def test_a_variant_stands_for_s2_by_kind(tmp_path: Path) -> None:
    variants = [VARIANTS[0], FakeVariant("s2:cot", 0.75, 90, "s2", "cot"), VARIANTS[2]]
    board = leaderboard.build(make_run(tmp_path / "run", variants=variants))
    assert claim(board, "non_inferior", "s2:cot", "distilled")["n"] == 200


def test_order_of_rows_does_not_change_a_byte(tmp_path: Path, run: Path) -> None:
    first = tmp_path / "one"
    make_run(first, [FakeTask(), JUDGE], run="same")
    write.write_all(first, leaderboard.build(first))
    before = {path.name: path.read_bytes() for path in first.glob("leaderboard.*")}
    assert set(before) == {f"leaderboard.{kind}" for kind in ("json", "md", "csv", "tex")}
    for path in first.glob("samples/*/*.jsonl"):
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    write.write_all(first, leaderboard.build(first))
    assert {path.name: path.read_bytes() for path in first.glob("leaderboard.*")} == before


def test_no_half_written_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_whole(tmp_path / "leaderboard.md", "old")

    def fail(self: Path, other: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["leaderboard.md"]
    assert target.read_text() == "old"


def test_a_task_that_was_not_distilled_keeps_its_row(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", distillation=[distillation(status="not_distilled", kept=3, checkpoint=None)]
    )
    (folder / "samples" / "distilled" / "coin_flip.jsonl").unlink()
    board = leaderboard.build(folder)
    row = board["rows"][-1]
    assert (row["variant"], row["status"], row["score"], row["n"]) == ("distilled", "not_distilled", None, 0)
    assert any("coin_flip, distilled (3 of 200)" in note for note in board["notes"])
    write.write_all(folder, board)
    assert "not distilled" in (folder / "leaderboard.md").read_text()


@pytest.mark.parametrize(("last", "has_interval"), [(6, True), (2, False)])
def test_items_without_tokens_leave_tables_that_can_be_written(
    tmp_path: Path, last: int, has_interval: bool
) -> None:
    """Calls that failed generated nothing; where most did, a draw may hold nothing that has a ratio."""

    def fail(row: dict[str, Any]) -> dict[str, Any]:
        if int(row["item_id"].split("-")[-2]) >= last:
            row["usage"]["generated_tokens"] = row["steps"][0]["generated_tokens"] = 0
        return row

    folder = make_run(tmp_path / "run", [FakeTask(clusters=8), FakeTask("gsm8k", clusters=8)])
    for variant in ("base", "s2") if has_interval else ("base",):
        for task in ("coin_flip", "gsm8k"):
            edit_rows(folder / "samples" / variant / f"{task}.jsonl", fail)
    board = leaderboard.build(folder)
    write.write_all(folder, board)
    write_page(folder, board)
    row = claim(board, "cheaper", "base", "distilled")
    assert row["token_ratio"] > 0 and (row["token_ratio_high"] is not None) == has_interval
    if not has_interval:
        assert row["verdict"] == "cannot_tell" and "no interval" in row["sentence"]
        assert f"x{row['token_ratio']:.2f} " in tables.terminal(board, 100, verbose=True)
        policy = folder.parent / "policy.yaml"
        policy.write_text("tokens distilled <= 0.5 base\n")
        checked = check(folder, policy)
        assert checked.status == "cannot_tell" and "without an interval" in checked.lines[0]


def test_scores_that_are_no_shares_are_compared_without_bounds_and_said(tmp_path: Path) -> None:
    def scale(row: dict[str, Any]) -> dict[str, Any]:
        row["scores"]["bleu"] *= 40
        return row

    folder = make_run(tmp_path / "run", [FakeTask(metrics={"bleu": "number"})])
    for variant in ("base", "s2", "distilled"):
        edit_rows(folder / "samples" / variant / "coin_flip.jsonl", scale)
    board = leaderboard.build(folder)
    row = claim(board, "superior", "base", "s2")
    assert row["ci_low"] < row["difference"] < row["ci_high"] and row["difference"] > 1
    assert any("'bleu' is" in note and "not a fraction" in note for note in board["notes"])


def test_overall_gives_each_task_the_same_weight(board: dict[str, Any]) -> None:
    whole = next(row for row in board["overall"] if (row["claim"], row["b"]) == ("superior", "s2"))
    parts = [claim(board, "superior", "base", "s2", task)["difference"] for task in ("coin_flip", "judge")]
    assert whole["difference"] == pytest.approx(sum(parts) / 2)
    assert whole["ci_low"] < whole["difference"] < whole["ci_high"]
    ratios = [claim(board, "cheaper", "base", "s2", task)["token_ratio"] for task in ("coin_flip", "judge")]
    tokens = next(row for row in board["overall"] if (row["claim"], row["b"]) == ("cheaper", "s2"))
    assert tokens["token_ratio"] == pytest.approx(math.sqrt(ratios[0] * ratios[1]))


def test_terminal_fits_its_width_and_says_the_methods(board: dict[str, Any]) -> None:
    text = tables.terminal(board, 100, verbose=True)
    assert max(map(len, text.splitlines())) <= 100
    for words in ("McNemar mid-p", "Bonett-Price", "cluster permutation", "Holm", "Wilson"):
        assert words in text


def test_the_best_is_marked_and_a_tie_within_noise_is_a_tie(board: dict[str, Any]) -> None:
    marks = cells.marks(board["rows"], board["comparisons"])
    assert marks["coin_flip", "base", "accuracy"] == ""
    best = [name for name in ("s2", "distilled") if marks["coin_flip", name, "accuracy"] == cells.BEST]
    assert best
    other = {"s2": "distilled", "distilled": "s2"}[best[0]]
    assert marks["coin_flip", other, "accuracy"] in (cells.TIE, cells.BEST)


def test_where_all_scores_are_equal_none_is_the_best(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=30)])
    for path in folder.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: row | {"scores": {"accuracy": 0}})
    board = leaderboard.build(folder)
    assert set(cells.marks(board["rows"], board["comparisons"]).values()) == {cells.TIE}


def test_over_all_tasks_a_verdict_needs_its_interval_too(tmp_path: Path) -> None:
    # Nothing differs on six tasks of few items, so their intervals are wide; five items decide the test.
    folder = make_run(tmp_path / "run", [FakeTask(name, 20) for name in "abcdefg"], VARIANTS[:2])
    for path in folder.glob("samples/*/*.jsonl"):
        right = "g-000005" if path.parent.name == "s2" else ""
        edit_rows(
            path, lambda row, right=right: row | {"scores": {"accuracy": int("g" <= row["item_id"] < right)}}
        )
    (row,) = [row for row in leaderboard.build(folder)["overall"] if row["claim"] == "superior"]
    assert row["p"] < 0.05 and row["ci_low"] <= 0 <= row["ci_high"]
    assert row["verdict"] == "cannot_tell"


HOSTILE = "=cmd|<script>alert(1)</script>&_%$#{}\\ \x1b[31m*bold*[x](y)`"


def test_hostile_names_do_nothing_in_any_table(tmp_path: Path) -> None:
    assert "<script>" not in cells.markdown(HOSTILE) and r"\|" in cells.markdown(HOSTILE)
    assert "\x1b" not in cells.plain(HOSTILE)
    assert not cells.csv(HOSTILE).startswith("=")
    for hidden in ('"+1', 'a;"-1', '" @a', "a|=1"):
        assert "'" in re.split(r"[=+@-]", cells.csv(hidden))[0], hidden
    assert r"\_\%\$\#\{\}\textbackslash{}" in cells.latex(HOSTILE)
    # A folder cannot hold a slash, but a name inside the rows can hold anything.
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)], run=HOSTILE)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"] = {HOSTILE if name == "s2" else name: v for name, v in manifest["variants"].items()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    edit_rows(folder / "samples" / "s2" / "coin_flip.jsonl", lambda row: row | {"variant": HOSTILE})
    board = leaderboard.build(folder)
    assert "<script>" not in tables.markdown(board)
    assert "\x1b" not in tables.terminal(board)
    rows = [line for line in latex.latex(board).splitlines() if line.endswith(r"\\")]
    assert {line.count("&") - line.count(r"\&") for line in rows if r"\multicolumn" not in line} == {3, 2}
    assert all(not row[1].startswith("=") for row in csv.reader(io.StringIO(csv_file.csv_text(board))))


def test_a_margin_out_of_range_is_refused(run: Path) -> None:
    with pytest.raises(ResultsError, match="margin 0 is not between"):
        leaderboard.build(run, margin=0)


@pytest.mark.parametrize(("allowed", "what"), [(False, "left out of training"), (True, "used for training")])
def test_training_rows_that_overlap_test_items_are_a_note(tmp_path: Path, allowed: bool, what: str) -> None:
    entries = [
        distillation(variant=name, overlap={"exact": 1, "normalised": 0, "ngram": 2}, allow_overlap=allowed)
        for name in ("distilled", "distilled-s1")
    ]
    variants = [*VARIANTS, FakeVariant("distilled-s1", 0.6, 11, "distilled")]
    folder = make_run(tmp_path / "run", [FakeTask(clusters=40)], variants, distillation=entries)
    notes = leaderboard.build(folder, None, None)["notes"]
    said = "coin_flip: 3 training rows overlap test items (same prompt: 1; 13 words in a row: 2) and were "
    assert [note.startswith(said + what) for note in notes].count(True) == 1
