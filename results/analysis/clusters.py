"""Sums the rows of one or two variants per cluster: the input of every statistical method.

A cluster is the unit that is sampled independently: a question with its templates, a pair with both orders
and all votes, an item with its samples and seeds. All sums are weighted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.errors import ResultsError
from results.records.columns import Columns

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One variant on one metric; arrays have one entry per cluster."""

    total: Floats
    """Sum of weight * score."""
    weight: Floats
    """Sum of weights, above 0."""
    rows: int
    """Scored rows behind the clusters."""
    zero_one: bool
    """Every row scores 0 or 1."""

    @property
    def n(self) -> int:
        return int(self.total.size)

    @property
    def score(self) -> float:
        return float(self.total.sum() / self.weight.sum())

    def take(self, chosen: npt.NDArray[np.bool_]) -> Sample:
        """Some of the clusters; assumes that rows are proportional to weights."""
        share = float(self.weight[chosen].sum() / self.weight.sum())
        rows = max(round(self.rows * share), int(chosen.sum()))
        return Sample(self.total[chosen], self.weight[chosen], rows, self.zero_one)

    @property
    def bounded(self) -> bool:
        """Whether the sums over clusters allow all scores to be between 0 and 1."""
        return bool(np.all((self.total >= 0) & (self.total <= self.weight * (1 + 1e-9))))

    @property
    def binary(self) -> bool:
        """Each cluster has one value, 0 or 1, and all weigh the same: a plain proportion of n."""
        return (
            self.zero_one
            and _equal(self.weight)
            and bool(np.all((self.total == 0) | (self.total == self.weight)))
        )


@dataclass(frozen=True)
class Pair:
    """Two variants on the same rows, one metric. `first` and `second` share clusters and weights."""

    first: Sample
    second: Sample
    left_out: int = 0
    """Rows on which the metric applies to one variant only."""
    look: npt.NDArray[np.int64] | None = None
    """Per cluster: the planned look at which it was asked, from 1; None if all were asked at once."""

    @property
    def n(self) -> int:
        return self.first.n

    @property
    def weight(self) -> Floats:
        return self.first.weight

    @property
    def difference(self) -> Floats:
        """Weighted sum of (second - first) per cluster."""
        return self.second.total - self.first.total

    @property
    def estimate(self) -> float:
        return float(self.difference.sum() / self.weight.sum())

    @property
    def binary(self) -> bool:
        return self.first.binary and self.second.binary

    @property
    def bounded(self) -> bool:
        """Whether the sums over clusters allow all scores to be between 0 and 1."""
        return self.first.bounded and self.second.bounded

    @property
    def single(self) -> bool:
        """One row per cluster, all of equal weight: paired numbers without clusters."""
        return self.first.rows == self.n and _equal(self.weight)

    def swapped(self) -> Pair:
        """First and second exchanged, which changes the sign: for metrics where lower is better."""
        return Pair(self.second, self.first, self.left_out, self.look)

    def up_to(self, look: int, after: int = 0) -> Pair:
        """The clusters that had been asked at a look, without those up to the look `after`."""
        if self.look is None:
            return self
        asked = (self.look > after) & (self.look <= look)
        return Pair(self.first.take(asked), self.second.take(asked), self.left_out, self.look[asked])

    def cells(self) -> tuple[int, int]:
        """(b, c) of a binary pair: clusters that only the first variant, or only the second, has right."""
        return int((self.difference < 0).sum()), int((self.difference > 0).sum())


def sample(columns: Columns, metric: str) -> Sample | None:
    """Clusters of one variant; None if the metric applies to no row."""
    weights = columns.weights[metric]
    applies = ~np.isnan(columns.scores[metric]) & (weights > 0)
    return _sample(columns, columns.scores[metric], weights, applies)


def pair(a: Columns, b: Columns, metric: str) -> Pair | None:
    """Clusters of two variants with equal rows (see `require_same_items`); None if no row has a score of
    both.
    """
    weights = a.weights[metric]
    in_a, in_b = ~np.isnan(a.scores[metric]), ~np.isnan(b.scores[metric])
    applies = in_a & in_b & (weights > 0)
    first = _sample(a, a.scores[metric], weights, applies)
    second = _sample(a, b.scores[metric], weights, applies)
    if first is None or second is None:
        return None
    return Pair(first, second, int((in_a != in_b).sum()), _looks(a, b, applies))


