"""Text of models, data and users is data everywhere: it cannot run, break a table, or forge a line.

Each property plants any text in one place of one format and compares with the same document that holds a
harmless word there: the structure must be the same. Every place of every format, with each escape taken out
once, is in test_results_escaping.py. More cases: `make fuzz` (tests/fixtures/fuzzing.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import HOSTILE_TEXT, LONG, cases
from hypothesis import example, given, reject
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markupsafe import Markup
from page_fixtures import build_run
from results_fixtures import PLACEHOLDERS, placeholder_run
from test_results_escaping import in_terminal

from distill.papers.markdown import fenced, front_matter, inline, table, tidy
from harness.command.cli import main
from harness.command.command_line import parse_options, run_parser
from harness.errors import UserError, one_line
from harness.folder import config_text
from harness.options import RunOptions
from harness.progress import Progress, say
from results.analysis import leaderboard
from results.files import write_rows
from results.page import build as page
from results.page import plots
from results.page.figure import house_style
from results.page.kept_figures import Figures
from results.page.scan import scan_run
from results.page.texts import embeddable
from results.records.lines import lines
from results.records.manifest import read_manifest
from results.tables import cells, csv_file, latex
from results.tables import render as tables

PLACES = st.sampled_from(PLACEHOLDERS)
WRITABLE = HOSTILE_TEXT.map(lambda text: text.encode("utf-8", "replace").decode())
"""Without half surrogate pairs, which readers refuse before a table is made."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose names are the words of `PLACEHOLDERS`."""
    return placeholder_run(tmp_path_factory.mktemp("runs"), 20)


@pytest.fixture(scope="module")
def board(folder: Path) -> dict[str, Any]:
    return leaderboard.build(folder)


@pytest.fixture(scope="module")
def context(folder: Path, board: dict[str, Any]) -> dict[str, Any]:
    """What the page's template is filled with."""
    manifest = read_manifest(folder)
    scans = scan_run(folder, manifest)
    items = page._items(manifest, scans, board)
    return page._context(manifest, scans, items, board, True, Figures())


@pytest.fixture(scope="module")
def page_skeleton(context: dict[str, Any]) -> list[Any]:
    return skeleton(page.environment().get_template("template.html.j2").render(context))


@pytest.fixture(scope="module")
def markdown_kinds(board: dict[str, Any]) -> list[str]:
    return kinds(tables.markdown(board))


@cases()
@given(HOSTILE_TEXT)
def test_a_line_stays_one_line_and_steers_no_terminal(text: str) -> None:
    for escape in (one_line, cells.plain, cells.markdown, cells.latex, cells.csv):
        shown = escape(text)
        assert in_terminal(shown) == [] and len(shown.splitlines()) <= 1
        shown.encode()


@cases()
@given(PLACES, HOSTILE_TEXT)
def test_a_terminal_table_stays_within_its_width(board: dict[str, Any], field: str, text: str) -> None:
    shown = tables.terminal(planted_in(board, field, text))
    assert in_terminal(shown) == []
    assert max(map(len, shown.split("\n"))) <= 100


@cases()
@given(PLACES, HOSTILE_TEXT)
def test_no_cell_of_a_csv_file_is_a_formula(board: dict[str, Any], field: str, text: str) -> None:
    shown = csv_file.csv_text(planted_in(board, field, text))
    rows = list(csv.reader(io.StringIO(shown, newline="")))
    assert [len(row) for row in rows] == [len(rows[0])] * (len(board["rows"]) + 1)
    for separator in ",;\t|":
        found = [cell for line in shown.splitlines() for cell in line.split(separator)]
        risky = [cell for cell in found if cell.strip("\"' ")[:1] in FORMULA and not is_safe(cell)]
        assert risky == []


FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def is_safe(cell: str) -> bool:
    """A quote before it makes it text; a number is a number."""
    return "'" in cell[: len(cell) - len(cell.lstrip("\"' "))] or bool(re.fullmatch(r"-?[\d.e+-]+", cell))


