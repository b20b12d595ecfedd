"""`leaderboard.csv`: every row says its run, model, seeds and verdicts, so it can be read alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from results_fixtures import FakeTask, distillation, make_run

from results.analysis import leaderboard
from results.analysis.prices import EXAMPLE
from results.analysis.verdicts import word
from results.tables.csv_file import csv_text


def test_each_row_has_run_model_seeds_and_verdicts(tmp_path: Path) -> None:
    task = FakeTask(metrics={"accuracy": "binary", "other": "binary"})
    options = {"margin": 5, "pretrained": "ORG/MODEL"}
    folder = make_run(tmp_path / "run", [task], distillation=[distillation()], options=options)
    (tmp_path / "p.yaml").write_text(EXAMPLE)
    board = leaderboard.build(folder, prices=tmp_path / "p.yaml")
    rows = list(csv.DictReader(io.StringIO(csv_text(board))))
    assert {(row["run"], row["model"], row["seeds"], row["prices_date"]) for row in rows} == {
        ("run", "ORG/MODEL", "0", "2026-11-01")
    }
    said = {(c["claim"], c["a"], c["b"], c["metric"]): word(c) for c in board["comparisons"]}
    by_row = {(row["variant"], row["metric"]): row for row in rows}
    distilled = by_row["distilled", "accuracy"]
    assert distilled["better_than_base"] == said["superior", "base", "distilled", "accuracy"]
    assert distilled["as_good_as_teacher"] == said["non_inferior", "s2", "distilled", "accuracy"]
    assert (
        distilled["cheaper_than_teacher"] == said["cheaper", "s2", "distilled", "generated_tokens"] == "yes"
    )
    assert by_row["s2", "accuracy"]["better_than_base"] == said["superior", "base", "s2", "accuracy"]
    assert by_row["distilled", "other"]["better_than_base"] == said["superior", "base", "distilled", "other"]
    assert by_row["distilled", "other"]["cheaper_than_teacher"] == "", "tokens are told once"
    assert by_row["base", "accuracy"]["better_than_base"] == ""
