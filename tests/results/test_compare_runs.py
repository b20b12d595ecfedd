"""`compare` of a run folder with a log, of named pairs, and the command: its files and its last line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from log_files import digest, lm_eval_log, write_lines
from results_fixtures import FakeTask, edit_rows, make_run

from harness.command import cli
from harness.command.compare import margins_of
from harness.errors import UserError
from results.compare import compare, render
from results.errors import ResultsError
from results.schema import Compared, Comparison


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of base, s2 and distilled on 200 questions, each with its own prompt and target."""
    folder = make_run(tmp_path / "mine")
    for path in folder.glob("samples/*/*.jsonl"):
        edit_rows(
            path, lambda row: row | {"prompt": f"Q {row['item_id']}", "target": f"T {row['item_id'][-1]}"}
        )
    return folder


def rows_of(run: Path, variant: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (run / f"samples/{variant}/coin_flip.jsonl").read_text().splitlines()
    ]


def superior(found: Compared) -> list[Comparison]:
    return [each for each in found["comparisons"] if each["claim"] == "superior"]


def log_of(run: Path, folder: Path, **more: Any) -> Path:
    """lm-eval's log of the scores that s2 has: its prompts and targets are those of the run."""
    ours = rows_of(run, "s2")

    def change(row: dict[str, Any]) -> dict[str, Any]:
        mine = ours[row["doc_id"]]
        return row | {
            "prompt_hash": digest(mine["prompt"]), "target_hash": digest(mine["target"]), **more,
        }  # fmt: skip

    rows = [{"exact_match": float(each["scores"]["accuracy"])} for each in ours]
    lm_eval_log(folder, "s2d_coin_flip", rows, {"exact_match": True}, change=change)
    return folder


def test_a_run_and_a_log_are_paired_by_prompt_and_target(run: Path, tmp_path: Path) -> None:
    found = compare(run, log_of(run, tmp_path / "logs"))
    assert [(each["a"], each["n"]) for each in superior(found)] == [
        ("mine/base", 200), ("mine/s2", 200), ("mine/distilled", 200),
    ]  # fmt: skip
    of_s2 = superior(found)[1]
    assert (
        of_s2["difference"] == 0
        and of_s2["differing"] == 0
        and of_s2["metric"] == "accuracy = exact_match,none"
    )
    notes = " ".join(found["notes"])
    assert "coin_flip of the first is compared with s2d_coin_flip of the second" in notes
    assert "paired by prompt and target, because s2d-bench and lm-eval" in notes
    # lm-eval's logs count no tokens, so nothing is said of them: no ratio is 0.
    assert not any(each["claim"] == "cheaper" for each in found["comparisons"])
    assert {each["token_ratio"] for each in found["comparisons"]} == {None}
    assert {each["token_ratio_high"] for each in found["comparisons"]} == {None}


def test_lm_evals_log_of_our_task_is_paired_by_the_tasks_own_ids(run: Path, tmp_path: Path) -> None:
    """With a chat template no prompt is equal; the document holds the id that the task gave it."""
    logs = log_of(run, tmp_path / "logs", prompt_hash=digest("templated"))
    path = next(logs.glob("samples_*"))
    ours = rows_of(run, "s2")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    write_lines(path, [row | {"doc": {"item_id": ours[row["doc_id"]]["item_id"]}} for row in rows])
    found = compare(run, logs, pairs=("A:s2", "B"))
    (only,) = superior(found)
    assert only["difference"] == 0 and only["differing"] == 0 and only["n"] == 200
    assert "200 of 200 paired rows have another prompt" in " ".join(found["notes"])


def test_the_clusters_of_the_run_hold_for_the_log(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "mine", [FakeTask(clusters=50, rows=4)])
    for path in folder.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: row | {"prompt": row["item_id"], "target": row["item_id"]})
    logs = log_of(folder, tmp_path / "logs")
    for sides in ((folder, logs), (logs, folder)):
        assert {each["n"] for each in superior(compare(*sides))} == {50}


