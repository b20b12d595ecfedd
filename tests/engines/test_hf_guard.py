"""The look at load: a model that batches would change runs slower, says so once, and is never wrong.

Each fix of hf_cache.py and hf_passes.py is taken out here in turn, as an architecture that nobody knows yet
would come without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import save
from test_hf_engine import generated, ids_of, load
from tiny_models import questions, request, save_model
from transformers.cache_utils import Cache

from harness.engines.hf import cache as hf_cache
from harness.engines.hf import guard as hf_guard
from harness.engines.hf import passes as hf_passes
from harness.engines.hf.cache import GrowingLayer
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.hf.guard import EXACT, Way
from harness.engines.hf.prefixes import MIN_SHARED
from harness.errors import UserError
from harness.types import Request, user


def asked_of(engine: HuggingFaceEngine, **more: Any) -> list[Request]:
    """Prompts of unlike length, two of which are equal and some of which begin alike."""
    prompts = [engine.prompt_ids([user(text)]) for text in questions(6)]
    start = engine.prompt_ids([user(" ".join(questions(9)))])[: 2 * MIN_SHARED]
    alike = [(*start, *range(40, 40 + length)) for length in (3, 9, 27)]
    return [request(prompt, **{"max_tokens": 16, **more}) for prompt in [*prompts, *alike, alike[0]]]


def says_what_generate_says(engine: HuggingFaceEngine) -> bool:
    asked = asked_of(engine)
    expected = [generated(engine._model, each.prompt_ids, 16) for each in asked]
    assert len({len(ids) for ids in expected}) > 1, "rows must end at different lengths"
    return ids_of(engine.generate(asked)) == expected


def test_a_model_that_batches_do_not_change_shares_beginnings(tiny_model: Path, capsys: Any) -> None:
    engine = load(tiny_model)
    facts = engine.facts()
    assert facts["batches"]["way"] == "shared beginnings" and facts["batches"]["refused"] == []
    assert facts["batches"]["difference"] < EXACT
    assert facts["attention"] == hf_cache.ATTENTION
    assert "notes" not in facts and capsys.readouterr().err == ""


def wrong_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that stay go on with the states of others: as on layers with states beside keys."""
    monkeypatch.setattr(Cache, "reorder_cache", lambda self, order: self.batch_select_indices(order))


def values_like_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = GrowingLayer.joined.__func__  # type: ignore[attr-defined]

    def shaped(cls: Any, parts: Any, places: Any, room: int) -> GrowingLayer:
        if parts[0].values.shape != parts[0].keys.shape:
            raise RuntimeError("The expanded size of the tensor (16) must match the existing size (8)")
        layer: GrowingLayer = joined(cls, parts, places, room)
        return layer

    monkeypatch.setattr(GrowingLayer, "joined", classmethod(shaped))


def one_cache_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_passes, "_CACHE_NAMES", ("past_key_values",))


def shared_whatever_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_guard, "can_grow", lambda config: True)


FAULTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None], Way, Way]] = {
    "rows that leave, convolutions": ("lfm2", wrong_rows, Way.PADDED, Way.ALONE),
    "rows that leave, states beside keys": ("falcon_h1", wrong_rows, Way.PADDED, Way.ALONE),
    "a cache by another name": ("mamba2", one_cache_name, Way.PADDED, Way.ALONE),
    "values of another size than keys": ("deepseek_v3", values_like_keys, Way.SHARED, Way.PADDED),
    "windows by a name of their own": ("gpt_neo", shared_whatever_is_named, Way.PADDED, Way.PADDED),
}
"""Architecture, what takes the fix out, the way with the fix and without it."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen_at_load_and_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str
) -> None:
    architecture, take_out, fixed, fallen = FAULTS[name]
    folder = save(architecture, tmp_path / "model")
    whole = load(folder)
    assert whole._verdict.way is fixed and whole.facts()["batches"]["refused"] == []
    assert says_what_generate_says(whole)
    capsys.readouterr()
    take_out(monkeypatch)
    engine = load(folder)
    assert engine._verdict.way is fallen
    assert says_what_generate_says(engine)
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and f"its texts come from {fallen.value}" in said[0]
    assert engine.facts()["notes"] == [engine._verdict.note]
    assert engine.facts()["batches"]["way"] == fallen.value and engine.facts()["batches"]["refused"]


def test_without_the_guard_the_faults_are_wrong_texts_or_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above cannot hold by itself."""
    engine = load(save("gpt_neo", tmp_path / "model"))
    object.__setattr__(engine._verdict, "way", Way.SHARED)
    assert not says_what_generate_says(engine)


