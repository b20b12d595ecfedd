"""Checks whether a folder holds a PEFT adapter of the loaded model, and makes the hash for its call keys.

This module looks only at the folder and at an empty copy of the model; engine.py loads and probes the
adapter.
"""

from __future__ import annotations

import copy
import json
import re
import warnings
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.source import PICKLE_SUFFIXES
from harness.types import stable_hash
from results.schema import JsonObject


def adapter_hash(folder: Path) -> str:
    """Hash of tensors and settings: the same tensors with another `lora_alpha` are another adapter. The
    path of the base model is left out, so that an adapter has one name on all machines. UserError for
    settings that are not a JSON object."""
    settings = _settings(folder)
    settings.pop("base_model_name_or_path", None)
    for name, value in settings.items():
        if isinstance(value, list):  # PEFT writes sets as lists, in an order that differs between processes
            settings[name] = sorted(value, key=repr)
    return stable_hash([settings, (folder / "adapter_model.safetensors").read_bytes().hex()])


def _settings(folder: Path) -> JsonObject:
    path = folder / "adapter_config.json"
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): make or fetch the adapter again") from error


def check_adapter(folder: Path, model: Any) -> None:
    """UserError if `folder` holds no safetensors adapter, an adapter that cannot be switched off for other
    variants, or one that does not fit the model: every tensor must have a place, and none may be missing.

    PEFT puts the adapter on an empty copy of the model (without storage), so `model` does not change.
    """
    shapes = _shapes(folder)
    settings = _settings(folder)
    if refusal := _not_switchable(settings):
        raise UserError(f"{folder}: {refusal}")
    from peft import PeftModel

    base = model.get_base_model() if isinstance(model, PeftModel) else model
    if refusal := _unfit(folder, base, shapes):
        raise UserError(f"{folder}: {refusal}")


def _shapes(folder: Path) -> dict[str, list[int]]:
    """The shape of each tensor of an adapter. UserError if there are no readable tensors."""
    from safetensors import SafetensorError, safe_open

    if not (folder / "adapter_config.json").is_file():
        raise UserError(f"{folder}: it has no adapter_config.json, so it is not a PEFT adapter")
    if not (folder / "adapter_model.safetensors").is_file():
        pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES]
        why = f"only {pickles[0]}, and pickles can run code" if pickles else "no weights"
        raise UserError(f"{folder}: it holds {why}; save the adapter as safetensors")
    try:
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as tensors:
            names = list(tensors.keys())
            return {name: tensors.get_slice(name).get_shape() for name in names}
    except SafetensorError as error:
        raise UserError(f"{folder}: its weights are damaged ({error}): make or fetch it again") from error


def _not_switchable(settings: JsonObject) -> str | None:
    """Why an adapter with these settings would also change other variants; None if it would not."""
    bias = settings.get("bias", "none")
    if bias != "none":
        # PEFT writes biases into the model's own layers, which every other variant uses too.
        return (
            f"it trained biases (bias={bias}), which cannot be switched off for other variants: "
            "merge it into a model (merge_and_unload) and name that folder, or train it with bias=none"
        )
    kind = str(settings.get("peft_type"))
    if settings.get("num_virtual_tokens") or "PROMPT" in kind or kind in ("P_TUNING", "PREFIX_TUNING"):
        return (
            f"it is of the kind {kind}, which puts {settings.get('num_virtual_tokens') or 'new'} positions "
            "before a prompt and adapts no layer: train an adapter of layers (LoRA), or leave it out of "
            "--models"
        )
    if copies := settings.get("layer_replication"):
        layers = sum(end - start for start, end in copies)
        return (
            f"it makes a model of {layers} layers (layer_replication), which other variants would use too: "
            "merge it into a model (merge_and_unload) and name that folder"
        )
    start = settings.get("init_lora_weights")
    if isinstance(start, str) and _rewrites_weights(settings):
        return (
            f"it began with init_lora_weights={start}, by which PEFT changes the model's own weights for all "
            "variants: convert it (save_pretrained with path_initial_model_for_weight_conversion), or merge "
            "it into a model and name that folder"
        )
    return None


def _rewrites_weights(settings: JsonObject) -> bool:
    """Whether PEFT changes the layer itself when it starts such an adapter; tried on a small layer."""
    import torch
    from peft import LoraConfig, get_peft_model

    kept = {"init_lora_weights", "use_dora", "use_rslora", "lora_alpha", "corda_config", "loftq_config"}
    chosen = {name: value for name, value in settings.items() if name in kept}
    with torch.random.fork_rng(devices=[]):
        layer = torch.nn.Linear(8, 8)
        toy = torch.nn.Sequential(layer)
        before = layer.weight.detach().clone()
        try:
            get_peft_model(toy, LoraConfig(**chosen, r=2, target_modules=["0"]))
        except Exception:  # a start that needs data: loading reports it
            return False
        return not torch.equal(before, toy.get_parameter("0.base_layer.weight"))


_MISMATCH = re.compile(r"size mismatch for (\S+): .*?Size\(\[([\d, ]*)\]\).*?Size\(\[([\d, ]*)\]\)")
"""PEFT's message about a tensor: its name, its size in the file and in the model."""


def _unfit(folder: Path, base: Any, shapes: dict[str, list[int]]) -> str | None:
    """Why an adapter does not fit a model; None if it fits, or if PEFT reports the reason itself when it
    loads."""
    import torch
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            config = PeftConfig.from_pretrained(str(folder))
            if isinstance(getattr(config, "init_lora_weights", None), str):
                config.init_lora_weights = True  # other starts compute from weights, and this copy has none
            empty = type(base)(copy.deepcopy(base.config))
            wrapped = get_peft_model(empty, config, low_cpu_mem_usage=True)
            tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
            every = list(wrapped.state_dict())
            result = set_peft_model_state_dict(wrapped, tensors, low_cpu_mem_usage=True)
    except RuntimeError as error:
        if found := _MISMATCH.search(str(error)):
            vocabulary = empty.get_input_embeddings().weight.shape[0]
            return _other_size(found[1], found[2], found[3], vocabulary)
        return None
    except Exception:  # loading reports it
        return None
    if foreign := sorted(result.unexpected_keys):
        return f"the model has no layer {_place(foreign[0])}: the adapter belongs to another base model"
    prefix = PEFT_TYPE_TO_PREFIX_MAPPING[config.peft_type]
    own = [name for name in every if prefix in name]
    missing = sorted(set(own) & set(result.missing_keys))
    if missing:
        return (
            f"{len(missing)} of {len(own)} tensors are missing, first that of {_place(missing[0])}: fetch or "
            "save it again, or name in target_modules only layers that it has"
        )
    return None


def _other_size(name: str, file: str, model: str, vocabulary: int) -> str:
    """The error for a tensor whose size differs from the model's; sizes are numbers with commas."""
    its, wanted = (tuple(map(int, size.split(","))) for size in (file, model))
    if vocabulary in wanted and vocabulary not in its:
        place = wanted.index(vocabulary)
        return (
            f"its vocabulary has {its[place]} entries, the model's {vocabulary}: resize the model as it was "
            "in training, save it with its tokenizer, and name that folder as --pretrained"
        )
    sizes = next((pair for pair in zip(its, wanted, strict=False) if pair[0] != pair[1]), (its, wanted))
    return (
        f"layer {_place(name)} has size {sizes[0]}, the model's {sizes[1]}: "
        "the adapter belongs to another base model"
    )


def _place(name: str) -> str:
    """The layer that a tensor of an adapter belongs to."""
    return re.split(r"\.(?:lora_|default\b|weight$)", name.removeprefix("base_model.model."))[0]
