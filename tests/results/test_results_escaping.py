"""Names and texts in tables are data, and each escape is needed: with it taken out, the check finds harm.

One hostile text is planted in one field at a time (run, task, variant, method, metric, note, reason for
dropping inputs), in every format that shows the field.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_fixtures import planted
from results_fixtures import PLACEHOLDERS, placeholder_run

from results import compare, paper
from results.analysis import leaderboard
from results.page import build as page
from results.records.manifest import read_manifest
from results.tables import cells, csv_file, latex
from results.tables import render as tables

HOSTILE = "=cmd|<img/src=x/onerror=a(1)>&_%$#{}~^\\ \x1b[31m\u202e*bold* [x](y) `q`"
IN_ROWS = ("TASK", "VARIANT", "METHOD", "METRIC")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose names are the placeholders of `PLACEHOLDERS`."""
    return placeholder_run(tmp_path_factory.mktemp("runs"), 60)


def plant(value: Any, field: str) -> Any:
    """`value` with the hostile text in place of one placeholder, keys and sentences included."""
    if isinstance(value, dict):
        return {plant(key, field): plant(entry, field) for key, entry in value.items()}
    if isinstance(value, list):
        return [plant(entry, field) for entry in value]
    return value.replace(field, HOSTILE) if isinstance(value, str) else value


def in_terminal(text: str) -> list[str]:
    """Signs that a terminal obeys."""
    return [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf") and sign != "\n"]


def in_markdown(text: str) -> list[str]:
    """Markup that was not written by us."""
    found = re.findall(r"<img|(?<!\\)\*bold|(?<!\\)\[x|(?<!\\)`q", text) + in_terminal(text)
    tables = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("\n\n")]
    widths = [{len(re.findall(r"(?<!\\)\|", line)) for line in table} for table in tables]
    return found + [f"rows of {sorted(width)} columns" for width in widths if len(width) > 1]


def in_latex(text: str) -> list[str]:
    """Active characters in the rows, and rows with more cells than the head of their table."""
    found = in_terminal(text)
    for table in text.split(r"\toprule")[1:]:
        rows = [line.removesuffix(r"\\") for line in table.splitlines() if line.endswith(r"\\")]
        found += re.findall(r"(?<!\\)[%$#_~^]|\\ ", " ".join(rows[1:]))
        widths = {len(re.findall(r"(?<!\\)&", row)) for row in rows if "multicolumn" not in row}
        found += [f"rows of {sorted(widths)} columns"] if len(widths) > 1 else []
    return found


def in_csv(text: str) -> list[str]:
    """Cells that a spreadsheet would calculate."""
    rows = list(csv.reader(io.StringIO(text)))
    return [cell for row in rows for cell in row if cell[:1] in ("=", "@")] + in_terminal(text)


Make = Callable[[dict[str, Any], Path], str]
FORMATS: dict[str, tuple[Make, Callable[[str], list[str]], tuple[str, ...]]] = {
    "terminal": (lambda board, _: tables.terminal(board), in_terminal, PLACEHOLDERS),
    "markdown": (lambda board, _: tables.markdown(board), in_markdown, PLACEHOLDERS),
    "latex": (lambda board, _: latex.latex(board), in_latex, IN_ROWS),
    "csv": (lambda board, _: csv_file.csv_text(board), in_csv, IN_ROWS),
    "html": (lambda board, folder: page.render_page(folder, board), planted, PLACEHOLDERS),
}
"""Format -> how its text is made, what must not be in it, the fields that it shows."""
CASES = [(name, field) for name, (_, _, fields) in FORMATS.items() for field in fields]


def take_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The escape of one format, replaced by nothing."""
    if name == "html":
        careless = page.environment()
        careless.autoescape = False
        monkeypatch.setattr(page, "environment", lambda: careless)
    else:
        monkeypatch.setattr(cells, {"terminal": "plain"}.get(name, name), str)


@pytest.mark.parametrize(("name", "field"), CASES)
def test_a_planted_text_does_nothing_and_would_without_the_escape(
    folder: Path, name: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, harm, _ = FORMATS[name]
    hostile = plant(leaderboard.build(folder), field)
    assert "cmd" in make(hostile, folder), "the planted text must be there, or this test shows nothing"
    assert harm(make(hostile, folder)) == []
    take_out(name, monkeypatch)
    assert harm(make(hostile, folder)) != []


def test_the_checks_find_nothing_in_a_harmless_leaderboard(folder: Path) -> None:
    for make, harm, _ in FORMATS.values():
        assert harm(make(leaderboard.build(folder), folder)) == []


def test_texts_of_compare_and_of_the_paper_are_plain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = plant(compare.compare(folder, folder), "TASK")
    laid = plant(paper.beside(leaderboard.build(folder)), "gsm8k")
    for render, given in ((compare.render, compared), (paper.render, laid)):
        assert "cmd" in render(given)
        assert in_terminal(render(given)) == []
    monkeypatch.setattr(cells, "plain", str)
    assert in_terminal(compare.render(compared))


def test_names_in_the_lines_of_measured_time_are_plain(folder: Path) -> None:
    from results.hardware import time_lines

    manifest = read_manifest(folder) | {"timing": {HOSTILE: 3.0}}
    (line,) = time_lines(manifest)
    assert "cmd" in line and in_terminal(line) == []
