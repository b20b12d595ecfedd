"""The types that readers of other harnesses' logs return: a `Log` per task, with one `Record` per scored row.

Every reader in `results.records.readers` fills only these types, so the code that compares two logs does not
depend on a harness. A reader says what it knows: the direction of a metric and where it is from, how rows are
aggregated, what was counted as tokens. What it does not know is `unknown`, and never guessed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from results.errors import ResultsError
from results.files import parse_json
from results.schema import LARGEST, JsonObject

Better = Literal["higher", "lower", "none", "unknown"]
"""Direction of a metric. `none`: it is best in the middle. `unknown`: the log does not say."""

Figure = Literal["mean", "weighted_perplexity", "bits_per_byte", "f1", "mcc"]
"""How the rows of a metric are aggregated. All but `mean` take a pair of numbers per row."""

Value = float | tuple[float, float] | None
"""A number, a pair of numbers, or None if the row has the metric but no number. An infinite number is kept:
it is the best or worst possible value, not a missing one."""

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
class Tokens:
    """Calls and tokens of a row."""

    calls: int
    prompt: int
    """All prompt tokens, cached ones included."""
    cached: int
    generated: int


@dataclass(frozen=True, slots=True)
class Record:
    """One scored row."""

    item: str
    """The harness's own name of the item, or a hash of its content."""
    scores: dict[str, Value]
    """By metric; a metric that does not apply to the row is absent."""
    sample: int = 0
    """Number of the repeat of the item, from 0."""
    cluster: str | None = None
    """Cluster of the item; None if each item is its own cluster."""
    answer: str | None = None
    """The answer that was scored, as short text."""
    prompt_hash: str | None = None
    target_hash: str | None = None
    place: str | None = None
    """Number of the row in its data set: used for pairing if nothing else fits."""
    own_id: str | None = None
    """Id of the item in the data set, if the log has it."""
    tokens: Tokens | None = None


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
    records: list[Record]
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
    return text[:most].encode("utf-8", "replace").decode()


def rows_of(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """(line number, row) of a JSONL file. ResultsError names the file and the line."""
    with path.open("rb") as handle:
        for line_number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(line)
            except ValueError as error:
                raise ResultsError(
                    f"{path}:{line_number}: not a JSON row ({error}); is the log complete?"
                ) from error
            if not isinstance(row, dict):
                raise ResultsError(f"{path}:{line_number}: not a JSON object: name another file")
            yield line_number, row


def document(path: Path) -> Any:
    """The value of a JSON file. ResultsError names the file."""
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise ResultsError(f"{path} is not JSON ({error}); is the log complete?") from error


def printable(text: str) -> bool:
    """Whether a name from a log can be used in a table and a file."""
    return text.isprintable()
