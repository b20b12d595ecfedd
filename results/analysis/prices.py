"""Dated prices from a YAML file: dollars per million tokens, or dollars per GPU-hour.

Per million tokens, for vendors (`cached` may be left out: then cached prompt tokens cost as `prompt`):

    date: 2026-11-01
    per_million_tokens: {prompt: 0.20, cached: 0.05, generated: 0.60, train: 1.50}

Per GPU-hour, for one's own machine. The throughput stands in the file and not in the run, so that a table
made again from the same records is the same table:

    date: 2026-11-01
    gpu_hour: {usd: 2.50, prompt_tokens_per_second: 20000, generated_tokens_per_second: 2500,
               train_tokens_per_second: 6000}

Without `train`, a training FLOP costs what a FLOP of prompt reading costs.
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

Floats = npt.NDArray[np.float64]
MILLION = 1e6
DAY = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
"""A day, or a month; what stands behind a day is the reader's own."""
NOTES = ("date", "source", "currency", "note", "model", "gpu")
"""Keys beside the prices, for people; of these only the date is read."""
PER_MILLION = ("prompt", "cached", "generated", "train")
PER_HOUR = (
    "usd", "prompt_tokens_per_second", "generated_tokens_per_second", "train_tokens_per_second"
)  # fmt: skip
LARGEST = 1e12
"""No price and no speed comes near it; nor is a speed as small as its inverse."""


@dataclass(frozen=True)
class Prices:
    """Dollars per token of each kind. `train` None: derived from training FLOPs."""

    date: str
    source: str
    prompt: float
    cached: float
    generated: float
    train: float | None

    def of_calls(self, prompt: Floats, cached: Floats, generated: Floats) -> Floats:
        """Dollars; `cached` tokens are part of `prompt` and priced apart."""
        return (prompt - cached) * self.prompt + cached * self.cached + generated * self.generated

    def of_training(self, tokens: float, flops: float, parameters: int | None) -> float:
        """Dollars of a training of so many tokens and FLOPs."""
        if self.train is not None:
            return tokens * self.train
        reading = flops / (2.0 * parameters) if parameters else tokens
        return reading * self.prompt


def load_prices(path: Path) -> Prices:
    """Read a price file. Errors name the file, the key and what it should hold."""
    import yaml

    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ResultsError(
            f"price file {path} does not exist or is a folder; name a YAML file with date and "
            "per_million_tokens"
        ) from error
    except OSError:
        raise
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ResultsError(f"price file {path} is not valid YAML ({reason}); fix it") from error
    if not isinstance(document, dict):
        raise ResultsError(f"price file {path} holds no keys; give date and per_million_tokens or gpu_hour")
    date = document.get("date")
    if not isinstance(date, (str, datetime.date)) or not DAY.fullmatch(str(date)):
        raise ResultsError(
            f"price file {path} has no date but {date!r}; prices change, so add for example date: 2026-11-01"
        )
    both = {"gpu_hour", "per_million_tokens"} & document.keys()
    if len(both) > 1:
        raise ResultsError(f"price file {path} has {' and '.join(sorted(both))}; keep the one that counts")
    _refuse_unknown(document, {*NOTES, *(both or PER_MILLION)}, path)
    if "gpu_hour" in document:
        hour = _section(document["gpu_hour"], "gpu_hour", path)
        _refuse_unknown(hour, PER_HOUR, path)
        second = _price(hour, "usd", path) / 3600
        prompt = second / _speed(hour, "prompt_tokens_per_second", path)
        generated = second / _speed(hour, "generated_tokens_per_second", path)
        train = (
            second / _speed(hour, "train_tokens_per_second", path)
            if "train_tokens_per_second" in hour
            else None
        )
        # A cached token takes no compute worth a price on one's own machine.
        return Prices(str(date), str(path.name), prompt, 0.0, generated, train)
    table = _section(document.get("per_million_tokens", document), "per_million_tokens", path)
    if both:
        _refuse_unknown(table, PER_MILLION, path)
    prompt = _price(table, "prompt", path) / MILLION
    cached = _price(table, "cached", path) / MILLION if "cached" in table else prompt
    generated = _price(table, "generated", path) / MILLION
    train = _price(table, "train", path) / MILLION if "train" in table else None
    return Prices(str(date), str(path.name), prompt, cached, generated, train)


def _section(value: Any, name: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ResultsError(f"price file {path}: {name} holds no prices; give prompt, cached and generated")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], path: Path) -> None:
    for key in table:
        if key not in known:
            raise ResultsError(
                f"price file {path}: {key!r} is not a price; there are {', '.join(sorted(known))}"
            )


def _price(table: Mapping[str, Any], key: str, path: Path) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
        raise ResultsError(
            f"price file {path}: {key} is {value!r}; give dollars as a number that is not negative"
        )
    return float(value)


def _speed(table: Mapping[str, Any], key: str, path: Path) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 / LARGEST <= value <= LARGEST:
        raise ResultsError(
            f"price file {path}: {key} is {value!r}; give tokens per second, as the manifest's timing "
            f"shows them"
        )
    return float(value)
