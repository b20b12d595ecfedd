"""The s2d block of an lm-eval task: in its YAML or in a file beside it, and every way to write it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_fixtures import FILTERS, write_task

from harness.errors import UserError
from harness.lm.block import TaskConfig, TrainFrom, block_of
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks

BLOCK = """metadata:
  s2d:
    method: rar_1step
    answer_form: '"Answer: " and the number'
    target: "It is {answer}."
    answer_filter: whole-text
    max_tokens: {reason: 700, direct: 9}
    train_from: 50% of test
"""


def load(folder: Path, more: str = FILTERS, config: str | None = None) -> TaskData:
    file = None
    if config is not None:
        file = folder.parent / "blocks.yaml"
        file.write_text(config)
    [task] = load_tasks(
        ["sums"], "embedded", [str(write_task(folder, more=more))], {}, None, file and str(file)
    )
    return task


def refused(folder: Path, config: str, more: str = FILTERS) -> str:
    with pytest.raises(UserError) as caught:
        load(folder, more, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_block_in_the_yaml_is_what_the_task_does(tmp_path: Path) -> None:
    task = load(tmp_path / "tasks", FILTERS + BLOCK)
    assert (task.spec.s2_method, task.spec.target("7")) == ("rar_1step", "It is 7.")
    assert task.spec.max_tokens == {"direct": 9, "reason": 700}
    item = task.item(task.rows("test")[0])
    assert item.answer_form == '"Answer: " and the number'
    assert task.foreign and task.foreign.rule.reader.name == "whole-text"
    assert task.foreign.training.label == "50% of test"


def test_a_file_beside_the_task_wins_key_by_key(tmp_path: Path) -> None:
    task = load(tmp_path / "tasks", FILTERS + BLOCK, "sums: {method: s2a, answer_filter: last-number}")
    assert (task.spec.s2_method, task.spec.target("7")) == ("s2a", "It is 7.")
    assert task.spec.primary.name == "exact_match" and task.spec.answer_of("It is 7.", {}) == "7"
    for name in ("lm_eval:sums", "lm_eval-sums"):
        assert load(tmp_path / "tasks", FILTERS, f'"{name}": {{method: s2a}}').spec.s2_method == "s2a"
    assert load(tmp_path / "tasks", FILTERS, "method: s2a").spec.s2_method == "s2a", "one block is for all"


@pytest.mark.parametrize(
    ("text", "split", "share"),
    [
        ("train", "train", None),
        ("test[20%]", "test", 0.2),
        ("20% of test", "test", 0.2),
        ("2.5% of a", "a", 0.025),
    ],
)
def test_where_training_rows_come_from(text: str, split: str, share: float | None) -> None:
    found = block_of(("here", {"train_from": text})).train_from
    assert found == TrainFrom(split, share)
    assert block_of(("here", {"train_from": str(found)})).train_from == found


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("sums: {metod: cot}", "no key 'metod': did you mean method? there are method, answer_filter"),
        ("metod: cot", "no key 'metod': did you mean method?"),
        ("sums: 3", "no key 'sums'"),
        ("sums: {method: 3}", "method is 3: give it as text"),
        ("sums: {method: cott}", "'cott'"),
        ("sums: {target: the answer}", "it must hold {answer} once"),
        ('sums: {target: "{answer} {answer}"}', "it must hold {answer} once"),
        ("sums: {max_tokens: 5}", "give tokens by step"),
        ("sums: {max_tokens: {reason: 0}}", "give a whole number from 1"),
        ("sums: {max_tokens: {reason: true}}", "give a whole number from 1"),
        ('sums: {train_from: "test[0%]"}', "name a split, or a share"),
        ("sums: {train_from: 120% of test}", "name a split, or a share"),
        ("sums: {train_from: some of test}", "name a split, or a share"),
        ("sums: {train_from: test}", "train_from is test, which is scored: name a share to keep apart"),
        ("sums: {train_from: dev}", "its data has no such split; there are train, test"),
        ("sums: {train_from: 99% of test}", "leaves none to score"),
        ("sums: {train_from: 1% of test}", "leaves none to learn from"),
        ("sums: {train_from: 1% of train}", "leaves no row to learn from"),
        ("sums: {prompt: mine}", "the one value is 'shipped'"),
        ("sums: {answer_filter: last}", "it has no such filter; there are last-number, whole-text"),
        ("summs: {method: cot}", "no lm-eval task 'summs' is in this run: did you mean sums?"),
        ("[1, 2]", "write a block of `key: value` lines"),
        ("", "write a block of `key: value` lines"),
        ("sums: [", "is not YAML"),
        ("sums: !!timestamp x", "is not YAML"),
    ],
)
def test_a_block_that_is_written_wrong_is_one_line(tmp_path: Path, config: str, says: str) -> None:
    assert says in refused(tmp_path / "tasks", config)


def test_a_block_in_the_yaml_that_is_written_wrong_names_the_task(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="task sums, metadata: the s2d block holds 3: write `key: value` lines"
    ):
        load(tmp_path, FILTERS + "metadata: {s2d: 3}\n")
    with pytest.raises(UserError, match="task sums, metadata: the s2d block has no key 'targets'"):
        load(tmp_path, FILTERS + "metadata: {s2d: {targets: x}}\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: No such file or directory; name a YAML file"):
        TaskConfig.read(str(tmp_path / "nothing.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"method: \xff")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        TaskConfig.read(str(tmp_path / "latin.yaml"))


def test_a_block_is_for_tasks_that_are_not_ours(tmp_path: Path) -> None:
    file = tmp_path / "blocks.yaml"
    file.write_text("coin_flip: {method: cot}\n")
    with pytest.raises(UserError, match="no lm-eval task 'coin_flip' is in this run"):
        load_tasks(["coin_flip"], "embedded", [], {}, 5, str(file))


def test_rows_that_are_kept_apart_are_never_scored(tmp_path: Path) -> None:
    task = load(tmp_path / "tasks", FILTERS, "train_from: 50% of test")
    taught = {task.item(row).item_id for row in task.rows("train")}
    scored = {task.item(task.rows("test")[index]).item_id for index in task.indices}
    assert len(taught) == 6 and len(scored) == 6 and not taught & scored
    assert {item.item_id for item in task.test_items()} == scored
    again = load(tmp_path / "tasks", FILTERS, "train_from: 50% of test")
    assert {again.item(row).item_id for row in again.rows("train")} == taught, "drawn by content"