def test_a_model_that_cannot_be_batched_is_asked_row_by_row(tmp_path: Path) -> None:
    engine = load(save("recurrent_gemma", tmp_path / "model"))
    assert engine._verdict.way is Way.ALONE
    assert "this is slow" in engine.facts()["notes"][0]
    assert says_what_generate_says(engine)
    asked = asked_of(engine)
    assert [len(batch) for batch in engine.plan(asked)] == [1] * len(asked), "each is kept when it is done"
    drawn = asked_of(engine, temperature=1.0)
    texts = engine.generate(drawn)
    assert engine.generate(drawn) == texts != engine.generate(asked)
    free = max(texts, key=lambda done: len(done.text))
    stop = free.text[1:4]
    cut = engine.generate([request(free.prompt_ids, max_tokens=16, temperature=1.0, stop=(stop,))])[0]
    assert cut.finish_reason == "stop" and stop not in cut.text
    assert cut.generated_tokens < free.generated_tokens or cut.generated_ids == free.generated_ids


def test_rows_alone_are_rows_of_a_batch(tiny_model: Path) -> None:
    """Same ids, counts and errors; drawn tokens, stops and ends too."""
    batched, alone = load(tiny_model), load(tiny_model)
    object.__setattr__(alone._verdict, "way", Way.ALONE)
    for more in ({}, {"temperature": 1.0, "top_p": 0.9}, {"stop": ("a", "the")}, {"max_tokens": 1}):
        asked = asked_of(batched, **more)
        assert alone.generate(asked) == batched.generate(asked)
    assert alone.execution.decode_rows == batched.execution.decode_rows


def test_logits_that_are_no_numbers_end_a_row_alone(tiny_model: Path) -> None:
    engine = load(tiny_model)
    object.__setattr__(engine._verdict, "way", Way.ALONE)
    forward = engine._model.forward

    def broken(*given: Any, **more: Any) -> Any:
        output = forward(*given, **more)
        output.logits = output.logits * (float("nan") if more["input_ids"].shape[1] == 1 else 1.0)
        return output

    engine._model.forward = broken
    done = engine.generate(asked_of(engine)[:1])[0]
    assert done.finish_reason == "error" and "not finite at token 2" in str(done.error)


def test_an_attention_that_is_wrong_gives_way_to_the_library_s(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AttentionInterface

    def without_last(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
        out, weights = hf_cache.grouped_attention(module, query, key, value, mask, **more)
        return (out * 0.5 if query.shape[2] == 1 else out), weights

    monkeypatch.setattr(hf_cache, "register", lambda: None)
    monkeypatch.setattr("harness.engines.hf.settings.register", lambda: None)
    AttentionInterface.register(hf_cache.ATTENTION, without_last)
    try:
        engine = load(tiny_model)
    finally:
        AttentionInterface.register(hf_cache.ATTENTION, hf_cache.grouped_attention)
    assert engine.facts()["attention"] == "sdpa"
    assert engine._verdict.way is Way.SHARED
    assert says_what_generate_says(engine)


def test_noise_of_half_precision_is_no_fault(tiny_model: Path) -> None:
    from harness.models.source import ModelSource

    for dtype in ("bfloat16", "float16"):
        engine = HuggingFaceEngine.load(ModelSource("m", str(tiny_model), dtype=dtype), {"device": "cpu"})
        assert engine._verdict.way is Way.SHARED, engine._verdict
        assert engine._verdict.difference > EXACT, "there is noise"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_fault_is_seen_through_the_noise_of_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    from harness.models.source import ModelSource

    wrong_rows(monkeypatch)
    source = ModelSource("m", str(save("falcon_h1", tmp_path / "model")), dtype=dtype)
    assert HuggingFaceEngine.load(source, {"device": "cpu"})._verdict.way is Way.ALONE


def test_a_short_context_is_no_hindrance(tmp_path: Path) -> None:
    from tiny_models import edit_json

    folder = save_model(tmp_path / "model")
    edit_json(folder / "config.json", max_position_embeddings=16)
    assert load(folder)._verdict.way is Way.SHARED


def test_a_model_that_cannot_generate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("kernels are missing\nsee the manual")

    folder = save_model(tmp_path / "model")
    monkeypatch.setattr(LlamaForCausalLM, "forward", broken)
    with pytest.raises(UserError, match=r"model: .*cannot generate .*kernels are missing see.*--engine vllm"):
        load(folder)


def test_memory_that_does_not_suffice_is_no_fault_of_the_model(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LlamaForCausalLM, "forward", full)
    with pytest.raises(torch.OutOfMemoryError):
        load(tiny_model)


def test_the_look_leaves_no_trace_in_what_is_counted(tiny_model: Path) -> None:
    engine = load(tiny_model)
    assert engine.execution.decode_rows == engine.execution.padding_tokens == 0
