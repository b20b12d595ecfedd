"""lm-eval's rows as columns: an entry per document, a metric per filter.

lm-eval writes a row per document and filter, so all rows of one document are one entry. A document
that stands at several places of its data set is several samples of one item.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from results.records.log import all_printable, printable
from results.records.readers.lm_eval_rows import MISSING, PAIR, SKIPPED, RowReader, Values
from results.records.rows import Rows, Scores, Texts, nothing, without_part

Index = npt.NDArray[np.int64]
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Columns:
    """The rows of a log, and what is known of its metrics."""

    rows: Rows
    """Its metrics are `METRIC,FILTER`, in the order of the log."""
    skipped: set[str]
    """Metrics of which some rows hold texts or lists."""
    above_zero: set[str]
    """Metrics of which some numbers are above 0."""


@dataclass(frozen=True)
class _Entries:
    """Which rows are one entry."""

    of_row: Index
    """The entry of each row."""
    first: Index
    """The first row of each entry."""
    sample: Index
    """Number of each entry among those of its item."""

    @property
    def count(self) -> int:
        return int(self.first.size)

    def firsts(self, values: list[Any]) -> list[Any]:
        """The values of the entries' first rows, from those of all rows."""
        return values if len(values) == self.count else [values[row] for row in self.first.tolist()]


def columns_of(reader: RowReader, filters: Sequence[str]) -> Columns:
    """Arranges the rows of a log. `filters` are those of the results file, in order: older rows do not name
    theirs.
    """
    items, told = reader.columns["doc_hash"], reader.columns["doc_id"]
    places, chosen = _places_and_filters(items, told, reader.columns["filter"], filters)
    entries = _entries(items, places)

    def first(field: str) -> list[Any]:
        return entries.firsts(reader.columns[field])

    scores: dict[tuple[int, int, int], tuple[str, Scores]] = {}
    """By where a metric under a filter first stands: entry, row, place in the row's list."""
    skipped, above_zero = set(), set()
    filter_numbers, names = _numbered(chosen)
    for metric in reader.fields:
        values = reader.values(metric)
        skipped |= {metric} if (values.kinds == SKIPPED).any() else set()
        above_zero |= {metric} if (values.numbers > 0).any() else set()
        for number, name in enumerate(names):
            rows = np.flatnonzero((values.kinds > SKIPPED) & (filter_numbers == number))
            if not (values.kinds[rows] > MISSING).any():
                continue  # no row has a number
            start = int(rows[np.argmin(entries.of_row[rows])])
            order = int(entries.of_row[start]), start, reader.listed[start].index(metric)
            scores[order] = f"{metric},{name}", _scores(values, rows, entries)
    columns = Rows(
        item=entries.firsts(items),
        sample=entries.sample,
        scores=dict(scores[order] for order in sorted(scores)),
        cluster=nothing(entries.count),
        answer=_array(entries.firsts(reader.answers)),
        prompt_hash=_names(first("prompt_hash")),
        target_hash=_names(first("target_hash")),
        place=nothing(entries.count) if None in told else _array(entries.firsts(places)),
        own_id=_names(first("doc.item_id")),
    )
    return Columns(columns, skipped, above_zero)


def _scores(values: Values, rows: Index, entries: _Entries) -> Scores:
    """A metric under one filter; the last row of an entry counts."""
    kinds = values.kinds[rows]
    is_pair = kinds[kinds > MISSING][-1] == PAIR
    has = np.zeros(entries.count, dtype=np.bool_)
    has[entries.of_row[rows]] = True
    numbers = values.pairs if is_pair else values.numbers
    found = np.full((entries.count, *numbers.shape[1:]), np.nan)
    found[entries.of_row[rows]] = numbers[rows]
    return Scores(without_part(found) if is_pair else found, has)


def _entries(items: list[str], places: list[str]) -> _Entries:
    """Rows of one item at one place are one entry; entries are in the order of their first rows."""
    if len(set(items)) == len(items):
        every = np.arange(len(items))
        return _Entries(every, every, np.zeros_like(every))
    of_row, names = _numbered(items)
    first = _first_rows(of_row, len(names))
    place, _ = _numbered(places)
    if (place == place[first][of_row]).all():
        return _Entries(of_row, first, np.zeros_like(first))
    of_row, keys = _numbered(list(zip(items, places, strict=True)))
    times: Counter[str] = Counter()
    sample = np.zeros(len(keys), dtype=np.int64)
    for entry, (item, _) in enumerate(keys):
        sample[entry] = times[item]
        times[item] += 1
    return _Entries(of_row, _first_rows(of_row, len(keys)), sample)


def _numbered(values: list[T]) -> tuple[Index, list[T]]:
    """Numbers of values, from 0, equal for equal ones, and the value of each number."""
    number_of: defaultdict[T, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(number_of.__getitem__, values), np.int64, len(values))
    return numbers, list(number_of)


def _first_rows(numbers: Index, different: int) -> Index:
    """The first row of each number."""
    first = np.empty(different, dtype=np.int64)
    first[numbers[::-1]] = np.arange(numbers.size)[::-1]
    return first


def _places_and_filters(
    items: list[str], told: list[Any], chosen: list[Any], filters: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Position of each row's document in its data set, and the row's filter, from what the rows tell. Older
    logs do not name the filter: there, each repeat of a document belongs to the next filter.
    """
    if None not in told and None not in chosen:
        return _as_texts(told), _as_texts(chosen)
    places, chosen = [*told], [*chosen]
    times: dict[object, int] = {}
    for row, (item, place, name) in enumerate(zip(items, places, chosen, strict=True)):
        # Before 0.4.8 rows have no filter; a table by hand may lack the position.
        key = (item, str(name)) if place is None else (item, str(place))
        if place is None or name is None:
            times[key] = times.get(key, -1) + 1
        if place is None:
            places[row], chosen[row] = times[key], name or "none"
        elif name is None:
            unnamed = "none" if times[key] == 0 else f"filter-{times[key] + 1}"
            chosen[row] = filters[times[key]] if times[key] < len(filters) else unnamed
    return _as_texts(places), _as_texts(chosen)


def _as_texts(values: list[Any]) -> list[str]:
    return values if set(map(type, values)) == {str} else list(map(str, values))


def _names(values: list[Any]) -> Texts:
    """Names and hashes as a column; None where a value is not printable text."""
    types = set(map(type, values))
    if types == {type(None)}:
        return nothing(len(values))
    if types == {str} and all_printable(values):
        return _array(values)
    return _array([one if isinstance(one, str) and printable(one) else None for one in values])


def _array(values: Sequence[object]) -> Texts:
    return np.fromiter(values, np.object_, len(values))
