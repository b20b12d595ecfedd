"""FastChat (MT-Bench): `JUDGE_single.jsonl` and `JUDGE_pair.jsonl` of `model_judgment`.

A file holds many models, so name those to compare: `compare FILE FILE A:vicuna-7b B:alpaca-7b`.
The item is a question and its turn, and both turns of a question are one cluster. A grade from 1 to 10 is in
a unit of its own; -1, a grade that could not be read, is a row without a number.

In a pairwise file, a model wins if the judge prefers it in both orders. Other outcomes are ties, as in
FastChat, but if the judge failed ("error") in one order, the row has no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from results.errors import ResultsError
from results.records.log import SHARE, Log, LogMetric, number, rows_of, text_hash
from results.records.readers.several import only_one
from results.records.rows import Record, Rows, Value
from results.schema import JsonObject

HARNESS = "FastChat"


def log_files(path: Path) -> list[Path]:
    """Judgments at `path`: a file, or a folder searched with its subfolders."""
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
    return [file for file in files if file.suffix == ".jsonl" and _is_ours(file)]


def _is_ours(path: Path) -> bool:
    with path.open("rb") as handle:
        first = handle.readline()
    return b'"question_id"' in first and b'"judge"' in first and b'"turn"' in first


def read(path: Path) -> list[Log]:
    """One log per model. ResultsError if a folder has several files, or a row is not FastChat's."""
    return list(_read(only_one(path, log_files(path))))


def _read(file: Path) -> Iterator[Log]:
    records: dict[str, dict[str, Record]] = {}
    metric, unit = "score", ""
    for line, row in rows_of(file):
        try:
            question, turn = str(row["question_id"]), int(row.get("turn") or 1)
            if "model" in row:
                grades = [(str(row["model"]), "", _grade(row["score"]))]
            else:
                metric, unit = "win_rate", SHARE
                first, second = str(row["model_1"]), str(row["model_2"])
                won = _won(row)
                grades = [(first, second, won), (second, first, None if won is None else 1 - won)]
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(
                f"{file}:{line}: not a judgment of FastChat: name a file of model_judgment"
            ) from error
        for model, against, value in grades:
            item = f"{question}/{turn}{f' against {against}' if against else ''}"
            # FastChat keeps the last judgment if one was repeated.
            records.setdefault(model, {})[item] = Record(
                item, {metric: value}, cluster=question, target_hash=text_hash(against or "grade")
            )
    for model, of_model in records.items():
        yield Log(
            harness=HARNESS, task="mt_bench", model=model, path=file,
            metrics={metric: LogMetric("higher", "the judge", unit)},
            rows=Rows.of(of_model.values(), [metric]), paired_by="question and turn",
        )  # fmt: skip


def _grade(score: object) -> Value:
    found = number(score)
    return None if found is None or found < 0 else found


def _won(row: JsonObject) -> float | None:
    """1 if the first model wins in both orders, 0 if the second does, else 0.5."""
    winners = [row["g1_winner"], row["g2_winner"]]
    if "error" in winners:
        return None
    return {"model_1": 1.0, "model_2": 0.0}.get(winners[0], 0.5) if winners[0] == winners[1] else 0.5
