"""Random models of many architectures, three or four layers each: what transformers has, not what is known by
name here.

Sizes are given to whatever settings a configuration has; what a class wants beside stands in `MORE`. Weights
are large, so that what a model says depends on its whole prompt; every 29th id ends a turn, so that rows end
at different steps. Each folder has the tokenizer and template of tiny_models.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_models import build_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 320, "sliding_window": 24,
    "moe_intermediate_size": 32, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
    "shared_expert_intermediate_size": 32, "linear_num_value_heads": 4, "linear_num_key_heads": 2,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16, "mamba_d_state": 16, "mamba_d_head": 16,
    "mamba_n_heads": 8, "mamba_n_groups": 1, "mamba_d_ssm": 128, "mamba_expand": 2, "q_lora_rank": 24,
    "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
    "tie_word_embeddings": False, "initializer_range": 0.2,
}  # fmt: skip
"""What a configuration gets of it: settings that it has, and that are set."""

LOCAL, FULL, LINEAR = "sliding_attention", "full_attention", "linear_attention"

LATENT = {"num_key_value_heads": 4, "head_dim": 8, "first_k_dense_replace": 1}
"""Keys and values out of one latent vector: as many of them as heads."""

MORE: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1, 3]},
    "deepseek_v2": {**LATENT, "topk_method": "greedy"},
    "deepseek_v3": LATENT,
    "glm4_moe_lite": LATENT,
    "longcat_flash": LATENT,
    "minicpm3": LATENT,
    "youtu": LATENT,
    "falcon_h1": {"mamba_n_heads": 8, "mamba_d_head": 16},
    "falcon_mamba": {"state_size": 16},
    "gemma2": {"query_pre_attn_scalar": 16},
    "gemma3_text": {"layer_types": [LOCAL, LOCAL, FULL, LOCAL]},
    "gpt_neo": {
        "num_layers": 4, "num_heads": 4, "attention_types": [[["global", "local"], 2]], "window_size": 12,
    },
    "granitemoehybrid": {"layer_types": [LINEAR, FULL, LINEAR, FULL], "position_embedding_type": "rope"},
    "jamba": {
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
    },
    "lfm2": {"layer_types": ["conv", FULL, "conv", FULL], "conv_L_cache": 3},
    "lfm2_moe": {"layer_types": ["conv", FULL, "conv", FULL], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1, "expand": 2},
    "mimo_v2_flash": {},
    "minimax": {"layer_types": [LINEAR, FULL, LINEAR, FULL]},
    "recurrent_gemma": {"lru_width": 64, "attention_window_size": 24},
    "smollm3": {"no_rope_layer_interval": 2},
    "xlstm": {"num_heads": 4},
    "zamba2": {"layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], "num_mem_blocks": 1},
}  # fmt: skip

VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "depth": 1, "num_heads": 2, "embed_dim": 32, "out_hidden_size": 64, "image_size": 28, "patch_size": 14,
    "head_dim": 16, "fullatt_block_indexes": [0], "deepstack_visual_indexes": [0],
}  # fmt: skip
"""What the tower of images gets, in the same way."""

MORE_OF_TEXT: dict[str, dict[str, Any]] = {
    "qwen2_5_vl": {
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    },
    "qwen3_vl": {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}},
    "gemma3": MORE["gemma3_text"],
}
"""What the text models of multimodal ones want beside."""

WRAPPERS = ("mistral3", "qwen2_5_vl", "qwen3_vl", "gemma3", "llava", "internvl", "idefics3")
"""Multimodal models, which are used for text alone."""

NAMES = (
    "afmoe", "apertus", "arcee", "bamba", "bloom", "cohere", "cohere2", "cwm", "deepseek_v3",
    "diffllama", "doge", "ernie4_5", "ernie4_5_moe", "exaone4", "falcon", "falcon_h1", "falcon_mamba",
    "gemma", "gemma2", "gemma3_text", "glm", "glm4", "glm4_moe", "glm4_moe_lite", "gpt2", "gpt_neo",
    "gpt_neox", "gpt_oss", "granite", "granitemoe", "granitemoehybrid", "helium", "jamba", "lfm2",
    "lfm2_moe", "llama", "longcat_flash", "mamba", "mamba2", "mimo_v2_flash", "minicpm3", "minimax",
    "minimax_m2", "ministral3", "mistral", "mixtral", "mpt", "nemotron_h", "olmo2", "olmo3",
    "olmo_hybrid", "olmoe", "opt", "phi", "phi3", "phimoe", "qwen2", "qwen2_moe", "qwen3",
    "qwen3_5_text", "qwen3_moe", "qwen3_next", "recurrent_gemma", "rwkv", "seed_oss", "smollm3",
    "stablelm", "starcoder2", "vaultgemma", "youtu", "zamba2",
)  # fmt: skip
"""What config.json calls them."""


def config_of(name: str, vocabulary: int = 350, **more: Any) -> Any:
    """The configuration of a small model of the kind that config.json would call `name`; keyword arguments
    are settings of its text."""
    from transformers import AutoConfig

    ids = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    plain = AutoConfig.for_model(name)
    if name not in WRAPPERS:
        settings = {**_sized(plain, SIZES), **ids, **MORE.get(name, {}), **more}
        return AutoConfig.for_model(name, **settings)
    parts = {
        "text_config": {**_sized(plain.text_config, SIZES), **ids, **MORE_OF_TEXT.get(name, {}), **more},
        "vision_config": _sized(plain.vision_config, VISION),
    }
    for part, settings in parts.items():
        settings["model_type"] = getattr(plain, part).model_type
    places = {key: 7 for key in ("image_token_id", "image_token_index") if hasattr(plain, key)}
    return AutoConfig.for_model(name, **parts, **places, tie_word_embeddings=False)


def save(name: str, folder: Path, **more: Any) -> Path:
    """Write a random model of that kind with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    tokenizer = build_tokenizer()
    config = config_of(name, len(tokenizer), **more)
    kind: Any = AutoModelForImageTextToText if name in WRAPPERS else AutoModelForCausalLM
    torch.manual_seed(0)
    return save_parts(kind.from_config(config, dtype=torch.float32), tokenizer, folder)


def save_parts(model: Any, tokenizer: Any, folder: Path) -> Path:
    """Write a model with end ids that stop rows at different steps."""
    model.generation_config.eos_token_id = [1, *range(20, len(tokenizer), 29)]
    model.generation_config.pad_token_id = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _sized(config: Any, sizes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sizes.items() if _can_be_set(config, key)}


def _can_be_set(config: Any, key: str) -> bool:
    fixed = getattr(getattr(type(config), key, None), "fset", "free") is None
    try:
        return not fixed and getattr(config, key, None) is not None
    except Exception:  # a setting that differs by layer
        return False
