"""Tables take the width of the terminal, cut nothing at any, and colour verdicts where they are asked to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from results_fixtures import FakeTask, distillation, make_run, wide_board
from test_end_to_end import run_command

from harness.command import screen
from results.analysis import leaderboard
from results.schema import Leaderboard
from results.tables import layout
from results.tables import render as tables

WIDTHS = (60, 80, 100, 160, 200)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    names = ("mmlu_flan_cot_zeroshot_anatomy", "gsm8k")
    return wide_board(tmp_path_factory.mktemp("runs") / "wide", names, 120)


def figures(text: str) -> list[str]:
    """Scores, estimates and break-evens with their intervals, as they are printed."""
    return re.findall(r"[x+-]?[\d.,]+k? \[[^\]]*\]", text)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_and_no_figure_is_cut(board: Leaderboard, width: int, verbose: bool) -> None:
    text = tables.terminal(board, width, verbose)
    assert max(map(len, text.splitlines())) <= width
    assert sorted(figures(text)) == sorted(figures(tables.terminal(board, 10_000, verbose)))
    wrapped = "".join(text.split())
    for name in ("mmlu_flan_cot_zeroshot_anatomy", "break-even", "$/correct"):
        assert name in wrapped, "a name is whole, if over two lines"


def test_a_wide_terminal_wraps_no_name(board: Leaderboard) -> None:
    for name in ("mmlu_flan_cot_zeroshot_anatomy", "failed %", "break-even (tokens)", "teacher tokens"):
        assert name in tables.terminal(board, 160)
    assert "-- mmlu_flan_cot_zeroshot_anatomy" in tables.terminal(board, 60), "a heading between the rows"


def test_the_verdict_comes_first_and_the_methods_only_when_asked_for(board: Leaderboard) -> None:
    text, whole = tables.terminal(board), tables.terminal(board, verbose=True)
    assert " ".join(text.split("\n\n")[0].split()) == board["headline"]
    assert "Methods used" not in text and "Methods used" in whole
    assert "flexible" not in text and "flexible" in whole
    assert "--verbose" in text.splitlines()[-1]
    assert "Bonett" in tables.markdown(board), "the file has them in any case"


def test_colours_change_nothing_but_colours(board: Leaderboard) -> None:
    for width in WIDTHS:
        colored = tables.terminal(board, width, color=True)
        assert re.sub(r"\x1b\[\d*m", "", colored) == tables.terminal(board, width)
    assert "\x1b[32myes\x1b[0m" in colored and "\x1b" not in tables.terminal(board)
    best = next(row for row in board["rows"] if row["primary"] and row["variant"] == "s2")
    assert f"\x1b[1m{100 * best['score']:.1f} [" in colored


def test_a_name_cannot_bring_its_own_colours(tmp_path: Path) -> None:
    name = "\x1b[31mred"
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(name, 30)]))
    assert "\x1b[31mred" not in tables.terminal(board, color=True)


def test_a_part_of_a_table_repeats_the_names_and_leaves_out_empty_rows() -> None:
    rows = [["a", "x", "1" * 30, "2" * 30], ["", "y", "3" * 30, ""]]
    text = layout.table(["task", "variant", "one", "two"], rows, 60, {"one", "two"}, names=2)
    first, second = text.split("\n\n")
    assert "3" * 30 in first and "2" * 30 in second
    assert "variant" in second and "x" in second and "y" not in second


def test_what_is_the_same_below_a_heading_goes_into_it() -> None:
    rows = [["a", "x", "accuracy", "200", "1" * 20], ["a", "y", "accuracy", "200", "2" * 20]]
    headers = ["task", "variant", "metric", "n", "score"]
    text = layout.table(headers, rows, 36, {"n", "score"}, 3, shared=("metric", "n"))
    assert text.splitlines()[2] == "-- a, accuracy, n 200"
    assert "metric" not in text
    rows[1][2] = "other"
    text = layout.table(headers, rows, 36, {"n", "score"}, 3, shared=("metric", "n"))
    assert "-- a, n 200" in text and "accuracy" in text and "other" in text


def test_names_go_above_the_figures_where_that_is_shorter() -> None:
    rows = [["a", "distilled better than base", "1" * 24, "2" * 24]]
    rows += [["", f"b as good as c{number}", "3" * 24, "4" * 24] for number in range(2)]
    text = layout.table(["task", "claim", "one", "two"], rows, 60, {"one", "two"}, 2)
    assert text.splitlines()[3:5] == ["-- a", "distilled better than base"]
    assert "1" * 24 + "  " + "2" * 24 in text and len(text.splitlines()) == 10


def test_no_form_is_longer_than_another_that_fits(board: Leaderboard) -> None:
    for width in WIDTHS[1:]:
        narrower = len(tables.terminal(board, width - 20).splitlines())
        assert len(tables.terminal(board, width).splitlines()) <= narrower


def test_a_run_of_five_tasks_is_short_at_60_columns(tmp_path: Path) -> None:
    names = ("last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k")
    taught = [distillation(name, dropped={"no_majority": 2, "order_inconsistent": 111}) for name in names]
    board = leaderboard.build(
        make_run(tmp_path / "run", [FakeTask(name, 60) for name in names], distillation=taught)
    )
    text = tables.terminal(board, 60)
    assert len(text.splitlines()) <= 160
    assert "distilled better than base\n" in text, "a claim is on one line"
    for width in WIDTHS:
        text = tables.terminal(board, width)
        assert "order inconsistent 111" in text and "150 of 200" in text, "a count stays with its name"
        assert layout.GLUE not in text


def test_options_are_not_broken_at_their_hyphens(tmp_path: Path) -> None:
    note = "a b c d e f g h i j k l m n o p q r s t u v w x y, z: raise --distill-inputs."
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=20)], notes=[note]))
    for width in range(60, 90):
        assert "--distill-inputs" in tables.terminal(board, width)


def test_the_command_takes_verbose(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)])
    brief, whole = (run_command(tmp_path, ["report", str(folder), *more]) for more in ((), ("--verbose",)))
    assert brief.returncode == whole.returncode == 0
    assert "Methods used" in whole.stdout and "Methods used" not in brief.stdout
    refused = run_command(tmp_path, ["--models", "base,s2", "--verbose", "--tasks", "chess"])
    assert refused.returncode == 2 and "chess" in refused.stderr, "an option of a run too"


class Screen:
    """Standard output that is, or is not, a terminal."""

    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "columns", "expected"),
    [(True, "72", 72), (True, "20", 60), (True, "500", 200), (False, "", 100), (False, "120", 120),
     (False, "0", 100), (False, "wide", 100)],
)  # fmt: skip
def test_the_width_is_the_terminals_from_60_to_200(
    terminal: bool, columns: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", Screen(terminal))
    found = screen.width()
    monkeypatch.undo()
    assert found == expected


@pytest.mark.parametrize(
    ("terminal", "environment", "expected"),
    [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, True),
     (True, {"TERM": "dumb"}, False)],
)  # fmt: skip
def test_colours_are_for_terminals_that_take_them(
    terminal: bool, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", Screen(terminal))
    found = screen.colored()
    monkeypatch.undo()
    assert found == expected
