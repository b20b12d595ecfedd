"""What else is said of a row: help that it cannot use, a System 2 that did not reason, who taught it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, edit_rows, make_run

from results.analysis import leaderboard
from results.errors import ResultsError
from results.page import build as page
from results.tables import csv_file, latex, write
from results.tables import render as tables

TWO = (
    *VARIANTS[:2],
    FakeVariant("s2-cot", 0.8, 90, "s2", "cot"),
    VARIANTS[2],
    FakeVariant("distilled-cot", 0.8, 11, "distilled"),
)
"""Two teachers and a student of each."""
ENTRIES = [distillation(), distillation(variant="distilled-cot", teacher_method="cot")]


def edit_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for key, value in changes.items():
        manifest[key] = {**manifest[key], **value} if isinstance(manifest.get(key), dict) else value
    path.write_text(json.dumps(manifest))


def with_turns(folder: Path, method: str = "rar_2step") -> Path:
    make_run(folder, [FakeTask(), FakeTask("gsm8k", 50)])
    task = json.loads((folder / "manifest.json").read_text())["tasks"]["coin_flip"]
    edit_manifest(
        folder,
        tasks={"coin_flip": {**task, "turns": True}},
        methods={method: {"without_turns": ["rephrase"]}, "direct": {"without_turns": []}},
    )
    return folder


def test_a_method_that_cannot_use_the_tasks_examples_is_marked(tmp_path: Path) -> None:
    folder = with_turns(tmp_path / "run")
    board = leaderboard.build(folder)
    marked = {
        (row["task"], row["variant"]): row["without_turns"] for row in board["rows"] if row["without_turns"]
    }
    assert marked == {("coin_flip", "s2"): ["rephrase"]}, "gsm8k has no turns, direct uses them"
    said = "cannot use them and get none: coin_flip s2 (step rephrase)."
    assert said in " ".join(tables.terminal(board).split()) and "s2 [no examples]" in " ".join(
        tables.terminal(board).split()
    )
    assert said in tables.markdown(board) and r"s2 \[no examples\]" in tables.markdown(board)
    assert "s2 {[}no examples{]}" in latex.latex(board)
    html = page.render_page(folder, board)
    assert said in html and '<b class="doubt">[no examples]</b>' in html
    rows = csv.DictReader(io.StringIO(csv_file.csv_text(board)))
    assert [row["without_turns"] for row in rows if row["without_turns"]] == ["rephrase"]


def test_votes_over_a_method_share_its_mark(tmp_path: Path) -> None:
    folder = with_turns(tmp_path / "run")
    edit_rows(folder / "samples/s2/coin_flip.jsonl", lambda row: row | {"method": "rar_2step*5"})
    assert leaderboard.build(folder)["rows"][1]["without_turns"] == ["rephrase"]


def few_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"reasoning_words": 1 if int(row["item_id"].split("-")[-2]) < 160 else 40}


def test_a_system_2_without_reasoning_is_said_first_and_with_its_claims(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    edit_rows(folder / "samples/s2/coin_flip.jsonl", few_words)
    board = leaderboard.build(folder)
    figures = "no reasoning in 80 % of its texts"
    assert board["headline"].startswith(f"This System 2 did not reason on coin_flip: {figures}.")
    about = {(row["a"], row["b"]): row["sentence"] for row in board["comparisons"]}
    assert about["base", "s2"].endswith(f" This System 2 did not reason: s2, {figures}.")
    assert figures in about["s2", "distilled"] and "did not reason" not in about["base", "distilled"]
    for text in (
        tables.terminal(board),
        tables.markdown(board),
        latex.latex(board),
        page.render_page(folder, board),
    ):
        assert "This System 2 did not reason" in " ".join(text.split())
    claims = tables.terminal(board).split("claim ")[1]
    assert "[no reasoning]" in " ".join(claims.split())


def test_a_system_2_that_spends_what_base_does_did_not_reason(tmp_path: Path) -> None:
    variants = [VARIANTS[0], FakeVariant("s2", 0.75, 14, "s2", "cot"), VARIANTS[2]]
    tasks = [FakeTask(), FakeTask("gsm8k", 60)]
    board = leaderboard.build(make_run(tmp_path / "run", tasks, variants))
    ratios = [row["no_reasoning"]["token_ratio"] for row in board["rows"] if row["no_reasoning"]]
    assert len(ratios) == 2 and all(1 < ratio < 1.5 for ratio in ratios)
    assert board["headline"].startswith("This System 2 did not reason on coin_flip and gsm8k: 1.")
    assert "times base's tokens" in board["headline"]
    whole = next(row for row in board["overall"] if row["b"] == "s2")
    assert "did not reason: on coin_flip, s2, 1." in whole["sentence"]


@pytest.mark.parametrize(
    ("tokens", "words", "said"),
    [(110, None, False), (110, 30, False), (110, 5, False), (110, 4, True), (17, 30, True), (22, 30, False)],
)
def test_the_bounds_of_reasoning(tmp_path: Path, tokens: float, words: int | None, said: bool) -> None:
    variants = [VARIANTS[0], FakeVariant("s2", 0.75, tokens, "s2", "cot"), VARIANTS[2]]
    folder = make_run(tmp_path / "run", variants=variants)
    if words is not None:
        edit_rows(folder / "samples/s2/coin_flip.jsonl", lambda row: row | {"reasoning_words": words})
    assert ("did not reason" in leaderboard.build(folder)["headline"]) == said


def test_base_and_distilled_are_not_asked_to_reason(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    for variant in ("base", "distilled"):
        edit_rows(folder / f"samples/{variant}/coin_flip.jsonl", few_words)
    assert not any(row["no_reasoning"] for row in leaderboard.build(folder)["rows"])


def test_a_text_that_a_stop_cut_off_is_a_failure_like_the_others(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    edit_rows(folder / "samples/s2/coin_flip.jsonl", lambda row: row | {"failure": "stopped"})
    board = leaderboard.build(folder)
    assert board["rows"][1]["failures"]["stopped"] == 200
    line = next(line for line in tables.terminal(board).splitlines() if "s2 rar_2step" in line)
    assert line.endswith("100.0")
    assert "200\N{NO-BREAK SPACE}stopped" in page.render_page(folder, board)
    assert "failures_stopped" in csv_file.csv_text(board).splitlines()[0]


def pairs(board: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(row["a"], row["b"]): row["named"] for row in board["comparisons"]}


@pytest.mark.parametrize("named", [True, False])
def test_each_student_is_compared_with_base_and_with_its_own_teacher(tmp_path: Path, named: bool) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(), FakeTask("gsm8k", 60)], TWO, distillation=[
        *ENTRIES, *(entry | {"task": "gsm8k"} for entry in ENTRIES)
    ])  # fmt: skip
    if named:
        variants = json.loads((folder / "manifest.json").read_text())["variants"]
        edit_manifest(folder, variants={
            "distilled": {**variants["distilled"], "teacher": "s2"},
            "distilled-cot": {**variants["distilled-cot"], "teacher": "s2-cot"},
        })  # fmt: skip
    board = leaderboard.build(folder)
    assert pairs(board) == dict.fromkeys(
        [("base", "s2"), ("base", "s2-cot"), ("base", "distilled"), ("s2", "distilled"),
         ("base", "distilled-cot"), ("s2-cot", "distilled-cot")], False,
    )  # fmt: skip
    assert {(row["variant"], row["teacher"]) for row in board["distillation"]} == {
        ("distilled", "s2"), ("distilled-cot", "s2-cot"),
    }  # fmt: skip
    teachers = {(row["variant"], row["teacher"]) for row in board["rows"]}
    assert {("distilled-cot", "s2-cot"), ("distilled", "s2"), ("base", None), ("s2", None)} <= teachers
    write.write_all(folder, board)
    section = (folder / "leaderboard.md").read_text().split("## Distillation")[1]
    assert "teacher" in section and "| s2-cot " in section
    assert "Taught: distilled by s2, distilled-cot by s2-cot." in (folder / "leaderboard.tex").read_text()
    table = tables.terminal(board).split("Estimate:")[1]
    assert "teacher" in table and "s2-cot" in table
    html = page.render_page(folder, board)
    assert ">teacher</th>" in html and '<td class="number wrap">s2-cot</td>' in html
    assert "coin_flip, distilled-cot" in html, "a row of its own in the three claims"


def test_the_teacher_of_the_manifest_counts_before_its_method(tmp_path: Path) -> None:
    """Two rows answer by the teacher's method; the manifest says which of them taught."""
    variants = [*VARIANTS[:2], FakeVariant("s2-again", 0.8, 90, "s2", "rar_2step"), VARIANTS[2]]
    folder = make_run(tmp_path / "run", variants=variants, distillation=ENTRIES[:1])
    entry = json.loads((folder / "manifest.json").read_text())["variants"]["distilled"]
    edit_manifest(folder, variants={"distilled": {**entry, "teacher": "s2-again"}})
    board = leaderboard.build(folder)
    assert ("s2-again", "distilled") in pairs(board) and ("s2", "distilled") not in pairs(board)
    assert board["distillation"][0]["teacher"] == "s2-again"


