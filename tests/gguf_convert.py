"""The embedded model and adapters for it as GGUF files in float32, for llama.cpp's server.

The same weights in two servers and two file formats: then texts and counts can be compared one by one.
llama.cpp pairs the halves of a head otherwise than transformers, so rows of queries and keys change places.
It has no splitter of this model's own; that of Llama 3 gives the same ids, but for a letter that stands
directly behind a bracket or a quotation mark. The engine compares ids itself before it believes a tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
WHOLE = {"embed_tokens": "token_embd", "norm": "output_norm"}


def write_model(folder: Path, path: Path) -> Path:
    """The Llama in `folder` (tied embeddings, a byte-level vocabulary of whole words) as `path`."""
    import gguf

    config = json.loads((folder / "config.json").read_text())
    heads, head = config["num_attention_heads"], config["head_dim"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(folder.name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    _write_tokenizer(writer, folder, config)
    for name, values in _tensors(folder / "model.safetensors"):
        rows = values if _part(name) not in {"attn_q", "attn_k"} else _swapped(values, head)
        writer.add_tensor(f"{_name(name)}.weight", rows)
    return _written(writer, path)


def write_adapter(folder: Path, path: Path, head: int = 48) -> Path:
    """PEFT's LoRA adapter in `folder` as `path`; `head` is the size of one attention head."""
    import gguf

    config = json.loads((folder / "adapter_config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    for name, values in _tensors(folder / "adapter_model.safetensors"):
        layer, _, side = name.removeprefix("base_model.model.").rpartition(".lora_")
        turned = side.startswith("B") and _part(layer) in {"attn_q", "attn_k"}
        rows = _swapped(values, head) if turned else values
        writer.add_tensor(f"{_name(layer)}.weight.lora_{side[0].lower()}", rows)
    return _written(writer, path)


def _write_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    import gguf

    known = json.loads((folder / "tokenizer.json").read_text())
    vocabulary: dict[str, int] = known["model"]["vocab"]
    special = {entry["content"] for entry in known["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in special else normal for token in tokens])
    writer.add_token_merges(["Ā Ā"])  # of two NUL bytes: the model has none, llama.cpp wants one
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def _tensors(path: Path) -> list[tuple[str, Any]]:
    from safetensors.torch import load_file

    return [(name, tensor.float().numpy()) for name, tensor in load_file(path).items()]


def _part(name: str) -> str:
    """`attn_q` for `model.layers.0.self_attn.q_proj.weight`."""
    words = name.removesuffix(".weight").split(".")
    return PARTS[".".join(words[3:])] if words[1] == "layers" else WHOLE[words[1]]


def _name(name: str) -> str:
    words = name.split(".")
    return f"blk.{words[2]}.{_part(name)}" if words[1] == "layers" else _part(name)


def _swapped(rows: Any, head: int) -> Any:
    """Rows of every head in llama.cpp's order: one of each half in turn."""
    count, columns = rows.shape
    return rows.reshape(count // head, 2, head // 2, columns).swapaxes(1, 2).reshape(count, columns)


def _written(writer: Any, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
