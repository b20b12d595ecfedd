"""What is let in and out: weights without pickles, no code of models, no key in any file, no call home.

A whole run of the command, distillation and page included, works with all sockets closed.
"""

from __future__ import annotations

import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_input import COIN, SCRIPT
from bad_input import HF as ON_HF
from openai_server import FakeServer
from test_bad_input import check
from test_end_to_end import run_command
from tiny_models import edit_json

from harness import telemetry
from harness.engines.openai import retry as openai_retry
from harness.errors import UserError
from harness.option_checks import refuse_keys_in_yaml
from harness.options import RunOptions

HF = f"{ON_HF} --engine-args device=cpu --sampling max_tokens=1"
KEYS = {
    "S2D_API_KEY": "sk-planted-s2d-0123456789",
    "OPENAI_API_KEY": "sk-planted-openai-0123456789",
    "HF_TOKEN": "hf_plantedplantedplanted01",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedplantedplanted02",
}
TYPED = "sk-of-nobody-1"
"""A key that the environment does not know."""
WHOLE = (
    f"--engine scripted --engine-args script={SCRIPT} --tasks coin_flip --limit 8 "
    "--distill-inputs 12 --models base,s2,distilled"
)


class Bomb:
    """A pickle that leaves a mark where it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(
    ("name", "beside"), [("pytorch_model.bin", False), ("weights.pkl", False), ("pytorch_model.bin", True)]
)
def test_a_pickle_is_never_opened(tmp_path: Path, tiny_model: Path, name: str, beside: bool) -> None:
    model, mark = tmp_path / "m", tmp_path / "opened"
    shutil.copytree(tiny_model, model)
    (model / name).write_bytes(pickle.dumps(Bomb(mark)))
    if not beside:
        (model / "model.safetensors").unlink()
    done = run_command(tmp_path, [*shlex.split(HF), "--pretrained", "./m"])
    assert not mark.exists()
    if beside:
        assert done.returncode == 0, done.stderr
    else:
        check(done, (f"only {name}, and pickles can run code", "save the model as safetensors"))


def test_an_adapter_s_pickle_is_never_opened(tmp_path: Path, tiny_model: Path, tiny_adapter: Path) -> None:
    mark = tmp_path / "opened"
    shutil.copytree(tiny_adapter, tmp_path / "a")
    (tmp_path / "a" / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    (tmp_path / "a" / "adapter_model.safetensors").unlink()
    arguments = [*shlex.split(HF), "--pretrained", str(tiny_model), "--models", "mine=./a"]
    check(run_command(tmp_path, arguments), ("only adapter_model.bin", "save the adapter as safetensors"))
    assert not mark.exists()


@pytest.mark.parametrize("trusted", [False, True])
def test_the_code_of_a_model_runs_only_if_it_is_trusted(
    tmp_path: Path, tiny_model: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then the manifest says so."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    model, mark = tmp_path / "m", tmp_path / "ran"
    shutil.copytree(tiny_model, model)
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    edit_json(model / "config.json", model_type="of-mine", auto_map=own)
    (model / "own.py").write_text(
        "from pathlib import Path\n\nfrom transformers import LlamaConfig, LlamaForCausalLM\n\n"
        f"Path({str(mark)!r}).touch()\n\n\nclass OwnConfig(LlamaConfig):\n    model_type = 'of-mine'\n\n\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    switch = ["--trust-remote-code"] if trusted else []
    done = run_command(tmp_path, [*shlex.split(HF), "--pretrained", "./m", *switch])
    assert mark.exists() is trusted
    if not trusted:
        check(done, ("./m", "--trust-remote-code"))
        assert not (tmp_path / "run").exists()
        return
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["options"]["trust_remote_code"] is True


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Keys in the environment, as on a machine where people work."""
    for variable, key in KEYS.items():
        monkeypatch.setenv(variable, key)
    yield KEYS


def places_of_keys(folder: Path, *texts: str) -> list[str]:
    """Where a planted key is to be read: in names and contents of all files below `folder`, or in `texts`."""
    found = []
    for path in sorted(folder.rglob("*")):
        held = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        found += [str(path) for key in (*KEYS.values(), TYPED) if key.encode() in held]
    return found + [text for text in texts for key in (*KEYS.values(), TYPED) if key in text]


def test_the_key_of_a_server_is_sent_and_not_written(
    tmp_path: Path, planted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_retry, "FIRST_WAIT", 0.002)
    with FakeServer() as server:
        server.key = planted["S2D_API_KEY"]
        address = ["--engine", "openai", "--base-url", server.base_url, "--pretrained", "fake"]
        work = ["--models", "base", "--tasks", "coin_flip", "--data", "embedded", "--limit", "3"]
        done = run_command(tmp_path, [*address, *work, "--output", "run"])
        assert done.returncode == 0, done.stderr
        server.key = "another"
        refused = run_command(tmp_path, [*address, *work, "--output", "again"])
    assert refused.returncode == 2 and "refuses the key" in refused.stderr
    assert places_of_keys(tmp_path, done.stdout, done.stderr, refused.stdout, refused.stderr) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "--engine-args api_key=sk-planted-openai-0123456789",
        "--engine-args api_key=sk-of-nobody-1 --engine-args context=99",
        "--engine-args=access-token=sk-of-nobody-1",
        "--engine-args use_auth_token=sk-of-nobody-1",
        "--api-key sk-of-nobody-1",
        "--pretrained https://me:sk-of-nobody-1@huggingface.co/org/model",
        "--base-url http://me:sk-of-nobody-1@127.0.0.1/v1",
        "--output sk-planted-s2d-0123456789 --output run",
        "--engine hf --engine-args token=hf_plantedplantedplanted01",
        "--task-args password=hf_plantedplantedplanted01",
        "--pretrained https://hf_plantedplantedplanted01@huggingface.co/org/model",
        "--output runs-of-sk-planted-s2d-0123456789",
        "--revision hf_plantedplantedplanted02",
        "--config keys.yaml",
    ],
)
def test_a_key_that_is_typed_in_is_refused_before_anything_is_written(
    tmp_path: Path, planted: dict[str, str], arguments: str
) -> None:
    (tmp_path / "keys.yaml").write_text("sampling: {api_key: sk-planted-openai-0123456789}\n")
    done = run_command(tmp_path, [*shlex.split(COIN), *shlex.split(arguments)])
    check(done, ("environment",))
    (tmp_path / "keys.yaml").unlink()
    assert places_of_keys(tmp_path, done.stdout, done.stderr) == []


