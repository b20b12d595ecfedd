"""`compare`: two runs, or two lm-eval logs, paired over the items that both have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_fixtures import VARIANTS, FakeTask, edit_rows, make_run

from results import compare
from results.errors import ResultsError
from results.statistics.mcnemar import mcnemar


def test_a_run_against_itself_shows_no_difference(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    outcome = compare.compare(folder, folder)
    rows = [row for row in outcome["comparisons"] if row["claim"] == "superior"]
    assert [row["difference"] for row in rows] == [0.0, 0.0, 0.0]
    assert {row["p"] for row in rows} == {1.0}
    assert rows[0]["a"] != rows[0]["b"]


def test_items_of_one_run_alone_are_left_out_and_counted(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two", [FakeTask(clusters=230)])
    edit_rows(
        first / "samples" / "base" / "coin_flip.jsonl",
        lambda row: None if row["item_id"] < "coin_flip-000010" else row,
    )
    outcome = compare.compare(first, second)
    assert outcome["left_out"][0] == {
        "task": "coin_flip", "a": "one/base", "b": "two/base", "paired": 190, "only_a": 0, "only_b": 40,
    }  # fmt: skip
    assert outcome["comparisons"][0]["n"] == 190
    text = compare.render(outcome)
    assert "190 rows paired" in text and "40 of the second only" in text.replace("\n  ", " ")
    assert max(map(len, text.splitlines())) <= 100


def test_no_item_in_common_is_an_error(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two")
    for path in second.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: row | {"item_id": "other-" + row["item_id"]})
    with pytest.raises(ResultsError, match="no item in common"):
        compare.compare(first, second)


def test_no_task_in_common_is_an_error(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two", [FakeTask("gsm8k")])
    with pytest.raises(ResultsError, match="share no task"):
        compare.compare(first, second)


def test_seeds_of_two_runs_are_paired_in_their_order(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two")
    for path in second.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: row | {"seed": 7})
    assert compare.compare(first, second)["left_out"][0]["paired"] == 200


def test_a_seed_that_one_run_lacks_does_not_shift_the_others(tmp_path: Path) -> None:
    seeds = FakeTask(clusters=50, seeds=3)
    first, second = (make_run(tmp_path / name, [seeds]) for name in ("one", "two"))
    edit_rows(
        second / "samples" / "distilled" / "coin_flip.jsonl",
        lambda row: None if row["seed"] == 1 else row,
    )
    outcome = compare.compare(first, second)
    (left,) = [row for row in outcome["left_out"] if row["a"].endswith("distilled")]
    assert (left["paired"], left["only_a"], left["only_b"]) == (100, 50, 0)
    same = [row for row in outcome["comparisons"] if row["a"] == left["a"] and row["claim"] == "superior"]
    assert same[0]["difference"] == 0.0 and same[0]["differing"] == 0


def test_single_variants_are_compared_whatever_their_names(tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", variants=VARIANTS[:1])
    second = make_run(tmp_path / "two", variants=VARIANTS[2:])
    row = compare.compare(first, second)["comparisons"][0]
    assert (row["a"], row["b"], row["verdict"]) == ("one/base", "two/distilled", "yes")


def write_lm_eval_log(folder: Path, right: np.ndarray, time: str = "2026-11-01T10-00-00.000000") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"samples_gsm8k_cot_{time}.jsonl").open("w") as file:
        for filter_name in ("strict-match", "flexible-extract"):
            for number, value in enumerate(right):
                row = {
                    "doc_id": number, "doc": {"question": f"q{number}"}, "doc_hash": f"hash{number}",
                    "filter": filter_name, "metrics": ["exact_match"], "exact_match": float(value),
                    "resps": [["text"]], "filtered_resps": ["text"], "target": "1",
                }  # fmt: skip
                file.write(json.dumps(row) + "\n")


def test_two_lm_eval_logs_get_paired_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    one = rng.random(150) < 0.5
    two = np.where(rng.random(150) < 0.3, True, one)
    write_lm_eval_log(tmp_path / "a" / "model", one)
    write_lm_eval_log(tmp_path / "b" / "model", two)
    outcome = compare.compare(tmp_path / "a", tmp_path / "b")
    row = outcome["comparisons"][0]
    b, c = int((one & ~two).sum()), int((~one & two).sum())
    assert row["metric"] == "exact_match,strict-match"
    assert row["p"] == pytest.approx(mcnemar(b, c).p)
    assert row["difference"] == pytest.approx(two.mean() - one.mean())
    assert {row["claim"] for row in outcome["comparisons"]} == {"superior", "non_inferior"}
    assert any("no token counts" in note for note in outcome["notes"])


def test_the_newest_log_of_a_task_counts(tmp_path: Path) -> None:
    write_lm_eval_log(tmp_path / "a", np.zeros(30, dtype=bool))
    write_lm_eval_log(tmp_path / "a", np.ones(30, dtype=bool), "2026-11-02T10-00-00.000000")
    write_lm_eval_log(tmp_path / "b", np.ones(30, dtype=bool))
    assert compare.compare(tmp_path / "a", tmp_path / "b")["comparisons"][0]["difference"] == 0


def test_direction_comes_from_lm_evals_results_file(tmp_path: Path) -> None:
    for name, value in (("a", True), ("b", False)):
        write_lm_eval_log(tmp_path / name, np.full(30, value))
        (tmp_path / name / "results_2026-11-01T10-00-00.000000.json").write_text(
            json.dumps({"higher_is_better": {"gsm8k_cot": {"exact_match": False}}})
        )
    row = compare.compare(tmp_path / "a", tmp_path / "b")["comparisons"][0]
    assert (row["difference"], row["verdict"]) == (-1.0, "yes")


def test_rows_of_perplexity_are_log_likelihoods_whatever_the_results_file_says(tmp_path: Path) -> None:
    for name, value in (("a", -3.0), ("b", -2.0)):  # b gives the texts more probability: it is better
        (tmp_path / name).mkdir()
        row = {"metrics": ["perplexity"], "filter": "none"}
        rows = [{**row, "doc_hash": f"{n}", "perplexity": value + n / 99} for n in range(30)]
        log = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name / "samples_lambada_2026-11-01T10-00-00.000000.jsonl").write_text(log)
        (tmp_path / name / "results_2026-11-01T10-00-00.000000.json").write_text(
            json.dumps({"higher_is_better": {"lambada": {"perplexity": False}}})
        )
    [row, *_] = compare.compare(tmp_path / "a", tmp_path / "b")["comparisons"]
    assert (row["direction"], row["verdict"]) == ("higher", "yes")


@pytest.mark.parametrize(
    ("rows", "message"),
    [([{"question": "x"}], r"jsonl:1: no doc_hash"), ([], "nothing to compare")],
)
def test_logs_of_another_tool_are_refused(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "samples_x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ResultsError, match=message):
        compare.compare(tmp_path / "a", tmp_path / "b")


def test_a_folder_of_neither_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"neither manifest\.json nor samples_"):
        compare.compare(tmp_path, tmp_path)
