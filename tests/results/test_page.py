"""The page without a browser: it is whole, safe, the same every time, and says what the figures say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from page_fixtures import build_run, large_page, planted

from results.analysis.leaderboard import build
from results.errors import ResultsError
from results.files import file_hash
from results.page import build as page
from results.page import items, plots
from results.page import words as page_words
from results.page.figure import to_svg


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("page") / "made-up"
    return folder, build_run(folder, tasks=("coin_flip", "trivia_bias"), items=40)


def blocks(html: str) -> dict[str, Any]:
    """The item data of each task, parsed as the page's script does."""
    found = {}
    for part in html.split('<script type="application/json" class="items" data-task="')[1:]:
        task, rest = part.split('">', 1)
        found[task] = json.loads(rest.split("</script>", 1)[0])
    return found


def test_page_is_one_file_that_reads_no_other(run: tuple[Path, dict[str, Any]]) -> None:
    path = page.write_page(*run)
    html = path.read_text(encoding="utf-8")
    assert path == run[0] / "leaderboard.html"
    for word in ("<link", "@import", 'src="', "url(http", "fetch("):
        assert word not in html
    assert "default-src 'none'" in html.replace("&#39;", "'")
    assert not list(run[0].glob(".leaderboard-*")) and not (run[0] / "leaderboard_items").exists()


def test_page_is_the_same_whatever_the_clock_said(run: tuple[Path, dict[str, Any]]) -> None:
    folder, board = run
    first = page.render_page(folder, board)
    path = folder / "manifest.json"
    before = path.read_text(encoding="utf-8")
    manifest = json.loads(before)
    manifest |= {
        "status": "running",
        "timing": {"evaluate_seconds": 1.25},
        "execution": {"padding_tokens": 7},
    }
    manifest["hardware"]["memory_bandwidth_gbs"] = 99.9
    try:
        path.write_text(json.dumps(manifest), encoding="utf-8")
        assert page.render_page(folder, board) == first
    finally:
        path.write_text(before, encoding="utf-8")
    assert "98765.4" not in first and "31.7" not in first


def finished(folder: Path, **made: Any) -> dict[str, Any]:
    """A run whose manifest vouches for its samples, as a finished one does."""
    build_run(folder, **made)
    manifest = json.loads((folder / "manifest.json").read_text())
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("samples/*/*.jsonl"))
    manifest["samples"] = {name: file_hash(folder / name) for name in names}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return build(folder)


def test_a_page_that_is_there_already_is_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    board = finished(folder, tasks=("coin_flip",), variants=("base", "s2"), items=230)
    path = page.write_page(folder, board)
    whole = path.read_bytes()
    drawn = []
    draw = page._page
    monkeypatch.setattr(page, "_page", lambda *given: drawn.append(given) or draw(*given))
    page.write_page(folder, board)
    assert drawn == [] and path.read_bytes() == whole
    page.write_page(folder, {**board, "headline": "Another."})
    assert len(drawn) == 1, "another leaderboard"
    page.write_page(folder, board)
    path.write_bytes(whole.replace(b"Leaderboard", b"Leaderbored", 1))
    page.write_page(folder, board)
    assert len(drawn) == 3 and path.read_bytes() == whole, "a page that somebody changed"
    next((folder / "leaderboard_items").glob("*.js")).unlink()
    page.write_page(folder, board)
    assert len(drawn) == 4 and list((folder / "leaderboard_items").glob("*.js")), "a chunk that is gone"
    page.write_page(folder, board, paper=True)
    assert len(drawn) == 5


def test_figures_whose_inputs_are_the_same_are_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    board = finished(folder, tasks=("coin_flip",), variants=("base", "s2"), items=40)
    path = page.write_page(folder, board)
    first = path.read_bytes()
    drawn: list[str] = []

    def counted(figure: Any, name: str, *given: Any) -> str:
        drawn.append(name)
        return to_svg(figure, name, *given)

    monkeypatch.setattr(plots, "to_svg", counted)
    page.write_page(folder, {**board, "headline": "Another."})
    assert drawn == [] and b"Another." in path.read_bytes()
    page.write_page(folder, board)
    assert drawn == [] and path.read_bytes() == first, "the same bytes as drawing gives"
    moved = json.loads(json.dumps(board))
    moved["rows"][0]["score"] += 0.01
    page.write_page(folder, moved)
    assert drawn == ["score-coin_flip", "score-coin_flip-wide"], "only what shows the score"
    path.write_bytes(path.read_bytes().replace(b"<path", b"<path ", 1))
    page.write_page(folder, moved)
    assert len(drawn) == 6, "no figure of a page that somebody changed"


def test_planted_markup_stays_text(run: tuple[Path, dict[str, Any]]) -> None:
    html = page.render_page(*run)
    assert planted(html) == []
    assert "window.planted" in html, "the planted text must be on the page, or this test shows nothing"


