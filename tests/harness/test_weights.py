"""Where variants run: the loaded model, adapters on it, and full checkpoints on engines of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from run_fixtures import make_context, own_task, right_sum, write_task
from tiny_models import save_adapter, save_model

from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import UserError
from harness.models.source import ModelSource
from harness.placement import placements
from harness.variants import parse_variants


def test_a_full_checkpoint_runs_on_an_engine_of_its_own_and_an_adapter_on_the_model(
    tmp_path: Path, tiny_source: ModelSource, tiny_model: Path
) -> None:
    sums = own_task(write_task(tmp_path / "tasks"))
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    context = make_context(tmp_path, right_sum, [sums], engine)
    options = replace(context.options, engine="hf", engine_args={"device": "cpu"})
    context = replace(context, options=options)
    [variant] = parse_variants("distilled")
    full, adapter = save_model(tmp_path / "full", seed=7), save_adapter(tmp_path / "adapter", tiny_model)
    made = {"sums": full, "other": adapter, "none": None}
    places = placements(context, variant, 0, made)
    where, adapters = next(places)
    assert where is context and list(adapters) == ["other"]
    loaded = adapters["other"]
    assert loaded is not None and loaded.probe_change > 0
    own, tasks = next(places)
    assert tasks == {"sums": None}
    assert own.engine is not engine and own.engine.model.fingerprint != engine.model.fingerprint
    assert (own.engine.awake, engine.awake) == (True, False)
    engine.execution.generated_tokens, own.engine.execution.generated_tokens = 5, 7
    assert next(places, None) is None
    assert (own.engine.awake, engine.awake) == (False, True)
    assert engine.execution.generated_tokens == 12, "the run counts what both engines did"


def test_a_served_model_needs_a_server(tmp_path: Path) -> None:
    sums = own_task(write_task(tmp_path / "tasks"))
    context = make_context(tmp_path, right_sum, [sums])
    [variant] = parse_variants("mine=served:tuned")
    with pytest.raises(UserError, match=r"mine=served:tuned: only --engine openai"):
        list(placements(context, variant, 0, {}))
    [variant] = parse_variants("base")
    assert list(placements(context, variant, 0, {})) == [(context, {"sums": None})]
