"""A converted model keeps its fingerprint and its bfloat16 weights; both are what a start would compute."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf_files import write
from safetensors.torch import load_file, save_file

from harness.engines.hf.engine import HuggingFaceEngine
from harness.models import kept
from harness.models.source import ModelSource, convert_gguf, weights_fingerprint


@pytest.fixture
def home(tmp_path: Path, cache: Path) -> Path:
    return convert_gguf(write(tmp_path / "a.gguf"))


def load(folder: Path, dtype: str = "bfloat16") -> HuggingFaceEngine:
    return HuggingFaceEngine.load(ModelSource("a", str(folder), dtype=dtype), {"device": "cpu"})


def test_the_copy_holds_what_loading_would_make(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines.hf import load as loads

    mapped = load(home)
    assert all(
        value.dtype == torch.bfloat16
        for value in load_file(home / "bfloat16" / "model.safetensors").values()
        if value.dim() > 1
    )
    monkeypatch.setattr(loads, "in_bfloat16", lambda folder: folder)
    converted = load(home)
    states = mapped._model.state_dict(), converted._model.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert mapped.model == converted.model, "fingerprint and folder stay those of the conversion"
    assert mapped._end_ids == converted._end_ids


def test_the_copy_is_made_once_and_only_where_it_is_used(home: Path, capsys: Any) -> None:
    load(home, "float32")
    assert not (home / "bfloat16").exists()
    for _ in range(2):
        load(home)
    assert capsys.readouterr().err.count("keeping its weights in bfloat16") == 1


def test_the_copy_follows_the_files_and_may_be_read_as_they_may(home: Path) -> None:
    load(home)
    assert (home / "bfloat16").stat().st_mode == home.stat().st_mode
    path = home / "model.safetensors"
    save_file({name: 2 * value for name, value in load_file(path).items()}, path, {"format": "pt"})
    doubled = load(home)._model.model.layers[0].mlp.up_proj.weight
    assert torch.equal(doubled, load_file(path)["model.layers.0.mlp.up_proj.weight"].to(torch.bfloat16))


def test_a_users_folder_gets_no_copy(tiny_model: Path, home: Path) -> None:
    (home / "converted").unlink()
    for folder in (tiny_model, home):
        load(folder)
        assert not (folder / "bfloat16").exists() and not (folder / "fingerprint").exists()


def test_classes_that_compute_layers_in_float32_get_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "_keep_in_fp32_modules_strict", {"lm_head"})
    load(home)
    assert not (home / "bfloat16").exists()


def test_a_full_disk_costs_no_run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    load(home)
    assert "no copy in bfloat16 is kept (No space left on device)" in capsys.readouterr().err
    assert not (home / "bfloat16").exists()
    assert sorted(path.name for path in home.parent.iterdir()) == [home.name, f"{home.name}.lock"]


def test_a_fingerprint_is_computed_once_for_each_content(home: Path) -> None:
    source = ModelSource("a", str(home))
    before = weights_fingerprint(source, None)

    def not_again() -> str:
        raise AssertionError("hashed again")

    assert kept.fingerprint(home, not_again) == before
    load(home)  # a copy in bfloat16 changes nothing
    assert kept.fingerprint(home, not_again) == before
    (home / "chat_template.jinja").write_text("another")
    assert kept.fingerprint(home, lambda: "new") == "new"
    for spoilt in ("", "{}", "[1]", '{"files": 1}'):
        (home / "fingerprint").write_text(spoilt)
        assert kept.fingerprint(home, lambda: "again") == "again"
