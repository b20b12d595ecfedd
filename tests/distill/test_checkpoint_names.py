"""What a checkpoint is named by, so that it is found again, and never taken for another."""

from __future__ import annotations

import importlib
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import DATA, distil, make_context, never, own_task, right_sum, write_task

from harness.engines.scripted import ScriptedEngine
from harness.fingerprint import without_functions
from harness.lm.task import TaskData
from harness.programs import base
from harness.types import stable_hash
from tasks.registry import source_files


def test_a_checkpoint_is_found_by_content_and_not_made_twice(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    first = distil(make_context(tmp_path, right_sum, [sums], samples=3))
    again = distil(make_context(tmp_path, never, [sums], samples=3))
    assert again == first


@pytest.mark.parametrize(
    "changed",
    [
        {"samples": 5},
        {"distill_inputs": 20},
        {"train_args": {"epochs": 1}},
        {"sampling": {"teacher_temperature": 0.2}},
        {"sampling": {"max_tokens": 7}},
        {"seed": 1},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_what_makes_another_checkpoint_has_another_place(
    tmp_path: Path, cache: Path, sums: TaskData, changed: dict[str, Any]
) -> None:
    first = distil(make_context(tmp_path, right_sum, [sums], samples=3))
    seed = changed.pop("seed", 0)
    other = distil(make_context(tmp_path, right_sum, [sums], **{"samples": 3, **changed}), seed)
    assert other.folder != first.folder


METHOD = """from harness.programs import method
from harness.types import Ask, user


@method("spare", "one question", steps=("reason",))
def spare(item):
    answer = yield Ask("reason", [user(f"{item.prompt} WORDING")])
    return answer.text
"""


def test_another_wording_of_a_method_makes_another_checkpoint(
    tmp_path: Path, cache: Path, sums: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(base, "_METHODS", dict(base._METHODS))
    made = []
    for wording in ("", "Think.", ""):
        (tmp_path / "spare_method.py").write_text(METHOD.replace("WORDING", wording))
        monkeypatch.delitem(sys.modules, "spare_method", raising=False)
        importlib.invalidate_caches()
        importlib.import_module("spare_method")
        for method in ("spare", "spare*2"):
            context = make_context(tmp_path, right_sum, [sums], models=f"base,s2:{method},distilled")
            made.append(distil(context).folder)
    assert made[4:] == made[:2] and len(set(made)) == 4


def test_the_code_of_a_task_of_ours_is_part_of_a_checkpoint_s_name() -> None:
    files = {path.name for path in source_files("judge_oasst2")}
    assert {"task.py", "generate.py", "_judge.yaml", "s2d_judge_oasst2.yaml"} <= files
    assert "facts.json" in {path.name for path in source_files("trivia_bias")}


def test_functions_inside_a_task_s_filters_count_by_their_code(tmp_path: Path, cache: Path) -> None:
    custom = "filter_list:\n- name: f\n  filter:\n  - {function: custom, filter_fn: !function data.pick}\n"
    folder = write_task(tmp_path / "tasks", more=custom)
    data, pick = (
        folder / "data.py",
        "\n\ndef pick(resps, docs):\n    return [r[0].split()[-1] for r in resps]\n",
    )
    made = []
    for more in (pick, pick, pick.replace("[-1]", "[-1].strip()")):
        data.write_text(DATA + more)
        made.append(distil(make_context(tmp_path, right_sum, [own_task(folder)], samples=3)).folder)
    assert made[0] is not None and made[0] == made[1] != made[2]
    with pytest.raises(TypeError, match="no stable hash"):
        stable_hash({"filter": test_functions_inside_a_task_s_filters_count_by_their_code})


def test_a_checkpoint_that_moved_with_its_cache_says_where_it_is(
    tmp_path: Path, cache: Path, sums: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    distil(make_context(tmp_path, right_sum, [sums], samples=3))
    elsewhere = cache.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("S2D_CACHE", str(elsewhere))
    found = distil(make_context(tmp_path, never, [sums], samples=3))
    assert found.record["checkpoint"] == str(found.folder)
    assert found.folder is not None and found.folder.is_relative_to(elsewhere)


def test_engine_arguments_that_change_texts_make_another_checkpoint(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    made = [
        distil(make_context(tmp_path, right_sum, [sums], samples=3, engine_args=arguments)).folder
        for arguments in ({}, {"batch_rows": 4}, {"quantization": "fp8"})
    ]
    assert made[0] == made[1] != made[2]
    small = ScriptedEngine(lambda request, adapter: right_sum(request), context_length=5000)
    other = make_context(tmp_path, right_sum, [sums], small, samples=3)
    assert distil(other).folder not in made


def test_functions_stand_for_what_they_do_whatever_they_are() -> None:
    def made(number: int) -> Any:
        return lambda text: text * number

    class Cut:
        def __init__(self, at: int) -> None:
            self.at = at

        def __call__(self, text: str) -> str:
            return text[: self.at]

    def itself(depth: int) -> int:
        return itself(depth - 1) if depth else 0

    for same, other in (
        (made(2), made(3)),
        (partial(made, 2), partial(made, 3)),
        (Cut(1), Cut(2)),
        (eval("lambda text: text + 'a'"), eval("lambda text: text + 'b'")),
    ):
        assert without_functions({"f": [same]}) != without_functions({"f": [other]})
    assert without_functions(made(2)) == without_functions(made(2))
    assert stable_hash(without_functions([itself, len, Cut, Cut(1), {1: date(2026, 1, 2)}, {"b", "a"}, b"x"]))
    assert without_functions({"a": {"b": 1.5}, "c": (None, True)}) == {"a": {"b": 1.5}, "c": [None, True]}
