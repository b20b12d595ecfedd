"""Which layers of a model get an adapter: all linear layers for text that PEFT and the model allow.

Left out are layers that see no text (the towers for images and sound, before the decoder), the routers of a
mixture of experts, whose choices a few examples would disturb, and layers that PEFT says it cannot adapt. All
this is checked on empty modules, so that an unsuitable model is reported before sampling. Nothing is trained
here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.engines.hf.load import empty_model, load_config, quantisation
from harness.errors import UserError, one_line
from harness.models.source import ModelSource
from harness.types import Settings

_REFUSED = re.compile(r"Module '(\w+)' is incompatible")
"""PEFT's message about a layer that only looks like a linear one (Mamba's)."""

_ROUTERS = ("router", "gate")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""Names of the number of experts in configurations."""


def require_trainable(source: ModelSource, settings: Mapping[str, Any]) -> None:
    """UserError if the model of `source` takes no adapter, or none with these training settings. If its
    configuration cannot be loaded, the engine reports it later."""
    try:
        config = load_config(source)
        empty_model(config, source.trust_remote_code)
    except Exception:
        return
    kind = config.model_type
    if (method := quantisation(config)) and settings["tuning"] == "full":
        raise UserError(
            f"--train-args tuning=full: the weights of {source.name} are quantised with {method} and cannot "
            "be trained: use tuning=lora, or name the unquantised model"
        )
    if settings["tuning"] == "full":
        return
    try:
        adapter_settings(lambda: empty_model(config, source.trust_remote_code), settings)
    except Exception as error:  # PEFT raises many kinds for modules that it does not know
        raise UserError(
            f"no adapter can be put on {source.name}, a {kind} model ({one_line(error)}): --train-args "
            "tuning=full trains all its weights, or leave the distilled variants out of --models"
        ) from error


def adapter_settings(build: Callable[[], Any], settings: Mapping[str, Any]) -> Any:
    """The `LoraConfig` of a training; `build` makes the model's empty modules. ValueError if PEFT cannot
    adapt them."""
    from peft import LoraConfig, get_peft_model

    plain: Settings = {
        "r": settings["rank"],
        "lora_alpha": settings["alpha"],
        "lora_dropout": settings["dropout"],
        "task_type": "CAUSAL_LM",
    }
    excluded = list(_sees_no_text(build()))
    while True:
        if excluded:
            plain["exclude_modules"] = "|".join(excluded)
        model = build()
        try:
            with warnings.catch_warnings(action="ignore"):
                wrapped = get_peft_model(model, LoraConfig(**plain, target_modules="all-linear"))
            break
        except ValueError as error:
            refused = _REFUSED.search(str(error))
            pattern = rf".*\.{refused[1]}" if refused else None
            if pattern is None or pattern in excluded:
                raise
            excluded.append(pattern)
    found = wrapped.peft_config["default"]
    parameters = set(found.target_parameters or ())
    routers = {name for name in parameters if _is_router(name.removesuffix(".weight"))}
    if not routers:
        return LoraConfig(**plain, target_modules="all-linear")
    # PEFT names experts and routers by their parameters; keep what it found, without the routers.
    return LoraConfig(
        **plain,
        target_modules=sorted(found.target_modules),
        target_parameters=sorted(parameters - routers),
        rank_pattern=dict(found.rank_pattern),
        alpha_pattern=dict(found.alpha_pattern),
    )


def _sees_no_text(model: Any) -> Iterator[str]:
    """Patterns for the names of linear modules that get no adapter because they see no text."""
    import torch

    names = {id(module): name for name, module in model.named_modules()}
    decoder = names.get(id(model.get_decoder())) if hasattr(model, "get_decoder") else None
    text = model.config.get_text_config(decoder=True)
    experts = {int(number) for name in _EXPERTS if (number := getattr(text, name, None))}
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    head = model.get_output_embeddings()
    if decoder and any(module is not head and not name.startswith(f"{decoder}.") for name, module in linear):
        yield rf"(?!{re.escape(decoder)}\.).*"
    left = {
        name.rpartition(".")[2]
        for name, module in linear
        if _routes(name, module, experts) or not _returns_a_product(module)
    }
    yield from (rf".*\.{re.escape(leaf)}" for leaf in sorted(left))


def _routes(name: str, module: Any, experts: set[int]) -> bool:
    """Whether a linear layer chooses experts: decided by its name, for a gate also by its size."""
    *around, leaf = name.split(".")
    return "router" in (*around, leaf) or (leaf == "gate" and module.out_features in experts)


def _returns_a_product(module: Any) -> bool:
    """Whether a layer returns what a linear one does; Llama 4's router does not, and cannot be wrapped."""
    import torch

    with torch.device("meta"):
        return isinstance(module(torch.empty(1, module.in_features, dtype=module.weight.dtype)), torch.Tensor)


def _is_router(name: str) -> bool:
    return name.rpartition(".")[2] in _ROUTERS
