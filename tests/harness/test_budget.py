"""A budget of reasoning: cut at N tokens, closed, and answered from there, with every id counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import make_context, own_task, rows_with, write_task

from harness.command.run import run
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.scripted import ScriptedEngine
from harness.errors import UserError
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.programs.budget import answer_opening, budget_of
from harness.thought_marks import open_in
from harness.types import Request
from harness.variants import parse_variants
from tasks import thoughts

LONG = " ".join(f"word{number}" for number in range(40))


@pytest.fixture(scope="module")
def gsm8k() -> TaskData:
    return load_tasks(["gsm8k"], "embedded", [], {}, 6)[0]


def rows_of(
    tmp_path: Path, task: TaskData, reply: Callable[[Request], str], method: str, **engine: Any
) -> tuple[list[dict[str, Any]], list[Request]]:
    asked: list[Request] = []

    def script(request: Request, adapter: Any) -> str:
        asked.append(request)
        return reply(request)

    made = ScriptedEngine(script, **engine)
    context = make_context(tmp_path, reply, [task], made)
    return [dict(row) for row in rows_with(context, method)], asked


def test_a_budget_that_suffices_is_one_call_as_without_it(tmp_path: Path, gsm8k: TaskData) -> None:
    def reply(request: Request) -> str:
        return "Two and two. Answer: 4"

    with_budget, asked = rows_of(tmp_path, gsm8k, reply, "cot/20")
    without, _ = rows_of(tmp_path, gsm8k, reply, "cot")
    assert {request.step for request in asked} == {"reason"}
    assert [row["response"] for row in with_budget] == [row["response"] for row in without]
    assert [row["usage"] for row in with_budget] == [row["usage"] for row in without]


def test_a_budget_that_is_used_up_gives_an_answer_and_counts_every_id_once(
    tmp_path: Path, gsm8k: TaskData
) -> None:
    rows, asked = rows_of(tmp_path, gsm8k, lambda each: "42" if each.step == "answer" else LONG, "cot/10")
    first = {each.item_id: each for each in asked if each.step == "reason"}
    second = {each.item_id: each for each in asked if each.step == "answer"}
    engine = ScriptedEngine(lambda request, adapter: "")
    thought = engine.text_ids(" ".join(LONG.split()[:10]))
    for row in rows:
        before, after = first[row["item_id"]], second[row["item_id"]]
        assert before.sampling.max_tokens == 10
        assert after.prompt_ids == (*before.prompt_ids, *thought, *engine.text_ids("Answer:"))
        assert row["answer"] == "42" and row["failure"] is None and not row["truncated"]
        assert row["response"] == f"{' '.join(LONG.split()[:10])}\nAnswer:42"
        reason, answer = row["steps"]
        assert (reason["finish_reason"], answer["finish_reason"]) == ("budget", "stop")
        assert answer["prompt_tokens"] == 1, "what closes the thought came on top, all else is counted"
        assert row["usage"] == {
            "calls": 2,
            "prompt_tokens": len(before.prompt_ids) + 1,
            "cached_tokens": 0,
            "generated_tokens": 10 + 2,
        }


def test_an_open_thought_is_closed_with_its_own_mark(tmp_path: Path, gsm8k: TaskData) -> None:
    def reply(request: Request) -> str:
        return "42" if request.step == "answer" else f"<think> {LONG}"

    rows, asked = rows_of(tmp_path, gsm8k, reply, "think/10")
    engine = ScriptedEngine(lambda request, adapter: "")
    closing = engine.text_ids("</think> Answer:")
    answers = [each for each in asked if each.step == "answer"]
    assert answers and all(each.prompt_ids[-len(closing) :] == closing for each in answers)
    assert {(row["response"].strip(), row["answer"], row["truncated"]) for row in rows} == {
        ("Answer:42", "42", False)
    }


def test_a_thought_that_was_closed_in_time_goes_on_as_it_is(tmp_path: Path, gsm8k: TaskData) -> None:
    def reply(request: Request) -> str:
        return " 42" if request.step == "answer" else f"<think> so </think> The Answer: {LONG}"

    rows, asked = rows_of(tmp_path, gsm8k, reply, "think/5")
    second = next(each for each in asked if each.step == "answer")
    first = next(each for each in asked if each.step == "think" and each.item_id == second.item_id)
    assert len(second.prompt_ids) == len(first.prompt_ids) + 5
    assert {row["response"] for row in rows} == {"The Answer: 42"}


def test_a_context_that_ends_before_the_budget_is_a_cut(tmp_path: Path, gsm8k: TaskData) -> None:
    rows, _ = rows_of(tmp_path, gsm8k, lambda request: " ".join(["no"] * 900), "cot/800", context_length=300)
    assert {row["failure"] for row in rows} == {"truncated"}
    assert {row["steps"][0]["finish_reason"] for row in rows} == {"length"}


def test_a_vote_over_samples_under_a_budget(tmp_path: Path, gsm8k: TaskData) -> None:
    rows, asked = rows_of(
        tmp_path, gsm8k, lambda each: "7" if each.step.endswith("answer") else LONG, "cot/10*3"
    )
    assert {each.step for each in asked} == {
        f"{n}/{kind}" for n in (1, 2, 3) for kind in ("reason", "answer")
    }
    assert {row["answer"] for row in rows} == {"7"} and {row["usage"]["calls"] for row in rows} == {6}
    by_step = {each.step: each for each in asked if each.item_id == rows[0]["item_id"]}
    for sample in "123":
        begun = by_step[f"{sample}/reason"].prompt_ids
        assert by_step[f"{sample}/answer"].prompt_ids[: len(begun)] == begun


def test_ids_go_on_where_a_real_engine_stopped(
    tmp_path: Path, tiny_source: ModelSource, gsm8k: TaskData
) -> None:
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    asked: list[Request] = []
    usual = engine.generate

    def generate(batch: list[Request]) -> Any:
        asked.extend(batch)
        return usual(batch)

    engine.generate = generate  # type: ignore[method-assign, assignment]
    context = make_context(tmp_path, lambda request: "", [gsm8k], engine, tiny_source)
    found = rows_with(context, "cot/6")
    second = [each for each in asked if each.step == "answer"]
    assert second, "an untrained model does not stop in six tokens"
    closing = tuple(engine._tokenizer("\nAnswer:", add_special_tokens=False)["input_ids"])
    for each in second:
        before = next(one for one in asked if one.step == "reason" and one.item_id == each.item_id)
        assert each.prompt_ids[: len(before.prompt_ids)] == before.prompt_ids
        assert len(each.prompt_ids) == len(before.prompt_ids) + 6 + len(closing)
        assert each.prompt_ids[-len(closing) :] == closing
    spent = [row for row in found if len(row["steps"]) == 2]
    assert {row["steps"][1]["prompt_tokens"] for row in spent} == {len(closing)}


def test_budgets_are_of_methods_that_reason_in_one_call() -> None:
    assert budget_of(get_method("cot/64")) == budget_of(get_method("cot/64*3")) == 64
    assert budget_of(get_method("cot")) is None
    assert get_method("think/8").thinking and get_method("cot/8").steps == ("reason", "answer")
    for name, reason in (
        ("rar_2step/64", "in one call"),
        ("direct/64", "in one call"),
        ("cot/0", "no token to reason"),
        ("magic/64", "'magic'"),
    ):
        with pytest.raises(UserError, match=reason):
            get_method(name)
    [named] = parse_variants("mine=./folder:cot/64")
    assert (named.location, named.method) == ("./folder", "cot/64")
    assert [each.name for each in parse_variants("s2:cot/64,s2:think/512")] == ["s2-cot-64", "s2-think-512"]
    taught = parse_variants("base,s2:cot,s2:cot/16,s2:cot/32,distilled")[-1]
    assert taught.teacher == "cot", "a System 2 under a budget teaches only where it is named"
    assert parse_variants("base,s2:cot/16,distilled")[-1].teacher == "cot/16"


@pytest.mark.parametrize("name", ["last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k"])
def test_the_answer_begins_as_its_form_says_and_gives_no_answer_away(name: str) -> None:
    [task] = load_tasks([name], "embedded", [], {}, 2)
    item = task.scored_items()[0]
    opening = answer_opening(item)
    assert opening == ("[[" if name == "judge" else "Answer:")
    assert task.spec.answer_of(opening, item.fields) is None


@pytest.mark.parametrize(
    ("form", "opening"),
    [
        ("one number", "The answer is"),
        ("", "The answer is"),
        ('"The final answer is X.", where X is the answer', "The final answer is"),
        ('"\\boxed{X}", where X is the answer', "\\boxed{"),
        ('"true" or "trust"', "The answer is"),
    ],
)
def test_forms_of_other_tasks(gsm8k: TaskData, form: str, opening: str) -> None:
    assert answer_opening(replace(gsm8k.scored_items()[0], answer_form=form)) == opening


def test_an_engine_without_prompt_ids_says_so_before_anything_is_asked(tmp_path: Path) -> None:
    options = RunOptions(
        models="base,s2:cot/64",
        engine="openai",
        base_url="http://127.0.0.1:9/v1",
        pretrained="model",
        tasks=("sums",),
        include_path=(str(write_task(tmp_path / "tasks")),),
        data="embedded",
    )
    with pytest.raises(UserError, match=r"s2-cot-64: --engine openai does not take ids; .* hf or vllm"):
        run(options)
    assert own_task(tmp_path / "tasks").name == "sums"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("<think> so", ("<think>", "</think>")),
        ("<think> so </think> 4", None),
        ("no mark", None),
        ("<think> a </think> <think> b", ("<think>", "</think>")),
        ("[[ own", ("[[", "]]")),
    ],
)
def test_the_thought_that_a_text_ends_in(text: str, pair: thoughts.Pair | None) -> None:
    assert open_in(text, ("[[", "]]")) == pair
