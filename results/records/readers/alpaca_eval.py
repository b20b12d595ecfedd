"""alpaca_eval: `annotations.json`, the judge's preference between a baseline (1) and a model (2).

A preference of 1 is a loss of the model, 2 a win, 1.5 a tie; values between are a judge's probability.
The score is the preference less 1. No preference (null, or -1.0 in the cache file) is a row without a number.
The baseline's output is the target: two models that were judged against different baselines are refused as
not comparable. The length-controlled win rate needs a regression over all models, and is not computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.records.log import SHARE, Log, LogMetric, document, number, short, text_hash
from results.records.readers.several import only_one
from results.records.rows import Record, Rows, Value

HARNESS = "alpaca_eval"
METRIC = "win_rate"
CHARACTERS = "it records lengths in characters"


def log_files(path: Path) -> list[Path]:
    """Annotations at `path`: a file, or the one in a folder and its subfolders."""
    if path.is_file():
        return [path] if path.suffix == ".json" and _is_ours(path) else []
    found = sorted(file for file in path.rglob("annotations*.json") if file.is_file() and _is_ours(file))
    whole = [file for file in found if file.name == "annotations.json"]
    return whole or found


def _is_ours(path: Path) -> bool:
    with path.open("rb") as handle:
        start = handle.read(1 << 20)
    return b'"output_1"' in start and b'"output_2"' in start and start.lstrip().startswith(b"[")


def read(path: Path) -> list[Log]:
    """One log. ResultsError if annotations are of several models, or a folder has several files."""
    return [_read(only_one(path, log_files(path)))]


def _read(file: Path) -> Log:
    rows = document(file)
    records: list[Record] = []
    models: dict[str, None] = {}
    times: dict[str, int] = {}
    for place, row in enumerate(rows):
        if not isinstance(row, dict) or not {"instruction", "output_1", "output_2"} <= row.keys():
            raise ResultsError(
                f"{file}: entry {place + 1} is not an annotation of alpaca_eval: name annotations.json"
            )
        models[str(row.get("generator_2") or file.parent.name)] = None
        item = text_hash(str(row["instruction"]))
        times[item] = times.get(item, -1) + 1
        records.append(
            Record(
                item=item, scores={METRIC: _score(row.get("preference"))}, sample=times[item],
                answer=short(row["output_2"]), prompt_hash=item, target_hash=text_hash(str(row["output_1"])),
            )
        )  # fmt: skip
    if len(models) > 1:
        raise ResultsError(
            f"{file} holds annotations of {len(models)} models ({', '.join(models)}): split it"
        )
    return Log(
        harness=HARNESS, task="alpaca_eval", model=next(iter(models), file.parent.name), path=file,
        metrics={METRIC: LogMetric("higher", "the judge's preference", SHARE)},
        rows=Rows.of(records, [METRIC]), tokens_not_comparable=CHARACTERS, paired_by="instruction",
    )  # fmt: skip


def _score(preference: Any) -> Value:
    found = number(preference)
    if found == 0:  # a tie in older files
        return 0.5
    return found - 1 if found is not None and 1 <= found <= 2 else None
