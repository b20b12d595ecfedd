"""What a checkpoint is made of, and the name that follows from it.

A checkpoint is named by what made it: model, template, method and task with their code, sampling, filter,
inputs, seed, settings. The same inputs and settings are never trained twice, by any run that shares the cache
folder. Nothing is asked or trained here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.checkpoint import RECORD_FILE, Distilled
from distill.teacher import labels
from distill.teacher.inputs import TeacherInputs, choose_inputs, test_items, with_other_forms
from distill.teacher.plan import teacher_inputs, teacher_samples
from distill.teacher.sample import TeacherAsk
from distill.teacher.select import FilterChoice, choose_filter
from distill.tiny.settings import train_args
from distill.training import stages
from distill.training.prepare import paper_settings
from distill.training.settings import identity, training_settings
from harness.engines import KINDS
from harness.fingerprint import files_hash, method_hash, without_functions
from harness.lm.task import TaskData
from harness.models.source import cache_folder
from harness.session import Session
from harness.types import Settings, stable_hash
from harness.variants import Variant, unteachable
from tasks.registry import family_of, source_files

MIN_KEPT = 8
"""With fewer kept inputs nothing is trained, and the variant's row says `not_distilled`."""


@dataclass
class Plan:
    """One task's part in a checkpoint that is being made."""

    ask: TeacherAsk
    filter: FilterChoice
    settings: Settings
    key: str
    folder: Path = Path()
    distilled: Distilled | None = None

    @property
    def task(self) -> TaskData:
        return self.ask.inputs.task

    @property
    def inputs(self) -> TeacherInputs:
        return self.ask.inputs


@dataclass(frozen=True)
class Planned:
    """What a checkpoint of one task would be made of."""

    task: TaskData
    inputs: int
    """Unlabeled inputs that overlap no test item."""
    asked: int
    """Prompts that the teacher gets: both orders of a pair, all forms of a question."""
    folder: Path
    is_there: bool
    """The cache has the checkpoint already."""
    settings: Settings


def planned(context: Session, variant: Variant, seed: int) -> list[Planned]:
    """What `distill.pipeline.find_or_make` would work on, task by task; nothing is asked."""
    return [
        Planned(
            plan.task,
            len(plan.inputs.units),
            sum(map(len, plan.inputs.units)),
            plan.folder,
            (plan.folder / RECORD_FILE).is_file(),
            plan.settings,
        )
        for plan in plans_of(context, variant, seed)
    ]


def plans_of(context: Session, variant: Variant, seed: int) -> list[Plan]:
    """The plans of a variant, one for each task of the run."""
    plans = [plan_of(context, task, variant, seed) for task in context.tasks]
    _name_folders(context, plans, variant)
    return plans


def plan_of(context: Session, task: TaskData, variant: Variant, seed: int) -> Plan:
    """The plan of one task, without a folder."""
    options = context.options
    recipe = variant.recipe
    chosen = choose_filter(task, options.filter, options.preset)
    if not recipe.filtered:
        chosen = labels.FILTER if recipe.taught_by == "labels" else FilterChoice("none")
    wanted = teacher_inputs(options, task)
    if refusal := unteachable(variant, task.spec.s2_method):
        inputs = TeacherInputs(task, [], {}, refusal)
    else:
        inputs = context.once(
            ("inputs", task.name),
            lambda: choose_inputs(
                task, wanted, test_items(context).index, options.allow_overlap, least=MIN_KEPT
            ),
        )
    if chosen.kind.other_forms:
        inputs = with_other_forms(inputs)
    # The name that samples have: `self_consistency(cot)*3` is `cot*3`.
    teacher = labels.teacher(variant.teacher_for(task.spec.s2_method))
    curtailed = chosen.kind.curtailed and not options.all_samples and not recipe.compares_replies
    majority = chosen.threshold if curtailed else None
    ask = TeacherAsk(inputs, teacher.name, teacher_samples(options, task, variant), majority)
    # One adapter for all tasks does not use the settings of one task.
    alone = not recipe.together
    own = {**task.spec.train_args, **train_args(options.pretrained, task.name)} if alone else {}
    paper = paper_settings(task) if alone and options.preset == "paper" else {}
    settings = training_settings(own, paper, options.train_args)
    if recipe.taught == "steps":
        stages.check(settings)
    sampling = context.sampling(task, teacher=True)
    limits = {step: asdict(sampling(step)) for step in dict.fromkeys(["direct", *teacher.steps])}
    changes_no_text = KINDS[options.engine].changes_no_text
    key = stable_hash(
        [
            context.engine.model.fingerprint,
            context.engine.model.template_hash,
            context.engine.model.context_length,
            {name: each for name, each in options.engine_args.items() if name not in changes_no_text},
            teacher.name,
            method_hash(teacher),
            # Our tasks: hash of their files. A user's task keeps wording, examples and answer rule in YAML
            # and Python.
            files_hash(source_files(task.name)) if task.own else without_functions(task.task.dump_config()),
            {name: dict(value) for name, value in task.spec.method_options.items()},
            limits,
            ask.samples,
            asdict(chosen),
            [[item.item_id for item in unit] for unit in inputs.units],
            seed,
            identity(settings, recipe.settings),
            MIN_KEPT,
            *recipe.identity,
        ],
        24,
    )
    return Plan(ask, chosen, settings, key)


def _name_folders(context: Session, plans: Sequence[Plan], variant: Variant) -> None:
    """Sets the folder of each checkpoint: TASK-MODEL-METHOD-HASH. The hash alone finds it again, so a folder
    with another name (METHOD-HASH, of an older version) is used as it is.
    """
    home = cache_folder() / "checkpoints"
    together = stable_hash([plan.key for plan in plans], 24)
    model = Path(context.options.pretrained.rstrip("/")).name.removesuffix(".gguf")
    methods = {plan.ask.method for plan in plans}
    together_by = "several" if len(methods) > 1 else next(iter(methods), "")
    for plan in plans:
        if variant.recipe.together:
            key, task, method = together, "all", together_by
        else:
            # Parts of judging share a checkpoint.
            key, task, method = plan.key, family_of(plan.task.name), plan.ask.method
        words = [re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:40] for word in (task, model, method)]
        found = sorted(path for path in home.glob(f"[!.]*-{key}") if path.is_dir())
        plan.folder = found[0] if found else home / "-".join([*words, key])
