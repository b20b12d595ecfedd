"""Reasoning that is removed in stages: what each stage teaches, in which order, at how many tokens."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from run_fixtures import make_context, never

from distill.pipeline import find_or_make
from distill.teacher.replies import reasoning_of
from distill.training.job import TrainingJob
from distill.training.settings import training_settings
from distill.training.stages import remaining, staged, staged_examples
from distill.training.trainer import BatchOrder
from harness.errors import RunError, UserError
from harness.lm.task import TaskData
from harness.types import Request
from harness.variants import parse_variants

ANSWER = [7, 0]


def job(count: int = 20, **settings: object) -> TrainingJob:
    used = training_settings({"batch": 4, "epochs": 6, **settings})
    prompts = [[1] * (10 + place % 3) for place in range(count)]
    groups = [str(place) for place in range(count)]
    return TrainingJob("t", "m", "float32", "o", prompts, [ANSWER] * count, 0, settings=used, groups=groups)


def tokens(made: TrainingJob) -> int:
    return sum(map(len, [*made.prompts, *made.targets]))


REASONING = [list(range(100, 112 + place % 5)) for place in range(20)]


def test_stage_after_stage_less_of_the_reasoning_is_left_until_none_is() -> None:
    ids = list(range(10))
    left = [remaining(ids, stage, 4) for stage in range(5)]
    assert [len(each) for each in left] == [10, 8, 5, 3, 0]
    assert all(each == ids[10 - len(each) :] for each in left), "the beginning is dropped first"
    made = staged(job(), REASONING)
    assert made.stages == sorted(made.stages) and set(made.stages) == {0, 1, 2, 3, 4}
    for target, stage in zip(made.targets, made.stages, strict=True):
        assert target[-2:] == ANSWER and (target == ANSWER) == (stage == 4)
        assert target[:-2] == sorted(target[:-2]), "what is left is the end of the reasoning"


def test_it_trains_on_as_many_tokens_as_plain_distillation() -> None:
    plain = job()
    made = staged(plain, REASONING)
    assert tokens(made) == pytest.approx(6 * tokens(plain), abs=5 * 30)
    last = [place for place, stage in enumerate(made.stages) if stage == 4]
    answers = sum(len(made.prompts[place]) + len(made.targets[place]) for place in last)
    assert answers == pytest.approx(tokens(made) / 2, abs=30), "the answer alone has half of them"
    assert (made.settings["epochs"], made.settings["max_steps"]) == (1, 0) and made.settings["save_steps"] > 0
    times = [[made.groups[place] for place in last].count(group) for group in set(made.groups)]
    assert max(times) - min(times) <= 1, "every input as often as the others, or once more"
    by_steps = staged(job(max_steps=30), REASONING)
    assert tokens(by_steps) == pytest.approx(30 * 4 / 20 * tokens(plain), abs=5 * 30)
    assert staged(plain, REASONING) == made != staged(job(stages=2), REASONING)


def test_the_trainer_takes_stages_in_their_order_whatever_the_lengths() -> None:
    made = staged(job(), REASONING)
    examples, stages = staged_examples(made, 0)
    lengths = [len(row["input_ids"]) for row in examples.train]
    for by_length in (True, False):
        order = list(BatchOrder(lengths, 4, 0, by_length, stages))
        assert sorted(order) == list(range(len(lengths)))
        assert all(stages[a] <= stages[b] for a, b in pairwise(order))
        assert order == list(BatchOrder(lengths, 4, 0, by_length, stages)) != sorted(order)
    plain = list(BatchOrder([5, 9, 2, 7], 2, 0, True))
    assert sorted(plain) == [0, 1, 2, 3]


def test_examples_that_are_too_long_are_dropped_with_their_stage() -> None:
    made = staged(job(), REASONING)
    examples, stages = staged_examples(made, 20)
    assert len(examples.train) == len(stages) < len(made.stages) == len(stages) + examples.too_long
    assert 4 in stages and 0 not in stages
    with pytest.raises(RunError, match="max_length=3"):
        staged_examples(made, 3)


def test_a_job_without_stages_has_the_name_that_it_had() -> None:
    assert job().hash() != staged(job(), REASONING).hash()
    described = dict(vars(job()))
    assert described.pop("stages") == []
    from harness.types import stable_hash

    assert job().hash() == stable_hash(described, 32)


def test_reasoning_is_what_stands_before_the_last_answer() -> None:
    mark = re.compile("Answer:")
    assert reasoning_of("2 + 2 = 4. Answer: 5, no. Answer: 4", mark) == "2 + 2 = 4. Answer: 5, no.\n"
    assert reasoning_of("<think>so it is</think>\nAnswer: 4", mark) == "so it is\n"


def test_it_learns_answers_at_system_1_s_prompt_from_the_teacher_s_replies(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    def reply(request: Request) -> str:
        number = int(request.messages[-1]["content"].split("What is ", 1)[1].split(" plus", 1)[0])
        return f"One more than {number}. Answer: {number + 1}"

    context = make_context(tmp_path, reply, [sums], samples=3)
    variant = parse_variants("base,s2:cot,distilled-steps")[-1]
    made = find_or_make(context, variant, 0)["sums"]
    assert made.folder is not None and made.record["taught"] == "steps"
    learnt = json.loads((made.folder / "scripted_adapter.json").read_text())
    assert learnt == {sums.item(row).prompt: row["gold"] for row in sums.rows("train")}
    plain = find_or_make(context, parse_variants("base,s2:cot,distilled")[-1], 0)["sums"]
    assert made.record["train_tokens"] == pytest.approx(plain.record["train_tokens"], rel=0.02)
    assert made.record["examples"] == plain.record["examples"] and made.folder != plain.folder
    assert "removed from its beginning in" in (made.folder / "README.md").read_text()
    other = make_context(tmp_path, reply, [sums], samples=3, train_args={"stages": 8})
    assert find_or_make(other, variant, 0)["sums"].folder != made.folder
    kept = find_or_make(other, parse_variants("base,s2:cot,distilled")[-1], 0)["sums"]
    assert kept.folder == plain.folder, "settings of another recipe do not rename a checkpoint"


def test_nothing_is_held_out_of_stages(tmp_path: Path, cache: Path, sums: TaskData) -> None:
    context = make_context(tmp_path, never, [sums], train_args={"validation": 0.2})
    with pytest.raises(UserError, match="distilled-steps trains on other targets in every stage"):
        find_or_make(context, parse_variants("distilled-steps:cot")[0], 0)
