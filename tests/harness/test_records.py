"""One row per scored prompt: failures by kind, tokens summed over calls, pairs settled, files whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.lm.score import Scored
from harness.lm.task import TaskData
from harness.sample_rows import build_rows, failure, usage
from harness.types import Completion, Response, Step, user
from results.files import write_rows, write_whole
from tasks.spec import Metric, TaskSpec

ACCURACY = Metric("accuracy", "binary", "right or not")
INCONSISTENCY = Metric("inconsistency", "binary", "two orders differ", False, "pair_disagreement")


@dataclass
class FakeTask:
    """As much of an lm-eval task as rows need."""

    docs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def eval_docs(self) -> list[dict[str, Any]]:
        return self.docs

    def validation_docs(self) -> None:
        """It has none."""

    def doc_to_target(self, doc: dict[str, Any]) -> Any:
        return doc["target"]

    def doc_to_text(self, doc: dict[str, Any]) -> str:
        return str(doc["prompt"])


def answer(text: str) -> str | None:
    return text.removeprefix("Answer: ") if text.startswith("Answer: ") else None


def task(docs: list[dict[str, Any]], *metrics: Metric, own: bool = True) -> TaskData:
    spec = TaskSpec("coin_flip", "cot", metrics or (ACCURACY,), answer, lambda text: text, {"direct": 8})
    name = "s2d_coin_flip" if own else "mine"
    return TaskData("coin_flip", name, spec, FakeTask(docs), list(range(len(docs))), ())


def doc(number: int, **more: Any) -> dict[str, Any]:
    return {
        "item_id": f"i{number}", "cluster_id": f"c{number}", "prompt": f"p{number}", "question": "q",
        "target": "yes", "weight": 1.0, **more,
    }  # fmt: skip


def logged(docs: list[dict[str, Any]], filter_: str = "none", **scores: list[Any]) -> list[Scored]:
    return [
        Scored(place, filter_, {name: values[place] for name, values in scores.items()})
        for place in range(len(docs))
    ]


def said(text: str, *reasons: str, error: str | None = None) -> Response:
    steps = [
        Step(f"s{place}", [user("x")], Completion("t", reason, 10 * place, place, cached_tokens=place))
        for place, reason in enumerate(reasons or ["stop"], 1)
    ]
    return Response(text, steps, error)


def rows_of(data: TaskData, log: list[Scored], *responses: Response) -> list[dict[str, Any]]:
    return build_rows(data, "base", "direct", 3, log, responses)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (said("Answer: yes"), None),
        (said("Answer: yes", "length"), None),
        (said("no idea"), "no_answer"),
        (said("no idea", "length", "stop"), "no_answer"),
        (said("no id", "stop", "length"), "truncated"),
        (said(" \n "), "empty"),
        (said("", "length"), "truncated"),
        (said("", error="the prompt is too long"), "error"),
        (said("Answer: yes", error="late"), "error"),
    ],
)
def test_each_failure_has_one_kind(response: Response, kind: str | None) -> None:
    assert failure(response, answer(response.text)) == kind


def test_a_response_with_an_error_has_no_answer_and_is_counted() -> None:
    docs = [doc(0), doc(1)]
    rows = rows_of(
        task(docs), logged(docs, accuracy=[1.0, 0.0]), said("Answer: yes"), said("Answer: yes", error="late")
    )
    assert [row["answer"] for row in rows] == ["yes", None]
    assert [row["failure"] for row in rows] == [None, "error"]
    assert rows[1]["error"] == "late"
    assert [row["scores"]["accuracy"] for row in rows] == [1.0, 0.0]


def test_usage_is_the_sum_over_all_calls() -> None:
    response = said("x", "stop", "length", "stop")
    assert usage(response) == {"calls": 3, "prompt_tokens": 60, "cached_tokens": 6, "generated_tokens": 6}
    assert usage(Response("", [], "broke")) == dict.fromkeys(usage(response), 0)
    row = rows_of(task([doc(0)]), logged([doc(0)], accuracy=[1]), response)[0]
    for count in ("prompt_tokens", "cached_tokens", "generated_tokens"):
        assert row["usage"][count] == sum(step[count] for step in row["steps"])
    assert row["truncated"] and [step["name"] for step in row["steps"]] == ["s1", "s2", "s3"]


def test_a_row_carries_what_pairs_it_and_what_it_was_asked() -> None:
    docs = [doc(0, weight=0.25, weights=json.dumps({"accuracy": 0.5}))]
    row = rows_of(task(docs), logged(docs, accuracy=[1]), said("Answer: yes"))[0]
    expected = {
        "item_id": "i0", "cluster_id": "c0", "seed": 3, "sample_index": 0, "task": "coin_flip",
        "variant": "base", "method": "direct", "weight": 0.25, "weights": {"accuracy": 0.5},
        "prompt": "p0", "response": "Answer: yes", "target": "yes",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_weight_of_zero_stays_zero() -> None:
    docs = [doc(0, weight=0.0)]
    assert rows_of(task(docs), logged(docs, accuracy=[1]), said("x"))[0]["weight"] == 0.0


def test_columns_of_a_user_s_own_task_are_no_weights() -> None:
    docs = [doc(0, weight="12 kg", weights="heavy")]
    row = rows_of(task(docs, own=False), logged(docs, accuracy=[1]), said("x"))[0]
    assert (row["weight"], row["weights"]) == (1.0, {})


def test_scores_of_a_second_filter_have_its_name() -> None:
    docs = [doc(0), doc(1)]
    log = [*logged(docs, "strict", accuracy=[1, 0]), *logged(docs, "flexible", accuracy=[1, 1])]
    rows = rows_of(task(docs), log, said("x"), said("y"))
    assert [row["scores"] for row in rows] == [
        {"accuracy": 1, "accuracy,flexible": 1},
        {"accuracy": 0, "accuracy,flexible": 1},
    ]


def test_scores_are_numbers_of_json_or_null() -> None:
    import numpy as np

    docs = [doc(number) for number in range(6)]
    values = [np.float32(0.5), np.int64(1), np.bool_(True), float("nan"), ("reference", "text"), None]
    rows = rows_of(task(docs), logged(docs, accuracy=values), *(said("x") for _ in docs))
    assert [row["scores"]["accuracy"] for row in rows] == [0.5, 1.0, 1.0, None, None, None]
    assert json.loads(json.dumps(rows, allow_nan=False))


def test_a_score_without_measure_is_the_task_s_to_mend() -> None:
    docs = [doc(0)]
    with pytest.raises(UserError, match="accuracy is 1e\\+200: a score is a number up to 1e\\+15"):
        rows_of(task(docs), logged(docs, accuracy=[1e200]), said("x"))


def test_both_orders_of_a_pair_carry_whether_they_disagree() -> None:
    docs = [doc(number, cluster_id=f"pair{number // 2}") for number in range(4)]
    tokens = [["pair0", "A"], ["pair0", "A"], ["pair1", "A"], ["pair1", "B"]]
    data = task(docs, ACCURACY, INCONSISTENCY)
    log = logged(docs, accuracy=[1] * 4, inconsistency=tokens)
    rows = rows_of(data, log, *(said("x") for _ in docs))
    assert [row["scores"]["inconsistency"] for row in rows] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(("target", "shown"), [("yes", "yes"), (7, 7), (["a", "b"], '["a", "b"]')])
def test_a_target_of_any_kind_is_kept(target: Any, shown: Any) -> None:
    docs = [doc(0, target=target)]
    assert rows_of(task(docs), logged(docs, accuracy=[1]), said("x"))[0]["target"] == shown


def test_a_response_too_few_is_an_error_and_no_shift() -> None:
    docs = [doc(0), doc(1)]
    with pytest.raises(ValueError, match="shorter"):
        rows_of(task(docs), logged(docs, accuracy=[1, 1]), said("x"))


def test_rows_are_written_one_a_line_whatever_they_say(tmp_path: Path) -> None:
    rows = [{"response": text} for text in ("a\nb", "\u2028 ナ 🙂", "<script>", "")]
    write_rows(tmp_path / "new" / "task.jsonl", rows)
    lines = (tmp_path / "new" / "task.jsonl").read_bytes().decode().split("\n")
    assert [json.loads(line) for line in lines if line] == rows
    assert len(lines) == 5


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.jsonl"
    write_whole(file, "old")
    monkeypatch.setattr("results.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_whole(file, "new " * 1000)
    assert file.read_text() == "old"
    monkeypatch.undo()
    write_whole(file, "new")
    assert file.read_text() == "new"
