"""A column is one object: terminal, Markdown, CSV and page show it, each in its own form."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_fixtures import FakeTask, FakeVariant, make_run

from results.analysis import leaderboard
from results.page import rows as page_rows
from results.tables import cells, columns, render, rows
from results.tables.columns import Column, PageColumn


def test_a_new_column_is_in_every_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = leaderboard.build(make_run(tmp_path / "run"))
    scored = Column("n_rows", 9, "rows asked", cells.number, PageColumn("rows", ",d"))
    monkeypatch.setattr(rows, "IN_TABLE", (*columns.IN_TABLE, scored))
    monkeypatch.setattr(rows, "COST_HEADERS", (*rows.COST_HEADERS, scored.header))
    monkeypatch.setattr(columns, "IN_FILE", (*columns.IN_FILE, scored))
    asked = cells.number(float(board["rows"][0]["n_rows"]))
    assert "rows asked" in render.markdown(board) and asked in render.terminal(board, verbose=True)
    table = page_rows.board(board, dict.fromkeys(("base", "s2", "distilled"), 0))
    assert table["costs"][-1].header == "rows"
    assert table["rows"][0]["cells"][-1]["value"] == board["rows"][0]["n_rows"]


def test_a_price_is_a_column_of_the_page_where_a_run_has_prices(tmp_path: Path) -> None:
    board = leaderboard.build(make_run(tmp_path / "run"))
    headers = [page.header for _, page in columns.on_page(board["rows"])]
    assert headers == ["generated", "prompt", "cached", "calls", "per correct", "FLOPs"]
    priced = [{**row, "usd_per_1k_items": 0.5} for row in board["rows"]]
    assert [page.header for _, page in columns.on_page(priced)][-1] == "$ per 1,000"


def test_a_column_shows_numbers() -> None:
    with pytest.raises(TypeError, match="status is 'scored'"):
        Column("status", 1, "status", cells.number).value({"status": "scored"})  # type: ignore[typeddict-item]


def test_a_method_that_is_in_the_name_is_not_shown_twice(tmp_path: Path) -> None:
    variants = [
        FakeVariant("base", 0.5, 11, "base"),
        FakeVariant("s2", 0.7, 110, "s2", "rar_2step"),
        FakeVariant("s2-cot", 0.7, 110, "s2", "cot"),
        FakeVariant("s2-cot-64", 0.7, 110, "s2", "cot/64"),
        FakeVariant("s2-cot*3", 0.7, 110, "s2", "cot*3"),
        FakeVariant("distilled-short", 0.7, 11, "distilled", "cot"),
    ]
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=40)], variants))
    headers, table = rows.narrow_score_cells(board, every=False)
    shown = [cells_of[headers.index("variant")] for cells_of in table]
    assert shown == ["base", "s2 rar_2step", "s2-cot", "s2-cot-64", "s2-cot*3", "distilled-short cot"]
