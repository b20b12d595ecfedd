"""Token limits: the option, the task, what real models need, and what the embedded model keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import make_context, own_task, right_sum, write_task

from harness.command.run import run
from harness.embedded import LIMITS, METHODS, embedded_spec
from harness.errors import UserError
from harness.limits import DEFAULTS, check_steps, token_limit
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.programs.base import Method, get_method
from harness.types import Ask, Completion, Item, Request, user
from tasks import registry

COIN = registry.spec("coin_flip")


@pytest.mark.parametrize("task", registry.MODULES)
def test_real_models_get_the_tokens_that_they_need(task: str) -> None:
    limits = {kind: token_limit(registry.spec(task), kind, {}) for kind in (*DEFAULTS, "debate")}
    assert (limits["reason"], limits["think"]) == (1024, 8192)
    assert {limits[kind] for kind in ("respond", "rephrase", "rewrite", "solve", "merge")} == {512}
    assert limits["direct"] == 256
    assert limits["debate"] == limits["reason"], "a step that a user's method invents"


def test_the_option_sets_every_limit_up_as_well_as_down_and_one_step_s_stands_above_it() -> None:
    kinds = ("direct", "reason", "think", "debate")
    for number in (7, 5000):
        assert {token_limit(COIN, kind, {"max_tokens": number}) for kind in kinds} == {number}
    asked = {"max_tokens": 100, "max_tokens.reason": 3000}
    assert [token_limit(COIN, kind, asked) for kind in ("direct", "reason", "think")] == [100, 3000, 100]
    assert token_limit(COIN, "direct", {"max_tokens.reason": 3000}) == 256


def test_a_task_s_own_limit_stands_above_the_default(tmp_path: Path) -> None:
    spec = own_task(write_task(tmp_path / "tasks")).spec
    assert token_limit(spec, "direct", {}) == 20
    assert token_limit(spec, "direct", {"max_tokens": 400}) == 400
    long = replace(spec, max_tokens={"direct": 2048})
    assert [token_limit(long, kind, {}) for kind in ("direct", "reason", "think")] == [2048, 2048, 8192]


@pytest.mark.parametrize("task", registry.MODULES)
def test_the_embedded_model_keeps_what_it_was_trained_on(task: str) -> None:
    spec = embedded_spec(registry.spec(task))
    family = "judge" if task.startswith("judge") else task
    assert spec.s2_method == METHODS[family]
    kinds = ("direct", "respond", "rephrase", "rewrite", "reason", "branch", "solve", "merge", "think")
    got = {kind: token_limit(spec, kind, {}) for kind in kinds}
    short = {"direct": 64, "reason": 256, "think": 1024}
    judged = {"direct": 16, "solve": 64, "merge": 64} if family == "judge" else {}
    assert got == dict.fromkeys(kinds, 128) | short | judged
    assert LIMITS[family]["direct"] == got["direct"]


def test_only_the_embedded_model_on_a_real_engine_keeps_them(tmp_path: Path) -> None:
    from harness.lm.chosen import loaded_tasks

    def limit(**options: Any) -> int:
        [task] = loaded_tasks(RunOptions(tasks=("coin_flip",), limit=2, **options))
        return token_limit(task.spec, "reason", {})

    assert limit() == 256
    assert limit(pretrained="smollm2") == 1024
    assert limit(engine="scripted") == 1024


@pytest.fixture
def sums(tmp_path: Path) -> TaskData:
    return own_task(write_task(tmp_path / "tasks"))


def asked_limits(tmp_path: Path, sums: TaskData, method: Method, **sampling: Any) -> dict[str, int]:
    found: dict[str, int] = {}

    def reply(request: Request) -> str:
        found[request.step] = request.sampling.max_tokens
        return right_sum(request)

    context = make_context(tmp_path, reply, [sums], sampling=sampling)
    item = sums.item(sums.rows("test")[0])
    context.scheduler.run([context.job(sums, item, method, 0)], "t")
    return found


def test_calls_are_made_with_these_limits(tmp_path: Path, sums: TaskData) -> None:
    cot = get_method("cot")
    assert asked_limits(tmp_path, sums, cot) == {"reason": 1024}
    assert asked_limits(tmp_path, sums, cot, max_tokens=2000) == {"reason": 2000}
    assert asked_limits(tmp_path, sums, get_method("cot*2"), **{"max_tokens.reason": 9}) == {
        "1/reason": 9,
        "2/reason": 9,
    }
    assert asked_limits(tmp_path, sums, get_method("rar_2step"), **{"max_tokens.respond": 11}) == {
        "rephrase": 512,
        "respond": 11,
    }


def test_a_method_s_own_limit_still_counts(tmp_path: Path, sums: TaskData) -> None:
    def short(item: Item) -> Any:
        reply: Completion = yield Ask("verdict", [user(item.prompt)], max_tokens=7)
        return reply.text

    method = Method("short", "", ("verdict",), short)
    assert asked_limits(tmp_path, sums, method) == {"verdict": 7}
    assert asked_limits(tmp_path, sums, method, max_tokens=2000) == {"verdict": 7}


def test_a_step_that_no_method_has_is_one_line(tmp_path: Path) -> None:
    check_steps({"max_tokens.reason": 9, "temperature": 1}, {"direct", "reason"})
    with pytest.raises(UserError, match=r"no method of this run has a step 'reasn'; .* direct, reason"):
        check_steps({"max_tokens.reasn": 9}, {"direct", "reason"})
    options = RunOptions(
        models="base,s2:cot", tasks=("coin_flip",), limit=2, sampling={"max_tokens.rewrite": 9},
        output=str(tmp_path / "run"),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"--sampling max_tokens\.rewrite=9: .* direct, reason"):
        run(options, "")
    assert not (tmp_path / "run").exists()
