"""Which teacher answers become examples: the binomial arithmetic of a vote, each filter, each control."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import Reply, make_context, own_task, right_sum, write_task

from distill.checkpoint import Distilled
from distill.pipeline import find_or_make
from distill.teacher.inputs import choose_inputs, with_other_forms
from distill.teacher.plan import teacher_inputs, teacher_samples
from distill.teacher.sample import TeacherAsk, sample_teachers
from distill.teacher.select import FilterChoice, Sampled, choose_filter, keep, parse_filter
from harness.errors import UserError
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.options import RunOptions
from harness.session import Session
from harness.types import Request, stable_hash
from harness.variants import Variant, parse_variants
from tasks import registry

INPUTS = 400


def sampled(context: Session, method: str, samples: int, chosen: FilterChoice) -> Sampled:
    inputs = choose_inputs(context.tasks[0], INPUTS, [], allow_overlap=True)
    if chosen.name == "perturbation":
        inputs = with_other_forms(inputs)
    draws = sample_teachers(context, [TeacherAsk(inputs, method, samples)], 0, "teacher")
    return keep(context, draws, [chosen], 0, "teacher")[0]


def distilled(context: Session, name: str) -> dict[str, Distilled]:
    [variant] = parse_variants(name)
    return find_or_make(context, variant, 0)


@pytest.fixture
def sums(tmp_path: Path) -> TaskData:
    return own_task(write_task(tmp_path / "tasks"))


@pytest.mark.parametrize(("right", "wrong_answers"), [(0.7, 1), (0.5, 50), (0.35, 50)])
def test_kept_share_and_label_accuracy_are_those_of_the_binomial(
    tmp_path: Path, right: float, wrong_answers: int
) -> None:
    """A teacher that is right with probability p, independently per sample: the majority of k is right with
    P(Bin(k, p) > k/2); with one wrong answer to choose from, wrong majorities pass as well."""
    task = load_tasks(["last_letter"], "embedded", [], {}, None)[0]
    samples = 5

    def teacher(request: Request) -> str:
        if request.step == "rephrase":
            return "What are the last letters?"
        draw = random.Random(stable_hash([request.item_id, request.sample_index]))
        target = targets[request.item_id]
        return (
            f"Answer: {target}"
            if draw.random() < right
            else f"Answer: {'q' * draw.randint(9, 8 + wrong_answers)}"
        )

    targets = {task.item(row).item_id: row["target"] for row in task.rows("train")}
    context = make_context(tmp_path, teacher, [task])
    found = sampled(context, "rar_2step", samples, FilterChoice("majority"))
    inputs = found.inputs
    assert inputs == INPUTS
    most = range(samples // 2 + 1, samples + 1)

    def passes(p: float) -> float:
        return sum(math.comb(samples, k) * p**k * (1 - p) ** (samples - k) for k in most)

    wrong = wrong_answers * passes((1 - right) / wrong_answers)
    kept = passes(right) + wrong
    noise = 4 * math.sqrt(kept * (1 - kept) / inputs)
    assert len(found.examples) / inputs == pytest.approx(kept, abs=noise + 1e-9)
    correct = sum(example.answer == targets[example.item.item_id] for example in found.examples)
    accuracy = passes(right) / kept
    error = 4 * math.sqrt(accuracy * (1 - accuracy) / len(found.examples))
    assert correct / len(found.examples) == pytest.approx(accuracy, abs=error + 1e-9)
    assert sum(found.dropped.values()) == inputs - len(found.examples)


def test_every_prompt_is_on_record_kept_or_not(tmp_path: Path, sums: TaskData) -> None:
    def teacher(request: Request) -> str:
        return right_sum(request) if request.item_id < "8" or request.sample_index else "none"

    found = sampled(make_context(tmp_path, teacher, [sums]), "cot", 2, FilterChoice("majority"))
    assert len(found.drawn) == 30
    for each in found.drawn:
        assert len(each.texts) == len(each.answers) == 2
        assert (each.answer is None) == (each.reason is not None)
        assert each.answers[0] is None or each.item.item_id < "8"
    kept = [each for each in found.drawn if each.reason is None]
    assert 0 < len(kept) == len(found.examples) == 30 - found.dropped["no_majority"]
    assert {each.margin for each in kept} == {1.0}


def test_a_higher_share_keeps_less(tmp_path: Path, sums: TaskData) -> None:
    def teacher(request: Request) -> str:
        return "It is 7" if request.sample_index == 2 else right_sum(request)

    context = make_context(tmp_path, teacher, [sums])
    assert len(sampled(context, "cot", 3, FilterChoice("majority", 0.66)).examples) == 30
    assert sampled(context, "cot", 3, FilterChoice("majority", 0.67)).dropped == {"no_majority": 30}


def chooses(pick: str) -> Reply:
    """Two texts that say another number each; asked which is most consistent, it says `pick`."""

    def reply(request: Request) -> str:
        return pick if request.step == "usc" else f"It is {request.sample_index + 4}"

    return reply


@pytest.mark.parametrize(
    ("pick", "answer", "reason"),
    [("Candidate: 2", "5", None), ("Candidate: 3", "6", None), ("Candidate: 9", None, "usc_no_choice")],
)
def test_universal_self_consistency_takes_the_text_that_the_model_picks(
    tmp_path: Path, sums: TaskData, pick: str, answer: str | None, reason: str | None
) -> None:
    context = make_context(tmp_path, chooses(pick), [sums])
    found = sampled(context, "cot", 3, FilterChoice("usc"))
    assert {each.answer for each in found.drawn} == {answer}
    assert {each.reason for each in found.drawn} == {reason}
    calls = 30 * 3 * 4 + 30 * (len(pick.split()) + 1)
    assert found.generated_tokens == calls, "the choosing calls are the teacher's too"


def test_one_candidate_needs_no_call_and_none_is_all_failed(tmp_path: Path, sums: TaskData) -> None:
    def teacher(request: Request) -> str:
        assert request.step != "usc", "nothing to choose from"
        return "It is 5" if request.item_id < "8" and request.sample_index == 1 else "none"

    found = sampled(make_context(tmp_path, teacher, [sums]), "cot", 3, FilterChoice("usc"))
    assert {each.answer for each in found.drawn} == {"5", None}
    assert set(found.dropped) == {"all_failed"}


def coin_says(answer: dict[bool, str]) -> Reply:
    """Another answer to the question as it stands (True) than to its other form."""

    def reply(request: Request) -> str:
        return f"Answer: {answer[not request.item_id.endswith('-other')]}"

    return reply


@pytest.mark.parametrize(
    ("as_is", "other", "kept"), [("yes", "yes", True), ("yes", "no", False), ("yes", "perhaps", False)]
)
def test_a_question_and_its_other_form_must_agree(tmp_path: Path, as_is: str, other: str, kept: bool) -> None:
    coin = load_tasks(["coin_flip"], "embedded", [], {"difficulty": 3}, None)[0]
    context = make_context(tmp_path, coin_says({True: as_is, False: other}), [coin])
    found = sampled(context, "rar_2step", 1, FilterChoice("perturbation"))
    forms = {each.item.item_id: each for each in found.drawn}
    pairs = [(forms[name], forms[f"{name}-other"]) for name in forms if f"{name}-other" in forms]
    assert len(pairs) > INPUTS / 2
    for first, second in pairs:
        assert first.item.question != second.item.question
        assert sorted(first.item.question.split()) == sorted(second.item.question.split())
        assert first.item.prompt.replace(first.item.question, second.item.question) == second.item.prompt
        assert (first.answer, second.answer) == (as_is if kept else None, None)
    assert len(found.examples) == (len(pairs) if kept else 0)
    assert found.dropped == (
        {} if kept else {"perturbation_inconsistent" if other == "no" else "all_failed": len(pairs)}
    )


def test_filters_that_do_not_exist_or_fit_are_named(sums: TaskData) -> None:
    for bad in ("best", "majority:1", "majority:many", "none", "swap", ""):
        with pytest.raises(UserError, match=f"--filter {bad}"):
            parse_filter(bad)
    with pytest.raises(UserError, match="perturbation: task sums has no other form"):
        choose_filter(sums, "perturbation", None)
    judge = load_tasks(["judge"], "embedded", [], {}, 1)[0]
    assert choose_filter(judge, "usc:0.25", None) == FilterChoice("swap", 0.25)
    assert choose_filter(sums, None, "paper") == FilterChoice("majority")


def test_the_control_is_taught_by_system_1_itself(tmp_path: Path, cache: Path, sums: TaskData) -> None:
    steps: set[str] = set()

    def teacher(request: Request) -> str:
        steps.add(request.step)
        return right_sum(request)

    made = distilled(make_context(tmp_path, teacher, [sums], samples=3), "distilled-s1")["sums"]
    assert steps == {"direct"}
    assert (made.record["teacher_method"], made.record["variant"]) == ("direct", "distilled-s1")
    assert made.record["already_given"] is None


def test_without_a_filter_every_input_keeps_its_first_answer(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    def teacher(request: Request) -> str:
        return "none" if request.item_id < "2" else f"It is {request.sample_index}"

    context = make_context(tmp_path, teacher, [sums], samples=3)
    assert distilled(context, "distilled")["sums"].record["kept"] == 0
    made = distilled(context, "distilled-nofilter")["sums"]
    failed = sum(sums.item(row).item_id < "2" for row in sums.rows("train"))
    assert made.record["samples_per_input"] == 1
    assert (made.record["kept"], made.record["dropped"]) == (
        30 - failed,
        {"all_failed": failed} if failed else {},
    )
    assert made.folder is not None
    learnt = json.loads((made.folder / "scripted_adapter.json").read_text())
    assert set(learnt.values()) == {"0"}


def test_one_adapter_of_all_tasks_takes_each_example_once(tmp_path: Path, cache: Path) -> None:
    first = own_task(write_task(tmp_path / "one"))
    second = load_tasks(["coin_flip"], "embedded", [], {}, None)[0]

    def teacher(request: Request) -> str:
        return right_sum(request) if "plus 1" in request.messages[-1]["content"] else "Answer: yes"

    context = make_context(tmp_path, teacher, [first, second], samples=1, distill_inputs=20)
    made = distilled(context, "distilled-all")
    assert made["sums"].folder == made["coin_flip"].folder is not None
    learnt = json.loads((made["sums"].folder / "scripted_adapter.json").read_text())  # type: ignore[operator]
    assert len(learnt) == 40
    assert [made[name].record["kept"] for name in ("sums", "coin_flip")] == [20, 20]
    assert [made[name].record["task"] for name in ("sums", "coin_flip")] == ["sums", "coin_flip"]
    again = distilled(context, "distilled-all")
    assert {name: each.record for name, each in again.items()} == {n: e.record for n, e in made.items()}


def test_the_paper_s_setup_is_in_every_task() -> None:
    expected = {
        "last_letter": (200, 8),
        "coin_flip": (20_000, 8),
        "trivia_bias": (6_668, 20),
        "gsm8k": (7_461, 10),
    }
    options = RunOptions(preset="paper")
    for name, (inputs, samples) in expected.items():
        task = load_tasks([name], "embedded", [], {}, 1)[0]
        variant = Variant("distilled", "distilled")
        assert (teacher_inputs(options, task), teacher_samples(options, task, variant)) == (inputs, samples)
        assert teacher_samples(RunOptions(preset="paper", samples=2), task, variant) == 2
        assert choose_filter(task, None, "paper").name == ("usc" if name == "trivia_bias" else "majority")
        assert choose_filter(task, None, None).name == "majority"
    paper: Any = registry.spec("judge_oasst1").paper
    assert (paper.inputs, paper.steps, paper.tokens_per_step) == (19_672, 600, 131_000)
