"""Rows of lm-eval's logs, read fast: only the keys that a comparison needs.

msgspec decodes a row into a struct and skips what the struct lacks: texts of documents, prompts and replies.
Rows that it refuses go through Python's parser into the same struct: NaN is not JSON, logs before 0.4.8 name
neither filter nor metrics, and a broken row should have the error of every other file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from results.errors import ResultsError
from results.records.log import Figure, number, printable, row_of, short, text_hash
from results.records.rows import Flags, Floats, Value
from results.schema import LARGEST, JsonObject

NOT_METRICS = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
    "prompt_hash", "target_hash",
})  # fmt: skip
FIGURES: Mapping[str, Figure] = {
    "word_perplexity": "weighted_perplexity",
    "byte_perplexity": "weighted_perplexity",
    "weighted_perplexity": "weighted_perplexity",
    "bits_per_byte": "bits_per_byte",
    "f1": "f1",
    "mcc": "mcc",
    "matthews_corrcoef": "mcc",
}
"""Metric or aggregation whose rows may be pairs of numbers -> how lm-eval aggregates them."""
ABSENT, SKIPPED, MISSING, NUMBER, PAIR = range(5)
"""What a row has under a metric's name: nothing; a text or a list; no number; a number; a pair of numbers."""
REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)


class Doc(msgspec.Struct, gc=False):
    """The part of a document that is read: the item id of an s2d-bench task."""

    item_id: Any = None


class Row(msgspec.Struct, gc=False):
    """One row of a log. `RowReader` adds a field per metric."""

    doc_hash: str
    metrics: list[Any]
    doc_id: Any = None
    filter: Any = None
    prompt_hash: Any = None
    target_hash: Any = None
    doc: Doc = msgspec.field(default_factory=Doc)
    answer: Any = msgspec.field(name="filtered_resps", default=None)
    """As short text, once the row is read."""


OWN = dict(zip(Row.__struct_encode_fields__, Row.__struct_fields__, strict=True))
"""Key of a log -> field of `Row`."""


class RowReader:
    """Reads the rows of one log, in the file's order. ResultsError if a row is not lm-eval's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Any] = []
        """Of `Row`, with fields for the metrics that were known when the row was read."""
        self.fields: dict[str, str] = {}
        """Metric -> its field."""
        self.lists: set[tuple[str, ...]] = set()
        """The lists of metrics that rows have."""
        self.older = False
        """Whether a row lists no metrics."""
        self._kind: type[Row] = Row
        self._read()

    def _read(self) -> None:
        decode, listed = msgspec.json.Decoder(self._kind).decode, None
        with self.path.open("rb", buffering=1 << 18) as file:
            for line_number, line in enumerate(file, start=1):
                try:
                    row = decode(line)
                except REFUSED:
                    row = None
                if row is not None and row.metrics == listed:
                    row.metrics = listed
                elif row is not None and self._knows(row.metrics):
                    listed = row.metrics
                elif line.strip():
                    row = self._by_python(line, f"{self.path}:{line_number}")
                    decode, listed = msgspec.json.Decoder(self._kind).decode, row.metrics
                else:
                    continue
                # No row keeps a list of its own: the garbage collector would visit them again and again.
                row.answer = short(row.answer)
                self.rows.append(row)

    def _knows(self, metrics: list[Any]) -> bool:
        return all(isinstance(name, str) for name in metrics) and tuple(metrics) in self.lists

    def _by_python(self, line: bytes, where: str) -> Row:
        """A row by Python's parser; its metrics get fields."""
        row = row_of(line, where)
        item, names = _item(row), row.get("metrics")
        if names is None and item is not None and "resps" in row:
            self.older = True
            names = [name for name in row if name not in NOT_METRICS]
        if item is None or not isinstance(names, list) or not all(map(_is_name, names)):
            raise ResultsError(
                f"{where}: no doc_hash and metrics, so not a log of lm-eval's --log_samples: name such a log"
            )
        self._learn(names)
        doc = row.get("doc")
        return self._kind(
            doc_hash=item, metrics=names, doc_id=row.get("doc_id"), filter=row.get("filter"),
            prompt_hash=row.get("prompt_hash"), target_hash=_target(row),
            doc=Doc(doc.get("item_id")) if isinstance(doc, dict) else Doc(), answer=row.get("filtered_resps"),
            **{field: row.get(name) for field, name in self._own_fields()},
        )  # fmt: skip

    def _learn(self, names: Sequence[str]) -> None:
        self.lists.add(tuple(names))
        new = [name for name in dict.fromkeys(names) if name not in self.fields]
        for name in new:
            # A metric may have the name of another key of the row.
            self.fields[name] = OWN.get(name, f"metric_{len(self.fields)}")
        if new:
            fields = [
                (field, Any, msgspec.field(name=name, default=None)) for field, name in self._own_fields()
            ]
            kind: Any = msgspec.defstruct("RowWithMetrics", fields, bases=(Row,), gc=False)
            self._kind = kind

    def _own_fields(self) -> list[tuple[str, str]]:
        return [(field, name) for name, field in self.fields.items() if name not in OWN]

    def column(self, field: str) -> list[Any]:
        return list(map(attrgetter(field), self.rows))

    def values(self, name: str) -> Values:
        """What the rows have under a metric's name."""
        field = self.fields[name]
        if len(self.lists) == 1:
            return Values.of(name, self.column(field))
        listing = np.fromiter((name in row.metrics for row in self.rows), np.bool_, len(self.rows))
        some = Values.of(name, [getattr(self.rows[row], field) for row in np.flatnonzero(listing)])
        return some.at(listing)


