"""`lm-eval run` on our task folders and our `base` say the same thing on every item (greedy, float32)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.lm.tasks import load_tasks
from harness.models.source import resolve_model
from tasks.registry import TASK_ROOT

pytestmark = pytest.mark.slow
ITEMS = 50
MOST = 64
"""Generated tokens on both sides: so small a model seldom ends by itself, and lm-eval waits for the last."""
TASKS = ("gsm8k", "coin_flip")


def test_base_equals_lm_eval_on_every_response_and_score(tmp_path: Path, data_dir: Path) -> None:
    tasks = load_tasks(TASKS, str(data_dir), [], {"seed": 0}, ITEMS)
    model = resolve_model("smollm2").location
    theirs = lm_eval_samples(
        tmp_path / "lm_eval", model, data_dir, {task.lm_name: task.indices for task in tasks}
    )
    ours = base_rows(tmp_path, data_dir)
    compared = 0
    for task in tasks:
        rows = task.rows("test")
        mine = {row["item_id"]: row for row in ours[task.name]}
        for sample in theirs[task.lm_name]:
            row = mine[task.item(rows[sample["doc_id"]]).item_id]
            response = sample["resps"][0][0]
            for stop in task.stops:
                response = response.split(stop)[0]
            assert row["response"] == response
            for metric, score in row["scores"].items():
                assert sample[metric] == score
            compared += 1
    assert compared == ITEMS * len(TASKS)


def lm_eval_samples(
    output: Path, model: str, data: Path, indices: dict[str, list[int]]
) -> dict[str, list[dict[str, Any]]]:
    """Logged samples of the plain command, by lm-eval task name."""
    subprocess.run(
        [
            sys.executable, "-m", "lm_eval", "run", "--model", "hf",
            "--model_args", f"pretrained={model},dtype=float32", "--include_path", str(TASK_ROOT),
            "--tasks", ",".join(indices), "--apply_chat_template", "--batch_size", "25", "--device", "cpu",
            "--metadata", json.dumps({"data": str(data)}), "--samples", json.dumps(indices),
            "--gen_kwargs", f"max_gen_toks={MOST}", "--log_samples", "--output_path", str(output),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    found = {}
    for name in indices:
        (file,) = output.rglob(f"samples_{name}_*.jsonl")
        found[name] = [json.loads(line) for line in file.read_text().splitlines()]
    return found


def base_rows(folder: Path, data: Path) -> dict[str, list[dict[str, Any]]]:
    """Sample rows of our `base`, by task."""
    subprocess.run(
        [
            sys.executable, "-m", "harness.command.cli", "--models", "base", "--pretrained", "smollm2",
            "--dtype", "float32", "--data", str(data), "--tasks", ",".join(TASKS),
            "--limit", str(ITEMS), "--sampling", f"max_tokens={MOST}", "--output", str(folder / "run"),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return {
        task: [
            json.loads(line)
            for line in (folder / "run" / "samples" / "base" / f"{task}.jsonl").read_text().splitlines()
        ]
        for task in TASKS
    }
