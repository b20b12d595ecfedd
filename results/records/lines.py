"""A samples file line by line: what one row may hold, and errors that name the line and the key.

All figures are checked, so that tables can be made of them: counts and weights are 0 or more, scores are
finite or do not apply, names are text. `results.records.columns` turns rows into arrays, and uses this reader
if its own refuses a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from results.errors import ResultsError
from results.files import parse_json
from results.schema import CUT, FAILURES, LARGEST, STEP_USAGE, USAGE, JsonObject, UsageKey, step_kind

Floats = npt.NDArray[np.float64]
RESUME = "delete the file and resume the run"
TEXTS_AND_NUMBERS = ("item_id", "cluster_id", "seed", "sample_index", "look")


class Figures(TypedDict):
    """The figures of a samples file in file order, as both readers return them; arrays have a value per
    row. `Columns` says what they mean."""

    item_id: npt.NDArray[np.str_]
    cluster_id: npt.NDArray[np.str_]
    seed: npt.NDArray[np.int64]
    sample_index: npt.NDArray[np.int64]
    look: npt.NDArray[np.int64]
    method: str
    scores: dict[str, Floats]
    weights: dict[str, Floats]
    usage: dict[UsageKey, Floats]
    cached_told: bool
    failures: dict[str, int]
    steps: dict[str, dict[str, float]]
    cut: npt.NDArray[np.bool_]
    reasoning_words: Floats
    cut_calls: dict[str, Floats]


def read_by_line(path: Path, metrics: Sequence[str]) -> Figures:
    """The figures of a samples file, as `columns` reads them, with errors that name line and key."""
    rows: dict[str, list[Any]] = {key: [] for key in TEXTS_AND_NUMBERS}
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    weights: dict[str, list[float]] = {name: [] for name in metrics}
    usage: dict[UsageKey, list[float]] = {name: [] for name in USAGE}
    failures: dict[str, int] = dict.fromkeys(FAILURES, 0)
    steps: dict[str, dict[str, float]] = {}
    method = ""
    cached_told = False
    cut: list[bool] = []
    words: list[float] = []
    cut_calls: dict[str, list[float]] = {}
    for line, row in enumerate(lines(path), start=1):
        where = f"{path}:{line}"
        for key, kind in (("item_id", str), ("scores", dict), ("usage", dict)):
            if not isinstance(row.get(key), kind):
                raise ResultsError(f"{where}: no usable {key!r}: {RESUME}")
        method = method or _text(row.get("method") or "", f"{where}: method")
        rows["item_id"].append(_text(row["item_id"], f"{where}: item_id"))
        rows["cluster_id"].append(_text(row.get("cluster_id") or row["item_id"], f"{where}: cluster_id"))
        rows["seed"].append(_whole(row.get("seed") or 0, f"{where}: seed"))
        rows["sample_index"].append(_whole(row.get("sample_index") or 0, f"{where}: sample_index"))
        rows["look"].append(_whole(row.get("look") or 0, f"{where}: look"))
        own_weights, weight = _mapping(row.get("weights") or {}, f"{where}: weights"), row.get("weight")
        for name in metrics:
            own = own_weights.get(name)
            scores[name].append(_score(row["scores"].get(name), f"{where}: score {name!r}"))
            weights[name].append(_amount(weight if own is None else own, 1.0, f"{where}: weight"))
        cached_told = cached_told or row["usage"].get("cached_tokens") is not None
        for name in USAGE:
            usage[name].append(_amount(row["usage"].get(name), 0.0, f"{where}: usage {name!r}"))
        if (failure := row.get("failure")) is not None and _text(failure, f"{where}: failure") in failures:
            failures[failure] += 1
        cut.append(bool(row.get("truncated")))
        words.append(_amount(row.get("reasoning_words"), np.nan, f"{where}: reasoning_words"))
        listed = row.get("steps") or []
        if not isinstance(listed, list):
            raise ResultsError(f"{where}: 'steps' is not a list: {RESUME}")
        for step in listed:
            named = _text(_mapping(step, f"{where}: step").get("name") or "", f"{where}: name of a step")
            total = steps.setdefault(step_kind(named), dict.fromkeys(("calls", *STEP_USAGE), 0.0))
            total["calls"] += 1
            for name in STEP_USAGE:
                total[name] += _amount(step.get(name), 0.0, f"{where}: step {name!r}")
            if _text(step.get("finish_reason") or "", f"{where}: finish_reason") == CUT:
                spent = sum(float(step.get(name) or 0) for name in ("prompt_tokens", "generated_tokens"))
                cut_calls.setdefault(step_kind(named), []).append(spent)
    return {
        "item_id": np.array(rows["item_id"], dtype=np.str_),
        "cluster_id": np.array(rows["cluster_id"], dtype=np.str_),
        "seed": np.array(rows["seed"], dtype=np.int64),
        "sample_index": np.array(rows["sample_index"], dtype=np.int64),
        "look": np.array(rows["look"], dtype=np.int64),
        "scores": {name: np.array(values) for name, values in scores.items()},
        "weights": {name: np.array(values) for name, values in weights.items()},
        "usage": {name: np.array(values) for name, values in usage.items()}, "cached_told": cached_told,
        "failures": failures, "steps": steps, "method": method,
        "cut": np.array(cut, dtype=np.bool_), "reasoning_words": np.array(words, dtype=np.float64),
        "cut_calls": {kind: np.array(spent) for kind, spent in cut_calls.items()},
    }  # fmt: skip


def _score(value: Any, where: str) -> float:
    """A score; NaN if the metric does not apply."""
    if value is None:
        return np.nan
    if not isinstance(value, (int, float)) or abs(value) > LARGEST:
        raise ResultsError(f"{where} is not a number: {value!r}; {RESUME}")
    return float(value)


def _amount(value: Any, default: float, where: str) -> float:
    """A count or a weight."""
    if value is None:
        return default
    if not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
        raise ResultsError(f"{where} is not a number of 0 or more: {value!r}; {RESUME}")
    return float(value)


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or not abs(value) < 2**62:
        raise ResultsError(f"{where} is not a whole number: {value!r}; {RESUME}")
    return int(value)


def _text(value: Any, where: str) -> str:
    """Text that UTF-8 can hold: JSON can contain half of a surrogate pair, UTF-8 cannot."""
    try:
        if isinstance(value, str) and value.encode() is not None:
            return value
    except UnicodeEncodeError:
        pass
    raise ResultsError(f"{where} is not text: {value!r}; {RESUME}")


def _mapping(value: Any, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise ResultsError(f"{where} is not a mapping: {value!r}; {RESUME}")
    return value


def lines(path: Path) -> Iterator[JsonObject]:
    """The rows of a JSONL file as dicts, one at a time; blank lines are skipped."""
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                yield parse(line, path, number)


def parse(line: bytes, path: Path, number: int) -> JsonObject:
    """One JSON row; `path` and `number` are for the error message."""
    try:
        row = parse_json(line)
    except ValueError as error:
        raise ResultsError(f"{path}:{number}: not a JSON row ({error}); {RESUME}") from error
    if not isinstance(row, dict):
        raise ResultsError(f"{path}:{number}: not a JSON object; {RESUME}")
    return row