@dataclass(frozen=True)
class Values:
    """What rows have under a metric's name."""

    kinds: npt.NDArray[np.int8]
    """`ABSENT`, `SKIPPED`, ..."""
    numbers: Floats
    """NaN if a row has no number."""
    pairs: Floats
    """Shape (rows, 2), NaN if a row has no pair; shape (0, 2) if no row has one."""

    @classmethod
    def of(cls, name: str, raw: Sequence[object]) -> Values:
        if set(map(type, raw)) <= {float, int, bool}:
            with suppress(OverflowError):  # of a whole number too large for a float
                numbers = np.array(raw, dtype=np.float64)
                numbers[np.isfinite(numbers) & (np.abs(numbers) > LARGEST)] = np.nan
                kinds = np.where(np.isnan(numbers), MISSING, NUMBER).astype(np.int8)
                return cls(kinds, numbers, np.empty((0, 2)))
        found = [_value(name, value) for value in raw]
        kinds = np.array([kind for kind, _ in found], dtype=np.int8)
        numbers = np.array([value if kind == NUMBER else np.nan for kind, value in found], dtype=np.float64)
        pairs = np.empty((0, 2))
        if (kinds == PAIR).any():
            pairs = np.array([value if kind == PAIR else (np.nan, np.nan) for kind, value in found])
        return cls(kinds, numbers, pairs)

    def at(self, rows: Flags) -> Values:
        """The same as a part of more rows: those flagged."""
        kinds, numbers = np.full(rows.size, ABSENT, dtype=np.int8), np.full(rows.size, np.nan)
        kinds[rows], numbers[rows] = self.kinds, self.numbers
        pairs = self.pairs
        if pairs.size:
            pairs = np.full((rows.size, 2), np.nan)
            pairs[rows] = self.pairs
        return Values(kinds, numbers, pairs)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and printable(name)


def _item(row: JsonObject) -> str | None:
    """`doc_hash`; for older logs, which lack it, the same hash of the document."""
    if "doc_hash" in row:
        return row["doc_hash"] if isinstance(row["doc_hash"], str) else None
    if not isinstance(row.get("doc"), dict):
        return None
    return text_hash(json.dumps(row["doc"], indent=2, ensure_ascii=False))


def _target(row: JsonObject) -> object:
    """`target_hash`; for older logs, which lack it, the same hash of the target."""
    if "target_hash" in row or "target" not in row or row.get("doc_hash") is not None:
        return row.get("target_hash")
    return text_hash(str(row["target"]))


def _value(name: str, value: object) -> tuple[int, Value]:
    """(kind, value) of a metric in a row."""
    if isinstance(value, (int, float)):
        found = number(value)
        return (MISSING, None) if found is None else (NUMBER, found)
    if value is None:
        return MISSING, None
    if isinstance(value, list) and len(value) == 2:
        first, second = number(value[0]), number(value[1])
        if name in FIGURES and first is not None:
            return (PAIR, (first, second)) if second is not None else (SKIPPED, None)
        if name == "brier_score" and first is not None:
            brier = _brier(int(first), value[1])
            return (MISSING, None) if brier is None else (NUMBER, brier)
    return SKIPPED, None


def _brier(gold: int, written: object) -> float | None:
    """The Brier score of one document: the sum over classes of (probability - truth) squared."""
    if isinstance(written, str):
        written = written.strip("[] \n").replace(",", " ").split()
    if not isinstance(written, Iterable):
        return None
    try:
        shares = [float(share) for share in written]
    except (TypeError, ValueError):
        return None
    if not 0 <= gold < len(shares):
        return None
    return number(sum((share - (place == gold)) ** 2 for place, share in enumerate(shares)))
