"""Continuous engines: the limit of calls under way, the queue, failures, giving up, the thread's end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tiny_models import request

from harness.engines.base import AdapterInfo, ModelInfo
from harness.engines.continuous import ContinuousEngine
from harness.errors import RunError
from harness.types import Completion, Message, Request


class Sleeper(ContinuousEngine):
    """A call takes a hundredth of a second per prompt id; item `bad` fails, `stuck` never ends."""

    name = "sleeper"

    def __init__(self, limit: int = 3) -> None:
        super().__init__(ModelInfo("sleeper", "f", 1, "none", "t", 100), limit)
        self.under_way = 0
        self.most_under_way = 0
        self.given_up: list[str] = []
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1

    async def complete(self, request: Request) -> Completion:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if request.item_id == "interrupt":
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            if request.item_id in {"interrupt", "stuck"}:
                await asyncio.sleep(3600)
            await asyncio.sleep(len(request.prompt_ids) / 100)
        except asyncio.CancelledError:
            self.given_up.append(request.item_id)
            raise
        finally:
            self.under_way -= 1
        if request.item_id == "torn":
            raise asyncio.CancelledError
        if request.item_id == "bad":
            raise RunError("the engine has failed")
        return Completion(request.item_id, "stop", len(request.prompt_ids), 2)

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        raise NotImplementedError

    def target_ids(self, text: str) -> tuple[int, ...]:
        raise NotImplementedError

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        raise NotImplementedError


def call(item: str, hundredths: int = 1) -> Request:
    return request([1] * hundredths, item=item)


@pytest.fixture
def engine() -> Iterator[Sleeper]:
    made = Sleeper()
    yield made
    made.close()


def texts(completions: Sequence[Completion]) -> list[str]:
    return [completion.text for completion in completions]


def test_a_batch_comes_back_in_its_order_and_equal_calls_each_get_an_answer(engine: Sleeper) -> None:
    same = call("same")
    batch = [call("slow", 9), same, call("quick"), same]
    assert texts(engine.generate(batch)) == ["slow", "same", "quick", "same"]


def test_completions_come_as_they_are_there(engine: Sleeper) -> None:
    engine.submit([call("slow", 20), call("quick")])
    assert [done.text for _, done in engine.poll()] == ["quick"]
    engine.submit([call("later")])
    assert [done.text for _, done in engine.poll()] == ["later"]
    assert [(asked.item_id, done.text) for asked, done in engine.poll()] == [("slow", "slow")]
    assert engine.poll() == []


def test_no_more_than_the_limit_are_under_way_and_all_are_answered(engine: Sleeper) -> None:
    engine.submit([call(str(number)) for number in range(20)])
    found: list[str] = []
    while finished := engine.poll():
        found += [done.text for _, done in finished]
    assert sorted(found, key=int) == [str(number) for number in range(20)]
    assert engine.most_under_way == 3


def test_a_plan_is_everything_at_once(engine: Sleeper) -> None:
    asked = [call("a"), call("b")]
    assert engine.plan(asked) == [asked]
    assert engine.plan([]) == []


def test_nothing_asked_prepares_nothing(engine: Sleeper) -> None:
    assert engine.generate([]) == []
    engine.submit([])
    assert engine.prepared == 0
    engine.generate([call("a")])
    assert engine.prepared == 1


def test_what_was_finished_comes_out_before_the_failure(engine: Sleeper) -> None:
    engine.submit([call("good"), call("bad"), call("slow", 10)])
    threading.Event().wait(0.05)
    assert [done.text for _, done in engine.poll()] == ["good"]
    with pytest.raises(RunError, match="has failed"):
        engine.poll()
    engine.cancel()
    assert engine.poll() == []
    assert engine.given_up == ["slow"]


def test_after_a_failure_nothing_is_started_again_until_it_was_told(engine: Sleeper) -> None:
    engine.submit([call("good"), call("bad")])
    threading.Event().wait(0.05)
    assert [done.text for _, done in engine.poll()] == ["good"]
    with pytest.raises(RunError, match="has failed"):
        engine.submit([call("next step of good")])
    assert engine.prepared == 1
    engine.cancel()
    assert texts(engine.generate([call("after")])) == ["after"]


def test_a_call_that_a_library_cancels_is_a_failure_and_not_waited_for(engine: Sleeper) -> None:
    with pytest.raises(RunError, match="sleeper gave a call up"):
        engine.generate([call("torn"), call("good")])
    assert texts(engine.generate([call("after")])) == ["after"]


def test_a_failure_in_a_batch_gives_up_the_others_and_leaves_the_engine_usable(engine: Sleeper) -> None:
    with pytest.raises(RunError, match="has failed"):
        engine.generate([call("stuck"), call("bad"), call("stuck")])
    assert engine.given_up == ["stuck", "stuck"]
    assert texts(engine.generate([call("after")])) == ["after"]


@pytest.mark.usefixtures("heard_interrupts")
def test_an_interrupt_gives_up_what_is_under_way(engine: Sleeper) -> None:
    with pytest.raises(KeyboardInterrupt):
        engine.generate([call("stuck"), call("interrupt"), call("stuck"), call("waiting")])
    assert sorted(engine.given_up) == ["interrupt", "stuck", "stuck"]
    assert texts(engine.generate([call("after")])) == ["after"]


def test_what_was_given_up_does_not_come_back(engine: Sleeper) -> None:
    engine.submit([call("quick"), call("stuck")])
    threading.Event().wait(0.05)
    engine.cancel()
    assert engine.poll() == []
    assert texts(engine.generate([call("after")])) == ["after"]


def test_counts_and_seconds_are_of_finished_calls(engine: Sleeper) -> None:
    engine.generate([call("a", 2), call("b", 3)])
    assert (engine.execution.generated_tokens, engine.execution.prompt_tokens) == (4, 5)
    assert 0.03 <= engine.execution.seconds < 5


def test_a_closed_engine_leaves_no_thread_and_may_close_again() -> None:
    before = threading.active_count()
    engine = Sleeper()
    engine.submit([call("stuck")])
    threading.Event().wait(0.02)
    engine.close()
    engine.close()
    assert threading.active_count() == before
    assert engine.given_up == ["stuck"]
    assert not engine.awake
