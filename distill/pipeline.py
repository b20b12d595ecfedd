"""From a variant to a checkpoint per task: find it by content, or sample, filter, train and keep it.

A checkpoint is named by what made it: model, template, method, sampling, inputs, seed, settings. The same
inputs and settings are never trained twice, by any run that shares the cache folder.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from distill.overlap import OverlapItem, require_disjoint
from distill.sample import (
    Sampled,
    TeacherInputs,
    choose_inputs,
    label_accuracy,
    overlap_item,
    sample_teachers,
)
from distill.train import TrainingJob, train_all, training_settings
from harness.engines.scripted import ADAPTER_FILE
from harness.errors import RunError
from harness.estimate import teacher_samples
from harness.lm import TaskData
from harness.models import cache_folder
from harness.progress import say
from harness.records import write_whole
from harness.run import Distilled, RunContext
from harness.types import Item, stable_hash, user
from harness.variants import Variant, parse_variants

MIN_KEPT = 8
"""Fewer kept inputs than this train nothing worth naming: the variant's row says `not_distilled`."""

RECORD_FILE = "s2d.json"


@dataclass
class _Plan:
    """One task's checkpoint on its way."""

    inputs: TeacherInputs
    settings: dict[str, Any]
    folder: Path
    method: str | None
    """Of the teacher; None is the task's own."""
    distilled: Distilled | None = None

    @property
    def task(self) -> TaskData:
        return self.inputs.task


def find_or_make(context: RunContext, variant: Variant, seed: int) -> dict[str, Distilled]:
    """A checkpoint per task of the run, or the record of why there is none (`not_distilled`)."""
    tests = [overlap_item(task, task.item(row)) for task in context.tasks for row in task.rows("test")]
    method = _teacher_method(context)
    plans = [_plan(context, task, tests, seed, method) for task in context.tasks]
    with ExitStack() as locks:
        for folder in sorted({plan.folder for plan in plans}):
            folder.parent.mkdir(parents=True, exist_ok=True)
            locks.enter_context(FileLock(f"{folder}.lock"))
        for plan in plans:
            if (plan.folder / RECORD_FILE).is_file():
                record = json.loads((plan.folder / RECORD_FILE).read_text())
                named = {"task": plan.task.name, "variant": variant.name, "seed": seed}
                now = {"overlap": plan.inputs.overlapping, "allow_overlap": context.options.allow_overlap}
                plan.distilled = Distilled(plan.folder, {**named, **record, **now})
        missing = [plan for plan in plans if plan.distilled is None]
        if missing:
            _make(context, variant, seed, missing, tests)
    return {plan.task.name: plan.distilled for plan in plans if plan.distilled is not None}


def _teacher_method(context: RunContext) -> str | None:
    """The System 2 that `distilled` is compared with: the method of the one s2 variant of the run, where
    it names one; None is each task's own."""
    named = [variant.method for variant in parse_variants(context.options.models) if variant.kind == "s2"]
    return named[0] if len(named) == 1 else None


def _plan(
    context: RunContext, task: TaskData, tests: list[OverlapItem], seed: int, method: str | None
) -> _Plan:
    options = context.options
    inputs = choose_inputs(task, options.distill_inputs, tests, options.allow_overlap)
    settings = training_settings(dict(task.spec.train_args), options.train_args)
    sampling = context.sampling(task, teacher=True)
    limits = {step: asdict(sampling(step)) for step in [*task.spec.max_tokens, "default"]}
    key = stable_hash(
        [
            context.engine.model.fingerprint,
            context.engine.model.template_hash,
            method or task.spec.s2_method,
            # A user's task keeps its wording, examples and answer rule in its YAML.
            None if task.own else task.task.dump_config(),
            {name: dict(value) for name, value in task.spec.method_options.items()},
            limits,
            teacher_samples(options, task),
            [[item.item_id for item in unit] for unit in inputs.units],
            seed,
            settings,
            MIN_KEPT,
        ],
        24,
    )
    # The parts of judging share their training inputs, hence a checkpoint: the task's name is not in it.
    name = re.sub(r"[^A-Za-z0-9_]", "_", method or task.spec.s2_method)
    return _Plan(inputs, settings, cache_folder() / "checkpoints" / f"{name}-{key}", method)


