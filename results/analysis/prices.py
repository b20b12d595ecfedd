"""Dated prices from a YAML file: dollars per million tokens, or dollars per GPU-hour.

`EXAMPLE` is a complete file; `s2d-bench prices --example` prints it. The throughput of a GPU is in the price
file, not in the run, so that tables made again from the same records are equal.

A run's `leaderboard.json` holds the prices of its tables, so that `report` keeps them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from results.errors import ResultsError
from results.files import parse_json
from results.records.load import RunData
from results.schema import PriceNote, Rates

Floats = npt.NDArray[np.float64]
MILLION = 1e6
EXAMPLE = """\
# Prices for s2d-bench --prices FILE. Keep one of the two blocks; all amounts are US dollars.
date: 2026-11-01            # the day on which you looked them up; prices change
source: the price page of the vendor

# A vendor: dollars per million tokens.
per_million_tokens:
  prompt: 0.20
  cached: 0.05              # prompt tokens from the cache; without this line they cost as prompt
  generated: 0.60
  train: 1.50               # without this line, a training FLOP costs what a FLOP of prompt reading costs

# Your own machine: dollars per GPU-hour, and the tokens per second that you measured.
# gpu_hour:
#   usd: 2.50
#   prompt_tokens_per_second: 20000
#   generated_tokens_per_second: 2500
#   train_tokens_per_second: 6000    # optional, as train above
"""
"""A price file that works."""
SEE_EXAMPLE = "`s2d-bench prices --example` prints a file that works"
DAY = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
"""A day, or a month; any text may follow a day."""
NOTES = ("date", "source", "currency", "note", "model", "gpu")
"""Keys beside the prices, for people; only the date is read."""
PER_MILLION = ("prompt", "cached", "generated", "train")
PER_HOUR = (
    "usd", "prompt_tokens_per_second", "generated_tokens_per_second", "train_tokens_per_second"
)  # fmt: skip
LARGEST = 1e12
"""Upper bound of prices and speeds; its inverse is the lower bound of a speed."""


@dataclass(frozen=True)
class Prices:
    """Dollars per million tokens of each kind. `train` None: derived from training FLOPs."""

    date: str
    source: str
    """Name of the price file."""
    prompt: float
    cached: float
    generated: float
    train: float | None

    def of_calls(self, prompt: Floats, cached: Floats, generated: Floats) -> Floats:
        """Dollars; `cached` tokens are part of `prompt` and have their own price."""
        dollars = (prompt - cached) * self.prompt + cached * self.cached + generated * self.generated
        return dollars / MILLION

    def of_training(self, tokens: float, flops: float, parameters: int | None) -> float:
        """Dollars for a training with these tokens and FLOPs."""
        if self.train is not None:
            return tokens * self.train / MILLION
        reading = flops / (2.0 * parameters) if parameters else tokens
        return reading * self.prompt / MILLION

    def as_json(self) -> PriceNote:
        """For `leaderboard.json`."""
        rates: Rates = {
            "prompt": self.prompt,
            "cached": self.cached,
            "generated": self.generated,
            "train": self.train,
        }
        return {"date": self.date, "file": self.source, "per_million_tokens": rates}


def kept_prices(run: RunData) -> Prices | None:
    """The prices of the tables in a run folder; None if they have none, or cannot be read.

    Tables of an older version name only the file: it is read again if the path in the run's options exists.
    """
    try:
        note = parse_json((run.folder / "leaderboard.json").read_bytes())["prices"]
        rates = note.get("per_million_tokens")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if rates is None:
        path = Path(str(run.manifest["options"].get("prices") or ""))
        return load_prices(path) if path.is_file() else None
    try:
        found = [rates[kind] for kind in PER_MILLION]
    except (KeyError, TypeError):
        return None
    known = [_is_amount(each) for each in found[:-1]] + [found[-1] is None or _is_amount(found[-1])]
    if not all(known):
        return None
    prompt, cached, generated, train = found
    return Prices(str(note.get("date")), str(note.get("file")), prompt, cached, generated, train)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


def load_prices(path: Path) -> Prices:
    """Read a price file. Errors name the file, the key and its valid values."""
    import yaml

    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ResultsError(f"price file {path} does not exist or is a folder: {SEE_EXAMPLE}") from error
    except OSError:
        raise
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ResultsError(f"price file {path} is not valid YAML ({reason}): fix it") from error
    if not isinstance(document, dict):
        raise ResultsError(f"price file {path} has no keys: {SEE_EXAMPLE}")
    date = document.get("date")
    if date is None:
        raise ResultsError(
            f"price file {path}: `date` is missing. Prices change, so add the day, for example "
            f"date: 2026-11-01 ({SEE_EXAMPLE})"
        )
    if not isinstance(date, (str, datetime.date)) or not DAY.fullmatch(str(date)):
        raise ResultsError(f"price file {path}: date {date!r} is not a day: write it as date: 2026-11-01")
    both = {"gpu_hour", "per_million_tokens"} & document.keys()
    if len(both) > 1:
        raise ResultsError(f"price file {path} has {' and '.join(sorted(both))}: keep one of them")
    _refuse_unknown(document, {*NOTES, *(both or {"per_million_tokens", "gpu_hour", *PER_MILLION})}, path)
    if "gpu_hour" in document:
        hour = _section(document["gpu_hour"], "gpu_hour", path)
        _refuse_unknown(hour, PER_HOUR, path)
        # Dollars per million seconds: over tokens per second that is dollars per million tokens.
        second = _price(hour, "usd", path) / 3600 * MILLION
        prompt = second / _speed(hour, "prompt_tokens_per_second", path)
        generated = second / _speed(hour, "generated_tokens_per_second", path)
        train = (
            second / _speed(hour, "train_tokens_per_second", path)
            if "train_tokens_per_second" in hour
            else None
        )
        # On your own machine, the compute for a cached token is negligible.
        return Prices(str(date), str(path.name), prompt, 0.0, generated, train)
    table = _section(document.get("per_million_tokens", document), "per_million_tokens", path)
    if not both and not document.keys() & set(PER_MILLION):
        raise ResultsError(f"price file {path}: `per_million_tokens` or `gpu_hour` is missing: {SEE_EXAMPLE}")
    if both:
        _refuse_unknown(table, PER_MILLION, path)
    prompt = _price(table, "prompt", path)
    cached = _price(table, "cached", path) if "cached" in table else prompt
    generated = _price(table, "generated", path)
    train = _price(table, "train", path) if "train" in table else None
    return Prices(str(date), str(path.name), prompt, cached, generated, train)


def _section(value: Any, name: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        keys = PER_HOUR if name == "gpu_hour" else PER_MILLION
        raise ResultsError(
            f"price file {path}: {name} has no prices: its keys are {', '.join(keys)} ({SEE_EXAMPLE})"
        )
    return value


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], path: Path) -> None:
    for key in table:
        if key not in known:
            raise ResultsError(
                f"price file {path}: key {key!r} is unknown: use {', '.join(sorted(known))} ({SEE_EXAMPLE})"
            )


def _present(table: Mapping[str, Any], key: str, path: Path) -> Any:
    if table.get(key) is None:
        raise ResultsError(f"price file {path}: `{key}` is missing: {SEE_EXAMPLE}")
    return table[key]


def _price(table: Mapping[str, Any], key: str, path: Path) -> float:
    value = _present(table, key, path)
    if not _is_amount(value):
        raise ResultsError(f"price file {path}: {key} is {value!r}: give dollars as a number of 0 or more")
    return float(value)


def _speed(table: Mapping[str, Any], key: str, path: Path) -> float:
    value = _present(table, key, path)
    if not _is_amount(value) or not value >= 1 / LARGEST:
        raise ResultsError(
            f"price file {path}: {key} is {value!r}: give tokens per second, as the manifest's timing "
            f"shows them"
        )
    return float(value)
