"""Adapters on the `hf` engine: the wrong ones are refused in one line, the right ones do what PEFT does."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import edit_json, questions, request, save_adapter, save_model

from harness.engines.hf.adapters import adapter_hash
from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Request, user


@pytest.fixture
def engine(tiny_source: ModelSource) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(tiny_source, {"device": "cpu"})


def ask(engine: HuggingFaceEngine, adapter: str | None) -> list[Request]:
    return [request(engine.prompt_ids([user(text)]), max_tokens=12, adapter=adapter) for text in questions(5)]


def copied(adapter: Path, folder: Path) -> Path:
    shutil.copytree(adapter, folder)
    return folder


def test_an_adapter_says_what_plain_peft_says(
    engine: HuggingFaceEngine, tiny_model: Path, tiny_adapter: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(tiny_adapter)).eval()
    engine.add_adapter("tuned", tiny_adapter)
    asked = ask(engine, "tuned")
    for each, done in zip(asked, engine.generate(asked), strict=True):
        ids = torch.tensor([each.prompt_ids])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12
        )
        assert list(done.generated_ids) == out[0, ids.shape[1] :].tolist()


def test_an_adapter_is_computed_in_the_dtype_of_its_model(
    tiny_source: ModelSource, tiny_adapter: Path, tmp_path: Path
) -> None:
    """As in training and in vLLM; PEFT's own choice is float32."""
    engine = HuggingFaceEngine.load(replace(tiny_source, dtype="bfloat16"), {"device": "cpu"})
    plain = engine.generate(ask(engine, None))
    engine.add_adapter("tuned", tiny_adapter)
    engine.add_adapter("again", copied(tiny_adapter, tmp_path / "again"))
    found = {each.dtype for name, each in engine._model.named_parameters() if "lora_" in name}
    assert found == {torch.bfloat16}
    tuned, again = (engine.generate(ask(engine, name)) for name in ("tuned", "again"))
    assert tuned == again != plain
    assert engine.generate(ask(engine, None)) == plain


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_an_adapter_with_biases_is_refused_since_the_base_model_would_keep_them(
    engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path, bias: str
) -> None:
    adapter = copied(tiny_adapter, tmp_path / "biased")
    edit_json(adapter / "adapter_config.json", bias=bias)
    with pytest.raises(UserError, match=f"bias={bias}.*merge_and_unload"):
        engine.add_adapter("biased", adapter)


def test_an_adapter_must_change_the_probe_by_more_than_noise(
    engine: HuggingFaceEngine, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    info = engine.add_adapter("tuned", tiny_adapter)
    assert info.probe_change > 100 * max(info.probe_noise, 1e-4)
    idle = save_adapter(tmp_path / "idle", tiny_model, zero=True)
    with pytest.raises(RunError, match=r"idle does not change the model \(largest change of a logit 0"):
        engine.add_adapter("idle", idle)


def test_an_adapter_s_settings_are_in_its_hash(
    engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path
) -> None:
    stronger = copied(tiny_adapter, tmp_path / "stronger")
    edit_json(stronger / "adapter_config.json", lora_alpha=64)
    one, two = engine.add_adapter("one", tiny_adapter), engine.add_adapter("two", stronger)
    assert engine.generate(ask(engine, "one")) != engine.generate(ask(engine, "two"))
    assert one.hash != two.hash


@pytest.mark.parametrize("other", [{"hidden": 32}, {"layers": 3}], ids=["narrower", "deeper"])
@pytest.mark.parametrize("after_another", [False, True])
def test_an_adapter_of_another_base_model_is_refused(
    engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path, other: dict[str, int], after_another: bool
) -> None:
    if after_another:
        engine.add_adapter("own", tiny_adapter)
    foreign = save_adapter(tmp_path / "foreign", save_model(tmp_path / "model", **other))
    with pytest.raises(UserError, match=r"foreign: .* belongs to another base model"):
        engine.add_adapter("foreign", foreign)


def test_a_pickled_adapter_is_refused(engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path) -> None:
    pickled = copied(tiny_adapter, tmp_path / "pickled")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(UserError, match=r"only adapter_model\.bin, and pickles can run code"):
        engine.add_adapter("pickled", pickled)


def test_damaged_adapter_files_are_named(
    engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path
) -> None:
    cut = copied(tiny_adapter, tmp_path / "cut")
    whole = (cut / "adapter_model.safetensors").read_bytes()
    (cut / "adapter_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut: its weights are damaged"):
        engine.add_adapter("cut", cut)
    broken = copied(tiny_adapter, tmp_path / "broken")
    (broken / "adapter_config.json").write_text('{"peft_type": ')
    with pytest.raises(UserError, match=r"broken/adapter_config\.json is damaged"):
        engine.add_adapter("broken", broken)


def test_adapters_do_not_add_to_each_other(
    engine: HuggingFaceEngine, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    engine.add_adapter("first", tiny_adapter)
    alone = engine.generate(ask(engine, "first"))
    engine.add_adapter("second", save_adapter(tmp_path / "second", tiny_model, seed=3))
    assert engine.generate(ask(engine, "first")) == alone


def test_the_hash_is_of_what_an_adapter_does_and_not_of_where_it_was_made(
    tmp_path: Path, tiny_adapter: Path
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(tiny_adapter, folder)
    edit_json(folder / "adapter_config.json", base_model_name_or_path="/another/machine/model")
    assert adapter_hash(folder) == adapter_hash(tiny_adapter)
    names = json.loads((folder / "adapter_config.json").read_text())["target_modules"]
    assert len(names) > 1
    edit_json(folder / "adapter_config.json", target_modules=names[::-1])
    assert adapter_hash(folder) == adapter_hash(tiny_adapter), "PEFT writes a set, in any order"
    edit_json(folder / "adapter_config.json", lora_alpha=3)
    assert adapter_hash(folder) != adapter_hash(tiny_adapter)
    (folder / "adapter_config.json").write_text('["torn"')
    with pytest.raises(UserError, match=r"adapter_config.json is damaged .* make or fetch"):
        adapter_hash(folder)
