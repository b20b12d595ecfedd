"""The vllm engine passes the contract; what only it promises stands in tests/engines/test_vllm_engine.py.

One engine serves all tests: vLLM takes half a minute to start.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_contract import EngineContract, Subject
from tiny_models import save_adapter, save_model
from vllm_models import open_vllm, save_vllm_model

from harness.engines.base import Engine
from harness.engines.vllm.engine import VllmEngine
from harness.types import Completion, Request

pytestmark = pytest.mark.vllm


class TestVllm(EngineContract):
    """vLLM on a random model of two layers, in float32."""

    @pytest.fixture(scope="class")
    def folders(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        root = tmp_path_factory.mktemp("vllm")
        model = save_vllm_model(root / "model")
        other = save_model(root / "other-model", hidden=32)
        return {
            "model": model,
            "one": save_adapter(root / "one", model),
            "two": save_adapter(root / "two", model, seed=1),
            "idle": save_adapter(root / "idle", model, zero=True),
            "foreign": save_adapter(root / "foreign", other),
        }

    @pytest.fixture(scope="class")
    def engine(self, folders: dict[str, Path]) -> Iterator[VllmEngine]:
        opened = open_vllm(folders["model"])
        yield opened
        opened.close()

    @pytest.fixture
    def subject(self, engine: VllmEngine, folders: dict[str, Path]) -> Subject:  # type: ignore[override]
        return Subject(
            engine, (folders["one"], folders["two"]), folders["idle"], folders["foreign"], self.interrupted
        )

    @staticmethod
    @contextmanager
    def interrupted(engine: Engine) -> Iterator[None]:
        assert isinstance(engine, VllmEngine)
        usual = engine.complete
        sent = threading.Event()

        async def then_interrupt(request: Request) -> Completion:
            done = await usual(request)
            if not sent.is_set():
                sent.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.sleep(3600)
            return done

        engine.complete = then_interrupt  # type: ignore[method-assign]
        try:
            yield
        finally:
            engine.complete = usual  # type: ignore[method-assign]
