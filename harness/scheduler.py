"""Advances all programs at once: their asks become one queue of requests for the engine.

An engine that works in batches gets waves: each holds every call that some program waits for. The engine
plans its batches from the whole wave, including calls found in the store, and a batch is committed whole. So
a resumed run makes exactly the missing batches (docs/architecture.md, section 6). A continuous engine gets a
stream: when a program has its answers, its next calls join the calls in progress. Equal calls are made once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.calls import least_of
from harness.engines.base import Engine
from harness.engines.continuous import ContinuousEngine
from harness.errors import RunError, UserError
from harness.jobs import Call, Job, counted, started, without_ids, without_thoughts
from harness.programs.base import Running
from harness.progress import Progress
from harness.store import CallStore, call_key
from harness.thought_marks import open_in
from harness.types import (
    Ask,
    Completion,
    Request,
    Response,
    Step,
    derive_seed,
)
from results.schema import step_kind
from tasks import thoughts

REPEAT_OFFSET = 1_000_000
"""Far above any number of samples, so that a repeat never has a sample's key."""

FEED = 500
"""Programs whose calls are written between two submissions to a continuous engine: it must not wait until
all prompts of a large run are tokenised."""


@dataclass(slots=True)
class _Live:
    """A job in progress."""

    job: Job
    running: Running
    calls: list[Call] = field(default_factory=list)
    """The calls that it waits for."""
    steps: list[Step] = field(default_factory=list)
    done: dict[str, Completion] = field(init=False)
    """In a stream: the answers so far, by key."""
    missing: set[str] = field(init=False)
    """In a stream: keys of the missing answers."""


