"""Budgets of reasoning on vLLM: the rows are those of the `hf` engine, whose prompts test_budget.py reads.

In float32 both engines make the same ids, so that every text, count and finish reason can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import make_context, rows_with
from vllm_models import open_vllm, save_vllm_model

from harness.engines.base import Engine
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.vllm.engine import VllmEngine
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    model = save_vllm_model(tmp_path_factory.mktemp("vllm") / "model")
    return ModelSource("tiny-random", str(model), dtype="float32")


@pytest.fixture(scope="module")
def vllm(source: ModelSource) -> Iterator[VllmEngine]:
    opened = open_vllm(Path(source.location))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def hf(source: ModelSource) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(source, {"device": "cpu"})


@pytest.fixture(scope="module")
def gsm8k() -> TaskData:
    return load_tasks(["gsm8k"], "embedded", [], {}, 12)[0]


def rows_of(folder: Path, engine: Engine, source: ModelSource, task: TaskData, method: str) -> list[Any]:
    context = make_context(folder, lambda request: "", [task], engine, source)
    same = ("item_id", "response", "answer", "truncated", "failure")
    return [
        {name: row[name] for name in same}
        | {"steps": [(each["finish_reason"], each["prompt_tokens"], each["text"]) for each in row["steps"]]}
        # vLLM may find the beginning of a prompt in its cache.
        | {"usage": {name: count for name, count in row["usage"].items() if name != "cached_tokens"}}
        for row in rows_with(context, method)
    ]


@pytest.mark.parametrize("method", ["cot/6", "think/6", "cot/200"])
def test_a_budget_gives_the_rows_of_the_hf_engine(
    tmp_path: Path,
    vllm: VllmEngine,
    hf: HuggingFaceEngine,
    source: ModelSource,
    gsm8k: TaskData,
    method: str,
) -> None:
    rows = rows_of(tmp_path, vllm, source, gsm8k, method)
    assert rows == rows_of(tmp_path, hf, source, gsm8k, method)
    reasons = {tuple(reason for reason, _, _ in row["steps"]) for row in rows}
    if method == "cot/200":
        assert ("stop",) in reasons, "a budget that suffices leaves one call"
    else:
        assert any(found[0] == "budget" for found in reasons), "an untrained model goes on after six tokens"