def test_a_student_is_not_held_against_a_system_2_that_did_not_teach_it(tmp_path: Path) -> None:
    """Runs of old could distil from a method that is in no row."""
    variants = [VARIANTS[0], TWO[2], VARIANTS[2]]
    folder = make_run(tmp_path / "run", variants=variants, distillation=ENTRIES[:1])
    board = leaderboard.build(folder)
    assert set(pairs(board)) == {("base", "s2-cot"), ("base", "distilled")}
    assert board["distillation"][0]["teacher"] is None
    assert any(
        "taught by rar_2step on coin_flip, which is not in this run" in note for note in board["notes"]
    )
    assert "rar_2step (no row)" in " ".join(tables.terminal(board).split())
    assert "The teacher of distilled is not in this run." in board["headline"]
    page.write_page(folder, board)


@pytest.mark.parametrize("teacher", ["nobody", "distilled", None])
def test_a_teacher_that_cannot_be_is_none(tmp_path: Path, teacher: str | None) -> None:
    folder = make_run(tmp_path / "run")
    entry = json.loads((folder / "manifest.json").read_text())["variants"]["distilled"]
    edit_manifest(folder, variants={"distilled": {**entry, "teacher": teacher}})
    board = leaderboard.build(folder)
    assert set(pairs(board)) == {("base", "s2"), ("base", "distilled")}
    page.write_page(folder, board)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"variants": {"distilled": {"teacher": 3}}}, "variants.distilled.teacher must be text"),
        ({"methods": {"cot": {"without_turns": "all"}}}, "methods.cot.without_turns must be a list"),
        ({"methods": ["cot"]}, "methods must be a mapping"),
        ({"model": {"context_length": "long"}}, "model.context_length must be a number"),
    ],
)
def test_what_the_manifest_may_not_hold_is_named(tmp_path: Path, change: dict[str, Any], place: str) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=10)])
    edit_manifest(folder, **change)
    with pytest.raises(ResultsError, match=place):
        leaderboard.build(folder)


def test_turns_are_true_or_false(tmp_path: Path) -> None:
    folder = with_turns(tmp_path / "run")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"turns": true', '"turns": "many"'))
    with pytest.raises(ResultsError, match=r"tasks.coin_flip.turns must be true or false"):
        leaderboard.build(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"reasoning_words": "many"}, "reasoning_words"), ({"reasoning_words": -1}, "reasoning_words"),
     ({"steps": [{"name": "a", "finish_reason": 7}]}, "finish_reason")],
)  # fmt: skip
def test_what_a_row_may_not_hold_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=10)])
    edit_rows(
        folder / "samples/s2/coin_flip.jsonl",
        lambda row: row | change if row["item_id"].endswith("000003-0") else row,
    )
    with pytest.raises(ResultsError, match=rf"coin_flip.jsonl:4: {message}"):
        leaderboard.build(folder)
