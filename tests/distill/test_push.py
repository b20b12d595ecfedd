"""Upload to the hub with a client that only writes down what it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drawn_fixtures import MODEL, facts_of, some_drawn

from distill.papers.cards import KNOWN, write_papers
from distill.papers.examples import example_rows, write_examples
from distill.papers.push import push
from harness.errors import UserError

KEY = "hf_abcdefghijklmnop"


class FakeApi:
    """Keeps what was uploaded; raises `failure` where one is set."""

    failure: Exception | None = None
    created: list[tuple[str, bool]]
    uploaded: dict[str, bytes]

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool, **other: Any) -> str:
        assert exist_ok and not other, "the key and the kind of repository are the client's own affair"
        if FakeApi.failure:
            raise FakeApi.failure
        FakeApi.created.append((repo_id, private))
        return f"https://huggingface.co/{repo_id}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        for path in sorted(folder_path.rglob("*")):
            if path.is_file():
                FakeApi.uploaded[path.relative_to(folder_path).as_posix()] = path.read_bytes()


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> type[FakeApi]:
    FakeApi.failure, FakeApi.created, FakeApi.uploaded = None, [], {}
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setenv("HF_TOKEN", KEY)
    return FakeApi


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint with its papers, and files that are none of its own."""
    folder = tmp_path / "home" / "me" / "checkpoint"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    settings = {"base_model_name_or_path": "/home/me/models/smollm2", "r": 16}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    record = {"checkpoint": str(folder), "warnings": ["data in /home/me/data/x.jsonl and a/b/c, 1/2/3"]}
    (folder / "s2d.json").write_text(json.dumps({"records": {"coin_flip": record}}))
    write_examples(folder / "examples", example_rows("coin_flip", some_drawn(), str))
    write_papers(folder, facts_of(some_drawn()))
    for name in ("tokenizer.json", "chat_template.jinja", "merges.txt"):
        (folder / name).write_text("{% /a/b/c %}")
    for name in ("optimizer.pt", "notes.txt", ".env", "model.bin", "training_args.bin", "examples/x.csv"):
        (folder / name).write_text(KEY)
    (folder / "trainer").mkdir()
    (folder / "trainer" / "state.json").write_text("{}")
    return folder


def test_a_checkpoint_goes_up_whole_and_nothing_else(checkpoint: Path, hub: type[FakeApi]) -> None:
    assert push(checkpoint, "me/coin") == "https://huggingface.co/me/coin"
    assert hub.created == [("me/coin", True)]
    assert set(hub.uploaded) == {
        "README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja",
        "examples/README.md", "examples/dropped.parquet", "examples/kept.parquet", "merges.txt",
        "s2d.json", "tokenizer.json",
    }  # fmt: skip
    for name in ("adapter_model.safetensors", "tokenizer.json", "examples/kept.parquet", "README.md"):
        assert hub.uploaded[name] == (checkpoint / name).read_bytes()
    assert KEY.encode() not in b"".join(hub.uploaded.values())


def test_paths_of_this_machine_stay_here(checkpoint: Path, hub: type[FakeApi]) -> None:
    before = {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()}
    push(checkpoint, "me/coin")
    assert json.loads(hub.uploaded["adapter_config.json"]) == {
        "base_model_name_or_path": KNOWN["smollm2"],
        "r": 16,
    }
    record = json.loads(hub.uploaded["s2d.json"])["records"]["coin_flip"]
    assert record == {"checkpoint": "checkpoint", "warnings": ["data in x.jsonl and a/b/c, 1/2/3"]}
    assert {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()} == before


def test_a_base_model_without_a_hub_id_is_named_without_its_folder(
    checkpoint: Path, hub: type[FakeApi]
) -> None:
    write_papers(checkpoint, facts_of(some_drawn(), model={**MODEL, "name": "/home/me/models/own"}))
    push(checkpoint, "me/coin", private=False)
    assert hub.created == [("me/coin", False)]
    assert json.loads(hub.uploaded["adapter_config.json"])["base_model_name_or_path"] == "smollm2"
    assert b"/home/me" not in b"".join(hub.uploaded.values())


class Refused(Exception):
    """An error of the hub with a response."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.response = type("Response", (), {"status_code": status})()


class LocalTokenNotFoundError(OSError):
    """As the client calls it."""


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (Refused(f"401 Unauthorized: {KEY} is not a key\nRequest ID: 1", 401), "hf auth login"),
        (Refused("403 Forbidden", 403), "hf auth login"),
        (LocalTokenNotFoundError("Token is required"), "hf auth login"),
        (Refused("503 Service Unavailable", 503), "repeat the command"),
        (ConnectionError(""), "repeat the command"),
        (ValueError("Invalid metadata in README.md."), "repeat the command"),
    ],
)
def test_whatever_the_hub_says_is_one_line_with_advice(
    checkpoint: Path, hub: type[FakeApi], failure: Exception, advice: str
) -> None:
    hub.failure = failure
    with pytest.raises(UserError) as caught:
        push(checkpoint, "me/coin")
    line = str(caught.value)
    assert advice in line and "me/coin" in line and type(failure).__name__ in line
    assert "\n" not in line and KEY not in line
    assert str(checkpoint) in line, "so that nobody thinks that the training is lost"
    assert hub.uploaded == {}


def test_the_real_client_s_refusal_of_a_name_is_one_line_too(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.hf_api

    monkeypatch.setattr("huggingface_hub.HfApi", huggingface_hub.hf_api.HfApi)
    with pytest.raises(UserError, match="NAME or OWNER/NAME"):
        push(checkpoint, "not a/good/name")


def test_a_folder_without_weights_is_refused_before_anything_is_made(
    tmp_path: Path, hub: type[FakeApi]
) -> None:
    (tmp_path / "README.md").write_text("# nothing")
    with pytest.raises(UserError, match="no safetensors"):
        push(tmp_path, "me/coin")
    assert hub.created == []
