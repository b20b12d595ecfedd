"""From teacher samples to a training job: who votes, what is dropped, what is trained on, what is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import (
    FEW_SHOT,
    FILTERS,
    distil,
    kept_jobs,
    make_context,
    never,
    own_task,
    right_sum,
    write_task,
)

from distill import pipeline
from distill.ledger import as_trained
from distill.pipeline import MIN_KEPT
from distill.teacher import sample
from distill.teacher.inputs import choose_inputs, overlap_item
from distill.teacher.sample import TeacherAsk, answer_in, sample_teachers
from distill.teacher.select import Example, FilterChoice, Sampled, keep, label_accuracy
from distill.training.prepare import training_job
from distill.training.settings import training_settings
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.scripted import ScriptedEngine
from harness.errors import RunError, UserError
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource
from harness.programs.base import get_method
from harness.session import Session
from harness.types import Completion, Item, Request, Response


def filtered(context: Session, ask: TeacherAsk, name: str = "majority") -> Sampled:
    return keep(context, sample_teachers(context, [ask], 0, "t"), [FilterChoice(name)], 0, "t")[0]


def record(context: Session) -> dict[str, Any]:
    return distil(context).record


def test_agreed_answers_become_targets_of_their_own_prompts(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    made = distil(make_context(tmp_path, right_sum, [sums], samples=3))
    assert made.folder is not None and made.folder.is_relative_to(cache)
    learnt = json.loads((made.folder / "scripted_adapter.json").read_text())
    rows = sums.rows("train")
    assert learnt == {sums.item(row).prompt: row["gold"] for row in rows}
    expected = {"status": "trained", "inputs": 30, "kept": 30, "dropped": {}, "samples_per_input": 3}
    assert {name: made.record[name] for name in expected} == expected
    assert made.record["pseudo_label_accuracy"] == 1.0
    assert made.record["teacher_method"] == "cot"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["5", "5", "6"], None),
        (["5", "none", "5"], None),
        (["5", "6", "7"], "no_majority"),
        (["5", "none", "none"], "no_majority"),
        (["none", "none", "none"], "all_failed"),
        (["5", "5", "6", "6"], "no_majority"),
        (["5", "5", "none", "none"], "no_majority"),
        (["5", "5", "5", "none"], None),
    ],
)
def test_only_more_than_half_of_all_samples_is_a_majority(
    tmp_path: Path, cache: Path, sums: TaskData, answers: list[str], reason: str | None
) -> None:
    def reply(request: Request) -> str:
        return f"It is {answers[request.sample_index]}"

    found = record(make_context(tmp_path, reply, [sums], samples=len(answers)))
    assert found["dropped"] == ({} if reason is None else {reason: 30})
    assert found["kept"] == (30 if reason is None else 0)


def test_a_sample_that_raised_or_did_not_fit_never_votes(
    tmp_path: Path, cache: Path, sums: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(tmp_path, right_sum, [sums], samples=3)
    usual = context.engine.generate

    def failing(batch: Sequence[Request]) -> list[Completion]:
        broken = Completion("It is 5", "error", 9, 0, error="no room")
        done = usual(batch)
        return [broken if r.sample_index else each for r, each in zip(batch, done, strict=True)]

    monkeypatch.setattr(context.engine, "generate", failing)
    found = record(context)
    assert (found["kept"], found["dropped"]) == (0, {"no_majority": 30})


@pytest.mark.parametrize(("all_samples", "drawn"), [(True, 2), (False, 1)])
def test_teacher_tokens_are_all_samples_that_were_drawn_kept_or_not(
    tmp_path: Path, cache: Path, sums: TaskData, all_samples: bool, drawn: int
) -> None:
    """One failure of two leaves no majority, so the second sample is drawn only where all are asked for."""
    context = make_context(
        tmp_path, lambda request: "it is none", [sums], samples=2, distill_inputs=9, all_samples=all_samples
    )
    found = record(context)
    assert found["teacher_tokens"] == 9 * drawn * 4
    assert (found["samples_drawn"], found["samples_planned"]) == (9 * drawn, 18)
    assert found["teacher_prompt_tokens"] > 0
    assert (found["train_tokens"], found["train_flops"], found["checkpoint"]) == (0, 0, None)


@pytest.mark.parametrize(("inputs", "status"), [(MIN_KEPT - 1, "not_distilled"), (MIN_KEPT, "trained")])
def test_too_few_kept_inputs_are_not_distilled(
    tmp_path: Path, cache: Path, sums: TaskData, inputs: int, status: str
) -> None:
    made = distil(make_context(tmp_path, right_sum, [sums], distill_inputs=inputs))
    assert (made.record["status"], made.record["kept"]) == (status, inputs)
    assert (made.folder is None) == (status == "not_distilled")


def test_what_is_held_out_shares_no_question_with_what_is_trained(
    tmp_path: Path, tiny_source: ModelSource
) -> None:
    [trivia] = load_tasks(["trivia_bias"], "embedded", [], {"seed": 0}, 4)
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    items = [trivia.item(row) for row in trivia.rows("train")[:12]]
    assert len({item.cluster_id for item in items}) < len(items)
    examples = [Example(item, "Paris", 1.0) for item in items]
    context = make_context(tmp_path, never, [trivia], engine)
    job = training_job(context, trivia, examples, tmp_path / "x", training_settings({}), 0)
    assert job.groups == [item.cluster_id for item in items]


def test_tokens_are_those_that_training_counted(
    tmp_path: Path, cache: Path, sums: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(engine: ScriptedEngine, lessons: dict[Path, Any]) -> bool:
        [folder] = lessons
        folder.mkdir(parents=True)
        (folder / "training.json").write_text(json.dumps({"tokens": 1234}))
        return True

    monkeypatch.setattr(ScriptedEngine, "learn", learn)
    context = make_context(tmp_path, right_sum, [sums], samples=3)
    made = distil(context)
    flops = 4 * 1234 * context.engine.model.parameters
    assert (made.record["train_tokens"], made.record["train_flops"]) == (1234, pytest.approx(flops))
    assert distil(make_context(tmp_path, never, [sums], samples=3)).record["train_tokens"] == 1234
    shared = [{"train_tokens": 3000, "train_flops": 3e6}, {"train_tokens": 1000, "train_flops": 1e6}]
    as_trained(shared, 400, apart=True)
    assert shared == [{"train_tokens": 300, "train_flops": 3e5}, {"train_tokens": 100, "train_flops": 1e5}]
    parts = [{"train_tokens": 500, "train_flops": 5e5}, {"train_tokens": 500, "train_flops": 5e5}]
    as_trained(parts, 400, apart=False)
    assert parts == [{"train_tokens": 400, "train_flops": 4e5}] * 2, "parts of judging are one training"


def test_training_settings_that_do_not_exist_or_are_no_numbers_are_named(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    for bad, named in (
        ({"speed": 9}, "--train-args speed"),
        ({"epochs": "many"}, "--train-args epochs=many"),
    ):
        with pytest.raises(UserError, match=named):
            distil(make_context(tmp_path, never, [sums], train_args=bad))
    assert training_settings({"epochs": 2}, {"epochs": 3})["epochs"] == 3


@pytest.mark.parametrize("more", [FILTERS, FILTERS + FEW_SHOT], ids=["plain", "with-history"])
def test_it_is_trained_on_the_ids_that_system_1_is_evaluated_with(
    tmp_path: Path, cache: Path, tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    sums = own_task(write_task(tmp_path / "tasks", more=more))
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    asked: list[Request] = []

    def generate(batch: Sequence[Request]) -> list[Completion]:
        asked.extend(batch)
        return [Completion(right_sum(each), "stop", len(each.prompt_ids), 3) for each in batch]

    monkeypatch.setattr(engine, "generate", generate)
    jobs = kept_jobs(monkeypatch)
    context = make_context(tmp_path, never, [sums], engine, tiny_source)
    made = distil(context)
    assert made.record["status"] == "trained"
    rows = sums.rows("train")
    evaluated = [
        context.job(sums, sums.item(row), get_method("direct"), 0, history=sums.history(row)) for row in rows
    ]
    context.scheduler.run(evaluated, "base")
    direct = {request.prompt_ids for request in asked if request.step == "direct"}
    assert sorted(map(list, direct)) == sorted(jobs[0].prompts)
    end = engine._tokenizer.eos_token_id
    for target in jobs[0].targets:
        assert target[-1] == end and end not in target[:-1]
    said = {engine._tokenizer.decode(target[:-1]) for target in jobs[0].targets}
    assert said == {row["gold"] for row in rows}
    assert engine.awake, "the engine wakes after training"


def test_every_method_has_the_turns_before_the_prompt_the_teacher_too(tmp_path: Path) -> None:
    sums = own_task(write_task(tmp_path / "tasks", more=FILTERS + FEW_SHOT))
    item = sums.item(sums.rows("test")[0])
    turns = sums.history(item.fields)
    asked: dict[str, set[bool]] = {}

    def reply(request: Request) -> str:
        # Examples are drawn for each item anew; the description and the order of turns are the task's.
        shown = [turn["role"] for turn in request.messages[: len(turns)]]
        same = request.messages[0] == turns[0] and shown == [turn["role"] for turn in turns]
        asked.setdefault(request.step, set()).add(same)
        return "Answer: 1"

    context = make_context(tmp_path, reply, [sums])
    for name in ("direct", "direct*2", "think", "cot", "rar_2step", "s2a", "rar_2step*2"):
        context.scheduler.run([context.job(sums, item, get_method(name), 0, history=turns)], name)
    with_turns = {True}
    without = {step: asked.pop(step) for step in ("rephrase", "rewrite", "1/rephrase", "2/rephrase")}
    assert turns and all(found == {False} for found in without.values())
    steps = ["direct", "1/direct", "2/direct", "think", "reason", "respond", "1/respond", "2/respond"]
    assert asked == dict.fromkeys(steps, with_turns)
    for method in ("direct", "direct*2", "cot"):
        asked.clear()
        draws = sample_teachers(context, [TeacherAsk(choose_inputs(sums, 2, [], False), method, 1)], 0, "t")
        assert draws and set().union(*asked.values()) == with_turns


def test_training_that_leaves_nothing_is_an_error_and_keeps_no_record(
    tmp_path: Path, cache: Path, sums: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(tmp_path, right_sum, [sums])
    monkeypatch.setattr(ScriptedEngine, "learn", lambda *_: False)
    monkeypatch.setattr(pipeline, "train_all", lambda jobs: None)
    with pytest.raises(RunError, match="training left no checkpoint"):
        distil(context)
    assert not list(cache.rglob("s2d.json"))


def test_inputs_that_overlap_the_test_are_left_out_and_counted(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_task(tmp_path / "tasks")
    data = (folder / "data.py").read_text()
    (folder / "data.py").write_text(data.replace("rows(100, 130)", "rows(9, 30)"))
    sums = own_task(folder)
    tests = [overlap_item(sums.item(row)) for row in sums.rows("test")]
    clean = choose_inputs(sums, 1000, tests, allow_overlap=False)
    assert (len(clean.units), clean.overlapping["exact"]) == (18, 3)
    prompts = {sums.item(row).prompt for row in sums.rows("test")}
    assert not prompts & {item.prompt for unit in clean.units for item in unit}
    allowed = choose_inputs(sums, 1000, tests, allow_overlap=True)
    assert (len(allowed.units), allowed.overlapping) == (21, clean.overlapping)
    context = make_context(tmp_path, right_sum, [sums])
    assert record(context)["overlap"]["exact"] == 3
    record(context)  # another variant or seed has the same rows
    left_out = (
        "overlap: sums: 3 training rows overlap test items (same prompt: 3) and were left out of training."
    )
    assert capsys.readouterr().err.splitlines().count(left_out) == 1
    record(make_context(tmp_path, right_sum, [sums], allow_overlap=True))
    assert (
        "(same prompt: 3) and were used for training, because of --allow-overlap." in capsys.readouterr().err
    )


def test_each_reply_of_a_teacher_is_read_once_over_all_waves(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[int] = Counter()
    held: list[Response] = []  # so that no id is used twice

    def counting(task: TaskData, item: Item, response: Response) -> str | None:
        held.append(response)
        read[id(response)] += 1
        return answer_in(task, item, response)

    monkeypatch.setattr(sample, "answer_in", counting)
    sums = own_task(write_task(tmp_path / "tasks"))
    entry = record(make_context(tmp_path, right_sum, [sums], samples=8))
    assert entry["samples_drawn"] > entry["inputs"], "there were several samples of an input"
    assert set(read.values()) == {1} and len(read) == entry["samples_drawn"]


def test_too_few_inputs_without_overlap_are_the_reason_why_nothing_is_distilled(
    tmp_path: Path, cache: Path
) -> None:
    folder = write_task(tmp_path / "tasks")
    data = (folder / "data.py").read_text()
    (folder / "data.py").write_text(data.replace("rows(100, 130)", "rows(0, 12)"))
    sums = own_task(folder)
    entry = record(make_context(tmp_path, never, [sums]))
    assert (entry["status"], entry["inputs"], entry["checkpoint"]) == ("not_distilled", 0, None)
    assert entry["reason"].startswith("0 training inputs are left of 12") and entry["overlap"]["exact"] == 12
    assert "--allow-overlap" in entry["reason"] and entry["warnings"] == []
    entry = record(make_context(tmp_path, right_sum, [sums], allow_overlap=True))
    assert (entry["status"], entry["inputs"], entry["kept"]) == ("trained", 12, 12)
    assert entry["allow_overlap"] and entry["overlap"]["exact"] == 12


def test_items_of_tasks_outside_the_run_are_kept_out_too(tmp_path: Path, cache: Path) -> None:
    other = load_tasks(["gsm8k"], "embedded", [], {}, None)[0]
    stolen = other.item(other.rows("test")[0]).prompt
    folder = write_task(tmp_path / "tasks")
    data, config = (folder / "data.py").read_text(), (folder / "sums.yaml").read_text()
    (folder / "data.py").write_text(
        data.replace('f"What is {n} plus 1?"', f"{stolen!r} if n == 100 else f'What is {{n}} plus 1?'")
    )
    (folder / "sums.yaml").write_text(config.replace(" Reply with a number.", ""))
    entry = record(make_context(tmp_path, right_sum, [own_task(folder)]))
    assert (entry["inputs"], entry["overlap"]["exact"]) == (29, 1)
    assert entry["overlap_unchecked"] == []


def test_tasks_whose_test_items_cannot_be_had_are_named(
    tmp_path: Path, cache: Path, sums: TaskData, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    entry = record(make_context(tmp_path, right_sum, [sums], data=str(tmp_path / "data")))
    assert entry["overlap_unchecked"] == ["coin_flip", "gsm8k", "judge", "last_letter", "trivia_bias"]
    assert "the test items of gsm8k could not be loaded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "kept", "reason"),
    [("[[C]]", 6, None), ("[[A]]", 0, "order_inconsistent"), ("?", 0, "all_failed")],
)
def test_both_orders_of_a_pair_must_name_the_same_winner(
    tmp_path: Path, verdict: str, kept: int, reason: str | None
) -> None:
    judge = load_tasks(["judge"], "embedded", [], {}, 5)[0]
    context = make_context(tmp_path, lambda request: verdict, [judge], samples=3)
    inputs = choose_inputs(judge, 6, [], allow_overlap=True)
    assert all(len({item.cluster_id for item in unit}) == 1 and len(unit) == 2 for unit in inputs.units)
    sampled = filtered(context, TeacherAsk(inputs, "direct", 3), "swap")
    assert len(sampled.examples) == 2 * kept
    assert sampled.dropped == ({} if reason is None else {reason: 6})


def test_label_accuracy_is_the_task_s_own_metric_on_what_was_kept(tmp_path: Path, sums: TaskData) -> None:
    def mostly(request: Request) -> str:
        return right_sum(request) if request.item_id < "8" else "It is 0"

    context = make_context(tmp_path, mostly, [sums], samples=1)
    examples = filtered(context, TeacherAsk(choose_inputs(sums, 1000, [], True), "cot", 1)).examples
    right = [example.answer == example.item.fields["gold"] for example in examples]
    assert 0 < sum(right) < 30
    assert label_accuracy(sums, examples) == pytest.approx(sum(right) / 30)
