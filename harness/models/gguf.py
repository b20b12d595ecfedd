"""Converts a GGUF file once to a folder of safetensors: 16-bit weights, tokenizer, and ids that end a turn.

transformers unpacks the weights. This module reads what transformers does not: every id that ends a turn, and
how text is split into words (gguf_words.py). source.py decides where a converted model is kept.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import storage
from harness.errors import UserError, first_line, one_line
from harness.models.gguf_words import splitting
from harness.progress import say

VERSION = "2"
"""Version of the conversion; a folder made by another version is made again."""

_MARK = "converted"
"""File in a converted folder: the version that made it."""

END_KEYS = ("eos", "eot", "eom")
"""Ids for the end of sequence, turn and message: `tokenizer.ggml.*_token_id`."""

SAY_EVERY = 10.0
"""Seconds between two progress lines of a conversion."""

LARGEST_HALF = 65504.0
"""Largest number that float16 holds."""


def is_converted(home: Path) -> bool:
    """Whether `home` is a complete folder made by this version."""
    mark = home / _MARK
    return (home / "config.json").is_file() and mark.is_file() and mark.read_text() == VERSION


def convert(gguf: Path, home: Path) -> None:
    """Converts the file and moves the finished folder into place in one step. UserError if it cannot be
    read."""
    with _progress(gguf) as step:
        model, tokenizer = _read(gguf, step)
        step("writing safetensors")
        with storage.whole_folder(home) as draft:
            model.save_pretrained(draft)
            tokenizer.save_pretrained(draft)
            (draft / _MARK).write_text(VERSION)


def _read(gguf: Path, step: Any) -> tuple[Any, Any]:
    """The model without its quantisation settings, and its tokenizer."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # its advice is about weights that stay packed
    with _named(gguf), _as_transformers_names_it(gguf) as link:
        facts, kinds, tensors = _facts(link)
        step(f"unpacking {tensors} tensors", tensors)
        read = AutoModelForCausalLM.from_pretrained(link.parent, gguf_file=link.name, dtype=_dtype(kinds))
    tokenizer = read_tokenizer(gguf)
    return _plain(read, _end_ids(gguf, tokenizer, facts)), tokenizer


def read_tokenizer(gguf: Path) -> Any:
    """The tokenizer of a file, split into words as in llama.cpp. UserError if it cannot be read."""
    from transformers import AutoTokenizer

    with _named(gguf), _as_transformers_names_it(gguf) as link:
        facts = _facts(link)[0]
        tokenizer = AutoTokenizer.from_pretrained(link.parent, gguf_file=link.name)
    _split_words(gguf, tokenizer, facts)
    return tokenizer


@contextmanager
def _named(gguf: Path) -> Iterator[None]:
    """Turns errors of the two libraries that read the file into a UserError."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"{gguf}: transformers cannot read this GGUF file ({one_line(first_line(error))}); "
            "give --pretrained the model as a safetensors folder"
        ) from error


@contextmanager
def _as_transformers_names_it(gguf: Path) -> Iterator[Path]:
    """The file under a name with the ending that transformers expects, in a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        link = Path(scratch) / "model.gguf"
        link.symlink_to(gguf.resolve())
        yield link


def _facts(gguf: Path) -> tuple[dict[str, Any], set[str], int]:
    """What the file says about its tokenizer, without long lists; the types of its matrices; the number of
    tensors."""
    from gguf import GGUFReader, GGUFValueType

    reader = GGUFReader(gguf)
    facts = {
        name.removeprefix("tokenizer.ggml."): field.contents()
        for name, field in reader.fields.items()
        if name.startswith("tokenizer.ggml.") and field.types[0] != GGUFValueType.ARRAY
    }
    kinds = {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) > 1}
    return facts, kinds, len(reader.tensors)


def _dtype(kinds: set[str]) -> Any:
    """16 bits hold what fewer bits were unpacked to; 32 only if the file has 32-bit matrices."""
    import torch

    if "F32" in kinds:
        return torch.float32
    return torch.bfloat16 if "BF16" in kinds else torch.float16


