"""Loads a model with transformers: its class, the attention that it supports, its weights. Errors are one
line that says what to do.

A multimodal model is loaded whole and used for text alone. An empty model (on torch's `meta` device, without
storage) shows in advance what a full one supports. Nothing is generated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any

import torch

from harness.engines.chat import hub_options
from harness.engines.hf.cache import ATTENTION
from harness.engines.hf.memory import is_out_of_memory
from harness.errors import RunError, UserError, one_line
from harness.models.kept import in_bfloat16
from harness.models.source import ModelSource, cache_folder

LIBRARY_ATTENTIONS = ("sdpa", "eager")
"""Tried in this order for models that do not support our attention."""


def load_config(source: ModelSource) -> Any:
    """The configuration of a model. OSError or ValueError if it cannot be loaded."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(source.location, **hub_options(source))


def auto_class(config: Any) -> Any:
    """The transformers class that loads the model with a text head. Most models have a causal one, others
    only the multimodal one, which also takes text alone."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    wrapped = type(config) in AutoModelForImageTextToText._model_mapping
    own = type(config) in AutoModelForCausalLM._model_mapping or "auto_map" in config.to_dict()
    return AutoModelForImageTextToText if wrapped and not own else AutoModelForCausalLM


def empty_model(config: Any, trust_remote_code: bool = False, attention: str | None = None) -> Any:
    """The modules of a model without storage. ValueError or KeyError if it does not support the attention."""
    more = {} if attention is None else {"attn_implementation": attention}
    with torch.device("meta"):
        return auto_class(config).from_config(config, trust_remote_code=trust_remote_code, **more)


def attentions(config: Any, asked: str, trust_remote_code: bool) -> list[str]:
    """Attention functions that the model supports; it is loaded with the first. If the user named one,
    only that; a default that the model does not support is replaced by the library's. UserError if the
    model does not support the one that the user named."""
    if asked != ATTENTION:
        try:
            empty_model(config, trust_remote_code, asked)
        except (ValueError, KeyError, ImportError) as error:
            raise UserError(
                f"--engine-args attention={asked}: a {config.model_type} model does not support it "
                f"({one_line(error)}): leave it out to use one that it supports"
            ) from error
        return [asked]
    for attention in (ATTENTION, *LIBRARY_ATTENTIONS):
        try:
            model = empty_model(config, trust_remote_code, attention)
        except Exception:  # each class raises its own error; if all do, loading says why
            continue
        library = [LIBRARY_ATTENTIONS[0]] if attention == ATTENTION else []
        return [attention, *(library if model._can_set_attn_implementation() else [])]
    return [asked]


def load_model(source: ModelSource, config: Any, dtype: torch.dtype, device: str, attention: str) -> Any:
    """The model on its device, without dropout. UserError if it cannot be loaded or lacks weights;
    RunError if memory is too small."""
    with loading(source, config):
        model, report = auto_class(config).from_pretrained(
            _weights_folder(source, config, dtype),
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            output_loading_info=True,
            **hub_options(source),
        )
        model.to(device).eval()
    if missing := sorted(report["missing_keys"]):
        raise UserError(
            f"--pretrained {source.name} lacks {len(missing)} weights, first {missing[0]}: "
            "they would be random; fetch or save the model again"
        )
    return model


def _weights_folder(source: ModelSource, config: Any, dtype: torch.dtype) -> str:
    """Where the weights are: the model's folder or hub id, or the copy in bfloat16 of a converted model."""
    if dtype != torch.bfloat16 or not source.is_local:
        return source.location
    # Some classes compute a few layers in float32; those would come from rounded numbers.
    kind = auto_class(config)._model_mapping.get(type(config), None)
    if any(getattr(kind, f"_keep_in_fp32_modules{more}", None) for more in ("", "_strict")):
        return source.location
    return str(in_bfloat16(Path(source.location)))


@contextmanager
def loading(source: ModelSource, config: Any = None) -> Iterator[None]:
    """Makes one line of whatever transformers raises about a broken or unknown folder: it raises many kinds.
    Our own errors pass as they are: an error that is raised from itself is a chain without an end."""
    try:
        yield
    except (UserError, RunError):
        raise
    except Exception as error:
        raise _refusal(source, error, config) from error


def _refusal(source: ModelSource, error: Exception, config: Any) -> UserError | RunError:
    if is_out_of_memory(error):
        return RunError(
            f"memory is too small for the weights of {source.name}: choose a smaller model or a "
            "machine with more, then repeat the command"
        )
    reasons = [line for line in map(one_line, str(error).splitlines()) if line]
    reason = reasons[0] if reasons else type(error).__name__
    return UserError(
        f"--pretrained {source.name} could not be loaded: {reason} ({_advice(source, error, config)})"
    )


QUANTISED_WITH = {
    "awq": ("gptqmodel",),
    "gptq": ("optimum", "gptqmodel"),
    "bitsandbytes": ("bitsandbytes",),
    "compressed-tensors": ("compressed_tensors",),
}
"""Quantisation method in config.json -> packages that load it. For others, transformers names the
packages."""


def _advice(source: ModelSource, error: Exception, config: Any) -> str:
    if "trust_remote_code" in str(error):
        return "give --trust-remote-code if you trust its author with this machine"
    if method := quantisation(config):
        missing = [name for name in QUANTISED_WITH.get(method, ()) if util.find_spec(name) is None]
        if missing:
            return f"it is quantised with {method}: pip install {' '.join(missing).replace('_', '-')}"
        if isinstance(error, ImportError):
            return f"it is quantised with {method}: install what is missing, or name its unquantised version"
        where = "another machine" if torch.cuda.is_available() else "a machine with a GPU"
        return f"it is quantised with {method}: name its unquantised version, or run it on {where}"
    if Path(source.location).is_relative_to(cache_folder()):
        return f"remove {source.location}, and the same command makes it again"
    return "give a hub id that can be reached, or a folder with config.json and safetensors"


def quantisation(config: Any) -> str | None:
    """The name of the quantisation in `config.json`; None for plain numbers."""
    described = getattr(config, "quantization_config", None)
    if described is None:
        return None
    settings = described if isinstance(described, dict) else described.to_dict()
    return str(settings.get("quant_method") or "an unnamed method")


def context_length(config: Any, tokenizer: Any) -> int:
    """Number of positions of a model; if its configuration has none, the tokenizer's maximum length."""
    text = config.get_text_config(decoder=True)
    configured = getattr(text, "max_position_embeddings", None)
    return int(configured or min(tokenizer.model_max_length, 1 << 20))