def together(variants: Sequence[Columns], metric: str) -> list[Sample] | None:
    """Clusters of several variants with equal rows, over the rows on which all have a score; None
    if there are none.
    """
    first, applies = variants[0], scored_by_all(variants, metric)
    if not applies.any():
        return None
    found = (_sample(first, columns.scores[metric], first.weights[metric], applies) for columns in variants)
    return [one for one in found if one is not None]


def scored_by_all(variants: Sequence[Columns], metric: str) -> npt.NDArray[np.bool_]:
    """Which rows have a score of all variants, whose rows are equal."""
    applies = variants[0].weights[metric] > 0
    for columns in variants:
        applies = applies & ~np.isnan(columns.scores[metric])
    return np.asarray(applies)


def row_pair(columns: Columns, first: Floats, second: Floats) -> Pair:
    """The same for any figure per row (tokens, FLOPs, dollars) of two variants on the rows of `columns`."""
    ones = np.ones(columns.n_rows)
    everywhere = np.ones(columns.n_rows, dtype=bool)
    a, b = (_sample(columns, values, ones, everywhere) for values in (first, second))
    if a is None or b is None:
        raise ResultsError(f"{columns.path} holds no rows: let the run finish first")
    return Pair(a, b, look=_looks(columns, columns, everywhere))


def require_same_items(a: Columns, b: Columns) -> None:
    """Raises ResultsError if two variants of a run have different rows; rows are never dropped to make them
    fit.
    """
    if not same_rows(a, b):
        only_a, only_b = len(keys(a) - keys(b)), len(keys(b) - keys(a))
        raise ResultsError(
            f"task {a.task!r}: {a.variant!r} and {b.variant!r} have different items ({only_a} only in "
            f"the first, "
            f"{only_b} only in the second); resume the run with the same options until it is finished"
        )
    if not np.array_equal(a.cluster_id, b.cluster_id):
        raise ResultsError(
            f"task {a.task!r}: {a.variant!r} and {b.variant!r} assign one item to different clusters"
        )


def same_rows(a: Columns, b: Columns) -> bool:
    """Whether both have the same items, seeds and samples; columns are sorted by them."""
    return a.n_rows == b.n_rows and all(
        np.array_equal(getattr(a, key), getattr(b, key)) for key in ("item_id", "seed", "sample_index")
    )


def keys(columns: Columns) -> set[tuple[str, int, int]]:
    """Pairing key of the rows: item, seed and sample."""
    return set(
        zip(columns.item_id.tolist(), columns.seed.tolist(), columns.sample_index.tolist(), strict=True)
    )


def _sample(
    columns: Columns, values: Floats, weights: Floats, applies: npt.NDArray[np.bool_]
) -> Sample | None:
    if not applies.any():
        return None
    codes, count = columns.clusters
    chosen, scores, weight = codes[applies], values[applies], weights[applies]
    rows = np.bincount(chosen, minlength=count)
    present = rows > 0
    total = np.bincount(chosen, scores * weight, minlength=count)[present].astype(np.float64)
    return Sample(
        total=total,
        weight=np.bincount(chosen, weight, minlength=count)[present].astype(np.float64),
        rows=int(applies.sum()),
        zero_one=bool(np.all((scores == 0) | (scores == 1))),
    )


def _looks(a: Columns, b: Columns, applies: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64] | None:
    """The look of each cluster, in the order of `_sample`; all rows of a cluster are asked at the same
    look."""
    looks = np.maximum(a.look, b.look)
    if not looks.any():
        return None
    codes, count = a.clusters
    chosen = codes[applies]
    found = np.zeros(count, dtype=np.int64)
    np.maximum.at(found, chosen, looks[applies])
    return found[np.bincount(chosen, minlength=count) > 0]


def _equal(weight: Floats) -> bool:
    return bool(np.ptp(weight) <= 1e-9 * float(weight[0]))
