"""How a model is loaded: the attention that it takes, text models in multimodal ones, quantised weights."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import save
from test_hf_engine import generated, ids_of, load
from tiny_models import edit_json, questions, request, save_model

from harness.engines.hf.linear import exchange_operands
from harness.engines.hf.load import QUANTISED_WITH
from harness.errors import UserError
from harness.types import user


@pytest.mark.parametrize(
    ("name", "attention"), [("gpt_oss", "eager"), ("bloom", "eager"), ("falcon", "sdpa")]
)
def test_a_model_gets_an_attention_that_it_takes(tmp_path: Path, name: str, attention: str) -> None:
    engine = load(save(name, tmp_path / "model"))
    assert engine.facts()["attention"] == attention
    assert engine.facts()["batches"]["refused"] == []


def test_an_attention_that_a_model_does_not_take_is_named(tmp_path: Path) -> None:
    folder = save("gpt_oss", tmp_path / "model")
    with pytest.raises(UserError, match=r"attention=sdpa: a gpt_oss .* support it .*leave it out"):
        load(folder, attention="sdpa")
    assert load(folder, attention="eager").facts()["attention"] == "eager"


@pytest.mark.parametrize("name", ["mistral3", "qwen2_5_vl"])
def test_a_multimodal_model_is_used_for_text_alone(tmp_path: Path, name: str) -> None:
    engine = load(save(name, tmp_path / "model"))
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=12) for text in questions(6)]
    assert ids_of(engine.generate(asked)) == [generated(engine._model, each.prompt_ids, 12) for each in asked]


METHODS: dict[str, dict[str, Any]] = {
    "awq": {"bits": 4, "group_size": 32, "version": "gemm", "zero_point": True},
    "gptq": {"bits": 4, "group_size": 32, "desc_act": False, "sym": True},
    "bitsandbytes": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "compressed-tensors": {"format": "pack-quantized", "config_groups": {}},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_package_that_quantised_weights_want_is_named(tmp_path: Path, method: str) -> None:
    missing = [package for package in QUANTISED_WITH[method] if util.find_spec(package) is None]
    if not missing:
        pytest.skip("it is installed")
    folder = save_model(tmp_path / "model")
    edit_json(folder / "config.json", quantization_config={"quant_method": method, **METHODS[method]})
    says = f"it is quantised with {method}: pip install .*{missing[0].replace('_', '-')}"
    with pytest.raises(UserError, match=says) as caught:
        load(folder)
    assert "\n" not in str(caught.value) and "hub id" not in str(caught.value)


def test_layers_without_weights_of_their_own_stay_as_they_are() -> None:
    """As those of quantised models are: packed numbers, and a forward of their own."""
    packed, own, plain = (torch.nn.Linear(4, 4, bias=False) for _ in range(3))
    del packed.weight
    own.forward = lambda ids: ids  # type: ignore[method-assign]
    exchange_operands(torch.nn.Sequential(packed, own, plain))
    assert "forward" not in vars(packed) and own(1) == 1 and "forward" in vars(plain)


def test_compressed_tensors_run_where_they_can(tmp_path: Path) -> None:
    pytest.importorskip("compressed_tensors")
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationArgs,
        QuantizationConfig,
        QuantizationScheme,
        apply_quantization_config,
    )
    from transformers import AutoModelForCausalLM

    folder = save_model(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    weights = QuantizationArgs(num_bits=8, type="int", strategy="channel", symmetric=True)
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    apply_quantization_config(
        model,
        QuantizationConfig(
            config_groups={"all": scheme},
            ignore=["lm_head"],
            format="pack-quantized",
            quantization_status="frozen",
        ),
    )
    for module in model.modules():
        if hasattr(module, "weight_scale"):
            module.weight_scale.data = module.weight.abs().amax(1, keepdim=True) / 127
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    engine = load(folder)
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=12) for text in questions(6)]
    assert ids_of(engine.generate(asked)) == [generated(engine._model, each.prompt_ids, 12) for each in asked]
