"""Texts cut at a maximum of tokens: the row's mark, the knob, and verdicts that cut items could turn."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from results_fixtures import VARIANTS, FakeTask, distillation, edit_rows, make_run

from results import gate
from results.analysis import leaderboard, verdicts
from results.page import build as page
from results.tables import csv_file, latex
from results.tables import render as tables


def number(row: dict[str, Any]) -> int:
    return int(row["item_id"].split("-")[-2])


def right(folder: Path, variant: str, items: int, start: int = 0, task: str = "coin_flip") -> None:
    """`variant` is right on `items` items from `start` on."""
    metric = "accuracy"
    edit_rows(
        folder / f"samples/{variant}/{task}.jsonl",
        lambda row: row | {"scores": {metric: int(start <= number(row) < start + items)}},
    )


def cut(
    folder: Path,
    variant: str,
    first: int,
    last: int,
    task: str = "coin_flip",
    prompt: int = 20,
    step: str = "cot",
) -> None:
    """The texts of `variant` on items `first` to `last` - 1 are cut, in a step of that name."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        if not first <= number(row) < last:
            return row
        parts = {"name": step, "finish_reason": "length", "prompt_tokens": prompt}
        return row | {"truncated": True, "steps": [row["steps"][0] | parts]}

    edit_rows(folder / f"samples/{variant}/{task}.jsonl", change)


def run_of(folder: Path, base: int, s2: int, distilled: int, items: int = 100) -> Path:
    make_run(folder, [FakeTask(clusters=items)])
    for variant, count in (("base", base), ("s2", s2), ("distilled", distilled)):
        right(folder, variant, count)
    return folder


def claim(board: dict[str, Any], name: str, a: str, b: str) -> dict[str, Any]:
    (row,) = [row for row in board["comparisons"] if (row["claim"], row["a"], row["b"]) == (name, a, b)]
    return row


def test_a_row_with_cut_texts_is_marked_in_every_table(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 40, 60, 60)
    cut(folder, "s2", 60, 98)
    board = leaderboard.build(folder)
    rows = {row["variant"]: row for row in board["rows"]}
    assert rows["s2"]["cut"] == {"share": 0.38, "steps": ["cot"], "context_length": None}
    assert rows["base"]["cut"] is None and rows["s2"]["truncated"] == 38
    said = (
        "coin_flip s2 38 %. Raise the limit with --sampling max_tokens=N (or max_tokens.cot=N for that step"
    )
    terminal, html = tables.terminal(board), page.render_page(folder, board)
    assert "s2 [cut]" in terminal and said in " ".join(terminal.split())
    assert r"s2 \[cut\]" in tables.markdown(board) and "--sampling max" in tables.markdown(board)
    assert "s2 {[}cut{]}" in latex.latex(board) and r"max\_tokens.cot=N" in latex.latex(board)
    assert '<b class="doubt">[cut]</b>' in html and said in html
    by_variant = {row["variant"]: row for row in csv.DictReader(io.StringIO(csv_file.csv_text(board)))}
    assert (by_variant["s2"]["cut_share"], by_variant["base"]["cut_share"]) == ("0.38", "")


@pytest.mark.parametrize(("cut_rows", "marked"), [(2, False), (3, True)])
def test_a_row_is_marked_above_2_percent(tmp_path: Path, cut_rows: int, marked: bool) -> None:
    folder = run_of(tmp_path / "run", 40, 60, 60)
    cut(folder, "s2", 0, cut_rows)
    assert ("[cut]" in tables.terminal(leaderboard.build(folder))) == marked


def test_where_the_context_was_full_no_limit_is_advised(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", model={"parameters": 1000, "context_length": 1024})
    cut(folder, "s2", 0, 50, prompt=1020)
    cut(folder, "base", 0, 50)
    text = " ".join(tables.terminal(leaderboard.build(folder)).split())
    assert "coin_flip s2 25 %. They fill the model's context of 1,024 tokens" in text
    assert "coin_flip base 25 %. Raise the limit" in text


def test_the_steps_that_were_cut_are_named_most_often_cut_first(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100)])
    cut(folder, "s2", 0, 4, step="1/rephrase")
    cut(folder, "s2", 4, 20, step="2/solve:1")
    assert leaderboard.build(folder)["rows"][1]["cut"]["steps"] == ["solve", "rephrase"]


def test_a_superiority_that_cut_items_could_turn_is_not_told(tmp_path: Path) -> None:
    """base 40, s2 60 of 100: a clear yes. With 20 cut items of base right, base has 60 too."""
    folder = run_of(tmp_path / "run", 40, 60, 60)
    assert claim(leaderboard.build(folder), "superior", "base", "s2")["verdict"] == "yes"
    cut(folder, "base", 40, 60)
    row = claim(leaderboard.build(folder), "superior", "base", "s2")
    assert (row["verdict"], row["turned_by_cut"], row["verdict_as_scored"]) == ("cannot_tell", True, "yes")
    assert row["cut"] == {"a": 0.2, "b": 0.0} and verdicts.word(row) == "cannot tell (cut)"
    assert row["sentence"].endswith(
        "but 20 % of the texts of base were cut, and this may change if those were right."
    )


def test_cut_items_that_could_not_turn_a_verdict_leave_it(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 20, 80, 80)
    cut(folder, "base", 20, 30)
    row = claim(leaderboard.build(folder), "superior", "base", "s2")
    assert row["verdict"] == "yes" and "turned_by_cut" not in row
    assert row["sentence"].endswith("Texts cut before their end: 10 % of the texts of base.")
    # Items that base had right anyway could not change anything, however many were cut.
    folder = run_of(tmp_path / "other", 40, 60, 60)
    cut(folder, "base", 0, 40)
    assert claim(leaderboard.build(folder), "superior", "base", "s2")["verdict"] == "yes"


