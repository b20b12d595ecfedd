"""The registry: names, groups that depend on the data, and task folders that lm-eval would skip silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import registry
from tasks.errors import TaskError
from tasks.registry import check_folder, expand, folders, lm_eval_name, short_name, spec

OWN = "task: mine\ntag: [fun]\ndoc_to_text: !function utils.text\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(OWN)
    return tmp_path


def test_short_and_lm_eval_names_are_each_other_s_inverse() -> None:
    assert len(set(registry.builtin())) == len(registry.MODULES)
    for name in registry.builtin():
        assert lm_eval_name(short_name(name)) == lm_eval_name(name) == name
        assert short_name(short_name(name)) == short_name(name)
    assert (short_name("s2d_gsm8k"), lm_eval_name("gsm8k")) == ("gsm8k", "s2d_gsm8k")
    assert (short_name("s2d_judge_generated"), lm_eval_name("judge")) == ("judge", "s2d_judge_generated")


def test_names_of_others_stay_as_they_are() -> None:
    assert short_name("mine") == lm_eval_name("mine") == "mine"
    assert short_name("s2d_mine") == "s2d_mine"


@pytest.mark.parametrize("judge", ["judge", "s2d_judge"])
def test_judge_means_the_parts_that_the_source_has(judge: str, tmp_path: Path) -> None:
    assert expand([judge], "embedded") == ["judge"]
    assert expand([judge], "hub") == ["judge_mtbench", "judge_oasst2"]
    assert expand([judge], str(tmp_path)) == ["judge_mtbench", "judge_oasst1", "judge_pandalm"]


def test_the_tag_is_all_our_tasks_in_the_order_of_the_tables() -> None:
    five = ["last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k"]
    assert expand(["s2d"], "embedded")[:5] == five
    assert expand(reversed(five), "embedded") == five
    assert expand(["gsm8k", "s2d_gsm8k", " coin_flip "], "embedded") == ["coin_flip", "gsm8k"]


def test_one_part_of_judging_can_be_named() -> None:
    assert expand(["s2d_judge_mtbench"], "hub") == ["judge_mtbench"]
    assert expand(["s2d_judge_generated"], "hub") == ["judge"]


def test_own_tasks_come_after_ours() -> None:
    assert expand(["mine", "gsm8k", "mine"], "embedded", others=["mine"]) == ["gsm8k", "mine"]


def test_unknown_task_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="'coinflip': did you mean coin_flip"):
        expand(["gsm8k", "coinflip"], "embedded")
    with pytest.raises(TaskError, match="did you mean gsm8k"):
        spec("gsm8")
    with pytest.raises(TaskError, match="known are last_letter, coin_flip, trivia_bias, judge, gsm8k"):
        expand(["qqq"], "embedded")
    with pytest.raises(TaskError, match="no task was named"):
        expand([], "embedded")
    with pytest.raises(TaskError, match="is not a folder"):
        expand(["gsm8k"], str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("short", "method", "primary"),
    [
        ("last_letter", "cot_fewshot", "exact_match"),
        ("coin_flip", "cot_fewshot", "accuracy"),
        ("trivia_bias", "cot_fewshot", "biased_accuracy"),
        ("gsm8k", "cot", "strict_match"),
    ],
)
def test_spec_of_a_task(short: str, method: str, primary: str) -> None:
    found = spec(short)
    assert (found.name, found.s2_method, found.primary.name) == (short, method, primary)


def test_folders_are_ours_and_the_user_s(folder: Path) -> None:
    assert folders() == [str(registry.TASK_ROOT)]
    assert folders(folder) == [str(registry.TASK_ROOT), str(folder)]
    assert folders([registry.TASK_ROOT, str(folder), folder]) == [str(registry.TASK_ROOT), str(folder)]


def test_a_good_folder_names_its_tasks(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "group.yaml").write_text("group: several\ntask: [mine]\n")
    (folder / "more" / "base.yaml").write_text("output_type: generate_until\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "old.yaml").write_text("{")
    assert check_folder(folder) == ["mine", "several", "fun"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("task: x\n  tag: [\n", "bad.yaml:2: not valid YAML"),
        ("task: !unknown x\n", "bad.yaml:1: not valid YAML"),
        ("- task: x\n", "bad.yaml: holds no mapping"),
        ("", "bad.yaml: holds no mapping"),
        ("task: x\ninclude: base.yaml\n", "include 'base.yaml' is not a file"),
        ("task: mine\n", "'mine' is defined in .*bad.yaml too"),
        ("task: \x01\n", "bad.yaml: cannot be read as YAML"),
    ],
)
def test_what_lm_eval_would_skip_silently_is_refused(folder: Path, content: str, says: str) -> None:
    (folder / "bad.yaml").write_text(content)
    with pytest.raises(TaskError, match=says) as error:
        folders(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["gsm8k", "s2d_gsm8k", "judge", "s2d"])
def test_a_name_of_ours_clashes_only_where_it_is_asked_for(folder: Path, name: str) -> None:
    (folder / "theirs.yaml").write_text(f"task: {name}\n")
    others = check_folder(folder)
    assert expand(["mine", "coin_flip"], "embedded", others) == ["coin_flip", "mine"]
    with pytest.raises(TaskError, match=f"'{name}' is a task of s2d-bench and one of --include-path: rename"):
        expand([name], "embedded", others)


def test_our_own_folder_may_be_named_too() -> None:
    assert check_folder(registry.TASK_ROOT) == []


def test_a_folder_without_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="defines no task"):
        check_folder(tmp_path)
    with pytest.raises(TaskError, match="is not a folder"):
        check_folder(tmp_path / "nothing")


def test_an_entry_in_one_place_is_in_the_default_the_tag_and_the_overlap_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from run_fixtures import make_context, own_task, right_sum, write_task

    from distill.teacher import inputs
    from harness.options import RunOptions

    monkeypatch.setitem(registry.MODULES, "coin_flip_again", "tasks.coin_flip.task")
    assert registry.families()[-1] == "coin_flip_again" and registry.families().count("judge") == 1
    assert RunOptions().tasks == registry.families()
    assert registry.expand(["s2d"], "embedded")[-1] == "coin_flip_again"
    assert registry.short_name("s2d_coin_flip_again") == "coin_flip_again"
    checked = []
    monkeypatch.setattr(inputs, "_other_test_items", lambda name, *_: (checked.append(name), ([], None))[1])
    inputs.test_items(make_context(tmp_path, right_sum, [own_task(write_task(tmp_path / "tasks"))]))
    assert checked == [*registry.expand(["s2d"], "embedded")]


def test_a_folder_with_a_task_file_is_a_task(tmp_path: Path) -> None:
    for name in ("riddle", "coin_flip", "judge"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.py").write_text("")
    (tmp_path / "notes").mkdir()
    added = {name: module for name, module in registry.found(tmp_path).items() if name == "riddle"}
    assert added == {"riddle": "tasks.riddle.task"}
    assert list(registry.found(tmp_path)) == [*registry.found(tmp_path / "notes"), "riddle"]
