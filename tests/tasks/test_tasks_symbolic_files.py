"""Last letter and coin flip on public data: layouts of folder and hub, extra tests, malformed rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks import sources
from tasks.coin_flip import task as coin_flip
from tasks.errors import TaskError
from tasks.last_letter import task as last_letter

SPLITS = ("train", "validation", "test")
LETTERS_QUESTION = 'Take the last letters of each words in "{}" and concatenate them.'
COIN_QUESTION = (
    "A coin is heads up. Xa flips the coin. Yb Yc does not flip the coin.  Is the coin still heads up?"
)

PAIRS = ("Ab Ob", "Cd Ef", "Gh Ij", "Kl Mn", "Op Qr", "St Uv", "Wx Yz", "Ba Dc", "Fe Hg", "Ji Lk")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def letter_row(words: str) -> dict[str, Any]:
    return {
        "question": LETTERS_QUESTION.format(words),
        "answer": "".join(word[-1] for word in words.split()),
    }


@pytest.fixture
def letters_folder(tmp_path: Path) -> Path:
    """Ten rows in the layout of the public file, and one extra test row with a name of two words."""
    write(tmp_path / "last_letter" / "test.jsonl", [letter_row(pair) for pair in PAIRS])
    extra = {"question": LETTERS_QUESTION.format("Ann Jose Antonio"), "answer": "No", "refined_question": "x"}
    write(tmp_path / "last_letter" / "rar_extra.jsonl", [extra])
    return tmp_path


@pytest.fixture
def coin_folder(tmp_path: Path) -> Path:
    note = ' Note that "flip" here means "reverse".'
    write(
        tmp_path / "coin_flip" / "test.jsonl",
        [
            {"question": COIN_QUESTION.replace("Xa", name) + note, "answer": "no"}
            for name in ("Ann", "Bo", "Cy")
        ],
    )
    write(
        tmp_path / "coin_flip" / "validation_skrishna.jsonl",
        [{"targets": "no", "targets_vec": [1, 0], "inputs": f" Q: {COIN_QUESTION} "}],
    )
    return tmp_path


def test_last_letter_folder_is_split_by_content(letters_folder: Path) -> None:
    splits = last_letter.load(str(letters_folder))
    assert [len(splits[split]) for split in SPLITS] == [6, 0, 4]
    path = letters_folder / "last_letter" / "test.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    again = last_letter.load(str(letters_folder))
    assert again["test"]["item_id"] == splits["test"]["item_id"]


def test_last_letter_extra_file_is_the_test(letters_folder: Path) -> None:
    splits = last_letter.load(str(letters_folder), extra="rar_extra")
    row = splits["test"][0]
    assert (row["target"], row["two_word_name"], row["symbols"]) == ("no", True, ["ann", "jose", "antonio"])
    assert splits["test"].info.description.startswith("In 1 of 1 rows the gold takes one letter")
    assert splits["train"].info.description == "" and len(splits["train"]) == 6


@pytest.mark.parametrize("task", [last_letter, coin_flip])
def test_training_rows_can_be_held_out(task: Any, letters_folder: Path, coin_folder: Path) -> None:
    folder = str(letters_folder)
    assert letters_folder == coin_folder
    whole, parted = task.load(folder), task.load(folder, validation=2)
    assert len(parted["validation"]) == 2
    parts = [*parted["train"]["item_id"], *parted["validation"]["item_id"]]
    assert sorted(parts) == sorted(whole["train"]["item_id"])
    with pytest.raises(TaskError, match="validation=99"):
        task.load(folder, validation=99)


@pytest.mark.parametrize("task", [last_letter, coin_flip])
def test_extra_is_a_file_name_of_a_folder(task: Any, letters_folder: Path, coin_folder: Path) -> None:
    with pytest.raises(TaskError, match="use --data DIR"):
        task.load("embedded", extra="rar_extra")
    with pytest.raises(TaskError, match="name of a rar_ file"):
        task.load(str(coin_folder), extra="../rar_extra")
    with pytest.raises(TaskError, match=r"has no .*rar_none\.jsonl"):
        task.load(str(coin_folder), extra="rar_none")


def test_coin_flip_folder_loses_wrapping_and_note(coin_folder: Path) -> None:
    splits = coin_flip.load(str(coin_folder))
    row = splits["test"][0]
    assert row["question"] == COIN_QUESTION
    assert row["symbols"] == ["xa", "yb yc"] and row["target"] == "no"
    assert len(splits["train"]) == 3
    assert all(question.endswith("heads up?") for question in splits["train"]["question"])


def test_coin_flip_wordings_are_added_to_every_item(coin_folder: Path) -> None:
    plain, reverse, asked = (coin_flip.load(str(coin_folder), wording=w) for w in coin_flip.WORDINGS)
    for split in ("train", "test"):
        assert reverse[split][0]["question"] == plain[split][0]["question"] + " Flip means reverse."
        assert asked[split][0]["question"].endswith("Answer the Yes or No question.")
    with pytest.raises(TaskError, match="wording='loud'"):
        coin_flip.load(wording="loud")


def test_hub_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hub data sets are read in their own layout; coin flip is tested on the validation split."""

    def fetch(repo_id: str, _name: Any, split: str, _files: Any) -> list[dict[str, Any]]:
        if repo_id == "ChilleD/LastLetterConcat":
            return [letter_row({"train": "Ann Bo", "test": "Cy Ed"}[split])]
        assert repo_id == "skrishna/coin_flip"
        question = COIN_QUESTION.replace("Xa", split)
        return [{"inputs": f"Q: {question}", "targets": "no", "targets_vec": [1, 0]}]

    monkeypatch.setattr(sources, "fetch", fetch)
    letters = last_letter.load("hub")
    assert (letters["train"][0]["target"], letters["test"][0]["target"]) == ("no", "yd")
    coins = coin_flip.load("hub")
    assert [coins[split][0]["symbols"][0] for split in SPLITS] == ["train", "test", "validation"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "Take the last letters of Ann Bo.", "answer": "no"}, "no words in double quotes"),
        ({"question": LETTERS_QUESTION.format("Ann Bo")}, "no key 'answer'"),
    ],
)
def test_malformed_last_letter_row(letters_folder: Path, row: dict[str, Any], says: str) -> None:
    path = letters_folder / "last_letter" / "test.jsonl"
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    with pytest.raises(TaskError, match=says) as error:
        last_letter.load(str(letters_folder))
    assert f"{path}:11: " in str(error.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": COIN_QUESTION, "answer": "maybe"}, "'answer' is 'maybe', expected yes or no"),
        ({"question": "Is the coin heads up?", "answer": "yes"}, "nobody flips"),
        ({"inputs": COIN_QUESTION, "answer": "yes"}, "no key 'targets'"),
    ],
)
def test_malformed_coin_flip_row(coin_folder: Path, row: dict[str, Any], says: str) -> None:
    path = coin_folder / "coin_flip" / "test.jsonl"
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    with pytest.raises(TaskError, match=says) as error:
        coin_flip.load(str(coin_folder))
    assert f"{path}:4: " in str(error.value)


@pytest.mark.parametrize("task", [last_letter, coin_flip])
def test_a_folder_without_the_file_is_named(task: Any, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="put the file there") as error:
        task.load(str(tmp_path))
    assert str(tmp_path) in str(error.value)


def test_public_last_letter_files(data_dir: Path) -> None:
    splits = last_letter.load(str(data_dir))
    assert (len(splits["train"]), len(splits["test"])) == (300, 200)
    assert sum(splits["train"]["two_word_name"]) + sum(splits["test"]["two_word_name"]) == 15
    for row in splits["test"]:
        assert row["two_word_name"] or row["target"] == "".join(word[-1] for word in row["symbols"])


def test_public_coin_flip_files(data_dir: Path) -> None:
    splits = coin_flip.load(str(data_dir))
    assert (len(splits["train"]), len(splits["test"])) == (500, 1333)
    for split, people in (("train", 4), ("test", 2)):
        for row in splits[split]:
            assert len(row["symbols"]) == people
            flips = row["question"].count(" flips the coin.")
            assert row["target"] == ("yes" if flips % 2 == 0 else "no")
