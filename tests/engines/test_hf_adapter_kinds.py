"""Kinds of adapters on the `hf` engine: what cannot be switched off or is not whole is named with its count;
the others say what plain PEFT says, and the model itself stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_hf_adapters import ask, copied
from tiny_models import save_adapter

from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import UserError
from harness.models.source import ModelSource


@pytest.fixture
def engine(tiny_source: ModelSource) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(tiny_source, {"device": "cpu"})


LORA = {"r": 4, "task_type": "CAUSAL_LM", "target_modules": "all-linear"}


def make(folder: Path, model: Path, settings: Any, *, grown: int = 0) -> Path:
    """An adapter with random weights, made by PEFT; `grown` entries more in the model's vocabulary."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(5)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    if grown:
        base.resize_token_embeddings(base.config.vocab_size + grown)
    wrapped = get_peft_model(base, settings)
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    wrapped.save_pretrained(folder)
    return folder


def without(folder: Path, part: str) -> Path:
    """The adapter without the tensors that have `part` in their names."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    kept = {name: value for name, value in tensors.items() if part not in name}
    assert 0 < len(kept) < len(tensors)
    save_file(kept, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora"])
@pytest.mark.parametrize("first", [True, False])
def test_an_adapter_that_rewrites_the_model_changes_no_score_in_any_order(
    engine: HuggingFaceEngine, tiny_model: Path, tiny_adapter: Path, tmp_path: Path, start: str, first: bool
) -> None:
    from peft import LoraConfig

    rewriting = make(tmp_path / start, tiny_model, LoraConfig(**LORA, init_lora_weights=start))
    base = engine.generate(ask(engine, None))
    if first:
        with pytest.raises(UserError, match=f"init_lora_weights={start}, .* all variants: convert it"):
            engine.add_adapter("mine", rewriting)
    engine.add_adapter("plain", tiny_adapter)
    plain = engine.generate(ask(engine, "plain"))
    if not first:
        with pytest.raises(UserError, match=f"init_lora_weights={start}"):
            engine.add_adapter("mine", rewriting)
    assert engine.generate(ask(engine, None)) == base
    assert engine.generate(ask(engine, "plain")) == plain != base


def test_the_usual_starts_rewrite_nothing_and_load(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path
) -> None:
    from peft import LoraConfig

    base = engine.generate(ask(engine, None))
    for start in ("gaussian", "orthogonal"):
        engine.add_adapter(
            start, make(tmp_path / start, tiny_model, LoraConfig(**LORA, init_lora_weights=start))
        )
    assert engine.generate(ask(engine, None)) == base != engine.generate(ask(engine, "gaussian"))


def test_whatever_else_changes_the_model_is_seen_by_its_logits(
    engine: HuggingFaceEngine, tiny_adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kind of adapter that nobody here knows would."""
    from peft import PeftModel

    load_adapter = PeftModel.load_adapter

    def spoiling(self: Any, *given: Any, **more: Any) -> Any:
        loaded = load_adapter(self, *given, **more)
        self.get_base_model().model.norm.weight.data *= 1.1
        return loaded

    engine.add_adapter("first", tiny_adapter)
    monkeypatch.setattr(PeftModel, "load_adapter", spoiling)
    with pytest.raises(UserError, match=r"loading it changed the model itself .*merge it into a model"):
        engine.add_adapter("second", copied(tiny_adapter, tmp_path / "second"))


def kinds() -> dict[str, Any]:
    import peft

    prompts = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 7}
    return {
        "prompt": (
            peft.PromptTuningConfig(**prompts),
            "PROMPT_TUNING, which puts 7 positions before a prompt",
        ),
        "prefix": (
            peft.PrefixTuningConfig(**prompts),
            "PREFIX_TUNING, which puts 7 positions before a prompt",
        ),
        "encoder": (peft.PromptEncoderConfig(**prompts), "P_TUNING, which puts 7 positions before a prompt"),
        "copies": (
            peft.LoraConfig(**LORA, layer_replication=[[0, 2], [1, 2]]),
            "a model of 3 layers .layer_replication",
        ),
    }


@pytest.mark.parametrize("kind", ["prompt", "prefix", "encoder", "copies"])
def test_an_adapter_that_is_none_of_layers_is_named(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    settings, says = kinds()[kind]
    with pytest.raises(UserError, match=says):
        engine.add_adapter("odd", make(tmp_path / "odd", tiny_model, settings))


@pytest.mark.parametrize("saved", [None, ["embed_tokens", "lm_head"]])
def test_a_grown_vocabulary_is_named_with_both_sizes(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path, saved: list[str] | None
) -> None:
    from peft import LoraConfig

    size = engine._model.config.vocab_size
    adapter = make(tmp_path / "grown", tiny_model, LoraConfig(**LORA, modules_to_save=saved), grown=8)
    with pytest.raises(UserError, match=f"its vocabulary has {size + 8} entries, the model's {size}: resize"):
        engine.add_adapter("grown", adapter)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("layers.1.", "14 of 28 tensors are missing, first that of model.layers.1"),
        ("lora_B", "14 of 28"),
        ("mlp", "12 of 28"),
    ],
)
def test_missing_tensors_are_counted(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path, part: str, says: str
) -> None:
    adapter = without(save_adapter(tmp_path / "part", tiny_model), part)
    with pytest.raises(UserError, match=f"part: {says}.*fetch or save it again"):
        engine.add_adapter("part", adapter)


def others() -> dict[str, Any]:
    import peft

    one = {"task_type": "CAUSAL_LM", "target_modules": ["q_proj", "v_proj"]}
    return {
        "dora": peft.LoraConfig(**LORA, use_dora=True),
        "saved head": peft.LoraConfig(**LORA, modules_to_save=["lm_head"]),
        "embeddings": peft.LoraConfig(**{**LORA, "target_modules": ["embed_tokens", "lm_head", "q_proj"]}),
        "tokens": peft.LoraConfig(**LORA, trainable_token_indices=[3, 4]),
        "ia3": peft.IA3Config(task_type="CAUSAL_LM"),
        "loha": peft.LoHaConfig(**one, r=4),
        "oft": peft.OFTConfig(**one, oft_block_size=4),
        "vera": peft.VeraConfig(**one, r=4),
        "norms": peft.LNTuningConfig(task_type="CAUSAL_LM"),
    }


@pytest.mark.parametrize(
    "kind", ["dora", "saved head", "embeddings", "tokens", "ia3", "loha", "oft", "vera", "norms"]
)
def test_other_kinds_of_adapters_say_what_peft_says(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = engine.generate(ask(engine, None))
    engine.add_adapter("own", make(tmp_path / "own", tiny_model, others()[kind]))
    loaded = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    model = PeftModel.from_pretrained(loaded, str(tmp_path / "own")).eval()
    asked = ask(engine, "own")
    for each, done in zip(asked, engine.generate(asked), strict=True):
        ids = torch.tensor([each.prompt_ids])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12
        )
        assert list(done.generated_ids) == out[0, ids.shape[1] :].tolist()
    assert engine.generate(ask(engine, None)) == base
