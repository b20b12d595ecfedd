"""lm-eval's own logs (`samples_TASK_TIME.jsonl`) as `Columns`, so that two plain lm-eval runs can be paired.

lm-eval writes one row per document and filter, with the value of each metric beside the document. Rows
are paired by `doc_hash`, a hash of the document; a document that stands more than once gets sample
numbers. Every filter is a metric of its own (`exact_match,strict-match`), as in lm-eval's tables. These
logs hold no token counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from results.errors import ResultsError
from results.records.columns import Columns
from results.records.lines import lines
from results.schema import FAILURES, LARGEST, USAGE, Metric

FILE_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT.+)\.jsonl")


def log_files(path: Path) -> dict[str, Path]:
    """Task -> its newest log in `path` (a file, or a folder searched with its subfolders)."""
    found: dict[str, tuple[str, Path]] = {}
    for file in [path] if path.is_file() else sorted(filter(Path.is_file, path.rglob("samples_*.jsonl"))):
        match = FILE_NAME.fullmatch(file.name)
        task, time = (match["task"], match["time"]) if match else (file.stem.removeprefix("samples_"), "")
        if task not in found or time > found[task][0]:
            found[task] = (time, file)
    return {task: file for task, (_, file) in found.items()}


def read_logs(path: Path) -> tuple[dict[str, Columns], dict[str, dict[str, Metric]]]:
    """Columns and metric descriptions by task. ResultsError where a row is not lm-eval's."""
    columns: dict[str, Columns] = {}
    metrics: dict[str, dict[str, Metric]] = {}
    for task, file in log_files(path).items():
        columns[task] = _read(task, file)
        lower = _lower_is_better(task, file)
        metrics[task] = {
            name: {
                "kind": "number",
                "direction": "lower" if name.split(",")[0] in lower else "higher",
                "aggregation": "mean",
                "description": name,
            }
            for name in columns[task].scores
        }
    return columns, metrics


def _read(task: str, file: Path) -> Columns:
    values: dict[tuple[str, int], dict[str, float]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(lines(file), start=1):
        item, names = row.get("doc_hash"), row.get("metrics")
        if (
            not isinstance(item, str)
            or not isinstance(names, list)
            or not all(isinstance(name, str) and name.isprintable() for name in [item, *names])
        ):
            raise ResultsError(
                f"{file}:{number}: no doc_hash and metrics, so not a log of lm-eval's --log_samples; "
                f"name such a log"
            )
        chosen = str(row.get("filter") or "none")
        scores = values.setdefault((item, times[item, chosen]), {})
        times[item, chosen] += 1
        for name in names:
            # Not every metric is a figure, and those of a corpus have parts; NaN is none either.
            if isinstance(row.get(name), (int, float)) and abs(row[name]) <= LARGEST:
                scores[f"{name},{chosen}"] = float(row[name])
    if not any(values.values()):
        raise ResultsError(f"{file}: no row has a metric that is a number; there is nothing to compare")
    keys = sorted(values)
    names = list(dict.fromkeys(name for key in keys for name in values[key]))
    items = np.array([item for item, _ in keys], dtype=np.str_)
    return Columns(
        task=task,
        variant=file.parent.name,
        method="lm-eval",
        path=file,
        item_id=items,
        cluster_id=items,
        seed=np.zeros(len(keys), dtype=np.int64),
        sample_index=np.array([index for _, index in keys], dtype=np.int64),
        look=np.zeros(len(keys), dtype=np.int64),
        scores={name: np.array([values[key].get(name, np.nan) for key in keys]) for name in names},
        weights={name: np.ones(len(keys)) for name in names},
        usage={name: np.zeros(len(keys)) for name in USAGE},
        failures=dict.fromkeys(FAILURES, 0),
        steps={},
        cut=np.zeros(len(keys), dtype=np.bool_),
        reasoning_words=np.full(len(keys), np.nan),
        cut_calls={},
    )


LOG_LIKELIHOODS = frozenset({"perplexity"})
"""Metrics whose rows are log-likelihoods: in them higher is better, although the figure made of them
(exp(-mean)) is better where it is lower. findings/ shows it."""


def _lower_is_better(task: str, file: Path) -> set[str]:
    """Metrics whose direction lm-eval's results file, beside the log, gives as lower."""
    for results in sorted(file.parent.glob("results_*.json"), reverse=True):
        try:
            directions = json.loads(results.read_text(encoding="utf-8")).get("higher_is_better", {}).get(task)
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
        if isinstance(directions, dict):
            lower = {name for name, higher in directions.items() if higher is False}
            return lower - LOG_LIKELIHOODS
    return set()
