"""What is known about a model without its weights: chat template, layers, size, name of its weights.

vLLM loads the weights in child processes, so this process holds only the model's modules without storage.
Adapters are checked against them as in the `hf` engine. Nothing here imports vLLM.
"""

from __future__ import annotations

from typing import Any

from harness.engines.base import ModelInfo
from harness.engines.chat import Chat, hub_options
from harness.engines.hf.load import context_length, empty_model, load_config, loading
from harness.engines.hf.settings import pick_dtype
from harness.models.source import ModelSource, weights_fingerprint
from harness.types import stable_hash


def describe(source: ModelSource) -> tuple[ModelInfo, Chat, Any]:
    """Facts, chat template and modules (on torch's `meta` device) of a model. UserError if it cannot be
    loaded. The context length is the architecture's; vLLM may be given a smaller one."""
    import torch
    from transformers import GenerationConfig

    options = hub_options(source)
    with loading(source):
        config = load_config(source)
    with loading(source, config):
        try:
            generation_config = GenerationConfig.from_pretrained(source.location, **options)
        except OSError:
            generation_config = GenerationConfig.from_model_config(config)
        chat = Chat.load(source, generation_config)
        skeleton = empty_model(config, source.trust_remote_code)
    dtype = pick_dtype(source.dtype, "cuda" if torch.cuda.is_available() else "cpu")
    commit = getattr(config, "_commit_hash", None)
    info = ModelInfo(
        name=source.name,
        fingerprint=stable_hash([weights_fingerprint(source, commit), str(dtype)]),
        parameters=sum(parameter.numel() for parameter in skeleton.parameters()),
        dtype=str(dtype).removeprefix("torch."),
        template_hash=chat.template_hash,
        context_length=context_length(config, chat.tokenizer),
        folder=source.location,
    )
    return info, chat, skeleton
