"""Where a variant's weights run: the loaded model, an adapter on it, or a full model with a second engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.engines import KINDS
from harness.engines.base import AdapterInfo, Engine, adapter_name
from harness.errors import UserError
from harness.models.fetch import bytes_to_fetch
from harness.models.source import ModelSource, check_path, is_at_hand, resolve_model
from harness.options import RunOptions
from harness.session import Session
from harness.types import Settings
from harness.variants import SERVED, Variant

Placement = tuple[Session, dict[str, AdapterInfo | None]]
"""A session whose engine holds the weights, and the adapter of each task that runs there."""


def placements(
    session: Session, variant: Variant, seed: int, made: Mapping[str, Path | None]
) -> Iterator[Placement]:
    """The placements of a variant, one after the other; a second engine is closed before the next
    placement. `made` are the checkpoints of a distilled variant by task: a task without one has no
    placement, and keeps its row. UserError for a named checkpoint that cannot be loaded."""
    every = [task.name for task in session.tasks]
    if variant.kind == "distilled":
        folders = {task: folder for task, folder in made.items() if folder is not None}
        full = {task: folder for task, folder in folders.items() if (folder / "config.json").is_file()}
        adapters = {task: folder for task, folder in folders.items() if task not in full}
        yield session, _add_adapters(session.engine, variant, seed, adapters)
        for folder in dict.fromkeys(full.values()):
            with _own_engine(session, folder) as other:
                yield other, {task: None for task, place in full.items() if place == folder}
    elif variant.kind == "named":
        yield from _named(session, variant, every)
    else:
        yield session, dict.fromkeys(every)


def require_named(engine: Engine, variants: Sequence[Variant]) -> None:
    """UserError where a checkpoint or adapter that a variant names cannot be had: one of the hub is fetched
    now and not after hours, one on a server must be served."""
    for variant in variants:
        location = str(variant.location)
        if variant.kind == "named" and location.startswith(SERVED):
            engine.require_served(variant.name, location.removeprefix(SERVED))
        elif variant.kind == "named":
            folder = _fetched(variant)
            if (folder / "adapter_config.json").is_file():
                engine.require_served(variant.name, folder)


def source_of(options: RunOptions) -> ModelSource:
    """The model of `--pretrained`, without the date for its template. UserError if it is not available."""
    kind = KINDS[options.engine]
    if kind.weights == "none":
        found = ModelSource(kind.name, kind.name)
    else:
        found = resolve_model(options.pretrained, options.revision, options.dtype, options.trust_remote_code)
    return replace(found, thought_marks=options.mark_pair)


def require_model(options: RunOptions) -> None:
    """UserError for a wrong engine argument, and for a model that neither this machine nor the hub has. It is
    cheap, so that a mistyped name is found before data are fetched: nothing is converted or loaded."""
    kind = KINDS[options.engine]
    kind.check(engine_arguments(options))
    if kind.weights == "here":
        check_path(options.pretrained)
        if is_at_hand(options.pretrained):
            bytes_to_fetch(source_of(options), f"--pretrained {options.pretrained}")


def engine_arguments(options: RunOptions) -> Settings:
    """`--engine-args` and the address of a server."""
    address = {} if options.base_url is None else {"base_url": options.base_url}
    return {**options.engine_args, **address}


def _add_adapters(
    engine: Engine, variant: Variant, seed: int, made: Mapping[str, Path]
) -> dict[str, AdapterInfo | None]:
    adapters: dict[str, AdapterInfo | None] = {}
    loaded: dict[Path, AdapterInfo] = {}
    for task, folder in made.items():
        # The parts of judging share a checkpoint, and all tasks of distilled-all do.
        if folder not in loaded:
            loaded[folder] = engine.add_adapter(adapter_name(variant.name, task, seed), folder)
        adapters[task] = loaded[folder]
    return adapters


@contextmanager
def _own_engine(session: Session, folder: Path, revision: str | None = None) -> Iterator[Session]:
    """A session with the full model in `folder`; meanwhile the run's own model frees its memory."""
    options = session.options
    source = resolve_model(str(folder), revision, options.dtype, options.trust_remote_code)
    session.engine.sleep()
    asked = session.source
    source = replace(source, date=asked.date, thought_marks=asked.thought_marks)
    engine = KINDS[options.engine].open(source, engine_arguments(options))
    try:
        yield replace(session, engine=engine, scheduler=session.scheduler.on(engine))
    finally:
        engine.close()
        session.engine.execution.add(engine.execution)
        session.engine.wake()


def _named(session: Session, variant: Variant, tasks: list[str]) -> Iterator[Placement]:
    location = str(variant.location)
    if location.startswith(SERVED):
        engine = session.engine
        if not hasattr(engine, "served_adapter"):
            raise UserError(
                f"--models {variant.name}={location}: only --engine openai asks a server for an "
                "adapter; name its folder or hub id"
            )
        info = engine.served_adapter(adapter_name(variant.name), location.removeprefix(SERVED))
        yield session, dict.fromkeys(tasks, info)
        return
    folder = _fetched(variant)
    if (folder / "adapter_config.json").is_file():
        yield session, dict.fromkeys(tasks, session.engine.add_adapter(adapter_name(variant.name), folder))
        return
    with _own_engine(session, folder, variant.revision) as other:
        yield other, dict.fromkeys(tasks)


def _fetched(variant: Variant) -> Path:
    """The folder of a named checkpoint, fetched from the hub if it is not on this machine."""
    from huggingface_hub import snapshot_download

    folder = Path(str(variant.location)).expanduser()
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(str(variant.location), revision=variant.revision))
        except (OSError, ValueError) as error:
            raise UserError(
                f"--models {variant.name}={variant.location}: no such folder, and it could not be "
                f"fetched from the hub ({type(error).__name__}); check the path"
            ) from error
    return folder