def test_pairs_are_named(run: Path) -> None:
    found = compare(run, run, pairs=("A:s2", "B:distilled", "A:base", "A:s2"))
    assert [(each["a"], each["b"]) for each in superior(found)] == [
        ("A mine/s2", "B mine/distilled"), ("mine/base", "mine/s2"),
    ]  # fmt: skip
    text = render(found)
    assert "A:s2 B:distilled" in render(found, 120) and "A:base B:s2" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (("A:s2",), "in pairs"), (("A:s2", "C:x"), "not A:VARIANT"),
        (("A:s2", "B:nobody"), "has base, s2, distilled"),
        (("A", "B:s2"), "has base, s2, distilled"), (("A:s2", "A:s2"), "with itself"),
    ],
)  # fmt: skip
def test_names_of_pairs_that_are_wrong(run: Path, pairs: tuple[str, ...], message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        compare(run, run, pairs=pairs)


def test_tokens_and_cost_are_compared_where_both_sides_have_them(run: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("date: 2026-01-01\nsource: test\nprompt: 1.0\ncached: 0.5\ngenerated: 2.0\n")
    found = compare(run, run, pairs=("A:s2", "A:distilled"))
    cheaper = next(each for each in found["comparisons"] if each["claim"] == "cheaper")
    assert cheaper["verdict"] == "yes" and cheaper["score_a"] > 5 * cheaper["score_b"]
    text = render(found)
    assert "generated tokens" in text and "cheaper: yes" in text


def test_the_command_prints_a_table_and_a_line_of_comparisons(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status = cli.main(
        ["compare", str(run), str(run), "A:base", "A:s2", "--metrics", "all", "--output", str(out)]
    )
    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    said = json.loads(lines[-1])
    assert said["status"] == "ok" and said["output"] == str(out)
    assert set(said) == {"status", "output", "a", "b", "comparisons", "left_out", "notes"}
    first = said["comparisons"][0]
    kept = "task metric claim a b n difference ci_low ci_high test p p_adjusted alpha margin mde verdict"
    assert {*kept.split(), "token_ratio", "token_ratio_low", "token_ratio_high"} <= set(first)
    # Dollars need prices; the FLOPs of one model are known.
    assert "usd_ratio" not in first and "flops_ratio" in first
    written = json.loads((out / "comparison.json").read_text())
    assert written["comparisons"][0]["p"] == first["p"] and written["methods"]
    assert (out / "comparison.txt").read_text().startswith("A: mine")
    items = list(csv.DictReader((out / "items.csv").open()))
    assert len(items) == 200 and {"0", "1", "0.0", "1.0"} >= {row["score_a"] for row in items}
    assert float(items[0]["generated_tokens_b"]) > 0
    table = list(csv.DictReader((out / "comparison.csv").open()))
    assert table[0]["claim"] == "superior" and float(table[0]["p"]) == first["p"]


def test_items_are_written_under_both_names_of_a_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side, name in (("a", "em"), ("b", "exact")):
        (tmp_path / f"{side}.csv").write_text(f"item,{name}\n" + "".join(f"q{n},{n % 2}\n" for n in range(9)))
    words = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--output", str(tmp_path / "out")]
    assert cli.main(["compare", *words, "--same-metric", "em=exact", "--higher-is-better", "em"]) == 0
    capsys.readouterr()
    items = list(csv.DictReader((tmp_path / "out" / "items.csv").open()))
    assert len(items) == 9 and {row["metric"] for row in items} == {"em = exact"}
    assert all(row["score_a"] == row["score_b"] != "" for row in items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, (None, {})), ("5", (5.0, {})), ("bleu=1.5", (None, {"bleu": 1.5})), ("2, em,x=1", None),
     ("3,rouge1=0.5", (3.0, {"rouge1": 0.5})), ("five", None), ("bleu=", None)],
)  # fmt: skip
def test_margins_on_the_command_line(text: str | None, expected: object) -> None:
    if expected is None:
        with pytest.raises(UserError, match="--margin"):
            margins_of(text)
    else:
        assert margins_of(text) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--margin", "x"], "--margin"), (["--same-metric", "x"], "--same-metric"),
     (["--margin", "0"], "margin 0"), (["--margin", "accuracy=-1"], "the margin of accuracy")],
)  # fmt: skip
def test_options_that_are_wrong_end_with_2(
    run: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert cli.main(["compare", str(run), str(run), *options]) == 2
    assert message in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
