"""One samples file becomes arrays, small enough for 100,000 items of each of six variants.

Only figures are kept in memory; texts (prompts, steps, responses) stay on disk and are streamed by `lines`.
Rows are sorted by (item, seed, sample), so two files with equal records in another order give equal tables.

Arrow's JSON reader parses the figures and skips the texts. Where it refuses a file, the slower line reader
takes over: it accepts true and false as scores, and names the line at fault.

This file knows the format of a samples row, nothing of manifests or statistics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from results.errors import ResultsError

FAILURES = ("no_answer", "truncated", "empty", "error")
"""Ways a row can fail; each scores as wrong and is counted in its own column."""
USAGE = ("calls", "prompt_tokens", "cached_tokens", "generated_tokens")
STEP_USAGE = ("prompt_tokens", "cached_tokens", "generated_tokens")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """The rows of one variant on one task, sorted by (item_id, seed, sample_index); all arrays have
    n_rows.
    """

    task: str
    variant: str
    method: str
    path: Path
    item_id: npt.NDArray[np.str_]
    cluster_id: npt.NDArray[np.str_]
    seed: npt.NDArray[np.int64]
    sample_index: npt.NDArray[np.int64]
    scores: Mapping[str, Floats]
    """Per metric; NaN where the metric does not apply to the row."""
    weights: Mapping[str, Floats]
    """Per metric: the row's weight, or the metric's own weight where the row names one."""
    usage: Mapping[str, Floats]
    """Per name of `USAGE`: calls or tokens of the row."""
    failures: Mapping[str, int]
    """Rows per kind of failure."""
    truncated: int
    """Rows in which any step was cut, parsed or not."""
    steps: Mapping[str, Mapping[str, float]]
    """Per kind of step: `calls` and the names of `STEP_USAGE`, summed over all rows."""

    @property
    def n_rows(self) -> int:
        return int(self.item_id.size)

    @cached_property
    def clusters(self) -> tuple[npt.NDArray[np.int64], int]:
        """The cluster number of each row, in order of appearance, and how many clusters there are."""
        import pyarrow

        found = pyarrow.array(self.cluster_id).dictionary_encode()
        return found.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(found.dictionary)

    def take(self, index: npt.NDArray[np.int64]) -> Columns:
        """The same with only the rows of `index`. Failure and step totals stay those of the whole file."""
        return Columns(
            self.task, self.variant, self.method, self.path, self.item_id[index], self.cluster_id[index],
            self.seed[index], self.sample_index[index],
            {name: values[index] for name, values in self.scores.items()},
            {name: values[index] for name, values in self.weights.items()},
            {name: values[index] for name, values in self.usage.items()},
            self.failures, self.truncated, self.steps,
        )  # fmt: skip


def read_samples(path: Path, task: str, variant: str, metrics: Sequence[str]) -> Columns:
    """One samples file as `Columns`; `metrics` are the names to look for in `scores`."""
    from pyarrow import ArrowException

    try:
        raw = _read_with_arrow(path, metrics)
    except ArrowException:
        raw = _read_by_line(path, metrics)
    if not raw["item_id"].size:
        raise ResultsError(f"{path} holds no rows; let the run finish, or delete the file and resume the run")
    order = np.lexsort((raw["sample_index"], raw["seed"], raw["item_id"]))
    same = np.ones(order.size - 1, dtype=bool)
    for key in ("item_id", "seed", "sample_index"):
        ordered = raw[key][order]
        same &= ordered[1:] == ordered[:-1]
    if same.any():
        row = order[int(np.flatnonzero(same)[0])]
        raise ResultsError(
            f"{path}: item {raw['item_id'][row]} stands twice with seed {raw['seed'][row]} and sample "
            f"{raw['sample_index'][row]}; delete the file and resume the run"
        )
    return Columns(
        task=task, variant=variant, method=raw["method"], path=path,
        item_id=raw["item_id"][order], cluster_id=raw["cluster_id"][order],
        seed=raw["seed"][order], sample_index=raw["sample_index"][order],
        scores={name: raw["scores"][name][order] for name in metrics},
        weights={name: raw["weights"][name][order] for name in metrics},
        usage={name: raw["usage"][name][order] for name in USAGE},
        failures=raw["failures"], truncated=raw["truncated"], steps=raw["steps"],
    )  # fmt: skip


def _read_with_arrow(path: Path, metrics: Sequence[str]) -> dict[str, Any]:
    """The figures of a samples file, by Arrow's reader. Raises ArrowException where a row does not fit."""
    import pyarrow
    import pyarrow.json

    number, text, whole = pyarrow.float64(), pyarrow.string(), pyarrow.int64()
    per_metric = pyarrow.struct([(name, number) for name in metrics])
    step = pyarrow.struct([("name", text), *((name, number) for name in STEP_USAGE)])
    schema = pyarrow.schema(
        [("item_id", text), ("cluster_id", text), ("weight", number), ("weights", per_metric),
         ("seed", whole),
         ("sample_index", whole), ("method", text), ("scores", per_metric), ("failure", text),
         ("truncated", pyarrow.bool_()), ("usage", pyarrow.struct([(name, number) for name in USAGE])),
         ("steps", pyarrow.list_(step))]
    )  # fmt: skip
    table = pyarrow.json.read_json(
        path,
        read_options=pyarrow.json.ReadOptions(block_size=_block_size(path)),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    ).combine_chunks()

    def array(name: str, *fields: str) -> Any:
        column = table.column(name).combine_chunks()
        for part in fields:
            column = (
                column.field(part)
                if not column.null_count
                else column.flatten()[column.type.get_field_index(part)]
            )
        return column

    def numbers(name: str, *fields: str, default: float = np.nan) -> Floats:
        return array(name, *fields).fill_null(default).to_numpy(zero_copy_only=False).astype(np.float64)

    if any(table.column(name).null_count for name in ("item_id", "scores", "usage")):
        raise pyarrow.ArrowInvalid("a row lacks a key")
    item_id = array("item_id").to_numpy(zero_copy_only=False).astype(np.str_)
    cluster = array("cluster_id")
    cluster_id = item_id if cluster.null_count else cluster.to_numpy(zero_copy_only=False).astype(np.str_)
    weight = numbers("weight", default=1.0)
    weights = {name: numbers("weights", name) for name in metrics}
    failure = {row["values"]: row["counts"] for row in array("failure").value_counts().to_pylist()}
    steps = array("steps").flatten()
    names = steps.field("name").fill_null("").dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    totals: dict[str, dict[str, float]] = {}
    counts = {key: steps.field(key).fill_null(0.0).to_numpy(zero_copy_only=False) for key in STEP_USAGE}
    for code, name in enumerate(names.dictionary.to_pylist()):
        mine = codes == code
        total = totals.setdefault(step_kind(name), dict.fromkeys(("calls", *STEP_USAGE), 0.0))
        total["calls"] += float(mine.sum())
        for key in STEP_USAGE:
            total[key] += float(counts[key][mine].sum())
    method = array("method")
    return {
        "item_id": item_id, "cluster_id": cluster_id,
        "seed": numbers("seed", default=0).astype(np.int64),
        "sample_index": numbers("sample_index", default=0).astype(np.int64),
        "scores": {name: numbers("scores", name) for name in metrics},
        "weights": {name: np.where(np.isnan(own), weight, own) for name, own in weights.items()},
        "usage": {name: numbers("usage", name, default=0.0) for name in USAGE},
        "failures": {kind: int(failure.get(kind, 0)) for kind in FAILURES},
        "truncated": int(array("truncated").fill_null(False).to_numpy(zero_copy_only=False).sum()),
        "steps": totals,
        "method": "" if not len(method) or method[0].as_py() is None else method[0].as_py(),
    }  # fmt: skip


