"""Last letter and coin flip: what counts as an answer, and what the generators make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import names
from tasks.coin_flip import task as coin_flip
from tasks.errors import TaskError
from tasks.last_letter import generate as letter_generate
from tasks.last_letter import task as last_letter

SPLITS = ("train", "validation", "test")


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
        ('Answer: yes" or "Answer: no', None),
        ("Answer:\nyes", "yes"),
        ("Yes, answer: no", "no"),
        ("Yes", "yes"),
        ('"No" is right', "no"),
        ("There is no change, so the coin is heads up. Yes.", "yes"),
        ("Two flips.\nSo the answer is **yes**", "yes"),
        ("At first yes, then no.", "no"),
        ("There is no change", None),
        ("No one flipped the coin, so it is still heads up. The answer is yes.", "yes"),
        ("No flips change it.", None),
        ("No it is not", "no"),
        ("No - the coin is tails up.", "no"),
        ("No (it is tails up).", "no"),
        ("No they flipped it", "no"),
        ("Answer: No change, so yes", "yes"),
        ("Answer: There is no change, so yes.", "yes"),
        ("Answer: no because it was flipped three times", "no"),
        ("Answer: surely no", "no"),
        ("Answer: heads", "yes"),
        ("Answer: tails", "no"),
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
        assert spec.max_tokens == {"direct": 256}


def test_last_letter_rephrases_as_the_paper_does() -> None:
    options = last_letter.SPEC.method_options["rar_2step_paper"]
    assert options["show_original"] is False
    assert "{question}" in options["rephrase"]
