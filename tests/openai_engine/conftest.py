"""A server and engines on it, for all tests of the `openai` engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai_calls import SOURCE
from openai_odd_server import OddServer
from openai_server import FakeServer

from harness.engines.openai import retry as openai_retry
from harness.engines.openai.engine import OpenAIEngine
from harness.models.source import ModelSource


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long waits between repetitions, no key of whoever runs the tests."""
    monkeypatch.setattr(openai_retry, "FIRST_WAIT", 0.002)
    for variable in ("S2D_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def odd() -> Iterator[OddServer]:
    with OddServer() as server:
        yield server


@pytest.fixture
def opened_odd(odd: OddServer) -> Iterator[Callable[..., OpenAIEngine]]:
    """The same on `odd`."""
    engines: list[OpenAIEngine] = []

    def load(source: ModelSource = SOURCE, **arguments: Any) -> OpenAIEngine:
        engines.append(OpenAIEngine.load(source, {"base_url": odd.base_url, **arguments}))
        return engines[-1]

    yield load
    for engine in engines:
        engine.close()


@pytest.fixture
def opened(server: FakeServer) -> Iterator[Callable[..., OpenAIEngine]]:
    """Opens engines on `server` with these engine arguments, and closes them."""
    engines: list[OpenAIEngine] = []

    def load(source: ModelSource = SOURCE, **arguments: Any) -> OpenAIEngine:
        engines.append(OpenAIEngine.load(source, {"base_url": server.base_url, **arguments}))
        return engines[-1]

    yield load
    for engine in engines:
        engine.close()
