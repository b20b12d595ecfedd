"""A table of scores, CSV or JSONL, for harnesses without a reader (simple-evals, your own script).

A row is an item. Columns are known by their names: `item` is required, and at least one column of numbers:

    item,accuracy,generated_tokens
    q1,1,120
    q2,0,98

- `item` (or item_id, id, question_id, doc_id, sample_id, index): rows are paired by it
- `cluster`, `sample`: name of the cluster; number of the repeat
- `prompt`, `target`, `answer`: texts; prompts and targets are compared by their hash
- `generated_tokens`, `prompt_tokens`, `cached_tokens`, `calls`: counts of the row
- `model`, `task`: names, equal in all rows
- every other column whose cells are numbers, true or false, or empty, is a metric

An empty cell, NaN or null is a row without a number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.records.log import Log, metric_by_name, number, printable, rows_of, short, text_hash
from results.records.rows import Record, Rows, Tokens, Value

HARNESS = "table"
ITEMS = ("item", "item_id", "id", "question_id", "doc_id", "sample_id", "index")
SPENT = ("calls", "prompt_tokens", "cached_tokens", "generated_tokens")
OTHERS = (
    "cluster",
    "cluster_id",
    "sample",
    "sample_index",
    "prompt",
    "target",
    "answer",
    "model",
    "task",
    *SPENT,
)
WORDS = {"true": 1.0, "false": 0.0, "": None, "nan": None, "null": None, "none": None}


def log_files(path: Path) -> list[Path]:
    """`path` itself, if it is a CSV or JSONL file."""
    return [path] if path.is_file() and path.suffix in (".csv", ".jsonl") else []


def read(path: Path) -> list[Log]:
    """The table as one log. ResultsError names the wrong line or column."""
    rows = list(_rows(path))
    if not rows:
        raise ResultsError(f"{path} holds no rows: name a table with a row per item")
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    item_column = next((name for name in ITEMS if name in columns), None)
    if item_column is None:
        raise ResultsError(f"{path} has no column {' or '.join(ITEMS)}: rename the column of items")
    metrics = [name for name in columns if name not in (item_column, *OTHERS) and _is_metric(name, rows)]
    if not metrics:
        raise ResultsError(
            f"{path} has no column of numbers beside {item_column}: add one named after the metric"
        )
    records = []
    times: dict[str, int] = {}
    for line, row in rows:
        item = str(row.get(item_column) or "")
        if not item or not printable(item):
            raise ResultsError(f"{path}:{line}: {item_column} is empty or not printable text")
        times[item] = times.get(item, -1) + 1
        cluster = row.get("cluster") or row.get("cluster_id")
        records.append(
            Record(
                item=item, scores={name: _number(row.get(name)) for name in metrics},
                sample=_whole(row.get("sample", row.get("sample_index")), times[item], path, line),
                cluster=None if cluster in (None, "") else str(cluster), answer=short(row.get("answer")),
                prompt_hash=_hash(row.get("prompt")), target_hash=_hash(row.get("target")),
                tokens=_tokens(row, path, line),
            )
        )  # fmt: skip
    if len({(record.item, record.sample) for record in records}) < len(records):
        raise ResultsError(f"{path}: an item appears twice with one sample number: number them in `sample`")
    spent = "generated_tokens" in columns
    return [
        Log(
            harness=HARNESS, task=_name(rows, "task", path) or HARNESS,
            model=_name(rows, "model", path) or path.stem, path=path,
            metrics={name: metric_by_name(name) for name in metrics}, rows=Rows.of(records, metrics),
            tokens=f"those of the table {path.name}" if spent else "", paired_by=item_column,
        )
    ]  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.suffix == ".jsonl":
        yield from rows_of(path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            for row in reader:
                if None in row:
                    raise ResultsError(f"{path}:{reader.line_num}: more cells than the first line has names")
                yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise ResultsError(f"{path} is not a CSV file in UTF-8 ({error})") from error


def _is_metric(name: str, rows: list[tuple[int, Mapping[str, Any]]]) -> bool:
    """Whether every cell is a number or empty, and some are numbers."""
    cells = [row.get(name) for _, row in rows]
    return (
        printable(name)
        and all(_is_number(cell) for cell in cells)
        and any(_number(cell) is not None for cell in cells)
    )


def _is_number(cell: object) -> bool:
    if cell is None or isinstance(cell, (int, float)):
        return True
    if not isinstance(cell, str):
        return False
    try:
        return cell.strip().lower() in WORDS or float(cell) is not None
    except ValueError:
        return False


def _number(cell: object) -> Value:
    if isinstance(cell, str):
        word = cell.strip().lower()
        return WORDS[word] if word in WORDS else number(float(cell)) if _is_number(cell) else None
    return number(cell)


def _whole(cell: object, otherwise: int, path: Path, line: int) -> int:
    if cell in (None, ""):
        return otherwise
    try:
        return int(str(cell))
    except ValueError as error:
        raise ResultsError(f"{path}:{line}: sample is not a whole number: {cell!r}") from error


def _tokens(row: Mapping[str, Any], path: Path, line: int) -> Tokens | None:
    if row.get("generated_tokens") in (None, ""):
        return None
    spent = [_number(row.get(name)) for name in SPENT]
    if any(isinstance(one, float) and not 0 <= one < float("inf") for one in spent) or spent[-1] is None:
        raise ResultsError(f"{path}:{line}: token counts must be numbers of 0 or more")
    calls, prompt, cached, generated = (int(one) if isinstance(one, float) else 0 for one in spent)
    return Tokens(calls, prompt, cached, generated)


def _hash(cell: object) -> str | None:
    return None if cell in (None, "") else text_hash(str(cell))


def _name(rows: list[tuple[int, Mapping[str, Any]]], column: str, path: Path) -> str | None:
    names = {str(row[column]) for _, row in rows if row.get(column) not in (None, "")}
    if len(names) > 1:
        raise ResultsError(
            f"{path}: column {column} has {len(names)} names ({', '.join(sorted(names)[:5])}): split it"
        )
    name = next(iter(names), None)
    return name if name is None or printable(name) else None
