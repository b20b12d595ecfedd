"""The scored rows of a log: as records, one a row, and as columns, one array a figure.

A reader of small logs makes a `Record` per row, which is easy to read, and `Rows.of` makes columns of them.
lm-eval's logs may have 100,000 rows and several filters, so its reader fills the columns at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
"""Texts, or None where a row has none."""

Value = float | tuple[float, float] | None
"""A number, a pair of numbers, or None if the row has the metric but no number. An infinite number is kept:
it is the best or worst possible value, not a missing one."""


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


@dataclass(frozen=True)
class Scores:
    """One metric of all rows."""

    values: Floats
    """Shape (rows,), or (rows, 2) if the metric is a pair of numbers. NaN if a row has no number; infinite
    numbers are kept."""
    has: Flags
    """Rows that have the metric, with or without a number."""

    @property
    def lacking(self) -> Flags:
        """Rows that have the metric but no finite number."""
        finite = np.isfinite(self.values)
        return np.asarray(self.has & ~(finite if finite.ndim == 1 else finite.all(axis=1)))

    def at(self, row: int) -> Value:
        found = self.values[row]
        if np.isnan(found).any():
            return None
        return float(found) if found.ndim == 0 else (float(found[0]), float(found[1]))


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a log, in any order; every column has one entry per row. `Record` says what they mean."""

    item: Sequence[str]
    sample: npt.NDArray[np.int64]
    scores: Mapping[str, Scores]
    cluster: Texts
    answer: Texts
    prompt_hash: Texts
    target_hash: Texts
    place: Texts
    own_id: Texts
    tokens: Sequence[Tokens | None] = ()
    """Empty if no row has counts."""

    @classmethod
    def of(cls, records: Iterable[Record], metrics: Iterable[str]) -> Rows:
        """Columns of records, with these metrics."""
        listed = list(records)

        def texts(key: str) -> Texts:
            return np.fromiter(map(attrgetter(key), listed), np.object_, len(listed))

        tokens = [record.tokens for record in listed]
        return cls(
            item=[record.item for record in listed],
            sample=np.array([record.sample for record in listed], dtype=np.int64),
            scores={name: _scores(listed, name) for name in metrics},
            cluster=texts("cluster"), answer=texts("answer"), prompt_hash=texts("prompt_hash"),
            target_hash=texts("target_hash"), place=texts("place"), own_id=texts("own_id"),
            tokens=tokens if any(one is not None for one in tokens) else (),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.item)

    def records(self) -> list[Record]:
        """One record per row."""
        return [
            Record(
                item=item,
                scores={name: one.at(row) for name, one in self.scores.items() if one.has[row]},
                sample=int(self.sample[row]), cluster=self.cluster[row], answer=self.answer[row],
                prompt_hash=self.prompt_hash[row], target_hash=self.target_hash[row],
                place=self.place[row], own_id=self.own_id[row],
                tokens=self.tokens[row] if self.tokens else None,
            )
            for row, item in enumerate(self.item)
        ]  # fmt: skip


def nothing(count: int) -> Texts:
    """A column of `count` rows that have no such text."""
    return np.full(count, None, dtype=np.object_)


def _scores(records: Sequence[Record], name: str) -> Scores:
    values = [record.scores.get(name) for record in records]
    has = np.fromiter((name in record.scores for record in records), np.bool_, len(records))
    if not any(isinstance(value, tuple) for value in values):
        numbers = [value if isinstance(value, float) else np.nan for value in values]
        return Scores(np.array(numbers, dtype=np.float64), has)
    both = [value if isinstance(value, tuple) else (np.nan, np.nan) for value in values]
    return Scores(without_part(np.array(both, dtype=np.float64)), has)


def without_part(pairs: Floats) -> Floats:
    """Pairs of numbers, shape (rows, 2), with NaN in both places if one is not finite."""
    return np.where(np.isfinite(pairs).all(axis=1, keepdims=True), pairs, np.nan)
