"""Pairs the rows of two variants of one run.

Two variants must have answered the same rows; otherwise they are refused, because leaving out rows would be a
selection of items. Two exceptions: a variant has no rows for a seed whose distillation kept too few inputs,
and none for the planned looks after it stopped (`--until-decided`). The pair then uses the seeds and the
looks that both have. There is no exception for single items.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from results.analysis.clusters import require_same_items
from results.records.columns import Columns
from results.records.load import RunData
from results.records.roles import missing_seeds


def paired(run: RunData, task: str, a: str, b: str) -> tuple[Columns, Columns] | None:
    """Rows of `a` and `b` with equal items, seeds and samples; None if a variant has no samples or no seed
    in common with the other. ResultsError if items differ, other than by seeds that were not distilled.
    """
    first, second = run.columns.get((task, a)), run.columns.get((task, b))
    if first is None or second is None:
        return None
    excused = missing_seeds(run.manifest)
    lacking_first = excused.get((task, a), set()) - _seeds(first)
    lacking_second = excused.get((task, b), set()) - _seeds(second)
    first, second = without_seeds(first, lacking_second), without_seeds(second, lacking_first)
    first, second = in_common_looks(first, second)
    if not first.n_rows or not second.n_rows:
        return None
    require_same_items(first, second)
    return first, second


def in_common_looks(*variants: Columns) -> list[Columns]:
    """Only the rows of planned looks at which all variants were asked; all rows if there are no looks."""
    shared = reduce(np.intersect1d, (one.look for one in variants))
    return [
        one if (kept := np.isin(one.look, shared)).all() else one.take(np.flatnonzero(kept))
        for one in variants
    ]


def of_seed(columns: Columns, seed: int) -> Columns:
    """Only the rows of one seed."""
    return without_seeds(columns, _seeds(columns) - {seed})


def without_seeds(columns: Columns, seeds: set[int]) -> Columns:
    """`columns` without the rows of some seeds; the same object if there are none."""
    if not seeds & _seeds(columns):
        return columns
    return columns.take(np.flatnonzero(~np.isin(columns.seed, sorted(seeds))))


def _seeds(columns: Columns) -> set[int]:
    return set(np.unique(columns.seed).tolist())
