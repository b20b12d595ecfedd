"""One run from options to records: evaluate variants, have checkpoints made, evaluate them too.

The order of phases is fixed, so a resumed run meets its calls in the order it first made them. `distill`
is handed in as a function (`FindOrMake`), since this package does not look up at it; `results` reads the
folder afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import embedded, storage
from harness.context import Distilled, FindOrMake, RunContext
from harness.engines import check_arguments, open_engine
from harness.engines.base import AdapterInfo
from harness.errors import UserError
from harness.estimate import estimate, estimate_distillation
from harness.facts import engine_facts, run_facts, with_notes
from harness.folder import RunFolder
from harness.limits import LARGEST, OPTION, check_steps
from harness.lm import TaskData, load_tasks, score
from harness.models import ModelSource, check_cache, check_folder, resolve_model
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.progress import say
from harness.records import build_rows, write_rows
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Item, Message, Response
from harness.variants import Variant, check_teachers, parse_variants, with_noise_floor, with_teacher
from harness.weights import engine_arguments, placements

_DRAWN: dict[str, tuple[float, float, Any]] = {
    "temperature": (0, 100, int | float),
    "top_p": (0, 1, int | float),
    "top_k": (0, 1_000_000, int),
}
SAMPLING_KEYS = {f"{prefix}{key}": bounds for prefix in ("", "teacher_") for key, bounds in _DRAWN.items()}
"""Keys of `--sampling` with the least and the largest value and its type; `max_tokens` and
`max_tokens.STEP` come on top."""
_TOKENS = (1, LARGEST, int)


def run(options: RunOptions, command: str, find_or_make: FindOrMake) -> tuple[Path, list[dict[str, Any]]]:
    """Do or continue the run; the folder with manifest and samples, and the records of distillation. Errors
    keep what was finished."""
    variants = parse_variants(options.models)
    if options.noise_floor:
        variants = with_noise_floor(variants)
    tasks = _checked(options, variants)
    say(estimate(options, variants, tasks))
    if options.dry_run:
        return Path(options.output or "runs"), []
    with _opened(options, command, "run", tasks, variants) as (context, folder):
        began = time.perf_counter()
        records, timing, samples = _phases(context, folder, variants, find_or_make)
        folder.finish(
            distillation=records,
            samples=samples,
            timing={**timing, "total": time.perf_counter() - began},
            execution=context.engine.execution.as_dict(),
        )
    return folder.path, records


def make_checkpoints(
    options: RunOptions, command: str, find_or_make: FindOrMake
) -> tuple[Path, list[dict[str, Any]]]:
    """Distil every task of the options and evaluate nothing; the run folder and the records."""
    named = parse_variants(options.models)
    variants = [variant for variant in named if variant.kind == "distilled"] or [
        with_teacher(Variant("distilled", "distilled"), named)
    ]
    tasks = _checked(options, variants)
    say(estimate_distillation(options, variants, tasks))
    if options.dry_run:
        return Path(options.output or "runs"), []
    with _opened(options, command, "distill", tasks, variants) as (context, folder):
        seeds = range(options.seed, options.seed + options.seeds)
        records = [
            entry.record
            for variant in variants
            for seed in seeds
            for entry in find_or_make(context, variant, seed).values()
        ]
        folder.finish(distillation=records)
    return folder.path, records


def _checked(options: RunOptions, variants: Sequence[Variant]) -> list[TaskData]:
    """The tasks of a run. UserError for what no run can have, or what may not be read."""
    with storage.reading():
        _check_variants(variants, options)
        tasks = loaded_tasks(options)
    check_teachers(variants, {task.name: task.spec.s2_method for task in tasks})
    steps = [
        get_method(name).steps
        for task in tasks
        for variant in variants
        for name in (variant.method_for(task.spec.s2_method), variant.teacher_for(task.spec.s2_method))
    ]
    if all(steps):  # a user's method may not say what its steps are
        check_steps(options.sampling, {"direct", *(kind for kinds in steps for kind in kinds)})
    return tasks


def _check_variants(variants: Sequence[Variant], options: RunOptions) -> None:
    """UserError for a named checkpoint that is a path and not there or none, for training where the weights
    are on a server, and for an upload of nothing: now, not after hours."""
    if options.push_to_hub is not None and all(variant.kind != "distilled" for variant in variants):
        raise UserError(
            f"--push-to-hub {options.push_to_hub}: no variant is trained; add distilled to --models"
        )
    for variant in variants:
        if variant.kind == "distilled" and options.engine == "openai":
            raise UserError(
                f"--models {variant.name}: the weights are on the server of --engine openai; distil locally "
                "(--engine hf or vllm), serve the adapter, and name it as NAME=served:MODEL"
            )
        location = str(variant.location or "")
        folder = storage.expanded(location)
        if location.startswith((".", "/", "~")) and not folder.is_dir():
            raise UserError(f"--models {variant.name}={location}: no such folder; check the path")
        is_adapter = options.engine == "scripted" or (folder / "adapter_config.json").is_file()
        if location and folder.is_dir() and not is_adapter:
            check_folder(folder, f"--models {variant.name}={location}")


def loaded_tasks(options: RunOptions) -> list[TaskData]:
    """The tasks that the options name, with the limits of the model that is asked. UserError for bad ones."""
    options.check()
    for key, value in options.sampling.items():
        bounds = _TOKENS if key.split(".", 1)[0] == OPTION else SAMPLING_KEYS.get(key)
        if bounds is None:
            known = ", ".join([*sorted(SAMPLING_KEYS), OPTION, f"{OPTION}.STEP"])
            raise UserError(f"--sampling {key}: not known; there are {known}")
        least, most, kind = bounds
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            number = "a whole number" if kind is int else "a number"
            raise UserError(
                f"--sampling {key}={value}: give {number} of at least {least} and at most {most:,}"
            )
    arguments = {"seed": 0, **options.task_args}
    tasks = load_tasks(
        options.tasks, options.data, options.include_path, arguments, options.limit, options.task_config
    )
    for task in tasks:
        if options.pretrained == embedded.NAME and options.engine != "scripted":
            task.spec = embedded.embedded_spec(task.spec)
        elif options.preset == "paper" and task.spec.paper is not None:
            task.spec = replace(task.spec, s2_method=task.spec.paper.method)
    return tasks


@contextmanager
def _opened(
    options: RunOptions, command: str, kind: str, tasks: list[TaskData], variants: Sequence[Variant]
) -> Iterator[tuple[RunContext, RunFolder]]:
    """Folder, store and engine of a run. Whatever ends it early leaves the manifest saying `failed`."""
    # Before the folder exists: a mistyped model must not leave a run that nobody can continue, nor a key
    # that was typed into an option a manifest.
    check_arguments(options.engine, engine_arguments(options))
    check_cache()
    source = (
        ModelSource("scripted", "scripted")
        if options.engine == "scripted"
        else resolve_model(options.pretrained, options.revision, options.dtype, options.trust_remote_code)
    )
    folder = RunFolder.open(options, command, kind)
    say(f"run folder: {folder.path}")
    with ExitStack() as held:
        held.callback(folder.close)
        try:
            store = CallStore(folder.path / "calls.sqlite")
            held.callback(store.close)
            source = replace(source, date=folder.manifest["template_date"])
            try:
                engine = open_engine(options.engine, source, engine_arguments(options))
            except UserError:
                folder.nothing_asked = True  # a model that the hub does not have, say
                raise
            held.callback(engine.close)
            facts = run_facts(engine, tasks, variants, options)
            before = folder.manifest.get("engine") or {}
            if store.count():
                folder.require_same_model(facts["model"], facts["engine"].get("served", {}))
                facts["engine"] = with_notes(facts["engine"], before)
            folder.save(**facts)
            try:
                yield RunContext(options, source, engine, Scheduler(engine, store), tasks), folder
            except BaseException:
                # The calls that were made are kept, and so is what the engine says of them.
                with suppress(OSError):
                    folder.save(engine=with_notes(engine.facts(), folder.manifest["engine"]))
                raise
            known = with_notes(engine.facts(), folder.manifest["engine"])
            known = engine_facts(known, store, options.noise_floor)
            folder.save(engine=known, notes=[*folder.manifest["notes"], *known.get("notes", [])])
        except BaseException:
            # On a full disk the manifest cannot say so; what went wrong first is what counts.
            with suppress(OSError):
                folder.save(status="failed")
            raise


def _phases(
    context: RunContext, folder: RunFolder, variants: Sequence[Variant], find_or_make: FindOrMake
) -> tuple[list[dict[str, Any]], dict[str, float], dict[str, str]]:
    """All variants of all seeds; those without training first, so that the engine loads once a phase.
    Returns the records of distillation, seconds by variant, and the SHA-256 of each samples file."""
    # Files of an earlier process are written again, and are nobody's until the run is finished.
    folder.save(samples={})
    records: list[dict[str, Any]] = []
    timing: dict[str, float] = {}
    samples: dict[str, str] = {}
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    seeds = range(context.options.seed, context.options.seed + context.options.seeds)
    ordered = sorted(variants, key=lambda variant: variant.kind == "distilled")
    for variant in ordered:
        began = time.perf_counter()
        for seed in seeds:
            made: dict[str, Distilled] = {}
            if variant.kind == "distilled":
                made = find_or_make(context, variant, seed)
                records += [entry.record for entry in made.values()]
                folder.save(distillation=records)
            for where, adapters in placements(context, variant, seed, made):
                chosen = [task for task in context.tasks if task.name in adapters]
                for name, found in evaluate(where, variant, seed, chosen, adapters).items():
                    rows.setdefault((variant.name, name), []).extend(found)
                    path = folder.samples_path(variant.name, name)
                    digest = write_rows(path, rows[variant.name, name])
                    samples[path.relative_to(folder.path).as_posix()] = digest
        timing[variant.name] = time.perf_counter() - began
    return records, timing, samples


def evaluate(
    context: RunContext,
    variant: Variant,
    seed: int,
    tasks: Sequence[TaskData],
    adapters: Mapping[str, AdapterInfo | None],
) -> dict[str, list[dict[str, Any]]]:
    """Sample rows of one variant by task; all tasks go through one stream of batches."""
    if not tasks:
        return {}
    by_name = {task.name: task for task in tasks}
    methods = {task.name: get_method(variant.method_for(task.spec.s2_method)) for task in tasks}

    def respond(asked: Sequence[tuple[str, Item, tuple[Message, ...]]]) -> list[Response]:
        jobs = [
            context.job(
                by_name[name],
                item,
                methods[name],
                seed,
                adapter=adapters[name],
                history=history,
                repeat=variant.repeat,
            )
            for name, item, history in asked
        ]
        seeds = context.options.seeds
        return context.scheduler.run(jobs, variant.name if seeds == 1 else f"{variant.name} seed {seed}")

    logged, responses = score(tasks, respond)
    return {
        name: build_rows(by_name[name], variant.name, methods[name].name, seed, logged[name], responses[name])
        for name in by_name
    }
