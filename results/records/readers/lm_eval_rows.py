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
Names = tuple[str, ...]
ABSENT, SKIPPED, MISSING, NUMBER, PAIR = range(5)
"""What a row has under a metric's name: nothing; a text or a list; no number; a number; a pair of numbers."""
REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
BLOCK = 1 << 18
"""Bytes that are decoded at once: little enough for a processor's cache."""


class Doc(msgspec.Struct, gc=False):
    """The part of a document that is read: the item id of an s2d-bench task."""

    item_id: Any = None


class Row(msgspec.Struct, gc=False):
    """One row of a log. `RowReader` adds a field per metric."""

    doc_hash: str
    metrics: tuple[str, ...]
    doc_id: Any = None
    filter: Any = None
    prompt_hash: Any = None
    target_hash: Any = None
    filtered_resps: Any = None
    doc: Doc = msgspec.field(default_factory=Doc)


OWN = frozenset(Row.__struct_fields__)
TEXTS = ("doc_hash", "doc_id", "filter", "prompt_hash", "target_hash", "doc.item_id")
"""Fields that are kept as they are."""


class RowReader:
    """Reads the rows of one log, in the file's order. ResultsError if a row is not lm-eval's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: dict[str, list[Any]] = {field: [] for field in TEXTS}
        """Field -> its values in all rows."""
        self.answers: list[str | None] = []
        """The answers that were scored, as short texts."""
        self.listed: list[Names] = []
        """What each row lists as its metrics."""
        self.fields: dict[str, str] = {}
        """Metric -> its field."""
        self.older = False
        """Whether a row lists no metrics."""
        self._known: dict[Names, Names] = {}
        """The lists of metrics, each as the one object that `listed` holds."""
        self._kind: type[Row] = Row
        self._decoder = msgspec.json.Decoder(Row)
        self._read()

    def _read(self) -> None:
        before = 0
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                block += file.readline()
                lines = block.count(b"\n") + (not block.endswith(b"\n"))
                if not self._add_all(block, lines):
                    for line_number, line in enumerate(block.split(b"\n"), start=before + 1):
                        if line.strip():
                            self._add(line, f"{self.path}:{line_number}")
                before += lines

    def _add_all(self, block: bytes, lines: int) -> bool:
        """Adds the rows of a block, if each of its lines is a plain row with known metrics."""
        try:
            rows = self._decoder.decode_lines(block)
        except REFUSED:
            return False
        listed = [self._known.get(row.metrics) for row in rows]
        if None in listed or len(rows) != lines:
            return False
        self._append(rows, listed)
        return True

    def _add(self, line: bytes, where: str) -> None:
        try:
            row = self._decoder.decode(line)
        except REFUSED:
            row = None
        if row is None or row.metrics not in self._known:
            row = self._by_python(line, where)
        self._append([row], [self._known[row.metrics]])

    def _append(self, rows: Sequence[Row], listed: Sequence[Any]) -> None:
        for field, column in self.columns.items():
            column.extend(map(attrgetter(field), rows))
        self.answers.extend(short(row.filtered_resps) for row in rows)
        self.listed.extend(listed)

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
        self._learn(tuple(names))
        doc = row.get("doc")
        return self._kind(
            doc_hash=item, metrics=tuple(names), doc_id=row.get("doc_id"), filter=row.get("filter"),
            prompt_hash=row.get("prompt_hash"), target_hash=_target(row),
            filtered_resps=row.get("filtered_resps"),
            doc=Doc(doc.get("item_id")) if isinstance(doc, dict) else Doc(),
            **{field: row.get(name) for field, name in self._own_fields()},
        )  # fmt: skip

    def _learn(self, names: Names) -> None:
        """Adds fields for metrics that are new."""
        if names in self._known:
            return
        self._known[names] = names
        for name in names:
            if name not in self.fields:
                # A metric may have the name of another key of the row.
                field = self.fields[name] = name if name in OWN else f"metric_{len(self.fields)}"
                self.columns.setdefault(field, [None] * len(self.listed))
        fields = [(field, Any, msgspec.field(name=name, default=None)) for field, name in self._own_fields()]
        kind: Any = msgspec.defstruct("RowWithMetrics", fields, bases=(Row,), gc=False)
        self._kind, self._decoder = kind, msgspec.json.Decoder(kind)

    def _own_fields(self) -> list[tuple[str, str]]:
        """(field, metric) of the fields that are not those of `Row`."""
        return [(field, name) for name, field in self.fields.items() if name not in OWN]

    def values(self, name: str) -> Values:
        """What the rows have under a metric's name."""
        raw = self.columns[self.fields[name]]
        if len(self._known) == 1:
            return Values.of(name, raw)
        listing = np.fromiter((name in names for names in self.listed), np.bool_, len(self.listed))
        return Values.of(name, [raw[row] for row in np.flatnonzero(listing)]).at(listing)


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
