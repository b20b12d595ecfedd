"""The embedded model's tokenizer: common words are one token, all else is spelled in bytes.

Words of the last-letter task are always spelled, so that a word has the same letters at the beginning of a
quotation and after a space, and its last letter is visible. Every other word that the corpus uses often (in
prompts, names, facts) is one token, once with a space before it and once without.

It is a byte-level BPE without merges that looks a word up first (`ignore_merges`), so every text can be
encoded and decodes to itself. The chat template has a user and an assistant, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tasks.last_letter.generate import WORDS as SPELLED

PAD, BEGIN, USER, ASSISTANT, END = "<pad>", "<s>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = (PAD, BEGIN, USER, ASSISTANT, END)
WORD = r" ?\p{L}+|\p{N}|[^\s\p{L}\p{N}]|\s"
"""Units of the look-up: a word with the space before it, one digit, one mark, one blank."""
OFTEN = 6
"""Uses of a word in the sample of the corpus that make it a token."""

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{% else %}<|user|>{% endif %}"
    "{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A system turn is treated like a user turn."""


def build_tokenizer(texts: Iterable[str]) -> Any:
    """A `PreTrainedTokenizerFast` whose words are those that `texts` use at least OFTEN times."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    spelled = {form for words in SPELLED.values() for word in words for form in (word, f"Ġ{word}")}
    words = sorted(word for word, uses in counts.items() if uses >= OFTEN and word not in spelled)
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATE
    return wrapped
