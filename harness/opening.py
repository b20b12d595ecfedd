"""Open what a run works with, in an order that keeps its folder sound: settings, folder, store, engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from harness.engines import KINDS
from harness.engines.base import Engine
from harness.errors import UserError
from harness.folder import RunFolder
from harness.lm.task import TaskData
from harness.manifest import run_facts
from harness.models.source import ModelSource, check_cache, resolve_model
from harness.options import RunOptions
from harness.placement import engine_arguments
from harness.progress import say
from harness.scheduler import Scheduler
from harness.session import Session
from harness.store import CallStore
from harness.variants import Variant
from results.schema import Engine as EngineEntry
from results.schema import RunKind

BATCHES_VARIED = (
    "Memory did not suffice for some batches, which ran in smaller parts: in bfloat16 or float16 another run "
    "may give other texts (in float32 not)."
)

NOT_REPEATED = (
    "The engine does not promise equal texts for equal calls. By how much base differs from itself was not "
    "measured: --noise-floor runs it twice."
)


@contextmanager
def opened(
    options: RunOptions, command: str, verb: RunKind, tasks: list[TaskData], variants: Sequence[Variant]
) -> Iterator[tuple[Session, RunFolder]]:
    """Folder, store and engine of a run. Whatever ends it early leaves the manifest saying `failed`."""
    # Before the folder exists: a mistyped model must not leave a run that nobody can continue, nor a key
    # that was typed into an option a manifest.
    kind = KINDS[options.engine]
    kind.check(engine_arguments(options))
    check_cache()
    source = (
        ModelSource(kind.name, kind.name)
        if kind.weights == "none"
        else resolve_model(options.pretrained, options.revision, options.dtype, options.trust_remote_code)
    )
    folder = RunFolder.open(options, command, verb)
    say(f"run folder: {folder.path}")
    with ExitStack() as held:
        held.callback(folder.close)
        try:
            store = CallStore(folder.path / "calls.sqlite")
            held.callback(store.close)
            marks = options.mark_pair
            source = replace(source, date=folder.manifest["template_date"], thought_marks=marks)
            try:
                engine = kind.open(source, engine_arguments(options))
            except UserError:
                folder.nothing_asked = True  # a model that the hub does not have, say
                raise
            held.callback(engine.close)
            folder.save(**run_facts(engine, tasks, variants, options))
            yield Session(options, source, engine, Scheduler(engine, store, marks), tasks), folder
            facts = _engine_facts(engine, store, options.noise_floor)
            folder.save(engine=facts, notes=[*folder.manifest["notes"], *facts.get("notes", [])])
        except BaseException:
            # On a full disk the manifest cannot say so; what went wrong first is what counts.
            with suppress(OSError):
                folder.save(status="failed")
            raise


def _engine_facts(engine: Engine, store: CallStore, noise_floor: bool) -> EngineEntry:
    """The engine's own, and whether memory made batches smaller than planned in any process of the run."""
    facts = engine.facts()
    notes = [*facts.get("notes", [])]
    if store.batches_varied:
        facts["same_batches_same_text"] = False
        notes.append(BATCHES_VARIED)
    elif not facts["same_batches_same_text"] and not noise_floor:
        notes.append(NOT_REPEATED)
    return {**facts, "notes": notes} if notes else facts
