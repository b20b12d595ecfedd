"""A random Llama of two layers with a tokenizer of its own, and adapters for it: real files, no download.

The model has grouped-query heads (4 heads, 2 key heads), large random weights, so that what it says depends
on its whole prompt, and several end ids, so that rows end at different lengths. Its end-of-sequence id is
also its padding id, as in many chat models. It knows no word of any language.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.types import Request, Sampling, stable_hash

CONTEXT = 320
"""Positions of the tiny model."""

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking %}<think>\n{% endif %}"
)
SPECIAL = ("<|bos|>", "<|im_end|>", "<|im_start|>")
_SENTENCE = "the cat sat on a mat and said step by step answer yes no red blue seven plus two is nine"


def build_tokenizer(template: str | None = TEMPLATE) -> Any:
    """A byte-level BPE tokenizer of about 350 ids that can say any text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_SENTENCE] * 4, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[1], pad_token=SPECIAL[1]
    )
    wrapped.chat_template = template
    return wrapped


def save_model(
    folder: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 64,
    window: int | None = None,
    template: str | None = TEMPLATE,
    end_every: int = 17,
    spread: float = 0.25,
) -> Path:
    """Write a random model to `folder`. `window` gives sliding-window attention of that many positions;
    every `end_every`-th id ends a turn (0: the end-of-sequence id alone); `spread` is the standard
    deviation of the weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    tokenizer = build_tokenizer(template)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": spread,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(seed)
    model: Any
    if window:
        model = MistralForCausalLM(MistralConfig(**sizes, sliding_window=window))
    else:
        model = LlamaForCausalLM(LlamaConfig(**sizes))
    ends = [tokenizer.eos_token_id, *(range(20, len(tokenizer), end_every) if end_every else ())]
    model.generation_config.eos_token_id = ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_adapter(folder: Path, model: Path, *, seed: int = 0, zero: bool = False, alpha: int = 16) -> Path:
    """Write a random LoRA adapter of rank 4 for the model in `model`; `zero` leaves lora_B at zero, so that
    it changes nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1000 + seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    settings = LoraConfig(r=4, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    wrapped = get_peft_model(base, settings)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name and not zero:
            torch.nn.init.normal_(parameter, std=0.2)
    wrapped.save_pretrained(folder)
    return folder


def request(
    prompt: Sequence[int],
    *,
    item: str = "item",
    step: str = "direct",
    seed: int = 0,
    adapter: str | None = None,
    text: str = "",
    **sampling: Any,
) -> Request:
    """A request with these prompt ids; keyword arguments are those of `Sampling`."""
    drawn = Sampling(**sampling)
    key = stable_hash([list(prompt), item, step, seed, adapter, drawn.as_dict()])
    messages = [{"role": "user", "content": text}]
    return Request(item, step, 0, messages, tuple(prompt), drawn, seed, adapter, key)


def questions(count: int, seed: int = 0, longest: int = 40) -> list[str]:
    """`count` different texts of 1 to `longest` words."""
    draw = random.Random(seed)
    return [
        f"{number} " + " ".join(draw.choices(_SENTENCE.split(), k=draw.randint(1, longest)))
        for number in range(count)
    ]


def edit_json(file: Path, **changes: Any) -> None:
    """Set keys of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
