"""Synthetic run folders for tests of `results`: no model, any shape, written in milliseconds.

`make_run(folder, ...)` writes a manifest and samples; each task is described by a `FakeTask`, each
variant by how often it is right and how many tokens it spends. Everything follows from `seed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FakeTask:
    """One task: `clusters` questions with `rows` prompts each."""

    name: str = "coin_flip"
    clusters: int = 200
    rows: int = 1
    metrics: Mapping[str, str] = field(default_factory=lambda: {"accuracy": "binary"})
    """Metric -> kind; the first is the primary one."""
    directions: Mapping[str, str] = field(default_factory=dict)
    within: float = 1.0
    """Share of rows that follow their cluster's draw; the others are drawn apart."""
    seeds: int = 1


@dataclass(frozen=True)
class FakeVariant:
    """One variant: its rate of right answers and its tokens per item."""

    name: str
    rate: float
    tokens: float
    kind: str = "named"
    method: str = "direct"
    calls: int = 1


VARIANTS = (
    FakeVariant("base", 0.55, 12, "base"),
    FakeVariant("s2", 0.75, 110, "s2", "rar_2step", 2),
    FakeVariant("distilled", 0.76, 11, "distilled"),
)


def make_run(
    folder: Path,
    tasks: Sequence[FakeTask] = (FakeTask(),),
    variants: Sequence[FakeVariant] = VARIANTS,
    seed: int = 0,
    text: str = "A coin is heads up.",
    **manifest: Any,
) -> Path:
    """Write a finished run folder; keywords replace keys of the manifest. Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "schema": 1, "run": folder.name, "status": "finished", "command": "s2d-bench",
        "options": {"margin": 5},
        "versions": {}, "hardware": {"cpu": "test", "cores": 2, "memory_gb": 8, "gpu": None,
                                     "memory_bandwidth_gbs": None},
        "model": {"name": "tiny", "fingerprint": "0" * 16, "parameters": 1_000_000, "dtype": "float32"},
        "tasks": {
            task.name: {
                "primary": next(iter(task.metrics)), "s2_method": "rar_2step",
                "n_items": task.clusters * task.rows, "n_clusters": task.clusters,
                "metrics": {
                    metric: {"kind": kind, "direction": task.directions.get(metric, "higher"),
                    "aggregation": "mean",
                             "description": metric}
                    for metric, kind in task.metrics.items()
                },
            }
            for task in tasks
        },
        "variants": {v.name: {"weights": v.name, "method": v.method, "kind": v.kind} for v in variants},
        "comparisons": [], "distillation": [], "timing": {}, "execution": {}, "notes": [],
    } | manifest  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    for task in tasks:
        # One difficulty per row, shared by the variants: pairs are correlated, as real ones are.
        rng = np.random.default_rng([seed, *task.name.encode()])
        shape = (task.clusters, task.rows, task.seeds)
        together = np.broadcast_to(rng.random((task.clusters, 1, 1)), shape)
        difficulty = np.where(rng.random(shape) < task.within, together, rng.random(shape))
        for variant in variants:
            write_samples(folder, task, variant, difficulty, seed, text)
    return folder


def write_samples(
    folder: Path, task: FakeTask, variant: FakeVariant, difficulty: np.ndarray, seed: int, text: str
) -> None:
    """One samples file; `difficulty` has shape (clusters, rows, seeds)."""
    rng = np.random.default_rng([seed, *f"{task.name}/{variant.name}".encode()])
    own = np.where(rng.random(difficulty.shape) < 0.7, difficulty, rng.random(difficulty.shape))
    lines = []
    for (cluster, row, run_seed), draw in np.ndenumerate(own):
        right = bool(draw < variant.rate)
        grade = float(np.clip(np.round(4 * (variant.rate - draw + 0.5)) / 4, 0, 1))
        generated = int(1 + rng.poisson(variant.tokens))
        step = {
            "name": variant.method, "messages": [{"role": "user", "content": text}], "text": "Answer: yes",
            "prompt_tokens": 20 * variant.calls, "cached_tokens": 0, "generated_tokens": generated,
            "finish_reason": "stop",
        }  # fmt: skip
        lines.append(
            json.dumps(
                {
                    "item_id": f"{task.name}-{cluster:06d}-{row}", "cluster_id": f"{task.name}-{cluster:06d}",
                    "weight": 1.0, "sample_index": 0, "task": task.name, "variant": variant.name,
                    "method": variant.method, "seed": run_seed, "prompt": text, "response": "Answer: yes",
                    "answer": "yes", "target": "yes" if right else "no",
                    "scores": {
                        metric: int(right) if kind == "binary" else grade
                        for metric, kind in task.metrics.items()
                    },
                    "failure": None, "truncated": False,
                    "usage": {"calls": variant.calls, "prompt_tokens": 20 * variant.calls, "cached_tokens": 0,
                              "generated_tokens": generated},
                    "steps": [step],
                }
            )
        )  # fmt: skip
    path = folder / "samples" / variant.name / f"{task.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def edit_rows(path: Path, change: Any) -> None:
    """Rewrite a samples file: `change(row)` returns the new row, or None to drop it."""
    rows = [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row is not None), encoding="utf-8")


def distillation(task: str = "coin_flip", **keys: Any) -> dict[str, Any]:
    """An entry of the manifest's `distillation`."""
    return {
        "task": task, "variant": "distilled", "seed": 0, "teacher_method": "rar_2step",
        "teacher_tokens": 100_000,
        "teacher_prompt_tokens": 50_000, "samples_per_input": 8, "inputs": 200, "kept": 150,
        "dropped": {"no_majority": 50}, "train_tokens": 20_000, "train_flops": 6e11, "teacher_flops": 3e11,
        "pseudo_label_accuracy": 0.8, "status": "trained", "checkpoint": "abc",
    } | keys  # fmt: skip


PLACEHOLDERS = ("RUN", "TASK", "VARIANT", "METHOD", "METRIC", "NOTE", "REASON")
"""Names in a `placeholder_run`, each for one kind of text that others choose."""


def placeholder_run(parent: Path, clusters: int) -> Path:
    """A run in `parent` whose names are those of `PLACEHOLDERS`, with `clusters` questions a task."""
    variants = [
        FakeVariant("base", 0.5, 12, "base"),
        FakeVariant("s2", 0.7, 60, "s2", "METHOD"),
        FakeVariant("VARIANT", 0.7, 12, "distilled"),
    ]
    taught = distillation("TASK", variant="VARIANT", teacher_method="METHOD", dropped={"REASON": 50})
    folder = make_run(
        parent / "RUN",
        [FakeTask("TASK", clusters, metrics={"METRIC": "binary"}), FakeTask("gsm8k", clusters)],
        variants,
        distillation=[taught, distillation("gsm8k", variant="VARIANT", teacher_method="METHOD")],
        notes=["NOTE"],
        methods={"METHOD": {"without_turns": ["METHOD"]}},
    )
    # Every sentence that a table can hold names the placeholders too: of texts cut, and of no reasoning.
    edit_rows(folder / "samples/s2/TASK.jsonl", lambda row: row | {"truncated": True, "reasoning_words": 0,
              "steps": [row["steps"][0] | {"finish_reason": "length"}]})  # fmt: skip
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tasks"]["TASK"]["turns"] = True
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