class Scheduler:
    """Runs jobs on one engine with one call store."""

    def __init__(self, engine: Engine, store: CallStore, thought_marks: thoughts.Pair | None = None) -> None:
        """`thought_marks` are this model's marks around thoughts, beside the known ones."""
        self._engine = engine
        self._store = store
        self._thought_marks = thought_marks

    def on(self, engine: Engine) -> Scheduler:
        """The same store with another engine."""
        return Scheduler(engine, self._store, self._thought_marks)

    def run(self, jobs: Sequence[Job], phase: str, quiet: bool = False) -> list[Response]:
        """Responses in the order of `jobs`. `phase` names the work in the store and, unless it is `quiet`, in
        progress lines."""
        responses: list[Response | None] = [None] * len(jobs)
        live: dict[int, _Live] = {}
        for index, job in enumerate(jobs):
            state, failed = _guarded(partial(Running, started(job), job.method.name))
            if state is None:
                responses[index] = Response("", [], failed)
            else:
                live[index] = _Live(job, state)
        planned = sum(least_of(state.job.method) for state in live.values())
        with Progress(phase, planned, quiet, self._engine.under_way) as progress:
            if isinstance(self._engine, ContinuousEngine):
                self._stream(self._engine, live, responses, phase, progress)
            while live:
                done = self._wave(live, phase, progress)
                for index in list(live):
                    ended = self._advance(live[index], done)
                    if ended is not None:
                        responses[index] = ended
                        del live[index]
        return [response for response in responses if response is not None]

    def recall(self, job: Job) -> tuple[Request, Completion]:
        """The first call of a job and its stored completion, with the ids of both. RunError where the store
        does not have it."""
        request = self.first_requests([job])[0]
        found = self._store.with_ids([request.key]).get(request.key)
        if found is None:
            raise RunError(f"call {request.key} of {job.method.name} is not in the store: repeat the command")
        return request, found

    def _stream(
        self,
        engine: ContinuousEngine,
        live: dict[int, _Live],
        responses: list[Response | None],
        phase: str,
        progress: Progress,
    ) -> None:
        """Runs every program to its end without waves; if that ends early, open calls are given up."""
        waiting: dict[str, list[int]] = {}
        asking = list(live)
        try:
            while live:
                complete = []
                for start in range(0, len(asking), FEED):
                    complete += self._feed(engine, live, asking[start : start + FEED], waiting, progress)
                asking = []
                for index in complete or self._receive(engine, live, waiting, phase, progress):
                    ended = self._advance(live[index], live[index].done)
                    if ended is None:
                        asking.append(index)
                    else:
                        responses[index] = ended
                        del live[index]
        except BaseException:
            engine.cancel()
            raise

    def _feed(
        self,
        engine: ContinuousEngine,
        live: Mapping[int, _Live],
        asking: Sequence[int],
        waiting: dict[str, list[int]],
        progress: Progress,
    ) -> list[int]:
        """Submits the calls of programs with new asks; returns the programs whose answers are all in the
        store already. `waiting` records who waits for an open call."""
        asked: dict[str, Request] = {}
        for index in asking:
            for request in self._requests(live[index]):
                asked.setdefault(request.key, request)
        found = self._store.lookup(key for key in asked if key not in waiting)
        new = [request for key, request in asked.items() if key not in found and key not in waiting]
        progress.expect(len(found) + len(new))
        progress.replayed(len(found))
        for index in asking:
            keys = {call.key for call in live[index].calls}
            live[index].done = {key: found[key] for key in keys if key in found}
            live[index].missing = keys - found.keys()
            for key in live[index].missing:
                waiting.setdefault(key, []).append(index)
        engine.submit(new)
        return [index for index in asking if not live[index].missing]

    def _receive(
        self,
        engine: ContinuousEngine,
        live: Mapping[int, _Live],
        waiting: dict[str, list[int]],
        phase: str,
        progress: Progress,
    ) -> list[int]:
        """Commits what the engine has finished; returns the programs that now have all their answers."""
        finished = engine.poll()
        if not finished:
            raise RunError(f"engine {engine.name} left {len(waiting)} calls unanswered: repeat the command")
        self._store.commit(phase, finished)
        progress.made(len(finished), sum(completion.generated_tokens for _, completion in finished))
        complete = []
        for request, completion in finished:
            for index in waiting.pop(request.key):
                live[index].done[request.key] = without_ids(completion)
                live[index].missing.discard(request.key)
                if not live[index].missing:
                    complete.append(index)
        return complete

    def _wave(self, live: Mapping[int, _Live], phase: str, progress: Progress) -> dict[str, Completion]:
        """Completions of every call that some program waits for, by key."""
        requests: dict[str, Request] = {}
        for state in live.values():
            for request in self._requests(state):
                requests.setdefault(request.key, request)
        progress.expect(len(requests))
        done = self._store.lookup(requests)
        progress.replayed(len(done))
        batches = deque(self._engine.plan(list(requests.values())))
        del requests  # frees each batch's prompts together with the batch
        while batches:
            batch = batches.popleft()
            missing = [request for request in batch if request.key not in done]
            if not missing:
                continue
            splits = self._engine.execution.splits
            completions = self._engine.generate(missing)
            pairs = list(zip(missing, completions, strict=True))
            self._store.commit(phase, pairs, varied=self._engine.execution.splits > splits)
            for request, completion in pairs:
                done[request.key] = without_ids(completion)
            progress.made(len(missing), sum(completion.generated_tokens for completion in completions))
        return done

    def first_requests(self, jobs: Sequence[Job]) -> list[Request]:
        """What the jobs ask first; nothing is asked or stored."""
        found: list[Request] = []
        for job in jobs:
            asks = Running(started(job), job.method.name).asks
            found += [self._request(job, ask) for ask in asks]
        return found

    def _requests(self, state: _Live) -> Sequence[Request]:
        """Engine requests for the asks that this program now waits for."""
        before = {call.step: call.key for call in state.calls}
        requests: list[Request] = []
        calls: list[Call] = []
        for ask in state.running.asks:
            begun, shared = ((), 0) if ask.after is None else self._begun(ask, before)
            request = self._request(state.job, ask, begun)
            requests.append(request)
            budget = ask.max_tokens if ask.spends else None
            calls.append(Call(request.key, request.step, request.messages, budget, shared))
        state.calls = calls
        return requests

    def _begun(self, ask: Ask, before: Mapping[str, str]) -> tuple[tuple[int, ...], int]:
        """Prompt ids of a call that goes on from one of `before` (step -> key), and how many of them that
        call counts. UserError where there is no such call."""
        sample, slash, _ = ask.step.rpartition("/")  # one of several samples goes on from its own call
        key = before.get(f"{sample}{slash}{ask.after}")
        done = None if key is None else self._store.with_ids([key]).get(key)
        if done is None:
            raise UserError(
                f"step {ask.step!r} goes on after {ask.after!r}, which is not the call just before it"
            )
        spent = (*done.prompt_ids, *done.generated_ids)
        opened = open_in(done.text, self._thought_marks)
        closing = f"\n{opened[1]}\n{ask.closing}" if opened else ask.closing
        return (*spent, *(self._engine.text_ids(closing) if closing else ())), len(spent)

    def _request(self, job: Job, ask: Ask, begun: tuple[int, ...] = ()) -> Request:
        """The call of an ask; `begun` are the ids of its prompt where it goes on from another call."""
        kind = step_kind(ask.step)  # also for one of several samples: `1/direct`
        turns = () if kind in job.method.without_turns else job.history
        messages = [*turns, *ask.messages]
        sampling = job.sampling(kind)
        limit = ask.max_tokens if ask.max_tokens is not None else sampling.max_tokens
        stops = tuple(dict.fromkeys((*sampling.stop, *ask.stop)))
        if (limit, stops) != (sampling.max_tokens, sampling.stop):
            sampling = replace(sampling, max_tokens=limit, stop=stops)
        # A greedy call has no random choice: without a seed, equal greedy calls are one call.
        greedy = sampling.temperature == 0
        sample = (0 if greedy else job.sample_index) + REPEAT_OFFSET * job.repeat
        seed = 0 if greedy else derive_seed(job.run_seed, job.item.item_id, ask.step, sample)
        ids = begun or self._engine.prompt_ids(messages, thinking=job.method.thinking)
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
        """Sends a program its completions; returns its response if that ended it."""
        completions = [self._with_known_marks(counted(call, done[call.key])) for call in state.calls]
        for call, completion in zip(state.calls, completions, strict=True):
            state.steps.append(Step(call.step, call.messages, completion))
        broken = [completion.error for completion in completions if completion.finish_reason == "error"]
        if broken and not state.job.method.votes:
            return Response("", state.steps, broken[0] or "the engine gave no completion")
        thinking = state.job.method.thinking
        replies = [
            # The thought of a call that goes on was closed for it.
            without_thoughts(completion, thinking and not call.shared)
            for call, completion in zip(state.calls, completions, strict=True)
        ]
        _, failed = _guarded(partial(state.running.send, replies))
        if failed is not None:
            return Response("", state.steps, failed)
        if state.running.text is not None:
            text, stopped = state.job.finish(state.running.text)
            return Response(text, state.steps, stopped=stopped)
        return None

    def _with_known_marks(self, completion: Completion) -> Completion:
        """Replaces the marks that the user named by common ones."""
        text = thoughts.known(completion.text, self._thought_marks)
        return completion if text == completion.text else replace(completion, text=text)


def _guarded(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Result of `call`, or one line on why a method failed on this item. An error of the method on every
    item (a UserError) is raised."""
    try:
        return call(), None
    except UserError:
        raise
    except Exception as error:  # a method may be a user's: a failure on one item is recorded
        return None, f"the method raised {type(error).__name__}: {error}".splitlines()[0]
