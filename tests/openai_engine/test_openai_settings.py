"""Addresses, keys, arguments and waits of the `openai` engine."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openai_calls import KEY, ask, first_time, only, whenever
from openai_server import FakeServer

from harness.engines.openai import retry as openai_retry
from harness.engines.openai.address import api_key, check_base_url, without_key
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.retry import backoff, retry_after
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.store import CallStore


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "needs the address"),
        ("   ", "needs the address"),
        ("localhost:8000", "is not an http address"),
        ("ftp://host/v1", "is not an http address"),
        ("http://", "is not an http address"),
        ("http://host:99999/v1", "not an address"),
        ("http://[::1/v1", "not an address"),
        ("http://me:secret@host/v1", "set S2D_API_KEY"),
        ("https://host/v1?api_key=secret", "set S2D_API_KEY"),
    ],
)
def test_what_is_no_address_is_named_without_its_secrets(address: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        check_base_url(address)
    assert "secret" not in str(caught.value)


def test_an_address_is_taken_as_it_is() -> None:
    assert check_base_url(" https://host:8000/v1/ ") == "https://host:8000/v1"
    assert check_base_url("http://[::1]:8000/v1") == "http://[::1]:8000/v1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"concurrency": 0}, "concurrency=0: give a whole number of at least 1"),
        ({"concurrency": 1.5}, "concurrency=1.5: give a whole number"),
        ({"timeout": -1}, "timeout=-1"),
        ({"max_retries": -1}, "max_retries=-1"),
        ({"concurency": 4}, "concurency: not known: did you mean concurrency"),
        ({"api_key": KEY}, "set S2D_API_KEY"),
        ({"body.api_key": KEY}, "set S2D_API_KEY"),
        ({"body": 1}, r"body: not known.*body\.NAME"),
        ({"body.": 1}, r"write body\.NAME=VALUE"),
        ({"body.a.": 1}, r"write body\.NAME=VALUE"),
        ({"body.temperature": 1}, "--sampling temperature=VALUE sets it"),
        ({"body.max_tokens": 1}, "--sampling max_tokens=N sets it"),
        ({"body.messages": 1}, "the run sets it"),
        ({"body.model": "m"}, "--engine-args model=NAME sets it"),
        ({"body.chat_template_kwargs.enable_thinking": True}, "the method think"),
        ({"body.a": 1, "body.a.b": 2}, "a already has a value"),
        ({"body.a.b": 1, "body.a": 2}, "a already has a value"),
    ],
)
def test_a_wrong_engine_argument_is_named(
    opened: Callable[..., OpenAIEngine], arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        opened(**arguments)
    assert KEY not in str(caught.value)


def test_a_dtype_is_the_server_s_business(opened: Callable[..., OpenAIEngine]) -> None:
    with pytest.raises(UserError, match="--dtype float32: the server loads the model"):
        opened(ModelSource("fake", "fake", dtype="float32"))


def test_the_key_of_the_environment() -> None:
    assert api_key({}) is None
    assert api_key({"OPENAI_API_KEY": " one\n"}) == "one"
    assert api_key({"OPENAI_API_KEY": "one", "S2D_API_KEY": "two"}) == "two"
    for odd in ("a\nb", "schlüssel"):
        with pytest.raises(UserError, match="S2D_API_KEY contains characters") as caught:
            api_key({"S2D_API_KEY": odd})
        assert odd not in str(caught.value)
    assert without_key(f"you\nsent {KEY}!", KEY) == "you sent [key]!"
    assert len(without_key("x" * 1000, None)) == 300


def test_a_planted_key_is_sent_to_the_server_and_written_nowhere(
    server: FakeServer,
    opened: Callable[..., OpenAIEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server shows in its errors what it was sent, as some proxies do."""
    caplog.set_level(logging.DEBUG)
    server.key = KEY
    monkeypatch.setenv("S2D_API_KEY", KEY)
    engine = opened(max_retries=1)
    told = [
        repr(engine),
        str(engine.facts()),
        repr(engine.model),
        repr(engine._client),
        repr(engine._answerer),
    ]
    store = CallStore(tmp_path / "calls.sqlite")
    for kind in ("400", "500", "drop", "half"):
        server.fault = whenever("cursed", kind)
        asked = ask(engine, f"cursed {kind}")
        done = engine.generate([asked])
        assert done[0].finish_reason == "error"
        store.commit("test", list(zip([asked], done, strict=True)))
        told.append(repr(done))
    store.close()
    for kind in ("401", "404", "500", "307"):
        server.fault = lambda number, body, kind=kind: kind
        with pytest.raises(RunError) as caught:
            only(engine)
        told.append("".join(traceback.format_exception(caught.value)))
    server.fault, server.key = None, "another"
    with pytest.raises(UserError) as refused:
        opened()
    told.append("".join(traceback.format_exception(refused.value)))
    assert "[key]" in told[-1]
    told += [*capfd.readouterr(), caplog.text]
    assert KEY not in "".join(told)
    for file in tmp_path.rglob("*"):
        assert KEY.encode() not in file.read_bytes()


def test_how_long_a_server_wants_to_be_left_alone() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after({}) is None
    assert retry_after({"retry-after": "3"}) == 3
    assert retry_after({"retry-after": "-3"}) == 0
    assert retry_after({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}, now) == 90
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, now) == 0
    for odd in ("soon", "nan", "inf", "", "Mon, 01 Jan 99999999999 00:00:00 GMT", "9" * 400):
        assert retry_after({"retry-after": odd}) is None


def test_waits_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_retry, "FIRST_WAIT", 0.5)
    for repetition, most in ((1, 0.5), (2, 1.0), (5, 8.0), (20, 60.0)):
        waits = [backoff(repetition) for _ in range(50)]
        assert most / 2 <= min(waits) < max(waits) <= most


def test_retry_after_is_waited_for(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    engine = opened()
    server.retry_after = "0.5"
    server.fault = first_time("429")
    began = time.monotonic()
    assert only(engine).finish_reason == "stop"
    assert 0.5 <= time.monotonic() - began < 3


def test_a_closed_engine_leaves_no_connection(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    only(engine)
    session = engine._client._session
    assert session is not None and not session.closed
    engine.close()
    assert session.closed
    engine.close()
