"""`--method-args`: options of methods reach the prompts, and what cannot be set is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from program_fixtures import ITEM
from test_end_to_end import command, manifest_of, rows_of

from harness.errors import UserError
from harness.method_args import (
    check_method_args,
    check_start,
    check_used,
    is_typed,
    options_of,
    with_method_args,
)
from harness.programs.base import get_method, methods
from tasks import registry


def test_every_method_tells_its_options() -> None:
    found = {method.name: options_of(method) for method in methods()}
    assert found["cot"] == {"wording": "default", "reason": None}
    assert found["rar_2step"].keys() == {"wording", "rephrase", "respond", "show_original"}
    assert found["direct"] == found["self_consistency"] == {}
    assert [name for name, default in found["cot_fewshot"].items() if not is_typed(default)] == ["examples"]
    assert not {"vote", "turns", "curtail", "budget", "k"} & {
        name for each in found.values() for name in each
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"wording": "paper"}, "--method-args wording: write METHOD.OPTION=VALUE"),
        ({"cott.wording": "paper"}, "did you mean 'cot'"),
        ({"cot*5.wording": "paper"}, "write cot.wording, which counts for cot*5 too"),
        ({"cot/64.wording": "paper"}, "write cot.wording, which counts for cot/64 too"),
        (
            {"cot.wordings": "paper"},
            "--method-args cot: wordings: not known: did you mean wording? there are wording, reason",
        ),
        ({"direct.wording": "paper"}, "method direct has no options"),
        ({"cot.reason": 5}, "--method-args cot.reason=5: give a text"),
        ({"bsm.max_criteria": True}, "--method-args bsm.max_criteria=True: give a whole number"),
        ({"rar_2step.show_original": "no"}, "show_original=no: give true or false"),
        ({"cot_fewshot.examples": "a"}, "it is not one value: give it in the task's method_options"),
    ],
)
def test_what_cannot_be_set_is_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as caught:
        check_method_args(given)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_options_go_over_those_of_the_task() -> None:
    spec = registry.spec("last_letter")
    assert with_method_args(spec, {}) is spec
    given = {"cot.reason": "{question} Think. {finish}", "rar_2step_paper.show_original": True}
    check_method_args(given)
    found = with_method_args(spec, given).method_options
    assert found["cot"] == {"reason": "{question} Think. {finish}"}
    assert found["rar_2step_paper"] == {**spec.method_options["rar_2step_paper"], "show_original": True}
    check_used(given, {"cot", "rar_2step_paper"})
    with pytest.raises(UserError, match="no variant of this run uses rar_2step_paper; it uses cot, direct"):
        check_used(given, {"direct", "cot"})


@pytest.mark.parametrize("name", ["cot", "cot*3", "cot/64"])
def test_a_wording_that_the_method_lacks_is_found_before_the_run(name: str) -> None:
    spec = registry.spec("gsm8k")
    check_start(with_method_args(spec, {"cot.wording": "paper"}), get_method(name), ITEM)
    for given, says in (
        ({"cot.wording": "odd"}, "cot has no wording 'odd': use default, paper, tiny"),
        ({"cot.reason": "{quest}"}, "cannot be filled"),
    ):
        with pytest.raises(UserError, match=says):
            check_start(with_method_args(spec, given), get_method(name), ITEM)


def test_the_options_of_a_run_reach_its_prompts_and_stay_with_it(tmp_path: Path) -> None:
    words = ["--models", "base,s2:cot,s2:cot*2", "--tasks", "coin_flip", "--limit", "3"]
    done = command(tmp_path, *words, "--method-args", "cot.reason={question} Think aloud.")
    assert done.returncode == 0, done.stderr
    for variant in ("s2-cot", "s2-cot*2"):
        row = rows_of(tmp_path / "run", variant, "coin_flip")[0]
        assert all(step["messages"][-1]["content"].endswith("Think aloud.") for step in row["steps"])
    assert manifest_of(tmp_path / "run")["options"]["method_args"] == {
        "cot.reason": "{question} Think aloud."
    }
    other = command(tmp_path, *words, "--method-args", "cot.wording=paper")
    assert other.returncode == 2 and "--method-args {'cot.reason'" in other.stderr
    unused = command(tmp_path, *words, "--output", "other", "--method-args", "bsm.max_criteria=3")
    assert unused.returncode == 2 and "no variant of this run uses bsm" in unused.stderr