def _plain(read: Any, ends: list[int]) -> Any:
    """A new model with the same weights (one that was read from GGUF refuses to be saved)."""
    import torch
    from transformers import AutoModelForCausalLM

    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    weights = read.state_dict()
    if any(value.dtype == torch.float16 and not value.isfinite().all() for value in weights.values()):
        raise UserError(
            f"the weights of this GGUF file exceed {LARGEST_HALF:.0f}, the largest number of 16 bits: give "
            "--pretrained the model as a safetensors folder"
        )
    head, embedding = read.get_output_embeddings(), read.get_input_embeddings()
    if head is not None and torch.equal(head.weight, embedding.weight):
        config.tie_word_embeddings = True
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(config, dtype=read.dtype)
    fresh.load_state_dict(weights, assign=True)
    fresh.tie_weights()
    fresh.generation_config.eos_token_id = ends if len(ends) != 1 else ends[0]
    return fresh


def _split_words(gguf: Path, tokenizer: Any, facts: dict[str, Any]) -> None:
    """Makes the tokenizer split text as llama.cpp does, or warns that it may not."""
    if facts.get("model") != "gpt2":  # other tokenizers do not split into words first
        return
    name = str(facts.get("pre", "default"))
    try:
        own = splitting(name)
    except KeyError:
        say(
            f"{gguf.name}: it splits text into words in an unknown way ({name}); it is split as in GPT-2, "
            "and numbers or indented text may get other ids than in its training"
        )
        return
    if own is not None:
        tokenizer.backend_tokenizer.pre_tokenizer = own


def _end_ids(gguf: Path, tokenizer: Any, facts: dict[str, Any]) -> list[int]:
    """Every id that ends a turn: those that the file names, and the special token that its template puts
    behind a reply; a line says so if the file does not name it."""
    named = [facts.get(f"{key}_token_id") for key in END_KEYS]
    ends = list(dict.fromkeys(int(each) for each in named if each is not None))
    behind = _behind_a_reply(tokenizer)
    if behind is not None and behind not in ends:
        say(
            f"{gguf.name}: its template ends a turn with {tokenizer.convert_ids_to_tokens(behind)}, which "
            "the file does not name as an end; it is used as one"
        )
        ends.append(behind)
    return ends


def _behind_a_reply(tokenizer: Any) -> int | None:
    """The special token that the chat template puts right behind a reply; None without one."""
    reply = "word1 word2"
    turns = [{"role": "user", "content": "word0"}, {"role": "assistant", "content": reply}]
    try:
        behind = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(reply)[2].lstrip()
    except Exception:  # no template, or one that refuses: loading reports it
        return None
    ids = tokenizer(behind, add_special_tokens=False)["input_ids"]
    return ids[0] if ids and ids[0] in tokenizer.added_tokens_decoder and behind else None


@contextmanager
def _progress(gguf: Path) -> Iterator[Any]:
    """Prints the state of a conversion every few seconds, in a log file too. Yields a function that sets
    the step and its number of tensors."""
    began = time.perf_counter()
    now: list[Any] = ["reading", 0]
    over = threading.Event()

    def step(text: str, tensors: int = 0) -> None:
        now[:] = [text, tensors]

    def seconds() -> str:
        return f"{time.perf_counter() - began:.0f} s"

    def watch() -> None:
        while not over.wait(SAY_EVERY):
            say(f"converting {gguf.name}: {now[0]}{_of_library(now[1])}, {seconds()}")

    say(f"converting {gguf.name} ({gguf.stat().st_size / 1e9:.1f} GB) to safetensors, once")
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield step
    finally:
        over.set()
        watcher.join()
    say(f"converting {gguf.name}: done in {seconds()}")


def _of_library(tensors: int) -> str:
    """The count of finished tensors from the library's progress bar, which a log file does not show well."""
    from tqdm.auto import tqdm

    counts = [
        bar.n for bar in list(getattr(tqdm, "_instances", ())) if bar.total and bar.total >= tensors > 0
    ]
    return f", {max(counts)} done" if counts else ""
