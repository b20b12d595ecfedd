"""What the machine has and keeps: `doctor`, `cache ls`, `cache rm`, and names of checkpoints."""

from __future__ import annotations

import http.server
import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from test_end_to_end import command, last_line, run_command

from harness import installed
from harness.command import doctor, needs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and its cache."""
    folder = tmp_path_factory.mktemp("kept")
    assert command(folder, "--models", "base,s2,distilled").returncode == 0
    return folder


def checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "cache/checkpoints").iterdir() if path.is_dir())


def test_a_checkpoint_says_task_model_method_and_hash(made: Path) -> None:
    names = [path.name for path in checkpoints(made)]
    assert len(names) == 2
    for name, task in zip(names, ("coin_flip", "last_letter"), strict=True):
        assert re.fullmatch(rf"{task}-tiny-[a-z0-9_]+-[0-9a-f]{{24}}", name)


def test_a_checkpoint_of_an_older_name_is_found_and_not_made_again(made: Path) -> None:
    (path, other) = checkpoints(made)
    old = path.with_name("-".join(path.name.split("-")[2:]))
    path.rename(old)
    try:
        done = command(made, "--models", "base,s2,distilled", "--output", "again")
        assert done.returncode == 0 and checkpoints(made) == sorted([other, old])
        manifest = json.loads((made / "again/manifest.json").read_text())
        assert {entry["checkpoint"] for entry in manifest["distillation"]} == {str(other), str(old)}
    finally:
        old.rename(path)


def test_ls_names_size_day_and_what_was_taught(made: Path) -> None:
    done = run_command(made, ["cache", "ls"])
    assert done.returncode == 0 and last_line(done)["entries"] == 2
    lines = done.stdout.splitlines()
    assert str(made / "cache") in lines[0]
    assert re.search(
        r"checkpoints/coin_flip-tiny-\S+ +[\d.]+ \w+ +\d{4}-\d\d-\d\d  coin_flip, taught by",
        lines[1],
    )
    assert all(len(line) <= 160 for line in lines)


def test_rm_removes_what_is_named_and_the_run_makes_it_again(made: Path) -> None:
    refused = run_command(made, ["cache", "rm", "coin_flip", "nothing-like-it"])
    assert refused.returncode == 2 and "nothing-like-it" in refused.stderr and len(checkpoints(made)) == 2
    assert run_command(made, ["cache", "rm"]).returncode == 2
    (path, _) = checkpoints(made)
    with FileLock(f"{path}.lock"):
        busy = run_command(made, ["cache", "rm", "checkpoints/coin_flip"])
    assert busy.returncode == 2 and "in use" in busy.stderr and len(checkpoints(made)) == 2
    done = run_command(made, ["cache", "rm", "coin_flip"])
    assert done.returncode == 0 and last_line(done)["removed"] == 1 and len(checkpoints(made)) == 1
    assert command(made, "--models", "base,s2,distilled", "--output", "third").returncode == 0
    assert checkpoints(made)[0].name == path.name


def test_ls_reports_an_empty_cache(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["cache", "ls"])
    assert done.returncode == 0 and "0 kept" in done.stdout and last_line(done)["bytes"] == 0


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield address
    server.shutdown()


def test_doctor_reports_version_machine_cache_and_hub(made: Path, hub: str) -> None:
    done = run_command(made, ["doctor", "--pretrained", "tiny"])
    facts = last_line(done)
    assert done.returncode == 0 and facts["status"] == "ok"
    first, *rest = done.stdout.splitlines()
    assert re.match(r"s2d-bench \S+, Python 3\.", first)
    kinds = {line.split()[0] for line in rest if line and not line.startswith((" ", "{"))}
    assert {"gpu", "memory", "disk", "cache", "hub", "ok"} <= kinds
    assert f"{hub} answers" in done.stdout and facts["cache"]["bytes"] > 0
    assert facts["memory_free"] > 1e8 and facts["disk_free"] > 1e6
    assert facts["model"]["parameters"] == 2_246_592 and "does" not in facts["hub"]


def test_a_hub_that_is_down_or_switched_off_is_not_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = run_command(tmp_path, ["doctor"])
    assert done.returncode == 0 and "does not answer" in done.stdout
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "not asked: HF_HUB_OFFLINE" in run_command(tmp_path, ["doctor"]).stdout


def test_gpus_are_those_that_the_drivers_tool_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559, 80000, 550.54'\necho 'GB10, [N/A], [N/A], 580.1'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    lines, gpus = doctor._gpus()
    assert "NVIDIA H100 80GB HBM3, 85.5 GB, 83.9 GB free, driver 550.54" in lines[0] and len(gpus) == 2
    assert gpus[1]["memory"] == 0
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert "does not answer" in doctor._gpus()[0][0]


def test_what_a_model_needs_follows_from_its_files(tiny_model: Path) -> None:
    from safetensors import safe_open

    found = needs.needs(str(tiny_model))
    counted = 0
    for file in tiny_model.glob("*.safetensors"):
        with safe_open(file, "np") as opened:
            names = opened.keys()
            counted += sum(opened.get_tensor(name).size for name in names)
    config = json.loads((tiny_model / "config.json").read_text())
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    assert found.parameters == counted and found.to_fetch == 0
    assert found.cache_per_token == 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * head * 2
    assert "DOES NOT FIT" in "\n".join(found.lines(1000, "of memory", 10**9))


@pytest.mark.parametrize("name", ["./nowhere", "model.gguf", "org/model"])
def test_a_model_that_is_not_there_is_refused_in_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = run_command(tmp_path, ["doctor", "--pretrained", name])
    assert done.returncode == 2 and name in done.stderr and done.stderr.count("\n") == 1


def test_doctor_names_a_command_that_fits_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    find = installed.util.find_spec
    without = {"lm_eval", "trl"}
    monkeypatch.setattr(installed.util, "find_spec", lambda name: None if name in without else find(name))
    lines, facts = doctor.examine()
    assert facts["status"] == "incomplete"
    [tasks] = [line for line in lines if line.startswith("missing  tasks and scoring")]
    assert f"run: {sys.executable} -m pip install 'lm-eval<0.5,>=0.4.12'" in tasks
    without.add("pip")  # as in an environment of uv
    [training] = [line for line in doctor.examine()[0] if line.startswith("missing  distillation: trl")]
    assert f"run: uv pip install --python {sys.executable} 'trl" in training
    assert installed.requirement("of-nobody") == "of-nobody"