WORDS = (
    "textbackslash textasciitilde textasciicircum textless textgreater textbar textbf begin end toprule "
    "midrule bottomrule usepackage centering footnotesize setlength tabcolsep caption label columnwidth "
    "arraybackslash raggedright multicolumn textit allowbreak par smallskip parbox scriptsize input "
    "ensuremath"
)
COMMANDS = {f"\\{name}" for name in [*WORDS.split(), *"&%$#_{}\\"]}
"""What the table of a harmless run holds, and the escapes."""


@cases()
@given(PLACES, HOSTILE_TEXT)
def test_latex_gets_no_command_and_no_cell_more(board: dict[str, Any], field: str, text: str) -> None:
    shown = latex.latex(planted_in(board, field, text))
    assert set(re.findall(r"\\(?:[A-Za-z]+|.)", shown)) <= COMMANDS
    assert in_terminal(shown) == []
    tables_of = shown.split(r"\toprule")[1:]
    assert len(tables_of) == latex.latex(board).count(r"\toprule")
    for part in tables_of:
        rows = [line for line in part.split("\n") if line.endswith(r"\\")]
        for row in rows:
            bare = re.sub(r"\\.", "", row)
            assert bare.count("{") == bare.count("}") and not re.search(r"[%$#~^]", bare)
            # Behind the end of a row, a bracket or a star would be an argument of it.
            assert row.lstrip()[:1] not in ("[", "*")
            cells_of = bare.count("&")
            assert cells_of == (0 if "multicolumn" in row else re.sub(r"\\.", "", rows[0]).count("&"))


@cases(short=40, long=1000)
@example("NOTE", "")
@given(PLACES, HOSTILE_TEXT)
def test_markdown_keeps_its_structure(
    board: dict[str, Any], markdown_kinds: list[str], field: str, text: str
) -> None:
    assert kinds(tables.markdown(planted_in(board, field, text))) == markdown_kinds


def kinds(text: str) -> list[str]:
    """What a reader of Markdown makes of a text, without the words."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    parts = [part for token in tokens for part in (token, *(token.children or ()))]
    return [part.type for part in parts if part.type not in ("text", "text_special")]


class Skeleton(HTMLParser):
    """Tags with the names of their attributes, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")


def skeleton(html: str) -> list[Any]:
    parser = Skeleton()
    parser.feed(html)
    parser.close()
    return parser.found


def tags(found: list[Any]) -> set[str]:
    """The kinds of element in a skeleton."""
    return {part if isinstance(part, str) else part[0] for part in found}


