"""Adapters on the `hf` engine: the wrong ones are refused in one line, the right ones do what PEFT does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import edit_json, questions, request, save_adapter, save_model

from harness.engines.hf import HuggingFaceEngine
from harness.engines.hf_adapters import adapter_hash
from harness.errors import RunError, UserError
from harness.models import ModelSource
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
        ("layers.1.", "14 of 28 tensors, first that of model.layers.1"),
        ("lora_B", "14 of 28"),
        ("mlp", "12 of 28"),
    ],
)
def test_missing_tensors_are_counted(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path, part: str, says: str
) -> None:
    adapter = without(save_adapter(tmp_path / "part", tiny_model), part)
    with pytest.raises(UserError, match=f"part: it lacks {says}.*fetch or save it again"):
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
