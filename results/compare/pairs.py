"""Pairs the rows of two sides: by the harness's item id, else by content.

Three keys are tried in turn, each on the rows that are still unpaired:

1. the item's id (a hash of its content, or the name that the harness gives it), seed and sample;
2. the hashes of prompt and target: a new column in a data set changes every document's hash, but not the
   question;
3. the row's number in the data set, if the targets of all such rows agree.

Seeds of two runs are paired in their order, because each run draws its own; if one run has more of them (a
seed was not distilled), by number. Rows with different targets are refused: their answer keys differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from results.analysis.clusters import same_rows
from results.compare.sides import Table
from results.errors import ResultsError
from results.records.columns import Columns
from results.schema import Paired

Index = npt.NDArray[np.int64]
Keys = Sequence[Hashable]
Way = tuple[str, Callable[[], tuple[Keys, Keys]]]
"""Pairing key, in words and for the rows of both tables."""


class NoCommonItem(ResultsError):
    """Two tables share no item."""


@dataclass(frozen=True)
class Matched:
    """Two tables with the rows that both have, in one order."""

    a: Table
    b: Table
    count: Paired
    notes: tuple[str, ...]
    """How rows were paired if not by id, and differences between paired rows."""


def match(a: Table, b: Table, allow_other_targets: bool = False) -> Matched:
    """Pair the rows of two tables. ResultsError if they share none, or if targets differ."""
    notes: list[str] = []
    if a.harness == b.harness and same_rows(a.columns, b.columns):
        count: Paired = {"paired": a.columns.n_rows, "only_a": 0, "only_b": 0}
    else:
        index_a, index_b, count = _search(a, b, notes)
        a, b = a.take(index_a), b.take(index_b)
    notes += _differing(a, b, allow_other_targets)
    # A cluster on one side is a cluster on both.
    clusters = min((_clusters(a.columns), _clusters(b.columns)), key=lambda codes: int(codes.max()))
    looks = np.maximum(a.columns.look, b.columns.look)
    ids = replace(a.columns, cluster_id=clusters, look=looks)
    return Matched(_under(ids, a), _under(ids, b), count, tuple(notes))


def _clusters(columns: Columns) -> npt.NDArray[np.int64]:
    """Number of each row's cluster, from 0."""
    if columns.cluster_id is not columns.item_id:
        return columns.clusters[0]
    # Rows are sorted by item, so a new item begins where the id changes.
    return np.cumsum(np.append(False, columns.item_id[1:] != columns.item_id[:-1]))


