"""The whole way on SmolLM2: base, s2, distillation, distilled; killed in the middle, and undisturbed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.models.source import cache_folder, resolve_model

# The fixture alone may take its 900 seconds where other work shares the machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TABLES = ("leaderboard.json", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The command on one generated task in a folder and a cache of its own; small batches make many
    commits. System 2 of so small a model agrees with itself too seldom to be distilled, System 1 does not."""
    cache = folder / "cache"
    (cache / "models").mkdir(parents=True, exist_ok=True)
    model = cache / "models" / "smollm2"
    if not model.exists():
        model.symlink_to(resolve_model("smollm2").location)
    return subprocess.Popen(
        [
            sys.executable, "-m", "harness.command.cli", "--models", "base,s2,distilled,distilled-s1",
            "--pretrained", "smollm2", "--data", "embedded",
            "--dtype", "float32", "--tasks", "coin_flip", "--limit", "12", "--distill-inputs", "24",
            "--samples", "2", "--sampling", "max_tokens=48,teacher_temperature=0.3",
            "--engine-args", "batch_rows=6", "--train-args", "epochs=2", "--output", "run",
        ],
        cwd=folder,
        env={**os.environ, "S2D_CACHE": str(cache)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def calls_of(run: Path, phase: str) -> set[tuple[str, float]]:
    """Key and finishing time of every stored call of a phase; none before the store exists."""
    try:
        store = sqlite3.connect(f"file:{run / 'calls.sqlite'}?mode=ro", uri=True)
        found = set(store.execute("SELECT key, finished_at FROM calls WHERE phase LIKE ?", (phase,)))
        store.close()
    except sqlite3.Error:
        return set()
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start(folder).wait(timeout=900) == 0
    return folder / "run"


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "base": lambda run: bool(calls_of(run, "base")),
    "s2": lambda run: bool(calls_of(run, "s2")),
    "teacher": lambda run: bool(calls_of(run, "teacher")),
    "training": lambda run: any(run.parent.glob("cache/checkpoints/.*.training/checkpoint-*/whole.json")),
    "distilled": lambda run: bool(calls_of(run, "distilled%")),
}


@pytest.mark.soak
@pytest.mark.parametrize("phase", MOMENTS)
def test_a_killed_run_ends_with_the_same_tables(undisturbed: Path, tmp_path: Path, phase: str) -> None:
    first = start(tmp_path)
    while first.poll() is None and not MOMENTS[phase](tmp_path / "run"):
        time.sleep(0.1)
    assert first.poll() is None, f"the run ended before {phase}"
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = calls_of(tmp_path / "run", "%")
    assert 0 < len(finished) < len(calls_of(undisturbed, "%"))
    assert start(tmp_path).wait(timeout=900) == 0
    after = calls_of(tmp_path / "run", "%")
    assert finished <= after  # with their old finishing times: none was made again
    assert {key for key, _ in after} == {key for key, _ in calls_of(undisturbed, "%")}
    for name in TABLES:
        assert (tmp_path / "run" / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_counts_prompts_and_adapters_stand_up_to_plain_transformers(undisturbed: Path) -> None:
    check = Path(__file__).parents[1] / "fixtures" / "verify_run.py"
    done = subprocess.run(
        [sys.executable, str(check), str(undisturbed), "--calls", "20"],
        capture_output=True,
        text=True,
        env={**os.environ, "S2D_CACHE": str(cache_folder())},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_teacher_left_a_checkpoint_in_peft_format(undisturbed: Path) -> None:
    manifest = json.loads((undisturbed / "manifest.json").read_text())
    trained = []
    for entry in manifest["distillation"]:
        if entry["status"] == "not_distilled":
            assert entry["kept"] < 8
            continue
        trained.append(entry["variant"])
        folder = Path(entry["checkpoint"])
        assert (folder / "adapter_model.safetensors").is_file()
        assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    assert "distilled-s1" in trained
