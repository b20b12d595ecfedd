"""The `openai` engine survives a server's faults, and gives up in one line.

What every engine promises stands in tests/contract/; the server is tests/fixtures/openai_server.py.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_calls import ask, first_time, only, whenever
from openai_proxy import FaultyProxy
from openai_server import FakeServer
from tiny_models import request

from harness.engines.openai import client as openai_client
from harness.engines.openai.completion import completion
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.reply import Reply
from harness.errors import RunError
from harness.jobs import Job
from harness.programs.base import get_method
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Item, Sampling

# Faults of single requests


def test_drops_and_busy_replies_lose_nothing_and_repeat_nothing(
    server: FakeServer, opened: Callable[..., OpenAIEngine], tmp_path: Path
) -> None:
    draw = random.Random(0)
    engine = opened(concurrency=32)
    server.fault = lambda number, body: draw.choices([None, "drop", "429"], [90, 5, 5])[0]
    jobs = [
        Job(Item(f"i{number}", f"c{number}", f"question {number}", "", ""), get_method("direct"), _greedy)
        for number in range(500)
    ]
    store = CallStore(tmp_path / "calls.sqlite")
    responses = Scheduler(engine, store).run(jobs, "test")
    assert [response.error for response in responses] == [None] * 500
    assert all(f"question {number}" in response.text for number, response in enumerate(responses))
    assert store.count() == 500
    assert server.faults > 20
    assert engine.execution.retries == server.faults
    assert server.answered == 500 + 1  # and the request that every run begins with
    again = Scheduler(engine, store).run(jobs, "test")
    assert [response.text for response in again] == [response.text for response in responses]
    assert server.answered == 500 + 1
    store.close()


def test_replies_that_get_lost_on_the_way_are_asked_for_again(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    with FaultyProxy(server.base_url.removesuffix("/v1"), dropped=0.2, busy=0.0) as proxy:
        engine = opened(base_url=proxy.base_url)
        asked = [ask(engine, f"question {number}") for number in range(100)]
        assert [done.finish_reason for done in engine.generate(asked)] == ["stop"] * 100
        assert engine.execution.retries == proxy.drops > 5
        assert server.answered > 101  # some answers were made and never arrived
        engine.close()


def _greedy(step: str) -> Sampling:
    return Sampling(max_tokens=16)


@pytest.mark.parametrize(
    "kind",
    ["drop", "half", "html", "bytes", "schema", "no choice", "no usage", "abort", "408", "429", "500", "503"],
)
def test_what_goes_wrong_once_is_mended(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened()
    asked = [ask(engine, f"question {number}") for number in range(8)]
    expected = engine.generate(asked)
    server.fault = first_time(kind)
    done = engine.generate(asked)
    assert [each.text for each in done] == [each.text for each in expected]
    assert server.faults == 8
    assert engine.execution.retries == 8


@pytest.mark.parametrize("kind", ["drop", "half", "html", "schema", "no usage", "abort", "500"])
def test_what_goes_wrong_always_is_that_item_s_error(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened(max_retries=3)
    server.fault = whenever("cursed", kind)
    good, bad, also_good = engine.generate([ask(engine, text) for text in ("one", "cursed two", "three")])
    assert (good.finish_reason, also_good.finish_reason) == ("stop", "stop")
    assert (bad.text, bad.finish_reason, bad.generated_tokens) == ("", "error", 0)
    assert "gave no usable reply" in str(bad.error)
    assert "\n" not in str(bad.error)


def test_a_server_that_stays_busy_ends_the_run_and_no_item_is_a_failure(
    server: FakeServer, opened: Callable[..., OpenAIEngine], tmp_path: Path
) -> None:
    """Though it answers a short request meanwhile."""
    jobs = [
        Job(Item(f"i{number}", f"c{number}", text, "", ""), get_method("direct"), _greedy)
        for number, text in enumerate(("one", "cursed two", "three"))
    ]
    store = CallStore(tmp_path / "calls.sqlite")
    server.fault = whenever("cursed", "429")
    with pytest.raises(RunError, match=r"too busy .*lower --engine-args concurrency=, then repeat"):
        Scheduler(opened(max_retries=2), store).run(jobs, "test")
    server.fault = None
    responses = Scheduler(opened(), store).run(jobs, "test")
    assert [response.error for response in responses] == [None] * 3
    assert store.count() == 3
    store.close()


def test_a_server_that_hangs_costs_its_time_out_three_times(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened(timeout=1, max_retries=8)
    server.fault = whenever("cursed", "hang")
    began = time.monotonic()
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed two")])
    assert 3 <= time.monotonic() - began < 10
    assert good.finish_reason == "stop"
    assert bad.finish_reason == "error"
    assert "no reply within 1 s" in str(bad.error)
    assert engine.execution.retries == 2


def test_a_reply_that_does_not_end_is_not_read_to_its_end(
    server: FakeServer, opened: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened()
    monkeypatch.setattr(openai_client, "LARGEST_REPLY", 10_000)
    server.says = lambda body: "endless " * (9_000 if "cursed" in str(body) else 1)
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed", max_tokens=10_000)])
    assert good.text == "endless "
    assert (bad.finish_reason, bad.text) == ("error", "")
    assert "does not end" in str(bad.error)


@pytest.mark.parametrize(("kind", "told"), [("400", "on purpose"), ("413", "413"), ("moderated", "flagged")])
def test_a_refusal_of_one_prompt_is_that_item_s_error(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str, told: str
) -> None:
    engine = opened()
    server.fault = whenever("cursed", kind)
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed")])
    assert (good.finish_reason, bad.finish_reason) == ("stop", "error")
    assert told in str(bad.error)
    assert engine.execution.retries == 0


def test_a_filtered_answer_is_an_error_with_its_tokens(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = first_time("filter")
    done = only(engine)
    assert (done.finish_reason, done.text) == ("error", "")
    assert done.generated_tokens > 0
    assert "filtered" in str(done.error)
    cut = Reply("I can\nnot", None, "error", 9, 4, 0, (), (), {})
    stopped = completion(request((1, 2), stop=("\n",)), cut, thinking=False)
    assert (stopped.finish_reason, stopped.text) == ("error", "")


def test_a_prompt_longer_than_a_context_that_nobody_told(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    server.tokenizes = False
    engine = opened()
    server.context = 60
    short, long = engine.generate([ask(engine, "short"), ask(engine, "word " * 60)])
    assert short.finish_reason == "stop"
    assert (long.finish_reason, long.text) == ("error", "")
    assert "maximum context length is 60" in str(long.error)


# What ends a run


@pytest.mark.parametrize("kind", ["drop", "500", "429", "html"])
def test_a_server_that_goes_away_ends_the_run_and_fails_no_item(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened(max_retries=2)
    asked = [ask(engine, f"question {number}") for number in range(5)]
    server.fault = lambda number, body: kind
    with pytest.raises(RunError, match="then repeat the command") as caught:
        engine.generate(asked)
    assert server.base_url in str(caught.value)
    server.fault = None
    assert [done.finish_reason for done in engine.generate(asked)] == ["stop"] * 5


@pytest.mark.parametrize(
    ("kind", "told"),
    [("401", "S2D_API_KEY"), ("402", "pay"), ("404", "model=NAME"), ("307", "elsewhere")],
)
def test_a_refusal_of_everything_ends_the_run(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str, told: str
) -> None:
    engine = opened()
    asked = [ask(engine, f"question {number}") for number in range(5)]
    server.fault = lambda number, body: kind
    with pytest.raises(RunError, match=told):
        engine.generate(asked)


def test_an_exhausted_quota_is_not_waited_for(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = whenever("cursed", "quota")
    with pytest.raises(RunError, match="takes no more requests"):
        only(engine, "cursed")
    server.fault, server.retry_after = whenever("cursed", "429"), "86400"
    with pytest.raises(RunError, match="wait 86400 s"):
        only(engine, "cursed")
    assert engine._client.retries == 0


def test_other_prompt_ids_than_expected_end_the_run(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = whenever("cursed", "other ids")
    with pytest.raises(RunError, match="rule 2"):
        only(engine, "cursed")