def step_kind(name: str) -> str:
    """What calls of one purpose share: `3/solve:2`, the second solve call of the third sample, is `solve`."""
    return name.rsplit("/", 1)[-1].split(":", 1)[0]


def _block_size(path: Path) -> int:
    """Bytes that Arrow parses at a time; a line may not be longer, so small files are one block."""
    return int(min(max(path.stat().st_size, 1 << 20), 1 << 25))


def _read_by_line(path: Path, metrics: Sequence[str]) -> dict[str, Any]:
    """The same as `_read_with_arrow`, slower, with errors that name line and key."""
    rows: dict[str, list[Any]] = {key: [] for key in ("item_id", "cluster_id", "seed", "sample_index")}
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    weights: dict[str, list[float]] = {name: [] for name in metrics}
    usage: dict[str, list[float]] = {name: [] for name in USAGE}
    failures = dict.fromkeys(FAILURES, 0)
    steps: dict[str, dict[str, float]] = {}
    method, truncated = "", 0
    for line, row in enumerate(lines(path), start=1):
        for key, kind in (("item_id", str), ("scores", dict), ("usage", dict)):
            if not isinstance(row.get(key), kind):
                raise ResultsError(f"{path}:{line}: no usable {key!r}; delete the file and resume the run")
        method = method or str(row.get("method") or "")
        rows["item_id"].append(row["item_id"])
        rows["cluster_id"].append(row.get("cluster_id") or row["item_id"])
        rows["seed"].append(row.get("seed") or 0)
        rows["sample_index"].append(row.get("sample_index") or 0)
        weight = row.get("weight")
        for name in metrics:
            own = (row.get("weights") or {}).get(name)
            scores[name].append(_number(row["scores"].get(name), np.nan, f"{path}:{line}: score {name!r}"))
            weights[name].append(_number(weight if own is None else own, 1.0, f"{path}:{line}: weight"))
        for name in USAGE:
            usage[name].append(_number(row["usage"].get(name), 0.0, f"{path}:{line}: usage {name!r}"))
        if row.get("failure") in failures:
            failures[row["failure"]] += 1
        truncated += bool(row.get("truncated"))
        for step in row.get("steps") or []:
            purpose = step_kind(str(step.get("name") or ""))
            total = steps.setdefault(purpose, dict.fromkeys(("calls", *STEP_USAGE), 0.0))
            total["calls"] += 1
            for name in STEP_USAGE:
                total[name] += _number(step.get(name), 0.0, f"{path}:{line}: step {name!r}")
    return {
        "item_id": np.array(rows["item_id"], dtype=np.str_),
        "cluster_id": np.array(rows["cluster_id"], dtype=np.str_),
        "seed": np.array(rows["seed"], dtype=np.int64),
        "sample_index": np.array(rows["sample_index"], dtype=np.int64),
        "scores": {name: np.array(values) for name, values in scores.items()},
        "weights": {name: np.array(values) for name, values in weights.items()},
        "usage": {name: np.array(values) for name, values in usage.items()},
        "failures": failures, "truncated": truncated, "steps": steps, "method": method,
    }  # fmt: skip


def _number(value: Any, default: float, where: str) -> float:
    if value is None:
        return default
    if not isinstance(value, (int, float)):
        raise ResultsError(f"{where} is not a number: {value!r}; delete the file and resume the run")
    return float(value)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file as dicts, one at a time; blank lines are skipped."""
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                yield parse(line, path, number)


def parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """One JSON row; `path` and `number` only serve the error message."""
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{path}:{number}: not a JSON row ({error}); delete the file and resume the run"
        ) from error
    if not isinstance(row, dict):
        raise ResultsError(f"{path}:{number}: not a JSON object; delete the file and resume the run")
    return row
