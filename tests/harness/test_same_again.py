"""Two runs of one seed give the same tables to the byte; where that cannot be had, the manifest says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kill_fixtures import ARGUMENTS, Undisturbed, small_place, tables_in
from openai_server import FakeServer
from test_end_to_end import run_command

from harness.engines.base import Engine
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.scripted import ScriptedEngine
from harness.engines.vllm.engine import VllmEngine


@pytest.mark.slow
def test_another_process_with_another_order_of_sets_gives_the_same_tables(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The installed command itself; the undisturbed run is a fork of another process."""
    place = small_place(tmp_path)
    changed = {"S2D_CACHE": "cache", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "harness.command.cli", *ARGUMENTS],
        cwd=place.work,
        env={**os.environ, **changed},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert tables_in(place.work / "run") == undisturbed.tables


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_the_hf_engine_repeats_a_run_to_the_byte(tmp_path: Path, tiny_model: Path, dtype: str) -> None:
    arguments = [
        "--models", "base,s2,s2:cot*2", "--pretrained", str(tiny_model), "--dtype", dtype, "--data",
        "embedded", "--tasks", "coin_flip,judge", "--limit", "4", "--sampling",
        "max_tokens=12,temperature=0.7", "--engine-args", "batch_rows=8", "--output", "run",
    ]  # fmt: skip
    tables = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        done = run_command(tmp_path / name, arguments)
        assert done.returncode == 0, done.stderr
        tables.append(tables_in(tmp_path / name / "run"))
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("engine", "repeats"),
    [(ScriptedEngine, True), (HuggingFaceEngine, True), (OpenAIEngine, False), (VllmEngine, False)],
)
def test_an_engine_says_whether_it_can_promise_that(engine: type[Engine], repeats: bool) -> None:
    assert engine.same_batches_same_text is repeats


@pytest.mark.parametrize("measured", [False, True])
def test_a_run_whose_engine_cannot_promise_that_says_so_unless_the_noise_is_measured(
    tmp_path: Path, measured: bool
) -> None:
    with FakeServer() as server:
        arguments = [
            "--engine", "openai", "--base-url", server.base_url, "--pretrained", "fake", "--models", "base",
            "--tasks", "coin_flip", "--data", "embedded", "--limit", "3", "--output", "run",
            *(["--noise-floor"] if measured else []),
        ]  # fmt: skip
        done = run_command(tmp_path, arguments)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["engine"]["same_batches_same_text"] is False
    told = [note for note in manifest["notes"] if "--noise-floor" in note]
    assert len(told) == (0 if measured else 1)
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    assert any("noise_floor" in row for row in board["comparisons"]) is measured
    assert set(told) <= set(board["notes"])
