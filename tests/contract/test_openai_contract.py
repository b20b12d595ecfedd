"""The `openai` engine passes the contract of engines, against a server on loopback (openai_server.py).

Two promises differ: requests carry messages to a server, not ids, so a prompt that all but fills the
context is made of words; and nothing is trained there, so there are no ids of targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_contract import EngineContract, Subject
from openai_server import FakeServer, Served

from harness.engines.base import Engine
from harness.engines.openai.engine import OpenAIEngine
from harness.errors import UserError
from harness.models.source import ModelSource

CONTEXT = 60


class TestOpenAI(EngineContract):
    """A server that tokenises, returns ids and serves adapters, as vLLM does."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[FakeServer]:
        models = {"fake": Served()}
        for name, learnt in (("one", 1), ("two", 2), ("idle", 0), ("foreign", 9)):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "adapter_config.json").write_text("{}")
            (folder / "adapter_model.safetensors").write_bytes(name.encode())
            if name != "foreign":
                models[f"served-{name}"] = Served(str(folder), "fake", learnt)
        with FakeServer(models, context=CONTEXT) as server:
            yield server

    @pytest.fixture
    def subject(self, server: FakeServer, tmp_path: Path) -> Iterator[Subject]:
        engine = OpenAIEngine.load(ModelSource("fake", "fake"), {"base_url": server.base_url})

        @contextmanager
        def interrupted(engine: Engine) -> Iterator[None]:
            began = len(server.chats)

            def on_the_third(number: int, body: Mapping[str, Any]) -> str | None:
                return "interrupt" if number == began + 3 else None

            server.fault = on_the_third
            try:
                yield
            finally:
                server.fault = None

        yield Subject(
            engine,
            (tmp_path / "one", tmp_path / "two"),
            tmp_path / "idle",
            tmp_path / "foreign",
            interrupted,
        )
        engine.close()

    def test_what_the_context_leaves_is_used_and_the_cut_is_named(self, subject: Subject) -> None:
        bare = len(subject.ask("").prompt_ids)
        for room, reason in ((2, "length"), (1, "length"), (0, "error")):
            asked = subject.ask(subject.filler * (CONTEXT - bare - room))
            assert len(asked.prompt_ids) == CONTEXT - room
            done = subject.engine.generate([asked])[0]
            assert (done.generated_tokens, done.finish_reason) == (room, reason)

    def test_a_target_ends_in_the_end_of_turn(self, subject: Subject) -> None:
        with pytest.raises(UserError, match="distil locally"):
            subject.engine.target_ids("Answer: yes")
