"""Whether a folder is a PEFT adapter of the loaded model, and the hash that names it in call keys.

Only the folder and the shapes of the model's layers are looked at; hf.py loads and probes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models import PICKLE_SUFFIXES
from harness.types import stable_hash


def adapter_hash(folder: Path) -> str:
    """Hash of tensors and settings: with another `lora_alpha` the same tensors are another adapter. Where its
    base model lay is no part of it, so that two machines give one adapter one name. UserError for settings
    that are no JSON object."""
    settings = _settings(folder)
    settings.pop("base_model_name_or_path", None)
    for name, value in settings.items():
        if isinstance(value, list):  # PEFT writes sets, in the order of that process
            settings[name] = sorted(value, key=repr)
    return stable_hash([settings, (folder / "adapter_model.safetensors").read_bytes().hex()])


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): make or fetch the adapter again") from error


def check_adapter(folder: Path, model: Any) -> None:
    """UserError where `folder` holds no safetensors adapter, or one whose layers the model does not have."""
    if not (folder / "adapter_config.json").is_file():
        raise UserError(f"{folder}: it has no adapter_config.json, so it is not a PEFT adapter")
    if not (folder / "adapter_model.safetensors").is_file():
        pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES]
        why = f"only {pickles[0]}, and pickles can run code" if pickles else "no weights"
        raise UserError(f"{folder}: it holds {why}; save the adapter as safetensors")
    bias = _settings(folder).get("bias", "none")
    if bias != "none":
        # PEFT writes them into the model's own layers, and every other variant would be asked with them.
        raise UserError(
            f"{folder}: it trained biases (bias={bias}), which cannot be switched off for other variants: "
            "merge it into a model (merge_and_unload) and name that folder, or train it with bias=none"
        )
    from peft import PeftModel
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as tensors:
            names = [name for name in tensors.keys() if ".lora_" in name]  # noqa: SIM118 (no mapping: it has no iterator)
            shapes = {name: tensors.get_slice(name).get_shape() for name in names}
    except SafetensorError as error:
        raise UserError(f"{folder}: its weights are damaged ({error}): make or fetch it again") from error
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    modules = dict(base.named_modules())
    for name, shape in shapes.items():
        place, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
        module = modules.get(place)
        if module is None:
            raise UserError(
                f"{folder}: the model has no layer {place}: the adapter belongs to another base model"
            )
        wanted = {"A.weight": (1, "in_features"), "B.weight": (0, "out_features")}.get(part)
        size = getattr(module, wanted[1], None) if wanted else None
        if wanted and size is not None and shape[wanted[0]] != size:
            raise UserError(
                f"{folder}: layer {place} has size {shape[wanted[0]]}, the model's {size}: "
                "the adapter belongs to another base model"
            )
