"""What each recipe teaches: the answer, the shortest or a random reply that gave it, or the label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import (
    DATA,
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
from distill.pipeline import find_or_make
from distill.teacher.labels import require_labels
from distill.teacher.replies import pick
from distill.training.job import TrainingJob
from distill.training.settings import OF_RECIPES, identity, training_settings
from harness.engines.base import AdapterInfo
from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import UserError
from harness.lm.task import TaskData
from harness.models.source import ModelSource
from harness.programs.base import get_method
from harness.recipes import RECIPES
from harness.session import Session
from harness.types import Completion, Request
from harness.variants import parse_variants

WORDS = (7, 3, 5, 1)
"""Words of reasoning of each sample; the last one ends in a wrong answer."""


def wordy(request: Request) -> str:
    """Right sums after more or fewer words by the number of the sample; the fourth is short and wrong."""
    sample = request.sample_index
    answer = "It is 0" if WORDS[sample] == 1 else right_sum(request)
    return f"{'so ' * WORDS[sample]}{answer}"


def lessons(context: Session, name: str, seed: int = 0) -> dict[str, str]:
    variants = parse_variants(f"base,s2:cot,{name}")
    made = find_or_make(context, variants[-1], seed)[context.tasks[0].name]
    assert made.folder is not None
    found: dict[str, str] = json.loads((made.folder / "scripted_adapter.json").read_text())
    return found


def words_of(taught: dict[str, str]) -> set[int]:
    return {text.count("so ") for text in taught.values()}


def test_the_shortest_reply_of_the_majority_is_taught_behind_system_2_s_prompt(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    context = make_context(tmp_path, wordy, [sums], samples=4)
    taught = lessons(context, "distilled-short")
    assert words_of(taught) == {3} and len(taught) == 30
    assert all("step by step" in prompt and " is " in reply for prompt, reply in taught.items())
    direct = lessons(context, "distilled")
    assert set(direct) == {sums.item(row).prompt for row in sums.rows("train")}
    assert set(direct.values()) == {row["gold"] for row in sums.rows("train")}


def test_the_control_takes_any_reply_of_the_majority_by_seed(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    context = make_context(tmp_path, wordy, [sums], samples=4)
    first = lessons(context, "distilled-cot")
    assert words_of(first) == {3, 5, 7}
    assert lessons(context, "distilled-cot", seed=1) != first == lessons(context, "distilled-cot")


def test_samples_of_one_teacher_are_drawn_once_for_all_recipes(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.step)
        return wordy(request)

    context = make_context(tmp_path, reply, [sums], samples=4)
    for name in ("distilled", "distilled-short", "distilled-cot"):
        lessons(context, name)
    assert asked.count("reason") == 30 * 4


def test_a_share_and_a_bound_of_the_shortest(tmp_path: Path, cache: Path, sums: TaskData) -> None:
    context = make_context(tmp_path, wordy, [sums], samples=4, train_args={"shortest": 0.6})
    assert words_of(lessons(context, "distilled-short")) == {3, 5}
    bound = make_context(tmp_path, wordy, [sums], samples=4, train_args={"longest_reply": 13})
    assert words_of(lessons(bound, "distilled-cot")) == {3, 5}
    tight = make_context(tmp_path, wordy, [sums], samples=4, train_args={"longest_reply": 2})
    [variant] = parse_variants("distilled-short:cot")
    record = find_or_make(tight, variant, 0)["sums"].record
    assert (record["status"], record["kept"], record["dropped"]) == ("not_distilled", 0, {"no_reply": 30})
    assert "longest_reply" in " ".join(record["warnings"])


@pytest.mark.parametrize(
    ("fitting", "share", "draws"),
    [([], 1.0, {None}), ([2, 0, 1], 0.0, {1}), ([2, 0, 1], 0.5, {1, 2}), ([2, 0, 1], 1.0, {0, 1, 2})],
)
def test_replies_are_drawn_from_the_shortest(
    fitting: list[int], share: float, draws: set[int | None]
) -> None:
    assert {pick(fitting, [9, 2, 5], share, draw) for draw in range(6)} == draws
    assert pick([1, 0], [4, 4], 0.0, 0) == 0, "of equally short ones the first"


def test_a_cut_reply_is_never_taught(tmp_path: Path, cache: Path, sums: TaskData) -> None:
    limits = {"max_tokens.reason": 13}
    context = make_context(tmp_path, wordy, [sums], samples=4, sampling=limits)
    taught = lessons(context, "distilled-cot")
    assert words_of(taught) == {3, 5}, "seven words and the answer leave no token for the end"


def test_labels_are_taught_without_asking_anybody(tmp_path: Path, cache: Path, sums: TaskData) -> None:
    def reply(request: Request) -> str:
        assert request.step == "direct", "System 1 alone is asked, what it gives before"
        return right_sum(request)

    context = make_context(tmp_path, reply, [sums], models="base,distilled-gold")
    made = distil(context)
    assert made.folder is not None and "-labels-" in made.folder.name
    learnt = json.loads((made.folder / "scripted_adapter.json").read_text())
    assert learnt == {sums.item(row).prompt: row["gold"] for row in sums.rows("train")}
    found = made.record
    assert (found["taught"], found["teacher_method"], found["filter"]) == ("label", "labels", "labels")
    assert (found["teacher_tokens"], found["samples_per_input"], found["kept"]) == (0, 0, 30)


def test_labels_are_of_the_same_inputs_and_without_them_it_is_refused(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    few = make_context(tmp_path, right_sum, [sums], distill_inputs=12, samples=3)
    assert set(lessons(few, "distilled-gold")) == set(lessons(few, "distilled"))
    folder = write_task(tmp_path / "bare")
    (folder / "data.py").write_text(DATA.replace("str(n + 1)", "'' if n >= 100 else str(n + 1)"))
    require_labels([sums])
    with pytest.raises(UserError, match="the training rows of sums have no label"):
        require_labels([own_task(folder)])


def test_a_method_of_several_calls_leaves_a_row_that_says_why(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    [variant] = parse_variants("distilled-short:rar_2step")
    record = find_or_make(make_context(tmp_path, never, [sums]), variant, 0)["sums"].record
    assert record["status"] == "not_distilled" and record["warnings"] == []
    assert "rar_2step makes several calls (rephrase and respond)" in record["reason"]


@pytest.mark.parametrize("name", ["distilled-short", "distilled-cot", "distilled-gold"])
def test_cards_say_what_was_taught(tmp_path: Path, cache: Path, sums: TaskData, name: str) -> None:
    context = make_context(tmp_path, wordy, [sums], samples=4)
    variants = parse_variants(f"base,s2:cot,{name}")
    folder = find_or_make(context, variants[-1], 0)["sums"].folder
    assert folder is not None
    card, data = (folder / "README.md").read_text(), (folder / "examples" / "README.md").read_text()
    gold = name == "distilled-gold"
    assert ("no label was used" in card) != gold and ("No target is a human label" in data) != gold
    assert ("trained on the labels" in card) == gold
    assert ("the prompt that cot is evaluated with, then the reply" in card) != gold
    assert ("the shortest" in card.split("## Use")[0]) == (name == "distilled-short")
    assert "\n\n\n" not in card + data


@pytest.mark.parametrize(("more", "method"), [(FILTERS + FEW_SHOT, "cot"), (FILTERS, "think")])
def test_replies_are_taught_behind_the_ids_that_the_variant_is_evaluated_with(
    tmp_path: Path,
    cache: Path,
    tiny_source: ModelSource,
    monkeypatch: pytest.MonkeyPatch,
    more: str,
    method: str,
) -> None:
    sums = own_task(write_task(tmp_path / "tasks", more=more))
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    end = engine._tokenizer.eos_token_id
    evaluated: set[tuple[int, ...]] = set()

    def generate(batch: Sequence[Request]) -> list[Completion]:
        done = []
        for each in batch:
            if each.adapter == "taught":
                evaluated.add(each.prompt_ids)
            said = f"{'well </think>' if method == 'think' else 'well'} {right_sum(each)}"
            ids = (*engine._tokenizer(said)["input_ids"], end)
            text = engine._chat.text(ids, (), each.prompt_ids)
            done.append(Completion(text, "stop", len(each.prompt_ids), len(ids), 0, each.prompt_ids, ids))
        return done

    monkeypatch.setattr(engine, "generate", generate)
    jobs = kept_jobs(monkeypatch)
    context = make_context(tmp_path, never, [sums], engine, tiny_source, samples=3)
    variant = parse_variants(f"base,s2:{method},distilled-short")[-1]
    assert find_or_make(context, variant, 0)["sums"].record["status"] == "trained"
    adapter = AdapterInfo("taught", "hash", 1.0, 0.0)
    rows = sums.rows("train")
    program = get_method(variant.method_for(sums.spec.s2_method))
    context.scheduler.run(
        [
            context.job(sums, sums.item(row), program, 0, history=sums.history(row), adapter=adapter)
            for row in rows
        ],
        "taught",
    )
    assert len(evaluated) == len(rows) and sorted(map(list, evaluated)) == sorted(jobs[0].prompts)
    for target in jobs[0].targets:
        assert target[-1] == end and end not in target[:-1]
        assert " is " in engine._tokenizer.decode(target)


def test_a_reply_that_a_stop_string_ended_is_taught_with_the_end_of_the_turn(
    tmp_path: Path, cache: Path, tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch, sums: TaskData
) -> None:
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})

    def generate(batch: Sequence[Request]) -> list[Completion]:
        ids = tuple(engine._tokenizer("more STOP")["input_ids"])
        return [Completion(right_sum(e), "stop", len(e.prompt_ids), 3, 0, e.prompt_ids, ids) for e in batch]

    monkeypatch.setattr(engine, "generate", generate)
    jobs: list[TrainingJob] = []
    monkeypatch.setattr(pipeline, "train_all", lambda listed: jobs.extend(listed))
    context = make_context(tmp_path, never, [sums], engine, tiny_source, samples=3)
    with pytest.raises(Exception, match="training left no checkpoint"):
        lessons(context, "distilled-short")
    assert {engine._tokenizer.decode(target[:-1]).partition(" is ")[0][:8] for target in jobs[0].targets} == {
        "One more"
    }
    assert {target[-1] for target in jobs[0].targets} == {engine._tokenizer.eos_token_id}


def test_names_of_earlier_checkpoints_stay() -> None:
    before = ("distilled", "distilled-s1", "distilled-nofilter", "distilled-all")
    assert {(RECIPES[name].identity, RECIPES[name].settings) for name in before} == {((), ())}
    others = [RECIPES[name].identity for name in RECIPES if name not in before]
    assert all(others) and len(set(others)) == len(others)
    settings = training_settings({"shortest": 0.5, "longest_reply": 9, "stages": 2})
    assert not set(OF_RECIPES) & identity(settings).keys()
    short = RECIPES["distilled-short"].settings
    assert identity(settings, short) == {**identity(settings), "shortest": 0.5, "longest_reply": 9}


def test_samples_of_one_length_leave_nothing_shorter_to_learn(
    tmp_path: Path, cache: Path, sums: TaskData
) -> None:
    [variant] = parse_variants("distilled-short:cot")
    alike = find_or_make(make_context(tmp_path, right_sum, [sums], samples=3), variant, 0)["sums"].record
    assert alike["reply_tokens"] == {"taught": 7.0, "fitting": 7.0}
    assert "hardly differ in length" in " ".join(alike["warnings"])
    unlike = find_or_make(make_context(tmp_path, wordy, [sums], samples=4), variant, 0)["sums"].record
    assert unlike["reply_tokens"] == {"taught": 10.0, "fitting": 12.0}
    assert "hardly differ in length" not in " ".join(unlike["warnings"])


def test_recipes_refuse_nothing_that_teaches_answers() -> None:
    for name in ("distilled", "distilled-nofilter", "distilled-all"):
        assert RECIPES[name].refuses(get_method("bsm")) is None
    loose: dict[str, Any] = {"name": "mine"}
    assert replace(RECIPES["distilled-short"], **loose).refuses(get_method("bsm")) is not None