def test_an_address_of_the_hub_with_a_password_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's own library repeats its address in every line."""
    monkeypatch.setenv("HF_ENDPOINT", "http://user:hunter2secret@127.0.0.1:9")
    done = run_command(tmp_path, shlex.split(COIN))
    check(done, ("HF_ENDPOINT contains", "environment"))
    assert "hunter2secret" not in done.stdout + done.stderr


def test_a_proxy_that_is_no_address_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:hunter2secret@host:notaport/")
    server = "--engine openai --base-url https://example.org/v1 --models base --tasks coin_flip"
    done = run_command(tmp_path, [*shlex.split(server), "--data", "embedded", "--output", "run"])
    check(done, ("https_proxy in the environment is not an address", "unset it"))
    assert "hunter2secret" not in done.stdout + done.stderr and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    ["runs/sk-llama-3-8b-distilled", "./en-sk-Translation-model-2026", "runs/hf_SmolLM2135MInstructFT"],
)
def test_names_that_only_begin_like_keys_are_names(words: str) -> None:
    RunOptions(output=words, engine="scripted").check()
    refuse_keys_in_yaml(f"output: {words}  # the key: use majority, token: x")


def test_short_values_of_key_variables_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2D_API_KEY", "none")
    RunOptions(output="nonesuch", engine="scripted").check()
    monkeypatch.setenv("S2D_API_KEY", "nonesuch")
    with pytest.raises(UserError, match="contains the value of S2D_API_KEY"):
        RunOptions(output="nonesuch", engine="scripted").check()


CLOSED = """import socket, sys

def refuse(*arguments, **keywords):
    raise AssertionError(f"the network was asked for: {arguments}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
socket.create_connection = socket.gethostbyname = refuse

from harness.command.cli import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A whole run in a process without sockets and with keys in its environment: its folder, and what it
    said."""
    folder = tmp_path_factory.mktemp("closed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, *shlex.split(WHOLE), "--output", "run"],
        cwd=folder,
        env={**environment, **KEYS, "S2D_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return folder, done


@pytest.mark.slow
def test_a_run_needs_no_network(closed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = closed
    assert done.returncode == 0, done.stderr
    assert (folder / "run" / "leaderboard.html").is_file()
    assert "the network was asked for" not in done.stderr


@pytest.mark.slow
def test_no_key_is_in_anything_that_a_run_writes(
    closed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = closed
    assert len([path for path in folder.rglob("*") if path.is_file()]) > 10
    assert places_of_keys(folder, done.stdout, done.stderr) == []


NO_NETWORK = ("unshare", "--map-root-user", "--net")
"""A namespace without interfaces, for the command and for all that it starts."""


@pytest.mark.slow
def test_a_model_answers_and_is_trained_without_a_network_and_without_writing_keys(
    tmp_path: Path, planted: dict[str, str]
) -> None:
    if subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no network namespace")
    arguments = (
        "--tasks coin_flip --limit 6 --distill-inputs 16 --samples 1 --train-args epochs=1 --output run"
    )
    done = subprocess.run(
        [*NO_NETWORK, sys.executable, "-m", "harness.command.cli", *shlex.split(arguments)],
        cwd=tmp_path,
        env={**os.environ, **planted, "S2D_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (trained,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["distillation"]
    assert list(Path(trained["checkpoint"]).glob("*.safetensors"))
    assert places_of_keys(tmp_path, done.stdout, done.stderr) == []


def test_libraries_are_told_to_be_silent_before_they_are_imported(tmp_path: Path) -> None:
    """In a process of its own: here they are imported already."""
    code = (
        "import sys\n"
        "from harness.command.cli import main\n"
        "assert 'huggingface_hub' not in sys.modules and 'datasets' not in sys.modules\n"
        "main(['ls', 'variants'])\n"
        "from huggingface_hub import constants\n"
        "import datasets.config\n"
        "assert constants.HF_HUB_DISABLE_TELEMETRY and not datasets.config.HF_UPDATE_DOWNLOAD_COUNTS\n"
    )
    asked_for = {"HF_HUB_DISABLE_TELEMETRY": "0", "DO_NOT_TRACK": "0", "HF_UPDATE_DOWNLOAD_COUNTS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked_for},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_training_tells_them_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TRL reports every trainer to the hub unless it is told not to."""
    from distill.training import parent as train

    for name in telemetry.SILENCE:
        monkeypatch.setenv(name, "unset")
    monkeypatch.setattr(train, "_end_with_parent", lambda: None)
    (tmp_path / "jobs.json").write_text("[]")
    assert train.main([str(tmp_path / "jobs.json")]) == 0
    assert {name: os.environ[name] for name in telemetry.SILENCE} == dict(telemetry.SILENCE)
