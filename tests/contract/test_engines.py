"""Every engine passes the contract; then what only `scripted` promises.

What only `hf` promises stands in tests/engines/test_hf_engine.py and tests/engines/test_hf_adapters.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_contract import EngineContract, Subject
from tiny_models import save_adapter, save_model

from harness.engines import KINDS
from harness.engines.base import Engine
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.scripted import ADAPTER_FILE, ScriptedAdapter, ScriptedEngine
from harness.errors import UserError
from harness.models.source import ModelSource
from harness.types import Request, stable_hash

INTERRUPT = {"armed": False}


def says(request: Request, adapter: ScriptedAdapter | None) -> str:
    """Words out of the prompt, the seed where tokens are drawn, and the adapter."""
    if INTERRUPT["armed"] and request.item_id == "3":
        raise KeyboardInterrupt
    drawn = request.seed if request.sampling.temperature else 0
    learnt = sorted(adapter.examples) if adapter else []
    digest = stable_hash([request.prompt_ids, drawn, learnt], 12)
    return " ".join([digest[:4], "said", digest[4:8], *request.messages[-1]["content"].split()[:4]])


class TestScripted(EngineContract):
    """The engine of the tests themselves."""

    @pytest.fixture
    def subject(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
        root = tmp_path_factory.mktemp("scripted")
        for name, learnt in (("one", {"a": "b"}), ("two", {"c": "d"}), ("idle", {})):
            (root / name).mkdir()
            (root / name / ADAPTER_FILE).write_text(json.dumps(learnt))
        (root / "foreign").mkdir()
        (root / "foreign" / "adapter_config.json").write_text("{}")
        yield Subject(
            ScriptedEngine(says, context_length=60),
            (root / "one", root / "two"),
            root / "idle",
            root / "foreign",
            self.interrupted,
        )

    @staticmethod
    @contextmanager
    def interrupted(engine: Engine) -> Iterator[None]:
        INTERRUPT["armed"] = True
        try:
            yield
        finally:
            INTERRUPT["armed"] = False

    def test_the_end_and_a_stop_count_one_id(self, subject: Subject) -> None:
        done = subject.engine.generate([subject.ask("one two three")])[0]
        assert done.generated_tokens == len(done.text.split()) + 1

    def test_a_script_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        source = ModelSource("scripted", "scripted")
        (tmp_path / "empty.py").write_text("")
        for script, reason in (("none.py", "no such file"), ("empty.py", "no function respond")):
            with pytest.raises(UserError, match=reason):
                KINDS["scripted"].open(source, {"script": str(tmp_path / script)})
        with pytest.raises(UserError, match="scirpt: not known: did you mean script"):
            KINDS["scripted"].open(source, {"scirpt": "x"})


class TestHuggingFace(EngineContract):
    """transformers on a random model of two layers, in float32."""

    @pytest.fixture(scope="class")
    def adapters(self, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, Path]:
        root = tmp_path_factory.mktemp("adapters")
        other = save_model(root / "other-model", hidden=32)
        return {
            "one": save_adapter(root / "one", tiny_model),
            "two": save_adapter(root / "two", tiny_model, seed=1),
            "idle": save_adapter(root / "idle", tiny_model, zero=True),
            "foreign": save_adapter(root / "foreign", other),
        }

    @pytest.fixture
    def subject(self, tiny_source: ModelSource, adapters: dict[str, Path]) -> Iterator[Subject]:
        engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
        yield Subject(
            engine,
            (adapters["one"], adapters["two"]),
            adapters["idle"],
            adapters["foreign"],
            self.interrupted,
        )
        engine.close()

    @staticmethod
    @contextmanager
    def interrupted(engine: Engine) -> Iterator[None]:
        assert isinstance(engine, HuggingFaceEngine)
        looked = 0
        usual = engine._has_stop

        def then_interrupt(row: object) -> bool:
            nonlocal looked
            looked += 1
            if looked > 10:
                raise KeyboardInterrupt
            return False

        engine._has_stop = then_interrupt
        try:
            yield
        finally:
            engine._has_stop = usual
