"""Last letter and coin flip: what counts as an answer, generated items, and the public files' layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import names, sources
from tasks.coin_flip import generate as coin_generate
from tasks.coin_flip import task as coin_flip
from tasks.errors import TaskError
from tasks.last_letter import generate as letter_generate
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


# ---- the answer rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: rb", "rb"),
        ("answer: RB.", "rb"),
        ('The words are 1. lookup 2. Bob.\nJoined: p, b. Answer: "pb".', "pb"),
        ("**Answer:** rb", "rb"),
        ("**Answer**: **rb**", "rb"),
        ("Answer:\nr, b", "rb"),
        ("Answer: r-b", "rb"),
        ("Answer: r b", "rb"),
        ("Answer: r + b = rb", "rb"),
        ("Answer: rb (r from lookupr, b from Bob)", "rb"),
        ("Answer: rb. The first word ends in r.", "rb"),
        ("Answer: The joined letters are rb.", "rb"),
        ('Answer: We join them and "rb" is what we see', "rb"),
        ("Answer: \\boxed{rb}", "rb"),
        ("Answer: x\nWait. Answer: rb", "rb"),
        ("Answer: é, ß", "éß"),
        ("rb", "rb"),
        ("r, b", "rb"),
        ("First r, then b.\nSo the result is rb.", "rb"),
        ("r + b gives 'rb'", "rb"),
        ("Answer: I cannot do this task", None),
        ("Answer: rb\nAnswer:", None),
        ('The last letter of "Bob" is b', None),
        ('The words are "lookup" and "Bob".', None),
        ("I would look at each of the words first", None),
        ("", None),
    ],
)
def test_last_letter_answer(text: str, expected: str | None) -> None:
    assert last_letter.SPEC.answer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: yes", "yes"),
        ("ANSWER: No.", "no"),
        ("**Answer:** No, it is tails up", "no"),
        ("Answer: The coin is tails up, so no", "no"),
        ('Answer: yes" or "Answer: no', "no"),
        ("Answer:\nyes", "yes"),
        ("Yes, answer: no", "no"),
        ("Yes", "yes"),
        ('"No" is right', "no"),
        ("There is no change, so the coin is heads up. Yes.", "yes"),
        ("Two flips.\nSo the answer is **yes**", "yes"),
        ("At first yes, then no.", "no"),
        ("There is no change", None),
        ("Answer: heads", None),
        ("yesterday it was heads", None),
        ("", None),
    ],
)
def test_coin_flip_answer(text: str, expected: str | None) -> None:
    assert coin_flip.SPEC.answer(text) == expected


@pytest.mark.parametrize("answer", [last_letter.SPEC.answer, coin_flip.SPEC.answer])
@given(text=st.text() | st.text(alphabet="Ansewryon:=*. \n\"'{}"))
def test_answer_rules_take_any_text(answer: Callable[[str], str | None], text: str) -> None:
    for given_text in (text, f"Answer: {text}"):
        found = answer(given_text)
        assert found is None or (found and found == found.lower())


@given(letters=st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8))
def test_the_training_target_is_read_back(letters: str) -> None:
    assert last_letter.SPEC.answer(last_letter.SPEC.target(letters)) == letters


def test_coin_targets_are_read_back() -> None:
    assert [coin_flip.SPEC.answer(coin_flip.SPEC.target(word)) for word in ("yes", "no")] == ["yes", "no"]


def test_a_response_without_an_answer_is_wrong() -> None:
    doc = {"target": "rb"}
    assert last_letter.process_results(doc, ["Answer: RB"]) == {"exact_match": 1.0}
    assert last_letter.process_results(doc, ["Answer: br"]) == {"exact_match": 0.0}
    assert last_letter.process_results(doc, [""]) == {"exact_match": 0.0}
    assert coin_flip.process_results({"target": "yes"}, ["Answer: yes"]) == {"accuracy": 1.0}
    assert coin_flip.process_results({"target": "no"}, ["heads"]) == {"accuracy": 0.0}


# ---- generated items


@pytest.fixture(scope="module")
def letters() -> dict[str, Any]:
    return last_letter.load()


@pytest.fixture(scope="module")
def coins() -> dict[str, Any]:
    return coin_flip.load()


def test_splits_are_large_enough(letters: dict[str, Any], coins: dict[str, Any]) -> None:
    for splits in (letters, coins):
        assert len(splits["train"]) >= 2000
        assert len(splits["validation"]) >= 300
        assert len(splits["test"]) >= 500


def test_splits_share_no_word_and_no_name(letters: dict[str, Any], coins: dict[str, Any]) -> None:
    for splits in (letters, coins):
        symbols = [{symbol for row in splits[split]["symbols"] for symbol in row} for split in SPLITS]
        assert all(symbols)
        assert sum(map(len, symbols)) == len(set().union(*symbols))


def test_lists_repeat_no_word_and_mix_no_names_and_words() -> None:
    words = [word for split in SPLITS for word in letter_generate.WORDS[split]]
    people = [name for split in SPLITS for name in names.NAMES[split]]
    assert len(set(words)) == len(words) and all(word.isascii() and word.islower() for word in words)
    assert len(set(people)) == len(people)
    assert not set(words) & {name.lower() for name in people}


def test_no_last_letter_is_a_good_guess() -> None:
    for split in SPLITS:
        words = letter_generate.WORDS[split]
        last = [word[-1] for word in words]
        assert max(map(last.count, last)) / len(last) < 0.1


def test_last_letter_gold_is_right(letters: dict[str, Any]) -> None:
    for row in letters["test"]:
        words = row["question"].split('"')[1].split()
        assert row["symbols"] == words and len(words) == 2
        assert row["target"] == "".join(word[-1] for word in words)


def test_coin_flip_gold_is_the_parity_and_balanced(coins: dict[str, Any]) -> None:
    for row in coins["test"]:
        flips = row["question"].count(" flips the coin.")
        assert flips + row["question"].count(" does not flip the coin.") == len(row["symbols"])
        assert row["target"] == ("yes" if flips % 2 == 0 else "no")
    assert coins["test"]["target"].count("yes") == len(coins["test"]) // 2
    assert {len(row) for row in coins["test"]["symbols"]} == {2, 3, 4}


def test_coin_flip_answer_does_not_follow_from_one_person(coins: dict[str, Any]) -> None:
    """Neither the first nor the last step alone tells the answer much better than a coin would."""
    for place in (0, -1):
        right = 0
        for row in coins["train"]:
            step = row["question"].removeprefix("A coin is heads up. ").split(".")[:-1][place]
            right += ("does not" in step) == (row["target"] == "yes")
        assert 0.45 < right / len(coins["train"]) < 0.55


@pytest.mark.parametrize("task", [last_letter, coin_flip])
def test_items_follow_from_the_seed(task: Any) -> None:
    first, again, other = task.load(seed=1), task.load(seed="1"), task.load(seed=2)
    assert first["test"]["item_id"] == again["test"]["item_id"]
    assert set(first["test"]["item_id"]) != set(other["test"]["item_id"])


def test_difficulty_is_the_number_of_words_or_people() -> None:
    assert {len(row) for row in last_letter.load(difficulty=4)["test"]["symbols"]} == {4}
    assert {len(row) for row in coin_flip.load(difficulty="5")["test"]["symbols"]} == {5}
    for task in (last_letter, coin_flip):
        with pytest.raises(TaskError, match="difficulty=1"):
            task.load(difficulty=1)


def test_hardest_items_exist_in_every_split() -> None:
    assert len(last_letter.load(difficulty=8)["validation"]) == 300
    assert len(coin_flip.load(difficulty=2)["validation"]) == 300


def test_a_row_has_what_programs_need(letters: dict[str, Any], coins: dict[str, Any]) -> None:
    for splits, spec in ((letters, last_letter.SPEC), (coins, coin_flip.SPEC)):
        row = splits["test"][0]
        assert row["prompt"].startswith(row["question"]) and row["prompt"] != row["question"]
        assert row["answer_form"] in row["prompt"] and row["answer_form"] not in row["question"]
        assert "coin" not in row["text"] and "concatenate" not in row["text"]
        assert spec.answer(spec.target(row["target"])) == row["target"]
        assert spec.max_tokens["direct"] <= 64 and spec.max_tokens["default"] == 128


def test_last_letter_rephrases_as_the_paper_does() -> None:
    options = last_letter.SPEC.method_options["rar_2step"]
    assert options["show_original"] is False
    assert "{question}" in options["rephrase"]


# ---- public files


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
    assert sorted(parted["train"]["item_id"] + parted["validation"]["item_id"]) == sorted(
        whole["train"]["item_id"]
    )
    with pytest.raises(TaskError, match="validation=99"):
        task.load(folder, validation=99)


@pytest.mark.parametrize("task", [last_letter, coin_flip])
def test_extra_is_a_file_name_of_a_folder(task: Any, letters_folder: Path, coin_folder: Path) -> None:
    with pytest.raises(TaskError, match="use --data DIR"):
        task.load("embedded", extra="rar_extra")
    with pytest.raises(TaskError, match="name of a rar_ file"):
        task.load(str(coin_folder), extra="../rar_extra")
    with pytest.raises(TaskError, match="has no .*rar_none.jsonl"):
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
    assert coin_generate.QUESTION.split("{")[0] in splits["test"][0]["question"]
