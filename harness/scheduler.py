"""Advances all programs at once: their asks become one queue of requests for the engine.

Each wave holds every call that some program waits for. The engine plans its batches from the whole
wave, found calls included, and a batch is committed whole: a resumed run therefore makes the very
batches that were missing (design section 6). Equal calls of a wave are made once.

It knows neither tasks nor files of a run beyond the call store, and no engine in particular.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.engines.base import AdapterInfo, Engine
from harness.errors import UserError
from harness.programs.base import Method, Running, Vote, step_kind
from harness.progress import Progress
from harness.store import CallStore, call_key
from harness.types import (
    Ask,
    Completion,
    Item,
    Message,
    Request,
    Response,
    Sampling,
    Step,
    derive_seed,
)

REPEAT_OFFSET = 1_000_000
"""Far above any number of samples, so that a repeat never meets a sample's key."""


@dataclass(frozen=True)
class Job:
    """One program on one item."""

    item: Item
    method: Method
    sampling: Callable[[str], Sampling]
    """Step kind -> how its tokens are drawn."""
    run_seed: int = 0
    sample_index: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    vote: Vote | None = None
    adapter: AdapterInfo | None = None
    repeat: int = 0
    """Another number makes calls of its own where all else is equal (the noise floor)."""
    history: tuple[Message, ...] = ()
    """Turns before System 1's prompt (a system turn, few-shot examples of a user's own task)."""


@dataclass
class _Live:
    """A job under way."""

    job: Job
    running: Running
    requests: list[Request] = field(default_factory=list)
    """Of the calls it waits for."""
    steps: list[Step] = field(default_factory=list)


class Scheduler:
    """Runs jobs on one engine with one call store."""

    def __init__(self, engine: Engine, store: CallStore) -> None:
        self._engine = engine
        self._store = store

    def on(self, engine: Engine) -> Scheduler:
        """The same store with another engine."""
        return Scheduler(engine, self._store)

    def run(self, jobs: Sequence[Job], phase: str) -> list[Response]:
        """Responses in the order of `jobs`. `phase` names the work in progress lines and in the store."""
        responses: list[Response | None] = [None] * len(jobs)
        live: dict[int, _Live] = {}
        for index, job in enumerate(jobs):
            program = job.method.start(job.item, job.options, job.vote)
            state, failed = _guarded(partial(Running, program, job.method.name))
            if state is None:
                responses[index] = Response("", [], failed)
            else:
                live[index] = _Live(job, state)
        with Progress(phase) as progress:
            while live:
                done = self._wave(live, phase, progress)
                for index in list(live):
                    ended = self._advance(live[index], done)
                    if ended is not None:
                        responses[index] = ended
                        del live[index]
        return [response for response in responses if response is not None]

    def _wave(self, live: Mapping[int, _Live], phase: str, progress: Progress) -> dict[str, Completion]:
        """Completions of every call that some program waits for, by key."""
        requests: dict[str, Request] = {}
        for state in live.values():
            state.requests = [self._request(state.job, ask) for ask in state.running.asks]
            for request in state.requests:
                requests.setdefault(request.key, request)
        progress.expect(len(requests))
        done = self._store.lookup(requests)
        progress.replayed(len(done))
        for batch in self._engine.plan(list(requests.values())):
            missing = [request for request in batch if request.key not in done]
            if not missing:
                continue
            completions = self._engine.generate(missing)
            pairs = list(zip(missing, completions, strict=True))
            self._store.commit(phase, pairs)
            for request, completion in pairs:
                # Ids live in the store; a large run must not hold them all in memory.
                done[request.key] = replace(completion, prompt_ids=(), generated_ids=())
            progress.made(len(missing), sum(completion.generated_tokens for completion in completions))
        return done

    def _request(self, job: Job, ask: Ask) -> Request:
        messages = [*job.history, *ask.messages] if ask.step == "direct" else list(ask.messages)
        sampling = job.sampling(step_kind(ask.step))
        limit = ask.max_tokens if ask.max_tokens is not None else sampling.max_tokens
        stops = tuple(dict.fromkeys((*sampling.stop, *ask.stop)))
        sampling = replace(sampling, max_tokens=limit, stop=stops)
        # A greedy call has no random choice: without a seed, equal greedy calls are one call.
        greedy = sampling.temperature == 0
        sample = (0 if greedy else job.sample_index) + REPEAT_OFFSET * job.repeat
        seed = 0 if greedy else derive_seed(job.run_seed, job.item.item_id, ask.step, sample)
        ids = self._engine.prompt_ids(messages, thinking=job.method.thinking)
        key = call_key(
            self._engine.model.fingerprint,
            job.adapter.hash if job.adapter else None,
            ids,
            sampling,
            seed,
            ask.step,
            sample,
        )
        return Request(
            job.item.item_id, ask.step, sample, messages, ids, sampling, seed,
            job.adapter.name if job.adapter else None, key,
        )  # fmt: skip

    def _advance(self, state: _Live, done: Mapping[str, Completion]) -> Response | None:
        """Hand a program its completions; its response if that ended it."""
        completions = [done[request.key] for request in state.requests]
        for request, completion in zip(state.requests, completions, strict=True):
            state.steps.append(Step(request.step, request.messages, completion))
        broken = [completion.error for completion in completions if completion.finish_reason == "error"]
        if broken and not state.job.method.votes:
            return Response("", state.steps, broken[0] or "the engine gave no completion")
        _, failed = _guarded(partial(state.running.send, completions))
        if failed is not None:
            return Response("", state.steps, failed)
        if state.running.text is not None:
            return Response(state.running.text, state.steps)
        return None


def _guarded(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Result of `call`, or one line on why a method failed on this item. What the method got wrong on
    every item (a UserError) is raised."""
    try:
        return call(), None
    except UserError:
        raise
    except Exception as error:  # a method is the user's code: one item's failure is a record, not a crash
        return None, f"the method raised {type(error).__name__}: {error}".splitlines()[0]
