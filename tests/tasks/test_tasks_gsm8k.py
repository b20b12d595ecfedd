"""Math: numbers are found and spelt in one way, strict and flexible differ, generated stories add up."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import sources
from tasks.errors import TaskError
from tasks.gsm8k import generate, task

SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.00", "1234"),
        ("$1,234.50", "1234.5"),
        ("18%", "18"),
        ("18.", "18"),
        ("007", "7"),
        ("-0.0", "0"),
        (".50", "0.5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("−3 degrees", "-3"),
        ("35-2", "35"),
        ("1, 2", "1"),
        ("109,200,000", "109200000"),
        ("9" * 400, "9" * 400),
        ("no digits", None),
        ("", None),
    ],
)
def test_numbers_are_spelt_in_one_way(text: str, expected: str | None) -> None:
    assert task.normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "strict", "flexible", "answer"),
    [
        ("Answer: 18", "18", "18", "18"),
        ("9 * 2 = 18. Answer: $18.00", "18", "18", "18"),
        ("Answer: 18 dollars for 3 days", "18", "3", "18"),
        ("Answer: 9 * 2 = 18 dollars", "18", "18", "18"),
        ("**Answer:** 18\nThat took 2 steps.", "18", "2", "18"),
        ("Answer:\n\n18", "18", "18", "18"),
        ("Answer: 3. No: Answer: 18", "18", "18", "18"),
        ("16 - 3 - 4 = 9\n#### 1,018", "1018", "1018", "1018"),
        ("So it is \\boxed{18}", "18", "18", "18"),
        ("Answer: 5\n#### 18", "18", "18", "18"),
        ("Answer: 18 - all of it", "18", "18", "18"),
        ("Answer: 3/4", None, "4", None),
        ("Answer: 70 - 5", None, "5", None),
        ("Answer: 5e3", None, "3", None),
        ("Answer: 2 x 9", None, "9", None),
        ("She makes 18 dollars.", None, "18", "18"),
        ("35-2", None, "2", "2"),
        ("5 - 2", None, "2", "2"),
        ("It falls to -3", None, "-3", "-3"),
        ("After 18 steps, Answer: many", None, "18", "18"),
        ("Answer:", None, None, None),
        ("I do not know.", None, None, None),
    ],
)
def test_strict_flexible_and_answer(
    text: str, strict: str | None, flexible: str | None, answer: str | None
) -> None:
    assert task.marked_number(text) == strict
    assert task.last_number(text) == flexible
    assert task.SPEC.answer(text) == answer


def test_a_number_without_marker_scores_flexibly_alone() -> None:
    doc = {"target": "18"}
    assert task.process_results(doc, ["It is 18."]) == {"strict_match": 0.0, "flexible_match": 1.0}
    assert task.process_results(doc, ["Answer: 18 in 2 days"]) == {"strict_match": 1.0, "flexible_match": 0.0}
    assert task.process_results(doc, [""]) == {"strict_match": 0.0, "flexible_match": 0.0}


def test_strict_match_is_the_primary_metric() -> None:
    assert task.SPEC.primary.name == "strict_match"
    assert (task.SPEC.s2_method, task.SPEC.samples) == ("cot", 10)


@given(text=st.text() | st.text(alphabet="Answer: 0123456789,.-$=#\\boxed{}\n"))
def test_the_answer_rule_takes_any_text(text: str) -> None:
    found = task.SPEC.answer(text)
    assert found is None or re.fullmatch(r"-?\d+(\.\d*[1-9])?", found)


@given(number=st.decimals(-(10**9), 10**9, places=2))
def test_spelling_keeps_the_value_and_is_stable(number: Decimal) -> None:
    spelt = task.normalise(f"{number:,}")
    assert spelt is not None
    assert Decimal(spelt) == number
    assert task.normalise(spelt) == spelt
    assert task.SPEC.answer(task.SPEC.target(spelt)) == spelt


@pytest.fixture(scope="module")
def stories() -> dict[str, Any]:
    return task.load()


def retold(question: str) -> tuple[int, list[int]]:
    """(the number of changes, every amount on the way), worked out from the sentences alone."""
    first, *changes = question.split(". ")[:-1]
    amounts = [int(re.findall(r"\d+", first)[0])]
    for sentence in changes:
        number = int(next(iter(re.findall(r"\d+", sentence)), 0))
        if "doubles" in sentence or "triples" in sentence:
            amounts.append(amounts[-1] * (2 if "doubles" in sentence else 3))
        elif any(f" {verb} " in sentence for verb in generate.MORE):
            amounts.append(amounts[-1] + number)
        else:
            assert any(f" {verb} " in sentence for verb in generate.FEWER)
            amounts.append(amounts[-1] - number)
    return len(changes), amounts


def test_generated_stories_add_up_within_range(stories: dict[str, Any]) -> None:
    lengths = set()
    for row in stories["test"]:
        steps, amounts = retold(row["question"])
        lengths.add(steps)
        assert str(amounts[-1]) == row["target"]
        assert min(amounts) >= 0 and max(amounts) <= 60
    assert lengths == {3, 4, 5}


def test_generated_splits_share_no_name_and_no_chain(stories: dict[str, Any]) -> None:
    chains, people = [], []
    for split in SPLITS:
        chains.append({tuple(text.split()[2:]) for text in stories[split]["text"]})
        people.append({name for row in stories[split]["symbols"] for name in row})
    for groups in (chains, people):
        assert sum(map(len, groups)) == len(set().union(*groups))
    assert [len(stories[split]) for split in SPLITS] == [3000, 300, 500]


def test_generated_stories_follow_seed_and_difficulty() -> None:
    one, same, other = task.load(difficulty=1), task.load(difficulty="1"), task.load(difficulty=1, seed=5)
    assert {retold(question)[0] for question in one["test"]["question"]} == {1}
    assert one["test"]["item_id"] == same["test"]["item_id"] != other["test"]["item_id"]
    with pytest.raises(TaskError, match="difficulty='many'"):
        task.load(difficulty="many")


def test_no_constant_number_is_a_good_guess(stories: dict[str, Any]) -> None:
    targets = list(stories["test"]["target"])
    assert max(map(targets.count, targets)) / len(targets) < 0.1


def write(folder: Path, split: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / "gsm8k" / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def public_row(number: str) -> dict[str, Any]:
    return {"question": f"How many is {number}? ", "answer": f"It is <<1+1=2>>2 more.\n#### {number}"}


def test_folder_layout_and_held_out_rows(tmp_path: Path) -> None:
    write(tmp_path, "train", [public_row(str(n)) for n in range(10)])
    write(tmp_path, "test", [public_row("1,080"), public_row("-10")])
    splits = task.load(str(tmp_path))
    assert splits["test"]["target"] == ["1080", "-10"]
    assert splits["test"][0]["question"] == "How many is 1,080?"
    assert [len(splits[split]) for split in SPLITS] == [10, 0, 2]
    assert [len(split) for split in task.load(str(tmp_path), validation=3).values()] == [7, 3, 2]


def test_hub_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(repo_id: str, name: str | None, split: str, _files: Any) -> list[dict[str, Any]]:
        assert (repo_id, name) == ("openai/gsm8k", "main")
        return [public_row({"train": "7", "test": "8"}[split])]

    monkeypatch.setattr(sources, "fetch", fetch)
    splits = task.load("hub")
    assert (splits["train"]["target"], splits["test"]["target"]) == (["7"], ["8"])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "How many?", "answer": "It is 2."}, "no number after '####'"),
        ({"question": "How many?", "answer": "#### many"}, "no number after '####'"),
        ({"question": "", "answer": "#### 2"}, "'question' is blank"),
    ],
)
def test_malformed_row_is_named(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    path = write(tmp_path, "train", [public_row("1"), row])
    write(tmp_path, "test", [public_row("2")])
    with pytest.raises(TaskError, match=says) as error:
        task.load(str(tmp_path))
    assert f"{path}:2: " in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train", [public_row("1")])
    with pytest.raises(TaskError, match=r"has no gsm8k/test\.jsonl"):
        task.load(str(tmp_path))


def test_public_files(data_dir: Path) -> None:
    splits = task.load(str(data_dir))
    assert (len(splits["train"]), len(splits["test"])) == (7473, 1055)
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", target) for target in splits["train"]["target"])
