"""Opens what a run needs, in an order that never leaves a broken folder: settings, folder, store, engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from harness.engines import KINDS
from harness.errors import UserError
from harness.folder import RunFolder
from harness.lm.task import TaskData
from harness.manifest import REGROUPED, engine_facts, run_facts, with_notes
from harness.models.source import check_cache
from harness.options import RunOptions
from harness.placement import engine_arguments, require_named, source_of
from harness.progress import say
from harness.scheduler import Scheduler
from harness.session import Session
from harness.store import CallStore
from harness.variants import Variant
from results.schema import RunKind

EXACT = ("float32", "none")
"""Types of weights with which the other rows of a batch change no text."""


@contextmanager
def opened(
    options: RunOptions, command: str, verb: RunKind, tasks: list[TaskData], variants: Sequence[Variant]
) -> Iterator[tuple[Session, RunFolder]]:
    """Folder, store and engine of a run. If it ends early, the manifest says `failed`, or `stopped` after a
    signal."""
    # Before the folder exists: a mistyped model must not leave a run that cannot be continued, and a key in
    # an option must not reach a manifest.
    kind = KINDS[options.engine]
    kind.check(engine_arguments(options))
    check_cache()
    source = source_of(options)
    folder = RunFolder.open(options, command, verb)
    say(f"run folder: {folder.path}")
    with ExitStack() as held:
        held.callback(folder.close)
        try:
            store = CallStore(folder.path / "calls.sqlite")
            held.callback(store.close)
            source = replace(source, date=folder.manifest["template_date"])
            try:
                engine = kind.open(source, engine_arguments(options))
                held.callback(engine.close)
                require_named(engine, variants)
            except UserError:
                folder.nothing_asked = True  # for example, the hub does not have the model
                raise
            facts = run_facts(engine, tasks, variants, options)
            if store.count():
                folder.require_same_model(facts["model"], facts["engine"].get("served", {}))
                facts["engine"] = with_notes(facts["engine"], folder.manifest.get("engine"))
            folder.save(**facts)
            try:
                yield (
                    Session(options, source, engine, Scheduler(engine, store, options.mark_pair), tasks),
                    folder,
                )
            except BaseException:
                # Finished calls are kept, and so is what the engine reported.
                with suppress(OSError):
                    folder.save(engine=with_notes(engine.facts(), folder.manifest["engine"]))
                raise
            known = with_notes(engine.facts(), folder.manifest["engine"])
            regrouped = folder.other_batches and engine.model.dtype not in EXACT
            known = engine_facts(known, store, options.noise_floor, regrouped)
            # What growing may have changed is in the manifest; tables of equal records stay equal.
            told = [note for note in known.get("notes", []) if note != REGROUPED]
            folder.save(engine=known, notes=[*folder.manifest["notes"], *told])
        except BaseException as error:
            # On a full disk the manifest cannot say so; what went wrong first is what counts.
            with suppress(OSError):
                folder.save(status="stopped" if _is_stop(error) else "failed")
            raise


def _is_stop(error: BaseException | None) -> bool:
    """Whether a signal ended the work; libraries make other errors of its exception. A library's chain of
    errors may have a circle."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if not isinstance(error, Exception):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
