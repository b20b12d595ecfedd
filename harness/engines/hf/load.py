"""A model as transformers loads it: its class, the attention that it takes, its weights; or one line that
says what to do.

A multimodal model is loaded whole and used for text alone. An empty model (on torch's `meta` device, without
storage) tells beforehand what a full one could be asked for. Nothing is generated here.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

import torch

from harness.engines.chat import hub_options
from harness.engines.hf.cache import ATTENTION
from harness.engines.hf.memory import is_out_of_memory
from harness.errors import RunError, UserError, one_line
from harness.models.source import ModelSource, cache_folder

LIBRARY_ATTENTIONS = ("sdpa", "eager")
"""What is tried, in this order, for models that do not take ours."""


def load_config(source: ModelSource) -> Any:
    """The configuration of a model. OSError, ValueError where it cannot be had."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(source.location, **hub_options(source))


def auto_class(config: Any) -> Any:
    """The class of transformers that loads the model with a head for text: most have one of their own, others
    only the multimodal one, which takes text alone."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    wrapped = type(config) in AutoModelForImageTextToText._model_mapping
    own = type(config) in AutoModelForCausalLM._model_mapping or "auto_map" in config.to_dict()
    return AutoModelForImageTextToText if wrapped and not own else AutoModelForCausalLM


def empty_model(config: Any, trust_remote_code: bool = False, attention: str | None = None) -> Any:
    """The modules of a model without storage. ValueError or KeyError where it cannot have the attention."""
    more = {} if attention is None else {"attn_implementation": attention}
    with torch.device("meta"):
        return auto_class(config).from_config(config, trust_remote_code=trust_remote_code, **more)


def attentions(config: Any, asked: str, trust_remote_code: bool) -> list[str]:
    """What the model may attend by, the first to be loaded with. Only what the user asked for, unless that is
    the default: a model that does not take it gets the library's own. UserError where it does not take what
    was asked for."""
    if asked != ATTENTION:
        try:
            empty_model(config, trust_remote_code, asked)
        except (ValueError, KeyError, ImportError) as error:
            raise UserError(
                f"--engine-args attention={asked}: a {config.model_type} model does not take it "
                f"({one_line(error)}): leave it out, and it gets what it takes"
            ) from error
        return [asked]
    for attention in (ATTENTION, *LIBRARY_ATTENTIONS):
        try:
            model = empty_model(config, trust_remote_code, attention)
        except Exception:  # each class refuses in its own words; where all do, loading says why
            continue
        library = [LIBRARY_ATTENTIONS[0]] if attention == ATTENTION else []
        return [attention, *(library if model._can_set_attn_implementation() else [])]
    return [asked]


def load_model(source: ModelSource, config: Any, dtype: torch.dtype, device: str, attention: str) -> Any:
    """The model on its device, without dropout. UserError where it cannot be had, or lacks weights; RunError
    where memory does not suffice."""
    try:
        model, report = auto_class(config).from_pretrained(
            source.location,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            output_loading_info=True,
            **hub_options(source),
        )
        model.to(device).eval()
    except Exception as error:  # whatever transformers makes of weights that it cannot load
        raise refusal(source, error, config) from error
    if missing := sorted(report["missing_keys"]):
        raise UserError(
            f"--pretrained {source.name} lacks {len(missing)} weights, first {missing[0]}: "
            "they would be random; fetch or save the model again"
        )
    return model


def refusal(source: ModelSource, error: Exception, config: Any = None) -> UserError | RunError:
    """What to say of whatever transformers makes of a broken or foreign folder."""
    if isinstance(error, UserError | RunError):
        return error
    if is_out_of_memory(error):
        return RunError(
            f"memory does not suffice for the weights of {source.name}: choose a smaller model or a "
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
"""By what config.json calls the method: the packages that it is loaded with; for others transformers names
them."""


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
    """What `config.json` calls the quantisation of the weights, None where they are plain numbers."""
    described = getattr(config, "quantization_config", None)
    if described is None:
        return None
    settings = described if isinstance(described, dict) else described.to_dict()
    return str(settings.get("quant_method") or "an unnamed method")


def context_length(config: Any, tokenizer: Any) -> int:
    """Positions that a model has; where its configuration names none, the tokenizer's longest text."""
    text = config.get_text_config(decoder=True)
    configured = getattr(text, "max_position_embeddings", None)
    return int(configured or min(tokenizer.model_max_length, 1 << 20))
