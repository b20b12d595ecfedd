"""One run from options to records: evaluate variants, have checkpoints made, evaluate them too.

The order of phases is fixed, so a resumed run meets its calls in the order it first made them. `distill`
is handed in as a function (`FindOrMake`), since this package does not look up at it; `results` reads the
folder afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.context import Distilled, FindOrMake, RunContext
from harness.engines import open_engine
from harness.engines.base import AdapterInfo, Engine
from harness.errors import UserError
from harness.estimate import estimate
from harness.facts import run_facts
from harness.folder import RunFolder
from harness.lm import TaskData, load_tasks, score
from harness.models import ModelSource, resolve_model
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.progress import say
from harness.records import build_rows, write_rows
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Item, Message, Response
from harness.variants import Variant, parse_variants, with_noise_floor
from harness.weights import engine_arguments, placements

SAMPLING_KEYS = frozenset(
    f"{prefix}{key}" for prefix in ("", "teacher_") for key in ("temperature", "top_p", "top_k")
) | {"max_tokens"}


def run(options: RunOptions, command: str, find_or_make: FindOrMake) -> tuple[Path, list[dict[str, Any]]]:
    """Do or continue the run; the folder with manifest and samples, and the records of distillation. Errors
    keep what was finished."""
    variants = parse_variants(options.models)
    if options.noise_floor:
        variants = with_noise_floor(variants)
    _check_variants(variants, options.engine)
    tasks = _load(options)
    say(estimate(options, variants, tasks))
    if options.dry_run:
        return Path(options.output or "runs"), []
    with _opened(options, command, "run", tasks, variants) as (context, folder):
        began = time.perf_counter()
        records, timing = _phases(context, folder, variants, find_or_make)
        folder.save(
            status="finished",
            distillation=records,
            timing={**timing, "total": time.perf_counter() - began},
            execution=context.engine.execution.as_dict(),
        )
    return folder.path, records


def make_checkpoints(
    options: RunOptions, command: str, find_or_make: FindOrMake
) -> tuple[Path, list[dict[str, Any]]]:
    """Distil every task of the options and evaluate nothing; the run folder and the records."""
    variant = Variant("distilled", "distilled")
    with _opened(options, command, "distill", _load(options), [variant]) as (context, folder):
        seeds = range(options.seed, options.seed + options.seeds)
        records = [entry.record for seed in seeds for entry in find_or_make(context, variant, seed).values()]
        folder.save(status="finished", distillation=records)
    return folder.path, records


def _check_variants(variants: Sequence[Variant], engine: str) -> None:
    """UserError for a named checkpoint that is a path and not there, and for training where the weights
    are on a server: now, not after hours."""
    for variant in variants:
        if variant.kind == "distilled" and engine == "openai":
            raise UserError(
                f"--models {variant.name}: the weights are on the server of --engine openai; distil locally "
                "(--engine hf or vllm), serve the adapter, and name it as NAME=served:MODEL"
            )
        location = str(variant.location or "")
        if location.startswith((".", "/", "~")) and not Path(location).expanduser().is_dir():
            raise UserError(f"--models {variant.name}={location}: no such folder; check the path")


def _load(options: RunOptions) -> list[TaskData]:
    options.check()
    for key, value in options.sampling.items():
        if key not in SAMPLING_KEYS:
            raise UserError(f"--sampling {key}: not known; there are {', '.join(sorted(SAMPLING_KEYS))}")
        least = 1 if key == "max_tokens" else 0
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise UserError(f"--sampling {key}={value}: give a number of at least {least}")
    arguments = {"seed": 0, **options.task_args}
    return load_tasks(options.tasks, options.data, options.include_path, arguments, options.limit)


@contextmanager
def _opened(
    options: RunOptions, command: str, kind: str, tasks: list[TaskData], variants: Sequence[Variant]
) -> Iterator[tuple[RunContext, RunFolder]]:
    """Folder, store and engine of a run. Whatever ends it early leaves the manifest saying `failed`."""
    # Before the folder exists: a mistyped model must not leave a run that nobody can continue, nor a key
    # that was typed into an option a manifest.
    if options.engine == "openai":
        from harness.engines.openai_settings import check_arguments

        check_arguments(engine_arguments(options))
    source = (
        ModelSource("scripted", "scripted")
        if options.engine == "scripted"
        else resolve_model(options.pretrained, options.revision, options.dtype, options.trust_remote_code)
    )
    folder = RunFolder.open(options, command, kind)
    say(f"run folder: {folder.path}")
    store = CallStore(folder.path / "calls.sqlite")
    engine: Engine | None = None
    try:
        source = replace(source, date=folder.manifest["template_date"])
        engine = open_engine(options.engine, source, engine_arguments(options))
        folder.save(**run_facts(engine, tasks, variants, options))
        yield RunContext(options, source, engine, Scheduler(engine, store), tasks), folder
        facts = engine.facts()
        folder.save(engine=facts, notes=[*folder.manifest["notes"], *facts.get("notes", [])])
    except BaseException:
        folder.save(status="failed")
        raise
    finally:
        if engine is not None:
            engine.close()
        store.close()
        folder.close()


def _phases(
    context: RunContext, folder: RunFolder, variants: Sequence[Variant], find_or_make: FindOrMake
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """All variants of all seeds; those without training first, so that the engine loads once a phase."""
    records: list[dict[str, Any]] = []
    timing: dict[str, float] = {}
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
                    write_rows(folder.samples_path(variant.name, name), rows[variant.name, name])
        timing[variant.name] = time.perf_counter() - began
    return records, timing


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
