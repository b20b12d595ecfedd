"""The type that readers of other harnesses' logs return: a `Log` per task, with its scored rows.

Every reader in `results.records.readers` fills only this type, and its rows are those of
`results.records.rows`, so the code that compares two logs does not depend on a harness. A reader says what
it knows: the direction of a metric and where it is from, how rows are aggregated, what was counted as tokens.
What it does not know is `unknown`, and never guessed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from results.errors import ResultsError
from results.files import parse_json
from results.records.rows import Record, Rows
from results.schema import LARGEST, JsonObject

Better = Literal["higher", "lower", "none", "unknown"]
"""Direction of a metric. `none`: it is best in the middle. `unknown`: the log does not say."""

Figure = Literal["mean", "weighted_perplexity", "bits_per_byte", "f1", "mcc"]
"""How the rows of a metric are aggregated. All but `mean` take a pair of numbers per row."""

SHARE, NATS = "share", "nats"
"""Units with a name: a share of 1, shown in points; log-likelihood in natural units."""

HIGHER = frozenset({
    "acc", "acc_norm", "acc_mutual_info", "acc_bytes", "acc_all", "accuracy", "average_accuracy",
    "averageaccuracy", "bleu", "chrf", "chrf++", "chrf_plus", "correct", "em", "exact_match",
    "extractive_match", "f1", "is_correct", "likelihood", "match", "mcc", "mean_acc", "pass", "pass@1",
    "prefix_exact_match", "prefix_quasi_exact_match", "quasi_exact_match", "quasi_prefix_exact_match",
    "reward", "rouge1", "rouge2", "rougel", "rougelsum", "score", "strict_match", "win", "win_rate",
    "includes",
})  # fmt: skip
"""Metrics of lm-eval's registry and of other harnesses in which more is better, in lower case."""
LOWER = frozenset({
    "bits_per_byte", "brier_score", "byte_perplexity", "cer", "loss", "perplexity", "ppl", "ter", "wer",
    "word_perplexity",
})  # fmt: skip


def known_direction(metric: str) -> Better:
    """Direction of a metric whose name (before any `,FILTER`) is known; else `unknown`."""
    name = metric.split(",")[0].strip().lower()
    return "higher" if name in HIGHER else "lower" if name in LOWER else "unknown"


@dataclass(frozen=True, slots=True)
class LogMetric:
    """A metric of a log."""

    direction: Better = "unknown"
    said_by: str = "nobody"
    """Source of the direction: a file's name, or `its name`."""
    unit: str = ""
    """`share`, `nats`, or empty: a share if all values are between 0 and 1, else its own unit."""
    figure: Figure = "mean"


def metric_by_name(name: str) -> LogMetric:
    """A metric whose direction is known only by its name."""
    direction = known_direction(name)
    return LogMetric(direction, "nobody" if direction == "unknown" else "its name")


@dataclass(frozen=True)
class Log:
    """One task of a log."""

    harness: str
    task: str
    model: str
    path: Path
    metrics: Mapping[str, LogMetric]
    """The primary one first."""
    rows: Rows
    version: str | None = None
    """Version of the harness, if the log has it."""
    tokens: str = ""
    """How tokens were counted, in words; empty if records have no counts."""
    tokens_not_comparable: str = ""
    """Why the harness's token figures do not count generated tokens; empty if they do, or if there are
    none."""
    paired_by: str = "item id"
    """What `item` is, in words."""
    notes: list[str] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        """One record per row, made anew at every call: for a look at a few, and for tests of readers."""
        return self.rows.records()


def text_hash(text: str) -> str:
    """SHA-256 of a text, as lm-eval hashes prompts and targets."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def number(value: object) -> float | None:
    """A number that a table can hold, or an infinite one; None for NaN and all other values. True is 1."""
    if isinstance(value, float) and math.isinf(value):
        return value
    if isinstance(value, (int, float)) and abs(value) <= LARGEST:  # NaN is not
        return float(value)
    return None


def short(value: object, most: int = 200) -> str | None:
    """Short text for the list of items: its first characters; a list of one text counts as that text."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text[:most]
    # Half of a surrogate pair cannot be written.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def rows_of(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """(line number, row) of a JSONL file. ResultsError names the file and the line."""
    with path.open("rb") as handle:
        for line_number, line in enumerate(handle, start=1):
            if line.strip():
                yield line_number, row_of(line, f"{path}:{line_number}")


def row_of(line: bytes, where: str) -> JsonObject:
    """One row of a JSONL file. ResultsError begins with `where`: the file and the line."""
    try:
        row = parse_json(line)
    except ValueError as error:
        raise ResultsError(f"{where}: not a JSON row ({error}); is the log complete?") from error
    if not isinstance(row, dict):
        raise ResultsError(f"{where}: not a JSON object: name another file")
    return row


def document(path: Path) -> Any:
    """The value of a JSON file. ResultsError names the file."""
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise ResultsError(f"{path} is not JSON ({error}); is the log complete?") from error


def printable(text: str) -> bool:
    """Whether a name from a log can be used in a table and a file."""
    return text.isprintable()


def all_printable(texts: Iterable[str]) -> bool:
    """Whether all names can be; fast for many names in ASCII."""
    joined = "".join(texts)
    if not joined.isascii():
        return joined.isprintable()
    codes = np.frombuffer(joined.encode(), np.uint8)
    return not codes.size or bool(codes.min() >= 0x20 and codes.max() < 0x7F)
