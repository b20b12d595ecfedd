"""From a variant to a checkpoint per task: find it by content, or sample, filter, train and keep it.

`distill.plan` says what it is made of, and so which checkpoint it is. Variants differ in their recipe
(`harness.recipes`): who teaches, what is taught, how many samples, which filter, one adapter per task or for
all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from distill.checkpoint import Distilled, read_record, write_record
from distill.ledger import account, already_given, as_trained
from distill.papers.write import document
from distill.plan import MIN_KEPT, Plan, plans_of
from distill.teacher import labels
from distill.teacher.inputs import (
    TestItems,
    overlap_item,
    test_items,
)
from distill.teacher.overlap import require_disjoint
from distill.teacher.plan import teacher_phase
from distill.teacher.replies import choose_replies
from distill.teacher.sample import sample_teachers
from distill.teacher.select import Example, Sampled, keep, parse_filter
from distill.training import stages
from distill.training.adapter import require_trainable
from distill.training.job import TrainingJob
from distill.training.parent import train_all
from distill.training.prepare import add_job, training_job, unit_name
from distill.training.resume import FACTS
from distill.training.settings import training_settings
from harness.engines import KINDS
from harness.errors import RunError
from harness.lm.task import TaskData
from harness.models.source import is_at_hand, resolve_model
from harness.options import RunOptions
from harness.progress import say
from harness.recipes import Recipe
from harness.session import Session
from harness.variants import Variant, parse_variants
from results.schema import Distillation, overlap_sentence


def check_settings(options: RunOptions) -> None:
    """UserError for settings that would otherwise fail after hours of sampling: training settings, filter.
    No model is looked at."""
    settings = training_settings(options.train_args)
    parse_filter(options.filter or "majority")
    if any(variant.recipe.taught == "steps" for variant in _taught(options)):
        stages.check(settings)


def check_trainable(options: RunOptions) -> None:
    """UserError if the model of `--pretrained` cannot be trained as the variants need."""
    settings, taught = training_settings(options.train_args), _taught(options)
    own_weights = KINDS[options.engine].weights == "here" and options.preset != "paper"
    # A model that must still be fetched and converted is checked later.
    if taught and own_weights and is_at_hand(options.pretrained):
        code = options.trust_remote_code
        require_trainable(resolve_model(options.pretrained, options.revision, options.dtype, code), settings)


def _taught(options: RunOptions) -> list[Variant]:
    return [variant for variant in parse_variants(options.models) if variant.kind == "distilled"]


def find_or_make(context: Session, variant: Variant, seed: int) -> dict[str, Distilled]:
    """A checkpoint per task of the run, or the record of why there is none (`not_distilled`)."""
    tests = test_items(context)
    for name, reason in tests.unchecked.items():
        context.say_once(
            f"overlap: the test items of {name} could not be loaded and are not checked ({reason})"
        )
    plans = plans_of(context, variant, seed)
    for plan in plans:
        inputs, allowed = plan.inputs, context.options.allow_overlap
        told = overlap_sentence(plan.task.name, inputs.overlapping, allowed)
        if told is not None and inputs.why_none is None:
            context.say_once(f"overlap: {told}")
    with ExitStack() as locks:
        for folder in sorted({plan.folder for plan in plans}):
            folder.parent.mkdir(parents=True, exist_ok=True)
            locks.enter_context(_locked(folder))
        found = {folder: read_record(folder) for folder in {plan.folder for plan in plans}}
        for plan in plans:
            if records := found[plan.folder]:
                # The parts of judging share a checkpoint: one part makes it for all of them.
                record = records.get(plan.task.name) or next(iter(records.values()))
                now: Distillation = {
                    **record,
                    "task": plan.task.name,
                    "variant": variant.name,
                    "seed": seed,
                    "checkpoint": str(plan.folder),
                    "overlap": plan.inputs.overlapping,
                    "overlap_unchecked": sorted(tests.unchecked),
                    "allow_overlap": context.options.allow_overlap,
                }
                plan.distilled = Distilled(plan.folder, now)
        missing = [plan for plan in plans if plan.distilled is None]
        if missing:
            _make(context, variant, seed, missing, tests)
    return {plan.task.name: plan.distilled for plan in plans if plan.distilled is not None}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time makes a checkpoint; the others wait, and then find it."""
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another run that makes the checkpoint {folder.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(context: Session, variant: Variant, seed: int, plans: list[Plan], tests: TestItems) -> None:
    if KINDS[context.engine.name].weights == "here":
        for plan in plans:
            require_trainable(context.source, plan.settings)
    recipe = variant.recipe
    phase = teacher_phase(variant)
    phase += "" if context.options.seeds == 1 else f" seed {seed}"
    sampled = _examples(context, recipe, seed, plans, phase)
    if not context.options.allow_overlap:
        taught = [overlap_item(each.item) for found in sampled for each in found.examples]
        require_disjoint(taught, tests.index)
    given: dict[str, float] = {}
    if recipe.asks_before:
        taught_by_task = [(plan.task, found.examples) for plan, found in zip(plans, sampled, strict=True)]
        given = already_given(context, taught_by_task, seed, phase)
    together = recipe.together
    counts = [_kept_inputs(plan.task, found.examples) for plan, found in zip(plans, sampled, strict=True)]
    jobs: dict[Path, TrainingJob] = {}
    for plan, found, kept in zip(plans, sampled, counts, strict=True):
        job = None
        if (sum(counts) if together else kept) >= MIN_KEPT:
            job = training_job(context, plan.task, found.examples, plan.folder, plan.settings, seed)
            add_job(jobs, job, variant.name if together else plan.task.name)
        already = given.get(plan.task.name)
        record: Distillation = {
            **account(context, plan.ask, recipe, plan.settings, found, job, kept, already, tests.unchecked),
            "variant": variant.name,
            "seed": seed,
            "checkpoint": str(plan.folder) if job else None,
        }
        plan.distilled = Distilled(plan.folder if job else None, record)
        for warning in record["warnings"]:
            say(f"{plan.task.name}, {variant.name}: {warning}")
        if job is None:
            why = plan.inputs.why_none or f"{kept} of {found.inputs} inputs kept (minimum {MIN_KEPT})."
            say(f"{plan.task.name}, {variant.name}: not distilled. {why}")
    if jobs:
        _train(context, plans, sampled, list(jobs.values()))
        _finish(context, plans, sampled, together)


def _examples(
    context: Session, recipe: Recipe, seed: int, plans: Sequence[Plan], phase: str
) -> list[Sampled]:
    """What each task's teacher gave, filtered, with what is taught of it."""
    if recipe.taught_by == "labels":
        return [labels.label(plan.ask) for plan in plans]
    draws = sample_teachers(context, [plan.ask for plan in plans], seed, phase)
    sampled = keep(context, draws, [plan.filter for plan in plans], seed, phase)
    for plan, drawn, found in zip(plans, draws, sampled, strict=True):
        if recipe.teaches_replies:
            choose_replies(context, drawn, found, recipe, plan.settings, seed)
        else:
            _drop_unreadable(plan.task, found)
    return sampled


def _drop_unreadable(task: TaskData, sampled: Sampled) -> None:
    """Drops inputs whose target the answer rule does not read back: training on one would teach a wrong
    form."""
    spec = task.spec
    units = [
        unit_name(task, example.item)
        for example in sampled.examples
        if spec.vote_of(spec.target(example.answer), example.item.fields) != spec.vote_key(example.answer)
    ]
    for unit in dict.fromkeys(units):
        sampled.drop(unit, "target_not_readable", by_cluster=spec.swap is not None)


def _kept_inputs(task: TaskData, examples: Sequence[Example]) -> int:
    return len({unit_name(task, example.item) for example in examples})


def _train(
    context: Session, plans: Sequence[Plan], sampled: Sequence[Sampled], jobs: list[TrainingJob]
) -> None:
    if context.engine.learn(_lessons(plans, sampled)):
        return
    context.engine.sleep()
    train_all(jobs)
    context.engine.wake()


def _finish(context: Session, plans: Sequence[Plan], sampled: Sequence[Sampled], together: bool) -> None:
    """Writes record and cards beside each checkpoint; the record is last, because it marks the checkpoint
    as complete."""
    for folder in dict.fromkeys(plan.folder for plan in plans):
        parts = [
            (plan, found)
            for plan, found in zip(plans, sampled, strict=True)
            if plan.folder == folder and plan.distilled is not None and plan.distilled.folder is not None
        ]
        if not parts:
            continue
        if not folder.is_dir():
            raise RunError(f"training left no checkpoint in {folder}: repeat the command")
        records = {plan.task.name: plan.distilled.record for plan, _ in parts if plan.distilled is not None}
        if (told := folder / FACTS).is_file():  # the scripted engine's training writes none
            tokens = json.loads(told.read_text(encoding="utf-8"))["tokens"]
            as_trained(list(records.values()), tokens, apart=together)
        document(context, folder, [(plan.ask, found, records[plan.task.name]) for plan, found in parts])
        write_record(folder, records)


def _lessons(plans: Sequence[Plan], sampled: Sequence[Sampled]) -> dict[Path, dict[str, str]]:
    """What each checkpoint is trained on: prompt -> target."""
    lessons: dict[Path, dict[str, str]] = {}
    for plan, found in zip(plans, sampled, strict=True):
        if plan.distilled is not None and plan.distilled.folder is not None:
            lessons.setdefault(plan.folder, {}).update(
                {
                    each.prompt: target
                    for each in found.drawn
                    if (target := each.target(plan.task.spec.target)) is not None
                }
            )
    return lessons