def test_without_the_template_escape_the_check_fails(
    run: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = page.environment()
    careless.autoescape = False
    monkeypatch.setattr(page, "environment", lambda: careless)
    assert planted(page.render_page(*run))


def test_without_the_data_escape_the_check_fails(
    run: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "embeddable", json.dumps)
    assert planted(page.render_page(*run))


def test_item_data_hold_the_texts_of_the_samples(run: tuple[Path, dict[str, Any]]) -> None:
    folder, board = run
    data = blocks(page.render_page(folder, board))["coin_flip"]
    rows = {
        row["item_id"]: row
        for row in map(json.loads, (folder / "samples/s2/coin_flip.jsonl").read_text().splitlines())
    }
    assert ["base", "s2"] in data["pairs"] and len(data["items"]) == 40
    for name, item in zip(data["index"]["id"], data["items"], strict=True):
        shown, row = item["variants"]["s2"], rows[name]
        assert item["prompt"] == row["prompt"]
        assert [step[1] for step in shown["steps"]] == [step["text"] for step in row["steps"]]
        assert shown["answer"] == row["answer"]


@pytest.mark.slow
def test_page_of_a_large_run_stays_small(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = large_page(tmp_path_factory.getbasetemp())
    assert path.stat().st_size < 15_000_000
    beside = sum(each.stat().st_size for each in path.parent.glob("leaderboard_items/*.js"))
    assert 0 < beside < 70_000_000
    for data in blocks(path.read_text(encoding="utf-8")).values():
        assert len(data["index"]["id"]) == 2000
        assert 100 < len(data["items"]) <= 200 * len(data["pairs"]) and data["chunks"]


def test_a_broken_row_is_named_and_leaves_no_page(tmp_path: Path) -> None:
    board = build_run(tmp_path / "run", tasks=("coin_flip",), items=5)
    broken = tmp_path / "run/samples/s2/coin_flip.jsonl"
    broken.write_text(broken.read_text() + "{half a row\n")
    with pytest.raises(ResultsError, match=r"coin_flip\.jsonl:6: "):
        page.write_page(tmp_path / "run", board)
    assert not list((tmp_path / "run").glob("*.html"))


def test_a_leaderboard_without_a_key_is_named(run: tuple[Path, dict[str, Any]]) -> None:
    folder, board = run
    rows = [{key: value for key, value in row.items() if key != "n"} for row in board["rows"]]
    with pytest.raises(ResultsError, match="'n'"):
        page.write_page(folder, {**board, "rows": rows})


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no manifest\.json"):
        page.write_page(tmp_path, {"rows": []})


def test_the_page_begins_with_the_sentence_of_the_leaderboard(run: tuple[Path, dict[str, Any]]) -> None:
    html = page.render_page(*run)
    assert f'<h1 id="verdict-title">{escape(run[1]["headline"])}</h1>' in html


def test_a_run_without_distillation_still_gets_a_sentence(tmp_path: Path) -> None:
    board = build_run(tmp_path / "run", tasks=("coin_flip",), variants=("base", "s2"), items=60)
    sentence = "s2 is better than base on coin_flip. No variant distilled from System 2 was compared."
    assert board["headline"] == sentence
    assert "What distillation cost" not in page.render_page(tmp_path / "run", board)


def test_the_three_claims_end_with_all_tasks_together(run: tuple[Path, dict[str, Any]]) -> None:
    rows = page_words.matrix(run[1])["rows"]
    assert [row["task"] for row in rows] == ["coin_flip", "trivia_bias", "all tasks"]
    assert all(all(row["cells"]) for row in rows)


def test_the_page_shows_what_is_kept_of_the_gain(run: tuple[Path, dict[str, Any]]) -> None:
    folder, board = run
    claim = next(row for row in board["comparisons"] if "gain_kept" in row)
    share = claim["gain_kept"]
    shown = f"gain kept: {100 * share['value']:.0f} %"
    html = page.render_page(folder, board)
    assert html.count(shown) >= 2, "in the matrix and beside its claim"


def test_latency_is_told_in_tokens_and_calls_in_sequence(run: tuple[Path, dict[str, Any]]) -> None:
    folder, board = run
    rows = [json.loads(line) for line in (folder / "samples/s2/coin_flip.jsonl").open()]
    spent = sorted(sum(step["generated_tokens"] for step in row["steps"]) for row in rows)
    html = page.render_page(folder, board)
    assert f'<td class="number">{spent[19]} ({spent[37]}), 2 calls</td>' in html
    assert "Latency independent of the machine" in html


def test_a_task_that_was_not_distilled_keeps_its_row(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build_run(folder, tasks=("coin_flip",), items=20)
    (folder / "samples/distilled/coin_flip.jsonl").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["distillation"][0] |= {"status": "not_distilled", "kept": 3, "train_tokens": None}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    html = page.render_page(folder, build(folder))
    assert html.count("not distilled") >= 2
    assert "3 of 200" in html


def test_findings_of_pairs_that_are_not_there_stand_apart(run: tuple[Path, dict[str, Any]]) -> None:
    assert "Beside the paper" not in page.render_page(*run), "the paper is shown where it is asked for"
    html = page.render_page(*run, paper=True)
    head, rest = html.split("Findings of pairs that this run does not compare (", 1)
    # coin_flip and trivia_bias: the control and the ablation.
    assert rest.startswith("2)")
    assert "The control, taught by System 1" in rest and "The control, taught by System 1" not in head
