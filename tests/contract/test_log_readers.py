"""What every reader of another harness's log promises, on small logs in the form that the harness documents.

`tests/results/test_real_logs.py` does the same on logs that the packages themselves wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from log_files import (
    WRITERS,
    Scores,
    as_alpaca_eval,
    as_evalscope,
    as_fastchat,
    as_helm,
    as_inspect,
    as_lighteval,
    question,
    right,
    write_json,
    write_lines,
)

from results.compare import compare, render
from results.compare.metrics import Asked
from results.errors import ResultsError
from results.records.log import Log, text_hash
from results.records.readers.find import READERS, read_logs
from results.records.rows import Record, Rows, Tokens
from results.schema import Compared, Comparison

DRAWS = np.random.default_rng(7).random((120, 2))
ONE: Scores = [float(value) for value in DRAWS[:, 0] < 0.5]
TWO: Scores = [float(value) for value in DRAWS[:, 1] < 0.7]
GAPS: Scores = [None if number < 7 else value for number, value in enumerate(ONE)]
SIDES = (("one", ONE), ("two", TWO))
WITH_TEXTS = ("inspect_ai", "lighteval", "evalscope", "HELM", "table")
Writer = Callable[[Path, str, Scores], Path]


def row(found: Compared, claim: str = "superior") -> Comparison:
    return next(each for each in found["comparisons"] if each["claim"] == claim and each["primary"])


@pytest.fixture(params=WRITERS)
def harness(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def only(path: Path) -> Log:
    (log,) = read_logs(path)
    return log


def test_every_reader_has_a_writer_here() -> None:
    assert {reader.harness for reader in READERS} == WRITERS.keys()


def test_columns_hold_what_the_records_say() -> None:
    """A number, an infinite one, a pair, none, and a metric that does not apply."""
    spent = Tokens(1, 9, 4, 2)
    whole = Record("a", {"x": 0.5, "f1": (1.0, 0.0)}, 1, "c", "said", "p", "t", "3", "own", spent)
    records = [whole, Record("b", {"x": float("inf"), "f1": None}), Record("c", {"x": None}), Record("d", {})]
    rows = Rows.of(records, ["x", "f1"])
    assert rows.records() == records and len(rows) == 4
    assert [one.tolist() for one in (rows.scores["x"].has, rows.scores["x"].lacking)] == [
        [True, True, True, False], [False, True, True, False],
    ]  # fmt: skip
    assert rows.scores["f1"].values.shape == (4, 2)
    assert rows.scores["f1"].lacking.tolist() == [False, True, False, False]


def test_a_log_becomes_one_record_per_item_with_what_is_known(tmp_path: Path, harness: str) -> None:
    log = only(WRITERS[harness](tmp_path, "model", GAPS))
    assert (log.harness, log.model) == (harness, "model") and log.path.is_file()
    assert len(log.records) == len({(one.item, one.sample) for one in log.records}) == len(GAPS)
    metric, about = next(iter(log.metrics.items()))
    assert about.direction == "higher" and about.said_by != "nobody"
    values = sorted((one.scores[metric] for one in log.records), key=lambda value: (value is None, value))
    assert values == sorted(GAPS, key=lambda value: (value is None, value))
    if harness in WITH_TEXTS:
        assert {one.prompt_hash for one in log.records} == {text_hash(question(n)) for n in range(len(GAPS))}
        assert {one.target_hash for one in log.records} == {text_hash(right(n)) for n in range(len(GAPS))}


def test_the_same_scores_give_one_result_through_every_harness(tmp_path: Path) -> None:
    found = {}
    for name, write in WRITERS.items():
        sides = [write(tmp_path / f"{name}{side}", side, scores) for side, scores in SIDES]
        asked = Asked(margins={"score": 0.05}) if name == "FastChat" else None
        outcome = compare(*sides, asked=asked)
        for claim in ("superior", "non_inferior"):
            each = row(outcome, claim)
            figures = [
                each[key]
                for key in ("n", "difference", "ci_low", "ci_high", "p", "verdict", "score_a", "score_b")
            ]
            found.setdefault(claim, []).append(figures)
    for claim, figures in found.items():
        assert all(each == figures[0] for each in figures), claim
    assert len(found["superior"]) == 8


def test_a_row_without_a_number_is_counted_in_every_harness(tmp_path: Path, harness: str) -> None:
    sides = [
        WRITERS[harness](tmp_path / name, name, scores) for name, scores in (("one", GAPS), ("two", TWO))
    ]
    each = row(compare(*sides))
    assert (each["n"], each["without_number"]) == (113, {"a": 7, "b": 0})


def test_items_are_paired_by_name_whatever_their_order(tmp_path: Path, harness: str) -> None:
    whole = WRITERS[harness](tmp_path / "one", "one", ONE)
    part = WRITERS[harness](tmp_path / "part", "part", ONE[:50])
    found = compare(part, whole)
    assert found["left_out"][0]["paired"] == 50 and found["left_out"][0]["only_b"] == 70
    assert row(found)["difference"] == 0 and row(found)["differing"] == 0


def test_what_was_read_is_said(tmp_path: Path, harness: str) -> None:
    sides = [WRITERS[harness](tmp_path / name, name, ONE) for name in ("one", "two")]
    found = compare(*sides)
    assert all(found["read"][0][side].startswith(harness) for side in ("a", "b"))
    text = render(found)
    assert "one" in text and max(map(len, text.splitlines())) <= 100
    assert any("oken" in note for note in found["notes"])


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("lighteval",)])
def test_a_log_cut_in_the_middle_is_one_clear_error(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / "a", "one", ONE)
    log = only(path).path
    log.write_bytes(log.read_bytes()[: log.stat().st_size * 2 // 3])
    with pytest.raises(ResultsError, match=r"JSON|numbers|empty|cells|not a") as caught:
        found = read_logs(path)
        # A table that lost its end, between two lines, is a shorter table.
        assert name == "table" and len(found[0].records) < len(ONE)
        raise ResultsError("not a whole table")
    assert "\n" not in str(caught.value)


def test_other_harnesses_pair_by_what_the_items_say(tmp_path: Path) -> None:
    paths = {name: WRITERS[name](tmp_path / name, name, ONE) for name in WITH_TEXTS}
    other = WRITERS["inspect_ai"](tmp_path / "two", "two", TWO)
    rows = [row(compare(path, other)) for path in paths.values()]
    assert {(each["n"], each["p"], each["difference"]) for each in rows} == {
        (120, rows[0]["p"], rows[0]["difference"])
    }
    found = compare(paths["lighteval"], other)
    assert any(
        "paired by prompt and target, because lighteval and inspect_ai" in note for note in found["notes"]
    )
    assert any("em of the first is compared with match of the second" in note for note in found["notes"])
    assert any("padded width" in note for note in found["notes"])


def test_epochs_are_reduced_as_the_header_says(tmp_path: Path) -> None:
    """Three epochs: the log's own reductions are read, one record a sample, tokens over all epochs."""
    path = as_inspect(tmp_path, "m", ONE[:2])
    log = json.loads(path.read_text())
    first = log["samples"]
    log["samples"] = [{**each, "epoch": epoch} for epoch in (1, 2, 3) for each in first]
    log["eval"]["config"] = {"epochs": 3, "epochs_reducer": ["mean", "max"]}
    log["reductions"] = [
        {"scorer": "match", "reducer": reducer, "samples": [
            {"sample_id": each["id"], "value": value} for each, value in zip(first, values, strict=True)]}
        for reducer, values in (("mean", (1 / 3, 2 / 3)), ("max", (1.0, 1.0)))
    ]  # fmt: skip
    write_json(path, log)
    read = only(path)
    assert [one.scores for one in read.records] == [
        {"match/mean": 1 / 3, "match/max": 1.0}, {"match/mean": 2 / 3, "match/max": 1.0},
    ]  # fmt: skip
    assert [one.tokens.generated for one in read.records if one.tokens] == [60, 63]
    assert read.metrics["match/mean"].direction == "higher"
    del log["reductions"]
    write_json(path, log)
    with pytest.raises(ResultsError, match="no scores reduced by mean, max"):
        read_logs(path)


