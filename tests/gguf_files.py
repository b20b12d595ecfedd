"""Small GGUF files of a random Llama, written as llama.cpp writes them: what its reader takes, it takes.

The vocabulary's merges go across words on purpose, so that another splitting of text gives other ids.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|eom|>")
HIDDEN, HEADS = 64, 4

_PIECES = (
    "the answer is", " and", "Ann's", "I'LL", " don't", "it'd", "  ", "\n", "\n\n", "\t", "\r\n",
    "   ", " ", "5", "12", "1,234", " 2024", "0.5", "100000", "3 4", "x1y2", "A:  7",
    "def f(x):\n    return x", "# 1.", "-->", "(a)", "...", "!?", " $5", "a_b", "`c`", "<b>", "é",
    "Ünïcode", "naïve", "e\u0301", "日本語", "ひらがな", "カタカナ", "中文", "한국어", "Привет", "мир",
    "مرحبا", "हिन्दी", "ไทย", "🙂", "\U0001f469\u200d\U0001f680", "½", "٣٤", "²", "、", "。", "—", "“q”",
    "CamelCase", "http://a.b/c?d=1", "\xa0", "\u3000", "zz top", "=", "+-*/", "~", "^", "|",
)  # fmt: skip
"""What texts are put together from."""


def strings(count: int, seed: int = 0) -> list[str]:
    """`count` different texts of words, numbers, spaces and signs of many scripts."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(draw.choices(_PIECES, k=draw.randint(1, 9)))] = None
    return list(found)


@cache
def vocabulary(size: int = 1500) -> tuple[list[str], list[str]]:
    """Tokens and merges of a byte-level BPE that saw no words."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(strings(3000, seed=1), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return tokens, [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]


def write(path: Path, pre: str = "gpt-2", *, tied: str = "absent", kind: str = "F16", **ids: Any) -> Path:
    """Write a model of one layer. `ids` are special token ids (`eos`, `eot`, `eom`); `tied`: whether the
    output tensor is absent, equal or another; `kind` is what matrices are stored as."""
    import gguf
    import numpy

    tokens, merges = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(2 * HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in SPECIAL else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(False)
    for name, value in {"eos": 0, **ids}.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", value)
    writer.add_chat_template(TEMPLATE)
    draw = numpy.random.default_rng(0)
    stored = gguf.GGMLQuantizationType[kind]

    def matrix(name: str, rows: int, columns: int) -> numpy.ndarray[Any, Any]:
        values = draw.normal(0, 0.2, (rows, columns)).astype(numpy.float32)
        packed = gguf.quantize(values, stored)
        writer.add_tensor(name, packed, raw_dtype=stored)
        return packed

    embedding = matrix("token_embd.weight", len(tokens), HIDDEN)
    if tied == "equal":
        writer.add_tensor("output.weight", embedding, raw_dtype=stored)
    elif tied == "other":
        matrix("output.weight", len(tokens), HIDDEN)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", numpy.ones(HIDDEN, dtype=numpy.float32))
    for name, rows in (("q", HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2), ("output", HIDDEN)):
        matrix(f"blk.0.attn_{name}.weight", rows, HIDDEN)
    for name in ("gate", "up"):
        matrix(f"blk.0.ffn_{name}.weight", 2 * HIDDEN, HIDDEN)
    matrix("blk.0.ffn_down.weight", HIDDEN, 2 * HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
