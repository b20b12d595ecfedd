"""The whole sentence on vLLM: `s2d-bench --models base,s2,distilled --engine vllm`, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.vllm
COMMAND = [
    "--models", "base,s2,s2:cot/6,distilled", "--engine", "vllm", "--engine-args", "enforce_eager=true",
    "--tasks", "coin_flip", "--limit", "12", "--distill-inputs", "24", "--samples", "2", "--output", "run",
]  # fmt: skip


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.command.cli", *COMMAND, *more],
        cwd=folder,
        env={"VLLM_CPU_KVCACHE_SPACE": "2", **os.environ, "S2D_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_three_variants_and_a_budget_are_scored_and_the_command_again_asks_nothing(
    tmp_path: Path, tuning: str
) -> None:
    """An adapter joins the loaded model; all weights get an engine of their own while the other one rests."""
    more = ("--train-args", f"tuning={tuning}")
    done = run(tmp_path, *more)
    assert done.returncode == 0, done.stderr[-2000:]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["engine"]["vllm"], "the version"
    assert [entry["status"] for entry in manifest["distillation"]] == ["trained"]
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    assert {row["variant"]: row["n"] for row in board["rows"]} == dict.fromkeys(
        ("base", "s2", "s2-cot-6", "distilled"), 12
    )
    again = run(tmp_path, *more)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "finished: its records are shown" in again.stderr


def test_a_dry_run_asks_vllm_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["probed"]
    assert not (tmp_path / "run").exists()


def test_a_wrong_argument_is_named_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "--engine-args", "max_num_seq=8")
    assert (
        done.returncode == 2
        and "max_num_seq: vLLM's engine has no such argument; did you mean" in done.stderr
    )
    assert list(tmp_path.iterdir()) == []
