"""A run from options to records: evaluate variants, make checkpoints, evaluate those too.

The order of phases is fixed, so a resumed run makes its calls in the same order.
`results` reads the folder afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from distill.checkpoint import Distilled
from distill.pipeline import check_settings, check_trainable, find_or_make
from distill.teacher.labels import require_labels
from harness import storage
from harness.command import looks
from harness.command.estimate import estimate
from harness.command.forecast import Forecast, forecast
from harness.command.plan import checkpoints, held_rows
from harness.engines import KINDS
from harness.engines.base import BY_IDS
from harness.errors import UserError
from harness.evaluate import evaluate
from harness.folder import RunFolder, with_held
from harness.limits import check_steps
from harness.lm.chosen import check_sampling, loaded_tasks
from harness.lm.task import TaskData
from harness.method_args import check_method_args, check_start, check_used
from harness.models.source import check_folder
from harness.opening import opened
from harness.options import RunOptions
from harness.placement import placements, require_model
from harness.programs.base import Method, get_method
from harness.programs.budget import budget_of
from harness.programs.outside import load_files
from harness.progress import say
from harness.recipes import LABELS
from harness.session import Session
from harness.variants import (
    SERVED,
    Variant,
    check_recipes,
    check_teachers,
    parse_variants,
    untrained_first,
    with_noise_floor,
    with_teacher,
)
from results.files import write_rows
from results.schema import Distillation, RunKind, SampleRow


def run(options: RunOptions, command: str = "run()") -> tuple[Path, list[Distillation]]:
    """Starts or continues the run. Returns its folder (manifest and samples) and the records of distillation.
    Finished work is kept after an error."""
    options, variants = _named(options)
    tasks = _checked(options, variants)
    held = held_rows(options, tasks)
    taught = any(variant.kind == "distilled" for variant in variants)
    if options.dry_run or not taught:
        say(estimate(options, variants, tasks, held, {}).line)
    if options.dry_run:
        return Path(options.output or "runs"), []
    with opened(options, command, "run", tasks, variants) as (session, folder):
        if taught:  # only a loaded model tells which checkpoints are there
            say(estimate(options, variants, tasks, held, checkpoints(session, variants)).line)
        began = time.perf_counter()
        phases = looks.phases if options.until_decided else _phases
        records, timing, samples = phases(session, folder, variants)
        folder.finish(
            distillation=records,
            samples=samples,
            timing={**timing, "total": time.perf_counter() - began},
            execution=session.engine.execution.as_dict(),
        )
    return folder.path, records


def distill(options: RunOptions, command: str = "distill()") -> tuple[Path, list[Distillation]]:
    """Distils every task of `options` without evaluation. Returns the run folder, and a record per task and
    seed whose `checkpoint` is a folder or None. The Python function behind `s2d-bench distill`:

        distill(RunOptions(pretrained="smollm2", tasks=("coin_flip",), samples=8))

    Raises UserError for wrong options, and RunError if the work fails: finished work is kept."""
    options, variants = _to_distil(options)
    tasks = _checked(options, variants)
    if options.dry_run:
        say(estimate(options, variants, tasks, {}, {}, evaluates=False).line)
        return Path(options.output or "runs"), []
    with opened(options, command, "distill", tasks, variants) as (session, folder):
        plans = checkpoints(session, variants)
        say(estimate(options, variants, tasks, {}, plans, evaluates=False).line)
        records = [
            entry.record
            for variant in variants
            for seed in options.every_seed
            for entry in find_or_make(session, variant, seed).values()
        ]
        folder.finish(distillation=records)
    return folder.path, records


def dry_run(options: RunOptions, kind: RunKind = "run") -> Forecast:
    """Returns what `run` or `distill` would cost, from a short probe. Writes nothing. Same UserErrors."""
    options, variants = _named(options) if kind == "run" else _to_distil(options)
    tasks = _checked(options, variants)
    held = held_rows(options, tasks) if kind == "run" else {}
    return forecast(options, variants, tasks, held, evaluates=kind == "run")


def _named(options: RunOptions) -> tuple[RunOptions, list[Variant]]:
    """Returns the options joined with those of the run folder, and the variants."""
    options = _prepare(options)
    variants = parse_variants(options.models)
    return options, with_noise_floor(variants) if options.noise_floor else variants


def _to_distil(options: RunOptions) -> tuple[RunOptions, list[Variant]]:
    """Returns the same for checkpoints without evaluation."""
    options = _prepare(options)
    named = parse_variants(options.models)
    variants = [variant for variant in named if variant.kind == "distilled"]
    return options, variants or [with_teacher(Variant("distilled", "distilled"), named)]


def _prepare(options: RunOptions) -> RunOptions:
    """Loads the user's methods. Returns the options joined with those of the run folder. UserError for wrong
    options, and for a model that is not available."""
    options.check()
    load_files(options.method_path)
    whole = with_held(options)
    check_settings(whole)
    check_sampling(whole)
    check_method_args(whole.method_args)
    with storage.reading():
        require_model(whole)
    check_trainable(whole)
    return whole


def _checked(options: RunOptions, variants: Sequence[Variant]) -> list[TaskData]:
    """Returns the tasks. UserError for wrong options and unreadable files."""
    with storage.reading():
        _check_variants(variants, options)
        tasks = loaded_tasks(options)
    s2_methods = {task.name: task.spec.s2_method for task in tasks}
    check_teachers(variants, s2_methods)
    check_recipes(variants, s2_methods)
    if any(variant.recipe.taught_by == "labels" for variant in variants if variant.kind == "distilled"):
        with storage.reading():
            require_labels(tasks)
    _check_budgets(variants, options, s2_methods.values())
    used = [(task, method) for task in tasks for method in _methods(task, variants)]
    steps = [method.steps for _, method in used]
    if all(steps):  # a user's method may not say what its steps are
        check_steps(options.sampling, {"direct", *(kind for kinds in steps for kind in kinds)})
    if options.method_args:
        check_used(options.method_args, {method.options_name for _, method in used})
        for task, method in used:
            check_start(task.spec, method, task.scored_items()[0])
    return tasks


def _methods(task: TaskData, variants: Sequence[Variant]) -> list[Method]:
    """Returns the methods that the variants and their teachers run on a task."""
    own = task.spec.s2_method
    names = {name for variant in variants for name in (variant.method_for(own), variant.teacher_for(own))}
    return [get_method(name) for name in sorted(names - {LABELS})]


def _check_budgets(variants: Sequence[Variant], options: RunOptions, s2_methods: Iterable[str]) -> None:
    """UserError for a reasoning budget if the engine does not take prompts as ids."""
    if KINDS[options.engine].by_ids:
        return
    for variant in variants:
        for name in {variant.method_for(s2_method) for s2_method in s2_methods}:
            if budget_of(get_method(name)) is not None:
                raise UserError(
                    f"--models {variant.name}: --engine {options.engine} does not take ids; {BY_IDS}"
                )


def _check_variants(variants: Sequence[Variant], options: RunOptions) -> None:
    """Checks before hours of work. UserError for a path that is not a checkpoint, for training if the weights
    are on a server, and for an upload without a trained variant."""
    kind = KINDS[options.engine]
    if options.push_to_hub is not None and all(variant.kind != "distilled" for variant in variants):
        raise UserError(
            f"--push-to-hub {options.push_to_hub}: no variant is trained; add distilled to --models"
        )
    for variant in variants:
        if variant.kind == "distilled" and kind.weights == "on a server":
            raise UserError(
                f"--models {variant.name}: the weights are on the server of --engine {kind.name}; distil "
                "locally (--engine hf or vllm), serve the adapter, and name it as NAME=served:MODEL"
            )
        location = str(variant.location or "")
        if location.startswith(SERVED) and kind.weights != "on a server":
            raise UserError(
                f"--models {variant.name}={location}: only --engine openai asks a server for an adapter; "
                "name its folder or hub id"
            )
        folder = storage.expanded(location)
        if location.startswith((".", "/", "~")) and not folder.is_dir():
            raise UserError(f"--models {variant.name}={location}: no such folder; check the path")
        is_adapter = kind.weights == "none" or (folder / "adapter_config.json").is_file()
        if location and folder.is_dir() and not is_adapter:
            check_folder(folder, f"--models {variant.name}={location}")


def _phases(session: Session, folder: RunFolder, variants: Sequence[Variant]) -> looks.Phases:
    """Runs all variants and seeds; those without training first, so that the engine loads once per phase."""
    # Files of an earlier process are written again; none of them counts until the run is finished.
    folder.save(samples={})
    records: list[Distillation] = []
    timing: dict[str, float] = {}
    samples: dict[str, str] = {}
    rows: dict[tuple[str, str], list[SampleRow]] = {}
    for variant in untrained_first(variants):
        began = time.perf_counter()
        for seed in session.options.every_seed:
            made: dict[str, Distilled] = {}
            if variant.kind == "distilled":
                made = find_or_make(session, variant, seed)
                records += [entry.record for entry in made.values()]
                folder.save(distillation=records)
            folders = {task: each.folder for task, each in made.items()}
            for where, adapters in placements(session, variant, seed, folders):
                looks.note_probes(made, adapters)
                chosen = [task for task in session.tasks if task.name in adapters]
                for name, found in evaluate(where, variant, seed, chosen, adapters).items():
                    rows.setdefault((variant.name, name), []).extend(found)
                    path = folder.samples_path(variant.name, name)
                    digest = write_rows(path, rows[variant.name, name])
                    samples[path.relative_to(folder.path).as_posix()] = digest
        timing[variant.name] = time.perf_counter() - began
    return records, timing, samples
