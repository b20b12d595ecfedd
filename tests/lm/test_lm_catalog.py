"""lm-eval's own tasks by name: found without reading them all, and with data of the user's."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from lm_eval_rows import BY_NAME, write_data

from harness.errors import UserError
from harness.lm import catalog as lm_catalog
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks


def load(folder: Path, *names: str, **more: Any) -> list[TaskData]:
    return load_tasks(names, str(folder), more.pop("include", []), more, None)


def refused(folder: Path, *names: str) -> str:
    with pytest.raises(UserError) as caught:
        load(folder, *names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tasks_groups_and_tags_mean_single_tasks() -> None:
    assert list(lm_catalog.find("triviaqa")) == ["triviaqa"]
    assert list(lm_catalog.find("squad_completion")) == ["squad_completion"], "a task in Python"
    algebra, *others = lm_catalog.find("minerva_math")
    assert algebra == "minerva_math_algebra" and len(others) == 6
    assert len(lm_catalog.find("bbh_cot_zeroshot")) == 27
    mgsm = lm_catalog.find("mgsm_direct")
    assert {"mgsm_direct_en", "mgsm_direct_zh"} <= mgsm.keys(), "a tag that stands in an included file"
    assert all(path.is_file() for path in mgsm.values())


def test_one_task_is_found_in_a_moment() -> None:
    lm_catalog.find("gsm8k")
    began = time.perf_counter()
    for name in ("gsm8k", "triviaqa", "drop", "coqa"):
        lm_catalog.find(name)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("trivaqa", "did you mean lm_eval:triviaqa"),
        ("qqqqqqqqqqqqq", "the installed lm-eval has no such task: `lm-eval ls tasks` lists all"),
        ("tinyBenchmarks", "its group changes num_fewshot of a task: name the tasks one by one"),
    ],
)
def test_a_name_that_there_is_not_is_one_line(name: str, says: str, tmp_path: Path) -> None:
    message = refused(tmp_path, f"lm_eval:{name}")
    assert message.startswith(f"lm_eval:{name}: ") and says in message


def test_a_shipped_task_is_never_one_of_ours(tmp_path: Path) -> None:
    write_data(BY_NAME["gsm8k"], tmp_path)
    ours, theirs = load_tasks(["lm_eval:gsm8k", "last_letter"], str(_both(tmp_path)), [], {}, 5)
    assert (ours.name, ours.own) == ("last_letter", True)
    assert (theirs.name, theirs.lm_name, theirs.own) == ("lm_eval-gsm8k", "gsm8k", False)
    again = load(tmp_path / "data", "lm_eval-gsm8k", "lm_eval:gsm8k")
    assert [task.name for task in again] == ["lm_eval-gsm8k"], "as files write it, and once"


def _both(folder: Path) -> Path:
    """Data of a task of ours beside it."""
    own = folder / "data" / "last_letter"
    own.mkdir()
    asked = 'Take the last letters of the words in "Ann Bob{}" and concatenate them.'
    rows = [{"question": asked.format(n), "answer": "nb"} for n in range(3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (own / "test.jsonl").write_text(text)
    return folder / "data"


def test_files_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    write_data(BY_NAME["triviaqa"], tmp_path)
    [inside] = load(tmp_path / "data", "lm_eval:triviaqa")
    [itself] = load(tmp_path / "data" / "triviaqa", "lm_eval:triviaqa")
    assert inside.indices == itself.indices and len(inside.rows("train")) == 40


def test_a_missing_file_is_named_with_what_to_put_there(tmp_path: Path) -> None:
    write_data(BY_NAME["gsm8k"], tmp_path)
    data = tmp_path / "data"
    (data / "gsm8k" / "train.jsonl").rename(data / "train.bak")
    message = refused(data, "lm_eval:gsm8k")
    assert "neither gsm8k/train.jsonl nor train.jsonl is there" in message, "its examples are of that split"
    (data / "train.bak").rename(data / "gsm8k" / "train.jsonl")
    (data / "gsm8k" / "test.jsonl").unlink()
    assert "neither gsm8k/test.jsonl nor test.jsonl is there" in refused(data, "lm_eval:gsm8k")
    assert "neither coqa/validation.jsonl" in refused(data, "lm_eval:coqa")


def test_a_split_that_only_teaches_may_be_missing(tmp_path: Path) -> None:
    write_data(BY_NAME["triviaqa"], tmp_path)
    (tmp_path / "data" / "triviaqa" / "train.jsonl").unlink()
    [task] = load(tmp_path / "data", "lm_eval:triviaqa")
    assert len(task.indices) == 40 and task.undistillable
    assert task.undistillable.startswith("There are no training rows")


def test_data_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("Couldn't reach 'mandarjoshi/trivia_qa' on the Hub")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(
        UserError, match=r"lm_eval:triviaqa could not be loaded: Conn.* --data DIR takes them"
    ):
        load_tasks(["lm_eval:triviaqa"], "hub", [], {}, None)


def test_rows_that_make_no_table_are_named(tmp_path: Path) -> None:
    write_data(BY_NAME["triviaqa"], tmp_path)
    file = tmp_path / "data" / "triviaqa" / "validation.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    with file.open("a") as lines:
        lines.write(json.dumps({**row, "question": {"text": "what"}}) + "\n")
    assert "validation.jsonl: its rows make no table" in refused(tmp_path / "data", "lm_eval:triviaqa")
    file.write_text("{nothing\n")
    assert "validation.jsonl:1: not JSON" in refused(tmp_path / "data", "lm_eval:triviaqa")


def test_what_has_no_system_2_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mmlu_anatomy").mkdir()
    row = {"question": "Which?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 0}
    for split in ("test", "dev"):
        (tmp_path / "mmlu_anatomy" / f"{split}.jsonl").write_text((json.dumps(row) + "\n") * 6)
    assert "lm_eval-mmlu_anatomy is multiple_choice: only tasks that generate text" in refused(
        tmp_path, "lm_eval:mmlu_anatomy"
    )


def test_a_user_s_own_copy_takes_files_of_its_name(tmp_path: Path) -> None:
    """A task that would go to the hub finds its rows in DIR/NAME."""
    write_data(BY_NAME["gsm8k_cot_zeroshot"], tmp_path)
    folder = tmp_path / "tasks"
    folder.mkdir()
    shipped = lm_catalog.find("gsm8k_cot_zeroshot")["gsm8k_cot_zeroshot"].read_text()
    (folder / "mine.yaml").write_text(shipped.replace("task: gsm8k_cot_zeroshot", "task: mine"))
    (tmp_path / "data" / "gsm8k_cot_zeroshot").rename(tmp_path / "data" / "mine")
    [task] = load(tmp_path / "data", "mine", include=[str(folder)])
    assert (task.name, len(task.indices), len(task.rows("train"))) == ("mine", 40, 40)