def test_cached_tokens_of_inspect_are_part_of_the_prompt_and_no_graders_count(
    tmp_path: Path,
) -> None:
    path = as_inspect(tmp_path, "m", ONE[:1])
    log = json.loads(path.read_text())
    log["samples"][0]["model_usage"]["grader"] = {"input_tokens": 1000, "output_tokens": 1000}
    write_json(path, log)
    tokens = only(path).records[0].tokens
    assert tokens is not None and (tokens.prompt, tokens.cached, tokens.generated) == (15, 5, 20)


def test_tokens_of_two_inspect_logs_are_compared(tmp_path: Path) -> None:
    a, b = as_inspect(tmp_path / "a", "m/a", ONE, 100), as_inspect(tmp_path / "b", "m/b", TWO, 50)
    found = compare(a, b)
    cheaper = next(each for each in found["comparisons"] if each["claim"] == "cheaper")
    assert cheaper["verdict"] == "yes" and 0.4 < (cheaper["token_ratio"] or 0) < 0.6


def test_a_sample_that_ended_in_an_error_lacks_its_scores(tmp_path: Path) -> None:
    path = as_inspect(tmp_path, "m", ONE[:3])
    log = json.loads(path.read_text())
    log["samples"][1] |= {"scores": None, "error": {"message": "x"}}
    write_json(path, log)
    read = only(path)
    assert read.records[1].scores == {"match": None} and any(
        "ended in an error" in note for note in read.notes
    )


