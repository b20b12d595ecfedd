"""Reads a samples file into arrays, small enough for 100,000 items of each of six variants.

Only figures are kept in memory; texts (prompts, steps, responses) stay on disk and are streamed by
`results.records.lines`. Rows are sorted by (item, seed, sample), so two files with equal
records in another order give equal tables.

Arrow's JSON reader reads large files: it parses the figures and skips the texts. The line reader of
`results.records.lines` reads small files and those that Arrow refuses: it accepts true and false as scores,
and names the wrong line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from results.errors import ResultsError
from results.records.lines import RESUME, Figures, read_by_line
from results.schema import CUT, FAILURES, LARGEST, STEP_USAGE, USAGE, step_kind

Floats = npt.NDArray[np.float64]
ARROW_FROM = 8_000_000
"""Smaller files are read by line, in bytes: Arrow imports pandas, which takes as long as 40 MB by line."""


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
    cluster_id: npt.NDArray[np.str_] | npt.NDArray[np.int64]
    """Names of the clusters; numbers in rows that `compare` paired."""
    seed: npt.NDArray[np.int64]
    sample_index: npt.NDArray[np.int64]
    look: npt.NDArray[np.int64]
    """The planned look at which the row was asked, from 1; 0 if all were asked at once."""
    scores: Mapping[str, Floats]
    """Per metric; NaN if the metric does not apply to the row."""
    weights: Mapping[str, Floats]
    """Per metric: the row's weight, or the metric's own weight if the row has one."""
    usage: Mapping[str, Floats]
    """Per name of `USAGE`: calls or tokens of the row."""
    failures: Mapping[str, int]
    """Rows per kind of failure."""
    steps: Mapping[str, Mapping[str, float]]
    """Per kind of step: `calls` and the names of `STEP_USAGE`, summed over all rows."""
    cut: npt.NDArray[np.bool_]
    """Whether any step of the row was cut."""
    reasoning_words: Floats
    """Words that the model wrote before its answer; NaN if not recorded."""
    cut_calls: Mapping[str, Floats]
    """Per kind of step, if any was cut: prompt plus generated tokens of each cut call."""
    cached_told: bool = False
    """Whether any row has a count of cached prompt tokens; if not, they count as 0."""

    @property
    def n_rows(self) -> int:
        return int(self.item_id.size)

    @property
    def truncated(self) -> int:
        """Rows in which any step was cut, parsed or not."""
        return int(self.cut.sum())

    @cached_property
    def clusters(self) -> tuple[npt.NDArray[np.int64], int]:
        """The cluster number of each row, in order of appearance, and the number of clusters."""
        names, first, codes = np.unique(self.cluster_id, return_index=True, return_inverse=True)
        number = np.empty(names.size, dtype=np.int64)
        number[np.argsort(first)] = np.arange(names.size)
        return number[codes], int(names.size)

    def take(self, index: npt.NDArray[np.int64]) -> Columns:
        """Only the rows of `index`. Failures, steps and cut calls remain those of the whole file."""
        return Columns(
            self.task, self.variant, self.method, self.path, self.item_id[index], self.cluster_id[index],
            self.seed[index], self.sample_index[index], self.look[index],
            {name: values[index] for name, values in self.scores.items()},
            {name: values[index] for name, values in self.weights.items()},
            {name: values[index] for name, values in self.usage.items()},
            self.failures, self.steps,
            self.cut[index], self.reasoning_words[index], self.cut_calls, self.cached_told,
        )  # fmt: skip


def read_samples(path: Path, task: str, variant: str, metrics: Sequence[str]) -> Columns:
    """One samples file as `Columns`; `metrics` are the names to look for in `scores`."""
    raw = read_by_line(path, metrics) if path.stat().st_size < ARROW_FROM else _read_fast(path, metrics)
    if not raw["item_id"].size:
        raise ResultsError(f"{path} holds no rows: let the run finish, or {RESUME}")
    order = np.lexsort((raw["sample_index"], raw["seed"], raw["item_id"]))
    same = np.ones(order.size - 1, dtype=bool)
    for values in (raw["item_id"], raw["seed"], raw["sample_index"]):
        ordered = values[order]
        same &= ordered[1:] == ordered[:-1]
    if same.any():
        row = order[int(np.flatnonzero(same)[0])]
        raise ResultsError(
            f"{path}: item {raw['item_id'][row]} appears twice with seed {raw['seed'][row]} and sample "
            f"{raw['sample_index'][row]}; {RESUME}"
        )
    return Columns(
        task=task, variant=variant, method=raw["method"], path=path,
        item_id=raw["item_id"][order], cluster_id=raw["cluster_id"][order],
        seed=raw["seed"][order], sample_index=raw["sample_index"][order], look=raw["look"][order],
        scores={name: raw["scores"][name][order] for name in metrics},
        weights={name: raw["weights"][name][order] for name in metrics},
        usage={name: raw["usage"][name][order] for name in USAGE},
        failures=raw["failures"], steps=raw["steps"],
        cut=raw["cut"][order], reasoning_words=raw["reasoning_words"][order], cut_calls=raw["cut_calls"],
        cached_told=raw["cached_told"],
    )  # fmt: skip


def _read_fast(path: Path, metrics: Sequence[str]) -> Figures:
    """Like `read_by_line`, for large files."""
    from pyarrow import ArrowException

    try:
        return _read_with_arrow(path, metrics)
    except ArrowException:
        return read_by_line(path, metrics)


def _read_with_arrow(path: Path, metrics: Sequence[str]) -> Figures:
    """The figures of a samples file, by Arrow's reader. Raises ArrowException if a row does not fit."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.json

    number, text, whole = pyarrow.float64(), pyarrow.string(), pyarrow.int64()
    per_metric = pyarrow.struct([(name, number) for name in metrics])
    step = pyarrow.struct([("name", text), ("finish_reason", text), *((name, number) for name in STEP_USAGE)])
    schema = pyarrow.schema(
        [("item_id", text), ("cluster_id", text), ("weight", number), ("weights", per_metric),
         ("seed", whole),
         ("sample_index", whole), ("look", whole),
         ("method", text), ("scores", per_metric), ("failure", text),
         ("truncated", pyarrow.bool_()), ("reasoning_words", number),
         ("usage", pyarrow.struct([(name, number) for name in USAGE])),
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
    finished = steps.field("finish_reason").fill_null("")
    was_cut = pyarrow.compute.equal(finished, CUT).to_numpy(zero_copy_only=False)
    totals: dict[str, dict[str, float]] = {}
    cut_calls: dict[str, Floats] = {}
    counts = {key: steps.field(key).fill_null(0.0).to_numpy(zero_copy_only=False) for key in STEP_USAGE}
    for code, name in enumerate(names.dictionary.to_pylist()):
        mine = codes == code
        total = totals.setdefault(step_kind(name), dict.fromkeys(("calls", *STEP_USAGE), 0.0))
        total["calls"] += float(mine.sum())
        for key in STEP_USAGE:
            total[key] += float(counts[key][mine].sum())
        if (mine & was_cut).any():
            spent = (counts["prompt_tokens"] + counts["generated_tokens"])[mine & was_cut]
            cut_calls[step_kind(name)] = np.append(cut_calls.get(step_kind(name), []), spent)
    method = array("method")
    scores = {name: numbers("scores", name) for name in metrics}
    usage = {name: numbers("usage", name, default=0.0) for name in USAGE}
    words = numbers("reasoning_words")
    amounts = [
        weight,
        words[~np.isnan(words)],
        *(own[~np.isnan(own)] for own in weights.values()),
        *usage.values(),
        *counts.values(),
    ]
    if any((~((values >= 0) & (values <= LARGEST))).any() for values in amounts) or any(
        (np.abs(values) > LARGEST).any() for values in scores.values()
    ):
        raise pyarrow.ArrowInvalid("a figure is out of range")
    return {
        "item_id": item_id, "cluster_id": cluster_id,
        "seed": numbers("seed", default=0).astype(np.int64),
        "sample_index": numbers("sample_index", default=0).astype(np.int64),
        "look": numbers("look", default=0).astype(np.int64),
        "scores": scores,
        "weights": {name: np.where(np.isnan(own), weight, own) for name, own in weights.items()},
        "usage": usage,
        "cached_told": array("usage", "cached_tokens").null_count < len(item_id),
        "failures": {kind: int(failure.get(kind, 0)) for kind in FAILURES},
        "cut": array("truncated").fill_null(False).to_numpy(zero_copy_only=False).astype(np.bool_),
        "steps": totals, "reasoning_words": words, "cut_calls": cut_calls,
        "method": "" if not len(method) or method[0].as_py() is None else method[0].as_py(),
    }  # fmt: skip


def _block_size(path: Path) -> int:
    """Bytes that Arrow parses at a time. A line must fit in a block, so a small file is one block."""
    return int(min(max(path.stat().st_size, 1 << 20), 1 << 25))