def _search(
    a: Table, b: Table, notes: list[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Paired]:
    """Positions of the paired rows in both tables, and the counts; `notes` gets how rows were paired if not
    by id.
    """
    keys_a, keys_b = _ids(a.columns, b.columns)
    found: list[tuple[int, int]] = []
    task = a.columns.task
    free_a, free_b = set(range(len(keys_a))), set(range(len(keys_b)))
    by_id: Way = ("" if a.harness == b.harness else "item id", lambda: (keys_a, keys_b))
    ways: list[Way] = [
        ("the item ids of the data set", lambda: (_own_ids(a, b), _own_ids(b, a))),
        ("prompt and target", lambda: (_contents(a, b), _contents(b, a))),
    ]
    # Two harnesses may use one number for different items, so content comes first.
    ways.insert(0 if a.harness == b.harness else len(ways), by_id)
    for how, keys in ways:
        if not free_a or not free_b:
            break
        ours, theirs = keys()
        new = _join(ours, theirs, free_a, free_b)
        if new and how:
            notes.append(_paired_by(how, len(new), a, b))
        found += new
        free_a -= {one for one, _ in new}
        free_b -= {other for _, other in new}
    if free_a and free_b:
        ours, theirs = _places(a, b, free_a, free_b)
        if new := _join(ours, theirs, free_a, free_b):
            notes.append(_paired_by("their number in the data set (all targets agree)", len(new), a, b))
            found += new
            free_a -= {one for one, _ in new}
            free_b -= {other for _, other in new}
    if not found:
        raise NoCommonItem(
            f"task {task!r}: {a.file} and {b.file} have no item in common ({len(keys_a)} and {len(keys_b)} "
            "rows): compare runs on the same data"
        )
    found.sort()
    index_a, index_b = (np.array(part, dtype=np.int64) for part in zip(*found, strict=True))
    return index_a, index_b, {"paired": len(found), "only_a": len(free_a), "only_b": len(free_b)}


def _paired_by(how: str, count: int, a: Table, b: Table) -> str:
    why = (
        f"their {a.paired_by} differs"
        if a.harness == b.harness
        else f"{a.harness} and {b.harness} name items differently"
    )
    return f"{a.columns.task}: {count:,} rows were paired by {how}, because {why}."


def _ids(a: Columns, b: Columns) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    ours, theirs = set(a.seed.tolist()), set(b.seed.tolist())
    if len(ours) == len(theirs) or not ours & theirs:
        a, b = _seeds_in_order(a), _seeds_in_order(b)
    first, second = (
        list(zip(part.item_id.tolist(), part.seed.tolist(), part.sample_index.tolist(), strict=True))
        for part in (a, b)
    )
    return first, second


def _seeds_in_order(columns: Columns) -> Columns:
    """Seeds replaced by their rank, so that seed 0 of one run meets seed 7 of the other."""
    return replace(columns, seed=np.unique(columns.seed, return_inverse=True)[1].astype(np.int64))


def _own_ids(table: Table, other: Table) -> Sequence[Hashable]:
    """Ids of the data set: they pair a log with a run folder, whose items have these ids."""
    if all(one is None for one in table.content.own_id) == all(one is None for one in other.content.own_id):
        return [None] * table.columns.n_rows
    known = table.content.own_id
    items = table.columns.item_id.tolist() if all(one is None for one in known) else known.tolist()
    return _numbered(items)


def _contents(table: Table, other: Table) -> Sequence[Hashable]:
    """Hashes of prompt and target (only if both sides record it); repeats are numbered."""
    targets = all(any(one is not None for one in part.content.target) for part in (table, other))
    both = (
        None if prompt is None or (targets and target is None) else (prompt, target if targets else None)
        for prompt, target in zip(table.content.prompt.tolist(), table.content.target.tolist(), strict=True)
    )
    return _numbered(both)


def _places(
    a: Table, b: Table, free_a: set[int], free_b: set[int]
) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Numbers of the rows in the data set; empty if targets differ, or if all targets are equal."""
    nothing: tuple[Sequence[Hashable], Sequence[Hashable]] = (
        [None] * a.columns.n_rows,
        [None] * b.columns.n_rows,
    )
    of_b = {b.content.place[row]: b.content.target[row] for row in free_b}
    shared = [row for row in free_a if a.content.place[row] in of_b and a.content.place[row] is not None]
    targets = {a.content.target[row] for row in shared}
    agree = all(a.content.target[row] == of_b[a.content.place[row]] for row in shared)
    if len(targets) < 2 or None in targets or not agree:
        return nothing
    return _numbered(a.content.place.tolist()), _numbered(b.content.place.tolist())


def _numbered(keys: Iterable[Hashable]) -> list[Hashable]:
    """Keys made unique: the second row of a key is its number 1."""
    times: Counter[Hashable] = Counter()
    found: list[Hashable] = []
    for key in keys:
        found.append(None if key is None else (key, times[key]))
        times[key] += 1
    return found


def _join(
    ours: Sequence[Hashable], theirs: Sequence[Hashable], free_a: set[int], free_b: set[int]
) -> list[tuple[int, int]]:
    places = {theirs[row]: row for row in free_b if theirs[row] is not None}
    return [(row, places[ours[row]]) for row in free_a if ours[row] is not None and ours[row] in places]


def _differing(a: Table, b: Table, allow_other_targets: bool) -> list[str]:
    """Notes on paired rows whose prompt or target differs. ResultsError for targets, unless allowed."""
    notes = []
    task, count = a.columns.task, a.columns.n_rows
    targets = _differences(a.content.target, b.content.target)
    if targets:
        if not allow_other_targets:
            raise ResultsError(
                f"task {task!r}: {targets:,} of {count:,} paired rows have another target, so the two sides "
                "were scored against different answer keys: compare runs with equal targets, or add "
                "--allow-other-targets"
            )
        notes.append(f"{task}: {targets:,} of {count:,} paired rows have another target (allowed).")
    if prompts := _differences(a.content.prompt, b.content.prompt):
        notes.append(f"{task}: {prompts:,} of {count:,} paired rows have another prompt.")
    return notes


def _differences(ours: npt.NDArray[np.object_], theirs: npt.NDArray[np.object_]) -> int:
    unequal = np.flatnonzero(ours != theirs)
    return sum(ours[row] is not None and theirs[row] is not None for row in unequal)


def _under(ids: Columns, table: Table) -> Table:
    """`table` with new ids and clusters: paired rows become one item."""
    columns = replace(
        table.columns,
        task=ids.task,
        item_id=ids.item_id,
        cluster_id=ids.cluster_id,
        seed=ids.seed,
        sample_index=ids.sample_index,
        look=ids.look,
    )
    return replace(table, columns=columns)