def _make(
    context: RunContext, variant: Variant, seed: int, plans: list[_Plan], tests: list[OverlapItem]
) -> None:
    phase = "teacher" if context.options.seeds == 1 else f"teacher seed {seed}"
    sampled = sample_teachers(context, [plan.inputs for plan in plans], plans[0].method, seed, phase)
    if not context.options.allow_overlap:
        # All tasks at once: the index over the test items is most of the work.
        taught = [
            overlap_item(plan.task, example.item)
            for plan, found in zip(plans, sampled, strict=True)
            for example in found.examples
        ]
        require_disjoint(taught, tests)
    jobs: dict[Path, TrainingJob] = {}
    for plan, found in zip(plans, sampled, strict=True):
        job = _training_job(context, plan, found, seed)
        record = _record(context, plan, found, job, variant, seed)
        plan.distilled = Distilled(plan.folder if job else None, record)
        if job:
            jobs.setdefault(plan.folder, job)
        else:
            say(
                f"{plan.task.name}: not distilled, {record['kept']} of {record['inputs']} inputs kept "
                f"(it takes {MIN_KEPT})"
            )
    if not jobs:
        return
    if context.engine.name == "scripted":
        _train_scripted(plans, sampled)
    else:
        context.engine.sleep()
        train_all(list(jobs.values()))
        context.engine.wake()
    for plan in plans:
        if plan.distilled is not None and plan.distilled.folder is not None:
            if not plan.folder.is_dir():
                raise RunError(f"training left no checkpoint in {plan.folder}: repeat the command")
            shared = {
                name: value
                for name, value in plan.distilled.record.items()
                if name not in {"task", "variant", "seed"}
            }
            write_whole(plan.folder / RECORD_FILE, json.dumps(shared, indent=1))


def _training_job(context: RunContext, plan: _Plan, sampled: Sampled, seed: int) -> TrainingJob | None:
    """The job for the kept examples; None where too few inputs were kept. Examples whose target the
    answer rule does not read back are dropped: training on them would teach a wrong form."""
    spec = plan.task.spec
    for example in list(sampled.examples):
        if spec.answer(spec.target(example.answer)) != example.answer:
            sampled.examples.remove(example)
            sampled.dropped["target_not_readable"] += 1
    kept_inputs = len({_unit(plan.task, example.item) for example in sampled.examples})
    model = context.engine.model
    if kept_inputs < MIN_KEPT:
        return None
    return TrainingJob(
        name=plan.task.name,
        model_folder=model.folder or "",
        dtype=model.dtype,
        output=str(plan.folder),
        prompts=[list(_system1_ids(context, plan.task, example.item)) for example in sampled.examples],
        targets=[
            list(context.engine.target_ids(spec.target(example.answer))) for example in sampled.examples
        ],
        seed=seed,
        trust_remote_code=context.source.trust_remote_code,
        revision=context.source.revision,
        settings=plan.settings,
    )


def _system1_ids(context: RunContext, task: TaskData, item: Item) -> tuple[int, ...]:
    """The prompt ids that `direct` is evaluated with (rule 2)."""
    return context.engine.prompt_ids([*task.history(item.fields), user(item.prompt)])


def _unit(task: TaskData, item: Any) -> str:
    return str(item.cluster_id if task.spec.swap else item.item_id)


def _record(
    context: RunContext,
    plan: _Plan,
    sampled: Sampled,
    job: TrainingJob | None,
    variant: Variant,
    seed: int,
) -> dict[str, Any]:
    """The manifest's account of a distillation (design section 3)."""
    parameters = context.engine.model.parameters
    teacher = sampled.generated_tokens + sampled.prompt_tokens
    epochs = plan.settings["epochs"]
    trained = sum(len(ids) for ids in [*job.prompts, *job.targets]) * epochs if job else 0
    return {
        "task": plan.task.name,
        "variant": variant.name,
        "seed": seed,
        "status": "trained" if job else "not_distilled",
        "teacher_method": sampled.method,
        "teacher_tokens": sampled.generated_tokens,
        "teacher_prompt_tokens": sampled.prompt_tokens,
        "teacher_flops": 2.0 * parameters * teacher,
        "samples_per_input": sampled.samples_per_input,
        "inputs": sampled.inputs,
        "kept": len({_unit(plan.task, example.item) for example in sampled.examples}),
        "dropped": dict(sorted(sampled.dropped.items())),
        "overlap": plan.inputs.overlapping,
        "allow_overlap": context.options.allow_overlap,
        "examples": len(sampled.examples),
        "train_tokens": int(trained),
        # LoRA: forward and the backward through activations, none for the frozen weights (field notes).
        "train_flops": 4.0 * parameters * trained,
        "pseudo_label_accuracy": label_accuracy(plan.task, sampled.examples),
        "settings": plan.settings,
        "checkpoint": str(plan.folder) if job else None,
    }


def _train_scripted(plans: list[_Plan], sampled: list[Sampled]) -> None:
    """What the scripted engine learns: the examples by heart."""
    for plan, found in zip(plans, sampled, strict=True):
        if plan.distilled is not None and plan.distilled.folder is not None:
            learnt = {
                example.item.prompt: plan.task.spec.target(example.answer) for example in found.examples
            }
            write_whole(plan.folder / ADAPTER_FILE, json.dumps(learnt))
