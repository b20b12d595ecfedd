"""Reading a run folder: rows, weights, failures, both readers, what is refused and how it is named."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_fixtures import VARIANTS, FakeTask, edit_rows, make_run
from tiny_models import edit_json

from results.analysis import leaderboard
from results.errors import ResultsError
from results.records import columns as samples
from results.records import lines as sample_rows
from results.records import load

JUDGE = FakeTask("judge", 80, 2, {"agreement": "binary", "inconsistency": "binary"}, within=0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", [JUDGE])


def test_different_items_within_a_run_are_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    edit_rows(
        folder / "samples" / "s2" / "coin_flip.jsonl",
        lambda row: None if row["item_id"].endswith("000003-0") else row,
    )
    with pytest.raises(ResultsError, match=r"1 only in the first, 0 only in the second.*resume the run"):
        leaderboard.build(folder)


def test_failures_are_counted_and_noted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    edit_rows(
        folder / "samples" / "base" / "coin_flip.jsonl",
        lambda row: (
            row | {"failure": "truncated", "truncated": True} if row["item_id"] < "coin_flip-000020" else row
        ),
    )
    board = leaderboard.build(folder)
    assert board["rows"][0]["failures"] == {
        "no_answer": 0, "truncated": 20, "stopped": 0, "empty": 0, "error": 0,
    }  # fmt: skip
    assert board["rows"][0]["truncated"] == 20
    assert board["rows"][0]["cut"]["share"] == 0.1


def test_weights_of_a_metric_override_the_rows_weight(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=2)])
    for variant in ("base", "s2", "distilled"):
        edit_rows(
            folder / "samples" / variant / "coin_flip.jsonl",
            lambda row: (
                row
                | {"scores": {"accuracy": int(row["item_id"].endswith("0-0"))}}
                | {"weights": {"accuracy": 3.0 if row["item_id"].endswith("0-0") else 1.0}}
            ),
        )
    row = leaderboard.build(folder)["rows"][0]
    assert row["score"] == pytest.approx(0.75)


def test_rows_where_a_metric_does_not_apply_leave_it_alone(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=40)])
    for variant in ("base", "s2", "distilled"):
        edit_rows(
            folder / "samples" / variant / "coin_flip.jsonl",
            lambda row: row | {"scores": {}} if row["item_id"] < "coin_flip-000010" else row,
        )
    board = leaderboard.build(folder)
    assert board["rows"][0]["n"] == 30
    assert {row["n"] for row in board["comparisons"] if row["claim"] != "cheaper"} == {30}


def test_both_readers_give_equal_columns(run: Path) -> None:
    path = run / "samples" / "s2" / "judge.jsonl"
    metrics = ["agreement", "inconsistency"]
    fast, slow = samples._read_with_arrow(path, metrics), sample_rows.read_by_line(path, metrics)
    for key in ("item_id", "cluster_id", "seed", "sample_index"):
        assert fast[key].tolist() == slow[key].tolist()
    for key in ("scores", "weights", "usage"):
        assert {k: v.tolist() for k, v in fast[key].items()} == {k: v.tolist() for k, v in slow[key].items()}
    for key in ("failures", "steps", "method"):
        assert fast[key] == slow[key]
    for key in ("cut", "reasoning_words"):
        assert np.array_equal(fast[key], slow[key], equal_nan=key == "reasoning_words")
    assert fast["cut_calls"].keys() == slow["cut_calls"].keys()


def test_true_and_false_are_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)])
    before = leaderboard.build(folder)
    for path in folder.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: row | {"scores": {"accuracy": bool(row["scores"]["accuracy"])}})
    assert leaderboard.build(folder)["rows"] == before["rows"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda row: {**row, "scores": {"accuracy": "high"}},
            r"jsonl:1: score 'accuracy' is not a number: 'high'",
        ),
        (lambda row: {k: v for k, v in row.items() if k != "usage"}, r"jsonl:1: no usable 'usage'"),
        (lambda row: {**row, "item_id": "same"}, r"item same appears twice"),
    ],
)
def test_bad_rows_are_named_by_file_and_line(tmp_path: Path, change: Any, message: str) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=5)])
    edit_rows(folder / "samples" / "base" / "coin_flip.jsonl", change)
    with pytest.raises(ResultsError, match=message):
        leaderboard.build(folder)


def test_a_torn_line_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=5)])
    path = folder / "samples" / "base" / "coin_flip.jsonl"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(ResultsError, match=r"jsonl:5: not a JSON row"):
        leaderboard.build(folder)


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not a run folder"):
        leaderboard.build(tmp_path)


def test_rows_with_texts_are_streamed(run: Path) -> None:
    row = next(load.iter_rows(run, "s2", "judge"))
    assert row["prompt"] and row["steps"][0]["text"]
    with pytest.raises(ResultsError, match="no samples of variant 'nobody'"):
        next(load.iter_rows(run, "nobody", "judge"))


def test_a_copy_beside_the_samples_is_never_read_in_their_place(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=5)])
    expected = leaderboard.build(folder)["rows"]
    samples = folder / "samples"
    shutil.copytree(samples / "base", samples / "base_old")
    edit_rows(samples / "base_old" / "coin_flip.jsonl", lambda row: {**row, "scores": {"accuracy": 0.0}})
    with pytest.raises(ResultsError, match=r"base/coin_flip.jsonl and .*both hold base on coin_flip"):
        leaderboard.build(folder)
    # A finished run lists its files, and others do not count.
    written = [path for path in samples.rglob("*.jsonl") if path.parent.name != "base_old"]
    digests = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in written
    }
    edit_json(folder / "manifest.json", samples=digests)
    assert leaderboard.build(folder)["rows"] == expected


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", status="failed")
    (folder / "samples" / "distilled" / "coin_flip.jsonl").unlink()
    notes = leaderboard.build(folder)["notes"]
    assert any("The run is failed" in note for note in notes)
    assert any("coin_flip, distilled: no samples" in note for note in notes)


def test_large_files_take_seconds(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20_000)], VARIANTS[:2])
    leaderboard.build(folder)
    start = time.perf_counter()
    leaderboard.build(folder)
    assert time.perf_counter() - start < 4
