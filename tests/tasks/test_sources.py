"""Sources: rows are read with their place, bad input is one clear line, splits are uniform and disjoint."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tasks import sources
from tasks.errors import TaskError
from tasks.sources import (
    Row,
    by_content,
    content_hash,
    data_source,
    hold_out,
    hub_rows,
    local_file,
    read_rows,
    require,
    rng,
    to_splits,
    whole_number,
)


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"prompt": f"{name}?", "question": name, "target": "1", **more}


def one_line(error: pytest.ExceptionInfo[TaskError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_hash_depends_on_content_alone() -> None:
    assert content_hash("a", {"x": 1, "y": 2}) == content_hash("a", {"y": 2, "x": 1})
    assert content_hash("ab", "c") != content_hash("a", "bc")
    assert len(content_hash("a")) == 16


def test_hash_is_the_same_on_every_machine() -> None:
    """`printf '["gsm8k","größer",3]' | sha256sum` begins with it."""
    assert content_hash("gsm8k", "größer", 3) == "f571decc861f8705"


def test_random_numbers_follow_from_the_parts() -> None:
    assert rng("a", 1).random() == rng("a", 1).random() != rng("a", 2).random()


@pytest.mark.parametrize("packed", [False, True])
def test_rows_are_read_with_their_place(tmp_path: Path, packed: bool) -> None:
    content = '{"a": 1}\n\n{"a": "ä\\u2028"}\n'.encode()
    path = tmp_path / ("rows.jsonl.gz" if packed else "rows.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = read_rows(path)
    assert rows == [{"a": 1}, {"a": "ä\u2028"}]
    assert rows[1].where == f"{path}:3"


@pytest.mark.parametrize(
    ("content", "place", "says"),
    [
        (b'{"a": 1}\n{"a": \n', ":2:", "not JSON"),
        (b'{"a": 1}\n[1]\n', ":2:", "not a JSON object"),
        (b'{"a": 1}\n{"a": "\xff"}\n', ":2:", "not UTF-8"),
        (b"\n\n", ":", "has no rows"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, place: str, says: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=says) as error:
        read_rows(path)
    assert f"{path}{place}" in one_line(error)


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 100)[:30])
    with pytest.raises(TaskError, match="cannot be read") as error:
        read_rows(path)
    assert str(path) in one_line(error)


def test_a_packed_file_serves_for_a_plain_one_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl.gz").touch()
    assert local_file(tmp_path, "a.jsonl", "b.jsonl") == tmp_path / "b.jsonl.gz"
    with pytest.raises(TaskError, match=r"a\.jsonl or c\.jsonl") as error:
        local_file(tmp_path, "a.jsonl", "c.jsonl")
    assert str(tmp_path) in one_line(error)


def test_data_is_embedded_hub_or_an_existing_folder(tmp_path: Path) -> None:
    assert data_source("embedded") == "embedded"
    assert data_source("hub") == "hub"
    assert data_source(str(tmp_path)) == tmp_path
    with pytest.raises(TaskError, match="is not a folder"):
        data_source(str(tmp_path / "nothing"))


@pytest.mark.parametrize("value", ["x", "2.5", 1, "9", True])
def test_a_task_argument_out_of_range_is_refused(value: Any) -> None:
    assert whole_number(" 3", "difficulty", 2, low=2, high=8) == 3
    assert whole_number(None, "difficulty", 2, low=2, high=8) == 2
    with pytest.raises(TaskError, match=r"difficulty=.* from 2 to 8"):
        whole_number(value, "difficulty", 2, low=2, high=8)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"answer": "x"}, "no key 'question'"),
        ({"question": 3}, "'question' is int, expected str"),
        ({"question": "  "}, "'question' is blank"),
        ({"question": None}, "'question' is NoneType"),
    ],
)
def test_a_malformed_row_is_named_by_place_and_key(row: dict[str, Any], says: str) -> None:
    with pytest.raises(TaskError, match=says) as error:
        require(Row(row, "file.jsonl:7"), "question", str)
    assert one_line(error).startswith("file.jsonl:7: ")


def test_true_is_no_number() -> None:
    assert require({"n": 3}, "n", int) == 3
    with pytest.raises(TaskError, match="'n' is bool"):
        require({"n": True}, "n", (int, float))


def test_hub_rows_ask_for_what_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fetch(*args: Any) -> list[dict[str, Any]]:
        asked.append(args)
        return [{"a": 1}, {"a": 2}]

    monkeypatch.setattr(sources, "fetch", fetch)
    rows = hub_rows("some/data", split="test", name="main")
    assert asked == [("some/data", "main", "test", None)]
    assert rows[1] == {"a": 2} and rows[1].where == "some/data test row 1"


def test_an_unreachable_or_empty_hub_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any) -> list[dict[str, Any]]:
        raise ConnectionError("no route\nand a long trace")

    monkeypatch.setattr(sources, "fetch", offline)
    with pytest.raises(TaskError, match="no route") as error:
        hub_rows("some/data", split="test")
    assert "--data embedded" in one_line(error)
    monkeypatch.setattr(sources, "fetch", lambda *_: [])
    with pytest.raises(TaskError, match="is empty"):
        hub_rows("some/data", split="test")


def test_order_by_content_does_not_depend_on_file_order() -> None:
    rows = [item(str(i)) for i in range(20)]
    assert by_content(rows) == by_content(rows[::-1]) != rows
    rest, held = hold_out(rows, 5)
    assert len(held) == 5 and len(rest) == 15
    assert sorted(r["question"] for r in rest + held) == sorted(r["question"] for r in rows)
    assert {r["question"] for r in hold_out(rows[::-1], 5)[1]} == {r["question"] for r in held}


def test_splits_have_the_standard_columns() -> None:
    splits = to_splits("some", train=[item("a")], test=[item("b", weight=2, kind="x")])
    row = splits["train"][0]
    assert list(splits) == ["train", "validation", "test"]
    assert row["item_id"] == content_hash("some", "a?", "1")
    assert row["cluster_id"] == content_hash("some", "a")
    assert (row["weight"], row["text"], row["answer_form"], row["symbols"]) == (1.0, "a", "", [])
    assert row["kind"] is None
    assert splits["test"][0]["weight"] == 2.0
    assert splits["train"].features == splits["validation"].features == splits["test"].features
    json.dumps(row)


def test_repeated_items_are_dropped_and_counted_and_the_test_keeps_its_own() -> None:
    splits = to_splits(
        "some", train=[item("a"), item("a"), item("b")], test=[item("b")], notes={"train": "From a file."}
    )
    assert splits["train"]["question"] == ["a"]
    assert splits["test"]["question"] == ["b"]
    assert splits["train"].info.description == "From a file. 2 rows that repeat another were left out."


def test_splits_without_rows_or_keys_are_refused() -> None:
    with pytest.raises(TaskError, match="no rows in any split"):
        to_splits("some")
    with pytest.raises(TaskError, match="no key 'target'"):
        to_splits("some", train=[{"prompt": "a", "question": "b"}])