def test_what_was_cut_of_the_winner_turns_nothing(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 40, 60, 60)
    cut(folder, "s2", 60, 100)
    assert claim(leaderboard.build(folder), "superior", "base", "s2")["verdict"] == "yes"


def test_a_no_of_either_claim_is_held_against_the_best_case_of_the_second(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 60, 30, 10)
    cut(folder, "s2", 30, 60)
    cut(folder, "distilled", 10, 30)
    board = leaderboard.build(folder)
    row = claim(board, "superior", "base", "s2")
    assert (row["verdict"], row["verdict_as_scored"]) == ("cannot_tell", "no")
    assert "As scored it is worse, but 30 % of the texts of s2 were cut" in row["sentence"]
    row = claim(board, "non_inferior", "s2", "distilled")
    assert (row["verdict"], row["verdict_as_scored"]) == ("cannot_tell", "no")


def test_as_good_as_a_system_2_that_was_cut_is_not_told(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 100, 300, 300, items=1000)
    assert claim(leaderboard.build(folder), "non_inferior", "s2", "distilled")["verdict"] == "yes"
    cut(folder, "s2", 300, 680)
    board = leaderboard.build(folder)
    row = claim(board, "non_inferior", "s2", "distilled")
    assert (row["verdict"], row["turned_by_cut"]) == ("cannot_tell", True)
    assert "As scored it is as good, but 38 % of the texts of s2 were cut" in row["sentence"]
    assert not board["headline"].startswith("Distillation was worth it")
    shown = " ".join(tables.terminal(board, verbose=True).split())
    assert "cannot tell (cut)" in shown and "(cut): with the cut" in shown
    assert ">cannot tell (cut)</span>" in page.render_page(folder, board)


def test_the_gate_does_not_let_it_pass(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 100, 300, 300, items=1000)
    policy = tmp_path / "policy.txt"
    policy.write_text("distilled non-inferior to s2 by 5\n")
    assert gate.check(folder, policy).exit_code == 0
    cut(folder, "s2", 300, 680)
    outcome = gate.check(folder, policy)
    assert outcome.exit_code == 3 and "38 % of the texts of s2 were cut" in outcome.lines[0]


def test_where_less_is_better_the_best_case_is_0(tmp_path: Path) -> None:
    task = FakeTask(clusters=100, directions={"accuracy": "lower"})
    folder = make_run(tmp_path / "run", [task])
    right(folder, "base", 60)
    right(folder, "s2", 30)
    cut(folder, "base", 30, 60)
    row = claim(leaderboard.build(folder), "superior", "base", "s2")
    assert (row["verdict_as_scored"], row["verdict"]) == ("yes", "cannot_tell")


def test_over_all_tasks_cut_items_can_turn_a_verdict_too(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=100), FakeTask("gsm8k", 100)])
    for task in ("coin_flip", "gsm8k"):
        right(folder, "base", 40, task=task)
        right(folder, "s2", 60, task=task)
    whole = [row for row in leaderboard.build(folder)["overall"] if row["b"] == "s2"]
    assert whole[0]["verdict"] == "yes" and "turned_by_cut" not in whole[0]
    for task in ("coin_flip", "gsm8k"):
        cut(folder, "base", 40, 60, task)
    row = next(row for row in leaderboard.build(folder)["overall"] if row["b"] == "s2")
    assert (row["verdict"], row["verdict_as_scored"]) == ("cannot_tell", "yes")
    assert row["cut"] == {"a": 0.2, "b": 0.0} and "20 % of the texts of base were cut" in row["sentence"]
    assert row["difference"] == pytest.approx(0.2), "the figures stay as scored"


def test_cut_rows_of_a_seed_that_a_pair_leaves_out_do_not_count(tmp_path: Path) -> None:
    entries = [distillation(seed=0), distillation(seed=1, status="not_distilled", kept=1, checkpoint=None)]
    folder = make_run(tmp_path / "run", [FakeTask(clusters=60, seeds=2)], distillation=entries)
    edit_rows(folder / "samples/distilled/coin_flip.jsonl", lambda row: None if row["seed"] else row)
    edit_rows(folder / "samples/s2/coin_flip.jsonl", lambda row: row | {"truncated": row["seed"] == 1})
    board = leaderboard.build(folder)
    assert claim(board, "non_inferior", "s2", "distilled")["cut"] == {"a": 0.0, "b": 0.0}
    assert claim(board, "superior", "base", "s2")["cut"] == {"a": 0.0, "b": 0.5}


def test_a_run_of_old_without_finish_reasons_still_marks_its_rows(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 40, 60, 60)
    edit_rows(folder / "samples/s2/coin_flip.jsonl", lambda row: row | {"truncated": True, "steps": []})
    board = leaderboard.build(folder)
    assert board["rows"][1]["cut"] == {"share": 1.0, "steps": [], "context_length": None}
    assert "--sampling max_tokens=N." in " ".join(tables.terminal(board).split())
    json.dumps(board, allow_nan=False)


def test_nothing_is_said_where_nothing_was_cut(tmp_path: Path) -> None:
    board = leaderboard.build(make_run(tmp_path / "run", variants=VARIANTS))
    assert "cut" not in tables.terminal(board).lower()