def test_perturbed_copies_of_helm_are_metrics_of_their_own(tmp_path: Path) -> None:
    a, b = as_helm(tmp_path / "a", "m/a", ONE, TWO), as_helm(tmp_path / "b", "m/b", TWO, ONE)
    found = compare(a, b)
    rows = {each["metric"]: each for each in found["comparisons"] if each["claim"] == "superior"}
    assert rows.keys() == {"exact_match", "exact_match,typos"}
    assert rows["exact_match"]["primary"] and rows["exact_match"]["n"] == 120
    assert rows["exact_match,typos"]["difference"] == -rows["exact_match"]["difference"]


PREFERENCES = ((1, 0.0), (2, 1.0), (1.5, 0.5), (1.25, 0.25), (0, 0.5), (None, None), (-1.0, None))


@pytest.mark.parametrize(("preference", "score"), PREFERENCES)
def test_preferences_of_alpaca_eval(tmp_path: Path, preference: float | None, score: float | None) -> None:
    path = as_alpaca_eval(tmp_path, "m", [1.0])
    (annotation,) = json.loads(path.read_text())
    write_json(path, [annotation | {"preference": preference}])
    assert only(path).records[0].scores["win_rate"] == score


def test_another_baseline_is_another_target(tmp_path: Path) -> None:
    a, b = (
        as_alpaca_eval(tmp_path / "a", "a", ONE),
        as_alpaca_eval(tmp_path / "b", "b", TWO, "another baseline"),
    )
    with pytest.raises(ResultsError, match="120 of 120 paired rows have another target"):
        compare(a, b)


def test_models_of_a_fastchat_file_are_named_as_variants_and_turns_are_one_cluster(tmp_path: Path) -> None:
    rows = [
        {"question_id": 81 + n, "model": model, "judge": ["gpt-4", "s"], "score": grade, "turn": turn}
        for model, grade in (("vicuna", 6), ("alpaca", 4))
        for n in range(30)
        for turn in (1, 2)
    ]
    path = write_lines(tmp_path / "gpt-4_single.jsonl", rows)
    found = compare(path, path, pairs=("A:alpaca", "B:vicuna"))
    each = row(found)
    assert (each["n"], each["difference"], each["verdict"], each["unit"]) == (30, 2.0, "yes", "")
    assert found["left_out"][0]["paired"] == 60 and each["b"].endswith("vicuna")
    with pytest.raises(ResultsError, match="alpaca"):
        compare(path, path, pairs=("A:alpaca", "B:llama"))


def test_a_pair_of_fastchat_is_won_in_both_orders(tmp_path: Path) -> None:
    outcomes = [
        ("model_1", "model_1"),
        ("model_1", "model_2"),
        ("tie", "tie"),
        ("model_2", "model_2"),
        ("error", "error"),
    ]
    rows = [
        {
            "question_id": n,
            "model_1": "new",
            "model_2": "old",
            "judge": ["j", "p"],
            "g1_winner": one,
            "g2_winner": other,
            "turn": 1,
        }
        for n, (one, other) in enumerate(outcomes)
    ]
    logs = {log.model: log for log in read_logs(write_lines(tmp_path / "gpt-4_pair.jsonl", rows))}
    assert [one.scores["win_rate"] for one in logs["new"].records] == [1.0, 0.5, 0.5, 0.0, None]
    assert [one.scores["win_rate"] for one in logs["old"].records] == [0.0, 0.5, 0.5, 1.0, None]


