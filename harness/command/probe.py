"""Asks a few items of each task and method, to measure the length and the speed of replies on this machine.

The waves double (2, 4, 8, ... items) until the time is used, which also shows the gain of larger batches. The
answers are discarded; the run's own store is not touched. Training is not run: its time is estimated from the
speed at which the model reads prompts.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import log2, sqrt
from pathlib import Path

from harness import storage
from harness.command.plan import Kind
from harness.engines import KINDS
from harness.engines.base import Engine
from harness.lm.task import TaskData
from harness.models.fetch import bytes_to_fetch
from harness.models.source import ModelSource, check_cache
from harness.options import RunOptions
from harness.placement import engine_arguments, require_named, source_of
from harness.programs.base import get_method
from harness.progress import say
from harness.scheduler import Scheduler
from harness.session import Session
from harness.store import CallStore
from harness.types import Response
from harness.variants import SERVED, Variant

SECONDS = 20.0
"""Time for the whole probe, without loading the model; a single reply may take longer."""
LARGEST_WAVE = 64
ON_A_SERVER = 8
"""The largest wave where calls may cost money: 14 items of each task and method in all."""
AT_ONCE = ("batch_rows", "concurrency", "max_num_seqs")
"""Engine arguments that set how many calls are made at once."""
USUAL_AT_ONCE = 256
READ = 16
"""Prompts that are read to measure the speed of reading."""
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BYTES_OF_AN_ID, OF_A_CALL, OF_A_ROW = 4.0, 700.0, 300.0
"""Bytes of an id in the call store, and of a call and a row without their texts."""


Range = tuple[float, float]
"""Least and most."""


@dataclass(frozen=True)
class Spread:
    """A mean over a few items, and its possible error."""

    mean: float
    off: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """`off` is 2.5 standard errors, plus a share of the mean for what a small sample does not show."""
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
        return cls(mean, 2.5 * sqrt(variance / len(values)) + mean * (0.5 if len(values) < 3 else 0.05))

    def times(self, items: int, most: float | None = None) -> Range:
        """Returns the sum over `items`, never below 0 and never above `most`."""
        low, high = max(0.0, items * (self.mean - self.off)), items * (self.mean + self.off)
        return (low, high) if most is None else (min(low, most), min(high, most))


@dataclass
class Measured:
    """One method on one task; figures per item."""

    calls: Spread
    prompt_tokens: Spread
    generated_tokens: Spread
    store_bytes: Spread
    """Bytes in the call store."""
    row_bytes: Spread
    """Bytes in the samples file, if the item is scored."""
    waves: list[tuple[int, float]]
    """(items, seconds) of each wave; the last is the largest."""

    def seconds(self, items: int, at_once: int) -> Range:
        """Returns seconds for `items`: if larger batches gain as the last two waves did, and if not."""
        size, took = self.waves[-1]
        slow = took / size
        gain = 1.0
        if len(self.waves) > 1:
            before, took_before = self.waves[-2]
            gain = min(2.0, max(1.0, (took_before / before) / slow))
        doublings = max(0.0, log2(max(1, min(at_once, items)) / size))
        return items * slow * 0.75 / gain**doublings, items * slow * 1.33


@dataclass
class Probe:
    """What was measured; the model stays loaded while the probe is open."""

    measured: dict[Kind, Measured]
    at_once: int
    """Calls that the engine makes at once, at most."""
    load_seconds: float
    read_rate: float | None
    """Prompt tokens per second; None if the weights are not on this machine."""
    engine: Engine
    session: Session

    @property
    def weights_gb(self) -> float:
        """Size of the weights; 0 if they are not on this machine."""
        info = self.engine.model
        return info.parameters * BYTES.get(info.dtype, 0) / 1e9

    @property
    def peak_gb(self) -> float:
        """The most memory so far: of the GPU if there is one, else of this process."""
        import torch

        if torch.cuda.is_available():
            return float(torch.cuda.max_memory_reserved()) / 1e9
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def to_fetch(options: RunOptions) -> tuple[ModelSource, int]:
    """The model, and the bytes of it that are not on this machine. UserError for a model that is not
    available, and for a wrong engine argument."""
    kind = KINDS[options.engine]
    kind.check(engine_arguments(options))
    check_cache()
    source, option = source_of(options), f"--pretrained {options.pretrained}"
    return source, bytes_to_fetch(source, option) if kind.weights == "here" else 0


@contextmanager
def probed(
    options: RunOptions,
    source: ModelSource,
    variants: Sequence[Variant],
    tasks: list[TaskData],
    needed: Callable[[Session], Sequence[Kind]],
) -> Iterator[Probe]:
    """Loads the model and measures the kinds of calls that are `needed`. UserError for an adapter that is not
    available."""
    kind, settings = KINDS[options.engine], engine_arguments(options)
    source = replace(source, date=time.strftime("%Y-%m-%d", time.gmtime()))
    say(f"probe: loading {source.name} ({kind.name}), then about {SECONDS:.0f} seconds of real calls")
    began = time.perf_counter()
    with ExitStack() as held:
        engine = kind.open(source, settings)
        held.callback(engine.close)
        load_seconds = time.perf_counter() - began
        _require_named(engine, variants)
        scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="s2d-probe-"))
        store = CallStore(Path(scratch) / "calls.sqlite")
        held.callback(store.close)
        session = Session(options, source, engine, Scheduler(engine, store, options.mark_pair), tasks)
        kinds = needed(session)
        by_name = {task.name: task for task in tasks}
        found = {
            each: _measure(session, by_name[each[0]], each[1], each[2], SECONDS / len(kinds))
            for each in kinds
        }
        facts = {**engine.facts(), **settings}
        at_once = next((int(facts[name]) for name in AT_ONCE if name in facts), USUAL_AT_ONCE)
        rate = _read_rate(session) if kind.weights == "here" and kinds else None
        yield Probe(found, at_once, load_seconds, rate, engine, session)


def _require_named(engine: Engine, variants: Sequence[Variant]) -> None:
    """Like a run, but only asks the hub about a checkpoint and does not fetch it."""
    for variant in (each for each in variants if each.kind == "named"):
        location = str(variant.location)
        if location.startswith(SERVED) or storage.expanded(location).is_dir():
            require_named(engine, [variant])
        else:
            bytes_to_fetch(
                ModelSource(location, location, variant.revision), f"--models {variant.name}={location}"
            )


def _measure(session: Session, task: TaskData, name: str, teaches: bool, seconds: float) -> Measured:
    method, items = get_method(name), task.scored_items()
    # Spread over the data: it may begin with short questions or with one source.
    step = max(1, len(items) // (2 * LARGEST_WAVE))
    chosen = [*items[::step], *(item for place, item in enumerate(items) if place % step)]
    responses: list[Response] = []
    waves: list[tuple[int, float]] = []
    largest = ON_A_SERVER if KINDS[session.options.engine].weights == "on a server" else LARGEST_WAVE
    began, size = time.perf_counter(), 2
    while chosen:
        part, chosen = chosen[:size], chosen[size:]
        jobs = [
            session.job(
                task, item, method, session.options.seed, teacher=teaches, history=task.history(item.fields)
            )
            for item in part
        ]
        started = time.perf_counter()
        responses += session.scheduler.run(jobs, f"probe {task.name} {name}", quiet=True)
        took = time.perf_counter() - started
        waves.append((len(part), max(took, 1e-6)))
        gone = time.perf_counter() - began
        if size >= largest or gone + 1.5 * took > seconds:
            break
        size *= 2
    # The first wave also warms up: it counts only if there is no other.
    kept = [wave for wave in waves[1:] if wave[0] >= waves[-1][0] / 2] or waves
    done = [[step.completion for step in response.steps] for response in responses]
    return Measured(
        Spread.of([len(each) for each in done]),
        Spread.of([sum(one.prompt_tokens for one in each) for each in done]),
        Spread.of([sum(one.generated_tokens for one in each) for each in done]),
        Spread.of(
            [_texts(each) + BYTES_OF_AN_ID * _ids(each) + OF_A_CALL * len(each.steps) for each in responses]
        ),
        Spread.of([_texts(each) + OF_A_ROW * (1 + len(each.steps)) for each in responses]),
        kept,
    )


def _texts(response: Response) -> int:
    return sum(len(json.dumps(step.messages)) + len(step.completion.text) for step in response.steps)


def _ids(response: Response) -> int:
    return sum(step.completion.prompt_tokens + step.completion.generated_tokens for step in response.steps)


def _read_rate(session: Session) -> float:
    """Returns the prompt tokens that the engine reads per second."""
    engine, task = session.engine, session.tasks[0]
    jobs = [
        session.job(task, item, get_method("direct"), session.options.seed)
        for item in task.scored_items()[:READ]
    ]
    requests = [
        replace(request, sampling=replace(request.sampling, max_tokens=1), key=f"read-{number}")
        for number, request in enumerate(session.scheduler.first_requests(jobs))
    ]
    rate = 1.0
    for _ in range(2):  # the first time warms up
        started, shared = time.perf_counter(), engine.execution.shared_prefix_tokens
        for batch in engine.plan(requests):
            engine.generate(batch)
        read = sum(len(request.prompt_ids) for request in requests)
        read -= engine.execution.shared_prefix_tokens - shared
        rate = max(1, read) / (time.perf_counter() - started)
    return rate
