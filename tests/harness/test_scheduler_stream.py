"""The scheduler with a continuous engine: no waiting for a step's slowest call, no call lost or twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from test_scheduler import fan, item, job, method, once, run, twice

from harness.engines.base import AdapterInfo
from harness.engines.continuous import ContinuousEngine
from harness.engines.scripted import ScriptedEngine
from harness.errors import RunError, UserError
from harness.jobs import Job
from harness.programs.base import Program
from harness.scheduler import FEED, Scheduler
from harness.store import CallStore
from harness.types import Completion, Item, Message, Request, Response, Sampling


def says(request: Request, adapter: object) -> str:
    return f"{request.step} {request.seed} {len(request.prompt_ids)}"


class Stream(ContinuousEngine):
    """A scripted engine that answers one open call a poll, the slow ones last. It can fail after some."""

    name = "stream"

    def __init__(
        self, slow: Callable[[Request], bool] = lambda request: False, answers: int = 1_000_000
    ) -> None:
        self._inner = ScriptedEngine(says, context_length=90)
        super().__init__(self._inner.model, limit=1)
        self._slow = slow
        self._answers = answers
        self.open: list[Request] = []
        self.finished: list[Request] = []
        self.handed_over: list[int] = []
        self.cancelled = 0

    async def complete(self, request: Request) -> Completion:
        raise AssertionError("the scheduler submits and polls")

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        return self._inner.prompt_ids(messages, thinking)

    def target_ids(self, text: str) -> tuple[int, ...]:
        return self._inner.target_ids(text)

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        return self._inner.add_adapter(name, folder)

    def submit(self, requests: Sequence[Request]) -> None:
        self.open += requests
        self.handed_over.append(len(requests))

    def poll(self) -> list[tuple[Request, Completion]]:
        if len(self.finished) == self._answers:
            raise RunError("out of memory")
        if not self.open:
            return []
        chosen = min(range(len(self.open)), key=lambda place: self._slow(self.open[place]))
        request = self.open.pop(chosen)
        self.finished.append(request)
        return [(request, self._inner.generate([request])[0])]

    def cancel(self) -> None:
        self.cancelled += 1
        self.open.clear()

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(request.item_id, request.step) for request in self.finished]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    opened = CallStore(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def stream(engine: Stream, store: CallStore, jobs: Sequence[Job]) -> list[Response]:
    return Scheduler(engine, store).run(jobs, "test")


def test_a_program_does_not_wait_for_the_slowest_call_of_its_step(store: CallStore) -> None:
    engine = Stream(slow=lambda request: (request.item_id, request.step) == ("i1", "first"))
    stream(engine, store, [job(number) for number in range(4)])
    assert engine.steps[-2:] == [("i1", "first"), ("i1", "second")]
    assert {step for _, step in engine.steps[:6]} == {"first", "second"}


def test_responses_are_those_of_waves_in_the_order_of_the_jobs(tmp_path: Path, store: CallStore) -> None:
    jobs = [job(n, [once, twice, fan][n % 3], temperature=float(n % 2)) for n in range(11)]
    waves = run(ScriptedEngine(says, context_length=90), CallStore(tmp_path / "waves.sqlite"), jobs)
    assert stream(Stream(slow=lambda request: request.item_id < "i5"), store, jobs) == waves


def test_a_completion_is_in_the_store_before_the_next_is_asked_for(store: CallStore) -> None:
    engine = Stream(answers=5)
    with pytest.raises(RunError, match="out of memory"):
        stream(engine, store, [job(number) for number in range(4)])
    assert store.count("test") == 5
    assert engine.cancelled == 1


@pytest.mark.parametrize("answers", range(0, 24, 4))
def test_a_killed_run_repeats_no_call(tmp_path: Path, store: CallStore, answers: int) -> None:
    jobs = [job(n, [once, twice, fan][n % 3], temperature=float(n % 2)) for n in range(11)]
    whole = Stream()
    expected = stream(whole, CallStore(tmp_path / "whole.sqlite"), jobs)
    first, second = Stream(answers=answers), Stream(slow=lambda request: request.step == "plan")
    with pytest.raises(RunError):
        stream(first, store, jobs)
    assert stream(second, store, jobs) == expected
    made = sorted(request.key for request in first.finished + second.finished)
    assert made == sorted(request.key for request in whole.finished)


def test_equal_calls_are_made_once_whether_open_or_finished(store: CallStore) -> None:
    def late(item: Item) -> Program:
        yield from once(Item("x", "x", "other words", "", ""))
        reply = yield from once(item)
        return reply

    engine = Stream()
    same = [Job(item(n, "same words"), method(once), lambda kind: Sampling()) for n in range(5)]
    late_ones = [Job(item(9, "same words"), method(late), lambda kind: Sampling())]
    responses = stream(engine, store, same + late_ones)
    assert len(engine.finished) == 2
    assert [len(response.steps) for response in responses] == [1] * 5 + [2]
    assert len({response.text for response in responses}) == 1


def test_many_programs_are_handed_over_in_parts(store: CallStore) -> None:
    engine = Stream()
    stream(engine, store, [job(number, once, temperature=1.0) for number in range(2 * FEED + 1)])
    assert engine.handed_over == [FEED, FEED, 1]


def test_a_call_that_cannot_be_served_ends_its_item_alone(store: CallStore) -> None:
    long = Job(item(1, "word " * 100), method(twice), lambda kind: Sampling())
    responses = stream(Stream(), store, [job(0), long, job(2)])
    assert [response.error is None for response in responses] == [True, False, True]


def test_nonsense_of_a_method_stops_the_run_and_gives_up_open_calls(store: CallStore) -> None:
    def mute(item: Item) -> Program:
        yield from once(item)
        return 3

    engine = Stream()
    with pytest.raises(UserError, match="Method mute returned int"):
        stream(engine, store, [job(n, mute) for n in range(3)])
    assert engine.cancelled == 1
    assert engine.open == []


def test_an_engine_that_loses_calls_is_an_error_and_no_endless_wait(store: CallStore) -> None:
    class Losing(Stream):
        def submit(self, requests: Sequence[Request]) -> None:
            super().submit(requests[1:])

    with pytest.raises(RunError, match="1 calls unanswered"):
        stream(Losing(), store, [job(number, once) for number in range(3)])


def test_no_jobs_are_no_calls(store: CallStore) -> None:
    assert stream(Stream(), store, []) == []
