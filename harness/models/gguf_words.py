"""How the tokenizer of a GGUF file splits text into words before its merges apply.

The file names the splitting (`tokenizer.ggml.pre`), and llama.cpp knows what the name means. transformers
reads the most common names; for all others it silently uses GPT-2's splitting, and numbers and indented text
then get other ids than in the model's training. This module has the others, built from parts of the
`tokenizers` library and taken from the models' own tokenizers; a test compares all of them with llama.cpp.
"""

from __future__ import annotations

from typing import Any

GPT2 = (
    "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum",
    "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe", "exaone4", "mpt", "olmo", "jais", "trillion",
    "granite-docling",
)  # fmt: skip
"""GPT-2's own splitting, the default of transformers."""

DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2")
"""Each digit is a word; the rest is split as in GPT-2."""

ALIASES = {
    "stablelm2": "qwen2", "hunyuan": "qwen2", "solar-open": "qwen2", "grok-2": "qwen2",
    "glm4": "llama3", "chatglm-bpe": "llama3",
}  # fmt: skip
"""Names for splittings that transformers knows under another name."""

PUNCTUATION = r"[!-/:-@\[-`{-~]"
"""ASCII punctuation."""

HAN_AND_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
WORDS_OF_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"

THREE_DIGITS = r"\p{N}{1,3}"
DEEPSEEK_V3 = (
    THREE_DIGITS,
    HAN_AND_KANA,
    rf"{PUNCTUATION}[A-Za-z]+|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{SPACES}",
)
OUTSIDE_SENTENCES = (" ?[^(\\s|.,!?…。，、।۔،)]+",)

PATTERNS: dict[str, tuple[str, ...]] = {
    "deepseek-v3": DEEPSEEK_V3,
    "hunyuan-dense": DEEPSEEK_V3,
    "joyai-llm": DEEPSEEK_V3,
    "hy_v4": DEEPSEEK_V3,
    "deepseek-coder": (
        "[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}",
    ),
    "seed-coder": (rf"{CONTRACTION}|{WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{SPACES}",),
    "minicpm5": (THREE_DIGITS, rf"{CONTRACTION}|{WORD}|\p{{N}}+|{SYMBOLS}|{SPACES}"),
    "ufakzeka": (rf"{WORD}|\p{{N}}|{SYMBOLS}|{SPACES}",),
    "bloom": OUTSIDE_SENTENCES,
    "gpt3-finnish": OUTSIDE_SENTENCES,
    "poro-chat": OUTSIDE_SENTENCES,
    "viking": (*OUTSIDE_SENTENCES, r"\p{N}"),
    "falcon": (r"[\p{P}$+<=>^~|`]+", WORDS_OF_GPT2, "[0-9][0-9][0-9]"),
    "default": (r"[\p{P}$+<=>^~|]+", WORDS_OF_GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
}  # fmt: skip
"""Patterns in order: each splits the pieces that the ones before it left whole."""


def splitting(name: str) -> Any:
    """The pre-tokenizer for llama.cpp's `name`; None if transformers' own is right, KeyError for an
    unknown name."""
    from tokenizers import Regex, pre_tokenizers
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    if name in GGUF_PRE_TOKENIZER_SPLITS or name in GPT2:
        return None
    if name in DIGITS:
        patterns: tuple[str, ...] = (r"\p{N}", WORDS_OF_GPT2)
    elif name in ALIASES:
        patterns = (GGUF_PRE_TOKENIZER_SPLITS[ALIASES[name]],)
    else:
        patterns = PATTERNS[name]
    steps = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in patterns]
    return pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
