"""lm-eval's own tasks as they ship, three ways: base, System 2 and distilled, or the one reason why not.

A scripted model is right on 90 % where it reasons and on 40 % where it does not (tests/scripts/reasoner.py);
made-up rows with the columns of the real data stand in for the hub (tests/fixtures/lm_eval_rows.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from lm_eval_rows import BY_NAME, SHIPPED, write_data

from harness.command.run import run
from harness.folder import held_manifest
from harness.options import RunOptions

NEAR = 0.11
BLOCKS = {
    "squad_completion": "train_from: 50% of validation",
    "bbh_cot_zeroshot_boolean_expressions": "train_from: 50% of test",
    "bbh_cot_zeroshot_date_understanding": "train_from: 50% of test",
    "mmlu_flan_cot_zeroshot_anatomy": "train_from: test",
}
"""What a task needs that has nothing to learn from as it ships."""


def three_ways(task: str, folder: Path, block: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Primary scores by variant, and the record of distillation."""
    if task.startswith("minerva"):
        pytest.importorskip("math_verify", reason="lm-eval[math] is not installed")
    # Of 80 questions half are scored where the other half is kept apart to learn from.
    script = write_data(BY_NAME[task], folder, 80 if block and "%" in block else 40)
    config = None
    if block is not None:
        config = str(folder / "blocks.yaml")
        Path(config).write_text(f"{task}: {{{block}}}\n")
    options = RunOptions(
        engine="scripted", engine_args={"script": str(script)}, tasks=(f"lm_eval:{task}",),
        data=str(folder / "data"), output=str(folder / "run"), task_config=config,
    )  # fmt: skip
    place, [record] = run(options, "test")
    manifest = held_manifest(place)
    assert manifest is not None
    metric = manifest["tasks"][f"lm_eval-{task}"]["primary"]
    scores = {}
    for file in place.glob("samples/*/*.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert len(rows) >= 35 and all(row["failure"] is None for row in rows)
        scores[file.parent.name] = mean(row["scores"][metric] for row in rows)
    return scores, record


FAST = ("gsm8k", "triviaqa", "drop", "minerva_math_algebra", "squad_completion")
"""One of each kind; all the others are of the slow tests."""


def marked(tasks: Iterable[str]) -> list[Any]:
    return [task if task in FAST else pytest.param(task, marks=pytest.mark.slow) for task in tasks]


@pytest.mark.parametrize("task", marked(each.task for each in SHIPPED if each.task not in BLOCKS))
def test_a_task_as_it_ships_runs_three_ways(task: str, tmp_path: Path, cache: Path) -> None:
    scores, record = three_ways(task, tmp_path)
    assert record["status"] == "trained" and record["pseudo_label_accuracy"] > 0.9
    assert scores == {
        "base": pytest.approx(0.4, abs=NEAR),
        "s2": pytest.approx(0.9, abs=NEAR),
        "distilled": pytest.approx(0.9, abs=NEAR),
    }


@pytest.mark.parametrize("task", marked(BLOCKS))
def test_a_task_without_training_rows_says_so_and_runs_with_one_line(
    task: str, tmp_path: Path, cache: Path
) -> None:
    scores, record = three_ways(task, tmp_path / "shipped")
    assert record["status"] == "not_distilled" and record["teacher_tokens"] == 0
    assert record["reason"].startswith("There are no training rows") and "train_from" in record["reason"]
    assert scores == {"base": pytest.approx(0.4, abs=NEAR), "s2": pytest.approx(0.9, abs=NEAR)}
    scores, record = three_ways(task, tmp_path / "block", BLOCKS[task])
    assert record["status"] == "trained" and record["pseudo_label_accuracy"] > 0.9
    assert scores == {
        "base": pytest.approx(0.4, abs=NEAR),
        "s2": pytest.approx(0.9, abs=NEAR),
        "distilled": pytest.approx(0.9, abs=NEAR),
    }


def test_the_reason_stands_in_the_record_the_notes_and_the_terminal(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from results.analysis.leaderboard import build
    from results.page.build import write_page
    from results.tables.render import terminal

    _, record = three_ways("squad_completion", tmp_path)
    said = capsys.readouterr().err
    leaderboard = build(tmp_path / "run", None, None)
    told = f"not distilled. {record['reason']}"
    assert told in said
    notes = [note for note in leaderboard["notes"] if "distilled" in note]
    assert len(notes) == 1 and record["reason"] in notes[0]
    shown = " ".join(terminal(leaderboard).split())
    assert record["reason"] in shown
    page = write_page(tmp_path / "run", leaderboard).read_text()
    assert "the notes say why" in page and "agreed with itself" not in page + shown


def test_the_manifest_says_how_a_task_is_read(tmp_path: Path, cache: Path) -> None:
    three_ways("mgsm_direct_en", tmp_path)
    manifest = held_manifest(tmp_path / "run")
    assert manifest is not None
    said = manifest["tasks"]["lm_eval-mgsm_direct_en"]["s2d"]
    assert (said["answer_filter"], said["target"], said["train_from"]) == (
        "flexible-extract",
        "{answer}",
        "train",
    )


def test_a_row_is_asked_as_lm_eval_asks_it(tmp_path: Path, cache: Path) -> None:
    three_ways("gsm8k", tmp_path)
    place = tmp_path / "run" / "samples"
    base, s2 = (
        json.loads((place / variant / "lm_eval-gsm8k.jsonl").read_text().splitlines()[0])
        for variant in ("base", "s2")
    )
    assert base["prompt"].endswith("\nAnswer:")
    for row in (base, s2):
        turns = [message["role"] for message in row["steps"][0]["messages"]]
        assert turns == ["user", "assistant"] * 5 + ["user"], "its five examples reach every variant"
    asked = s2["steps"][0]["messages"][-1]["content"]
    assert "Answer:" not in asked and asked.endswith('Finish with "#### X", where X is the answer.')