def test_lower_is_better_in_a_report_of_evalscope(tmp_path: Path) -> None:
    for name, scores in (("a", ONE), ("b", TWO)):
        as_evalscope(tmp_path / name, name, scores)
        said = {"identity": {"name": "accuracy"}, "semantics": {"direction": "lower_is_better"}}
        write_json(tmp_path / name / "reports" / name / "sums.json", {"metrics": [said]})
    assert row(compare(tmp_path / "a", tmp_path / "b"))["verdict"] == "no"


def test_several_models_in_a_folder_are_listed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        as_lighteval(tmp_path / "out" / name, name, ONE)
    with pytest.raises(ResultsError, match=r"2 models .*one.*two"):
        read_logs(tmp_path / "out")


BAD_TABLES = {
    "a,accuracy\n1,1\n": "no column item",
    "item,note\n1,x\n": "no column of numbers",
    "item,accuracy\n": "no rows",
    "item,accuracy\n,1\n": ":2: item is empty",
    "item,accuracy\n1,1,2\n": "more cells",
    "item,accuracy,generated_tokens\n1,1,-4\n": "token counts",
    "item,accuracy,sample\n1,1,x\n": "not a whole number",
    "item,accuracy,sample\n1,1,0\n1,0,0\n": "appears twice",
    "item,accuracy,model\n1,1,a\n2,1,b\n": "2 names",
}


@pytest.mark.parametrize(("text", "message"), BAD_TABLES.items())
def test_tables_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_logs(tmp_path / "scores.csv")


def test_a_table_of_jsonl_with_clusters_samples_and_tokens(tmp_path: Path) -> None:
    for name, spent in (("a", 100), ("b", 60)):
        rows = [
            {
                "item": f"q{n}",
                "sample": k,
                "cluster": f"c{n // 2}",
                "correct": (n + k) % 3 == 0,
                "generated_tokens": spent,
            }
            for n in range(40)
            for k in range(2)
        ]
        write_lines(tmp_path / f"{name}.jsonl", rows)
    found = compare(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert row(found)["n"] == 20 and found["left_out"][0]["paired"] == 80
    assert next(each for each in found["comparisons"] if each["claim"] == "cheaper")["token_ratio"] == 0.6
    assert [row["b"] for row in found["left_out"]] == ["b"]


WRONG_KINDS = (
    (as_inspect, '"id": "q0"', '"i": 0'),
    (as_inspect, '"scores": {', '"scores": 3, "x": {'),
    (as_helm, '"stats": [', '"stats": 3, "x": ['),
    (as_alpaca_eval, '"instruction"', '"x"'),
    (as_fastchat, '"turn": 1', '"turn": [1]'),
    (as_evalscope, '"value": {', '"value": 3, "x": {'),
    (as_inspect, '"q0"', '"q\\ud800"'),
    (as_inspect, '"output_tokens": ', '"output_tokens": -'),
)


@pytest.mark.parametrize(("write", "old", "new"), WRONG_KINDS)
def test_a_field_of_the_wrong_kind_is_one_clear_error(
    tmp_path: Path, write: Writer, old: str, new: str
) -> None:
    path = write(tmp_path, "m", ONE[:3])
    log = only(path).path
    assert old in log.read_text()
    log.write_text(log.read_text().replace(old, new, 1))
    with pytest.raises(ResultsError) as caught:
        read_logs(path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_repeats_of_every_group_of_evalscope_are_samples_of_one_item(tmp_path: Path) -> None:
    """Also of the group 0, where the log does not number its generations."""
    path = as_evalscope(tmp_path, "m", [1.0, 0.0, 1.0, 0.0]) / "reviews" / "m" / "sums_main.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, each in enumerate(rows):
        each["sample_score"] |= {"group_id": number // 2, "generation_index": None}
    write_lines(path, rows)
    records = only(tmp_path).records
    assert [(one.item, one.sample) for one in records] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]