def planted_in(value: Any, field: str, text: str) -> Any:
    """`value` with `text` for each `field`; what is HTML already is left alone."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, dict):
        return {planted_in(key, field, text): planted_in(each, field, text) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(planted_in(each, field, text) for each in value)
    return value.replace(field, text) if isinstance(value, str) else value


@cases(short=25, long=800)
@given(PLACES, HOSTILE_TEXT)
def test_the_page_keeps_its_structure(
    context: dict[str, Any], page_skeleton: list[Any], field: str, text: str
) -> None:
    template = page.environment().get_template("template.html.j2")
    assert skeleton(template.render(planted_in(context, field, text))) == page_skeleton


@cases()
@given(st.lists(HOSTILE_TEXT, min_size=1, max_size=3))
def test_item_data_cannot_leave_their_element(texts: list[str]) -> None:
    element = f'<script type="application/json">{embeddable({"items": texts})}</script>'
    assert skeleton(element) == [("script", "type"), "script"]
    found = json.loads(element.split(">", 1)[1].removesuffix("</script>"))
    assert found["items"] == [text.encode("utf-8", "replace").decode() for text in texts]


@cases(short=6, long=150)
@given(st.sampled_from(["TASK", "VARIANT"]), WRITABLE)
def test_a_plot_shows_names_as_text(board: dict[str, Any], field: str, text: str) -> None:
    def drawn(word: str) -> str:
        changed = planted_in(board, field, word)
        task = word if field == "TASK" else "TASK"
        with house_style():
            return plots.score_against_tokens(changed, task)

    found = skeleton(drawn(text))
    assert tags(found) == tags(skeleton(drawn("word")))
    assert not [name for part in found if isinstance(part, tuple) for name in part if name.startswith("on")]


@cases()
@given(HOSTILE_TEXT)
def test_a_card_shows_text_as_text(text: str) -> None:
    words = inline(text)
    for card in ("{}", "Before {} behind", "- {}", "# {}", "| a |\n| - |\n| {} |", "> {}"):
        assert kinds(card.format(words)) == kinds(card.format("word")) or not words
    assert kinds(table(["a", "b"], [[text, 1], [2, text]])) == kinds(table(["a", "b"], [["x", 1], [2, "x"]]))


@cases()
@given(HOSTILE_TEXT)
def test_a_fence_and_the_front_matter_of_a_card_hold_what_they_are_given(text: str) -> None:
    parsed = MarkdownIt("commonmark").parse(tidy(fenced(text)))
    assert [token.type for token in parsed] == ["fence"]
    block = front_matter({"name": text, "tags": [text]})
    assert block.split("\n---")[-1] == "" and block.count("\n---") == 1
    assert yaml.safe_load(block.removesuffix("---"))["name"] == text


TYPED = (
    "--models=",
    "--tasks=",
    "--config=",
    "--filter=",
    "--limit 0 --sampling=",
    "--seeds 0 --limit=",
    "report ",
    "ls ",
)
"""Where the text is typed, behind; none of them may become a run, whatever it is."""


@cases()
@given(st.sampled_from(TYPED), HOSTILE_TEXT)
def test_an_error_is_one_line_whatever_was_typed(place: str, text: str) -> None:
    *command, last = place.split(" ")
    status, out, err = run_quietly([*command, f"{last}{text}"])
    assert status == 2
    assert err.startswith("s2d-bench: ") and err.endswith("\n") and len(err.splitlines()) == 1
    assert in_terminal(err) == []
    assert json.loads(out)["status"] == "bad_input"


def run_quietly(command: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(command)
    return status, out.getvalue(), err.getvalue()


@cases()
@given(HOSTILE_TEXT)
def test_a_line_of_the_log_is_one_line(text: str) -> None:
    err = io.StringIO()
    with redirect_stderr(err):
        say(f"checked {text} at last")
        with Progress(text):
            pass
    first, second, *others = err.getvalue().split("\n")
    assert first.startswith("checked ") and ": done, 0 calls" in second and others == [""]
    assert in_terminal(err.getvalue()) == []


@cases()
@given(st.lists(WRITABLE, min_size=1, max_size=4))
def test_a_row_of_samples_is_one_line(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    rows = [{"prompt": text, "response": text[::-1], text: 1} for text in texts]
    write_rows(path, rows)
    assert path.read_bytes().count(b"\n") == len(rows)
    assert list(lines(path)) == rows


@cases()
@given(WRITABLE)
def test_the_configuration_of_a_run_says_what_was_typed(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    arguments = {"script": text, text: 1}
    options = RunOptions(engine="scripted", pretrained=text, models=text, engine_args=arguments)
    try:
        options.check()
    except UserError:  # a NUL, nothing, a name too long: such a run is refused before it has a file
        reject()
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_text(config_text(options), encoding="utf-8")
    assert parse_options(run_parser("s2d-bench", "", ""), ["--config", str(path)]) == options


def test_the_whole_page_of_a_hostile_run_keeps_its_structure(tmp_path: Path) -> None:
    """Through the files of a run, plots and item data included, with every text of it hostile."""
    harmless, hostile = tmp_path / "harmless", tmp_path / "hostile"
    shown = [
        skeleton(page.render_page(place, build_run(place, tasks=("coin_flip",), items=20, hostile=planted)))
        for place, planted in ((harmless, False), (hostile, True))
    ]
    assert tags(shown[0]) == tags(shown[1])


def test_the_long_form_has_as_many_cases_as_promised() -> None:
    properties = [each for each in globals().values() if hasattr(each, "hypothesis")]
    most = sum(each._hypothesis_internal_use_settings.max_examples for each in properties)
    assert most >= (20_000 if LONG else 1_200)
