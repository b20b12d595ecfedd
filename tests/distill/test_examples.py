"""The examples of a checkpoint as `datasets` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drawn_fixtures import HOSTILE, entry, facts_of, some_drawn

from distill.papers.cards import write_papers
from distill.papers.examples import example_rows, write_examples

COLUMNS = {
    "task", "item_id", "cluster_id", "prompt", "question", "target", "answer", "margin", "reason", "samples",
    "answers",
}  # fmt: skip


def target(answer: str) -> str:
    return f"Answer: {answer}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` keeps what it read."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets-cache")


def read(folder: Path, split: str) -> Any:
    from datasets import load_dataset

    files = {split: str(folder / f"{split}.parquet")}
    return load_dataset("parquet", data_files=files, split=split, cache_dir=str(folder / "cache"))


def test_kept_and_dropped_prompts_come_back_with_samples_margins_and_reasons(tmp_path: Path) -> None:
    drawn = some_drawn()
    write_examples(tmp_path, example_rows("coin_flip", drawn, target))
    kept, dropped = read(tmp_path, "kept"), read(tmp_path, "dropped")
    assert set(kept.column_names) == set(dropped.column_names) == COLUMNS
    assert kept["target"][:] == ["Answer: yes"] * 3 + ["Answer: no"] * 3
    assert kept["reason"][:] == [None] * 6
    assert dropped["reason"][:] == ["no_majority"] * 3 + ["all_failed"]
    assert dropped["target"][:] == dropped["answer"][:] == [None] * 4
    for row, each in zip([*kept, *dropped], drawn, strict=True):
        assert (row["item_id"], row["cluster_id"]) == (each.item.item_id, each.item.cluster_id)
        assert (row["prompt"], row["question"]) == (each.item.prompt, each.item.question)
        assert row["samples"] == list(each.texts)
        assert row["answers"] == list(each.answers)
        assert row["margin"] == each.margin


@pytest.mark.parametrize("only", ["kept", "dropped"])
def test_a_side_without_rows_has_all_columns(tmp_path: Path, only: str) -> None:
    from pyarrow import parquet

    drawn = [each for each in some_drawn() if (each.answer is not None) == (only == "kept")]
    write_examples(tmp_path, example_rows("coin_flip", drawn, target))
    other = "dropped" if only == "kept" else "kept"
    full, empty = (parquet.read_table(tmp_path / f"{name}.parquet") for name in (only, other))
    assert (len(full), len(empty)) == (len(drawn), 0)
    assert empty.schema == full.schema
    assert set(empty.column_names) == COLUMNS


@pytest.mark.parametrize("sides", [["kept", "dropped"], ["kept"], ["dropped"]])
def test_the_folder_itself_is_a_data_set_once_its_card_is_there(tmp_path: Path, sides: list[str]) -> None:
    from datasets import load_dataset

    drawn = [each for each in some_drawn() if ("kept" if each.answer else "dropped") in sides]
    write_examples(tmp_path / "examples", example_rows("coin_flip", drawn, target))
    write_papers(tmp_path, facts_of(drawn))
    loaded = load_dataset(str(tmp_path / "examples"), cache_dir=str(tmp_path / "cache"))
    sizes = {"kept": 6, "dropped": 4}
    assert {split: len(rows) for split, rows in loaded.items()} == {side: sizes[side] for side in sides}
    assert f"# splits: {', '.join(sides)}" in (tmp_path / "README.md").read_text()


def test_labels_stand_in_a_column_of_their_own_and_only_when_asked_for(tmp_path: Path) -> None:
    drawn = [entry(n, ["no"] * 3, kept="no", gold="yes") for n in range(3)]
    write_examples(tmp_path / "without", example_rows("coin_flip", drawn, target))
    plain = read(tmp_path / "without", "kept")
    assert "label" not in plain.column_names
    assert "yes" not in {value for row in plain for value in (row["target"], row["answer"], *row["answers"])}
    rows = example_rows("coin_flip", drawn, target, label=lambda item: item.fields["gold"])
    write_examples(tmp_path / "with", rows)
    labelled = read(tmp_path / "with", "kept")
    assert labelled["label"][:] == ["yes"] * 3
    assert labelled["target"][:] == ["Answer: no"] * 3


def test_any_text_survives_but_half_a_surrogate_pair(tmp_path: Path) -> None:
    drawn = [entry(0, ["ja"], kept="ja", text=HOSTILE, question=HOSTILE)]
    write_examples(tmp_path, example_rows("coin_flip", drawn, target))
    (row,) = read(tmp_path, "kept")
    assert row["question"] == HOSTILE.replace("\ud800", "?")
    assert row["samples"] == [HOSTILE.replace("\ud800", "?") + "ja"]


def test_writing_again_replaces_and_leaves_no_scratch(tmp_path: Path) -> None:
    write_examples(tmp_path, example_rows("coin_flip", some_drawn(), target))
    first = (tmp_path / "kept.parquet").read_bytes()
    write_examples(tmp_path, example_rows("coin_flip", some_drawn(), target))
    assert (tmp_path / "kept.parquet").read_bytes() == first
    write_examples(tmp_path, example_rows("coin_flip", some_drawn()[:2], target))
    assert len(read(tmp_path, "kept")) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"kept.parquet", "dropped.parquet", "cache"}
