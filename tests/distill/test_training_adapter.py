"""Which layers get an adapter, seen on empty modules; what takes none is named before anything is sampled."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from architectures import config_of, save
from test_end_to_end import run_command
from tiny_models import save_model

from distill.training.adapter import adapter_settings, require_trainable
from distill.training.settings import training_settings
from harness.engines.hf.load import empty_model
from harness.errors import UserError
from harness.models.source import ModelSource

SETTINGS = training_settings({})


def adapted(name: str) -> set[str]:
    """The layers that an adapter of this kind of model is on, without their numbers."""
    from peft import get_peft_model

    config = config_of(name)
    model = get_peft_model(empty_model(config), adapter_settings(lambda: empty_model(config), SETTINGS))
    layers = {each.split(".lora_")[0] for each in model.state_dict() if ".lora_" in each}
    return {re.sub(r"\.\d+\.", ".N.", each.removeprefix("base_model.model.")) for each in layers}


def test_a_plain_model_is_adapted_on_all_linear_layers_as_ever() -> None:
    config = config_of("llama")
    settings = adapter_settings(lambda: empty_model(config), SETTINGS)
    assert settings.target_modules == "all-linear"
    assert settings.exclude_modules is None and settings.target_parameters is None
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
    parts += ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    assert adapted("llama") == {f"model.layers.N.{part}" for part in parts}


@pytest.mark.parametrize("name", ["mistral3", "gemma3", "qwen2_5_vl"])
def test_what_sees_no_text_is_left_out(name: str) -> None:
    layers = adapted(name)
    assert layers and all("language_model" in each for each in layers), layers


@pytest.mark.parametrize("name", ["mixtral", "qwen3_moe", "deepseek_v3", "jamba", "llama4_text"])
def test_routers_are_left_out_and_experts_are_not(name: str) -> None:
    layers = adapted(name)
    assert not any(each.rpartition(".")[2] in ("router", "gate") for each in layers)
    if name not in ("jamba", "llama4_text"):  # whose experts are no linear layers that PEFT knows
        assert any(each.endswith((".experts", ".experts.base_layer")) for each in layers)


@pytest.mark.parametrize("name", ["mamba", "falcon_h1", "nemotron_h"])
def test_what_peft_cannot_adapt_is_left_out(name: str) -> None:
    layers = adapted(name)
    assert layers and not any(each.endswith((".out_proj", ".conv1d")) for each in layers)


def test_a_model_that_takes_no_adapter_is_named_before_anything_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import peft

    def refused(*_: Any, **__: Any) -> None:
        raise ValueError("Target modules {'abacus'} not found")

    monkeypatch.setattr(peft, "get_peft_model", refused)
    save_model(tmp_path / "m")
    command = "--models base,s2,distilled --pretrained ./m --data embedded --tasks coin_flip --limit 4"
    done = run_command(tmp_path, shlex.split(f"{command} --output run"))
    assert done.returncode == 2
    assert "no adapter can be put on ./m, a llama model" in done.stderr and "tuning=full" in done.stderr
    assert not (tmp_path / "run").exists()


def test_quantised_weights_cannot_all_be_trained(tmp_path: Path) -> None:
    from tiny_models import edit_json

    folder = save("llama", tmp_path / "m")
    edit_json(
        folder / "config.json", quantization_config={"quant_method": "fp8", "activation_scheme": "dynamic"}
    )
    with pytest.raises(UserError, match=r"quantised with fp8 and cannot be trained: use tuning=lora"):
        require_trainable(ModelSource("m", str(folder)), training_settings({"tuning": "full"}))


def test_a_model_that_cannot_be_described_is_left_to_the_engine(tmp_path: Path) -> None:
    require_trainable(ModelSource("m", str(tmp_path)), SETTINGS)
