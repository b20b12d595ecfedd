"""Metrics of a whole corpus, paired over documents: perplexity per word, bits per byte, F1, Matthews'
correlation.

Each is a function of sums over documents, as lm-eval computes it. So the difference of two models is tested
and bounded as every figure here: documents are drawn with both models' values together (paired bootstrap,
BCa), and both models' values of a document are exchanged at random (paired permutation). Above 5,000 clusters
the figure is linearised: its standard error comes from each cluster's influence.

With one document, the interval has width 0 and p is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.statistics.bootstrap import LINEARISED_ABOVE, Fitted
from results.statistics.outcomes import Interval, TestOutcome, content_seed, normal_tail

Floats = npt.NDArray[np.float64]
DRAWS = 10_000
BATCH = 200


@dataclass(frozen=True)
class Summed:
    """A figure as a function of sums: `rows` has shape (clusters, k), `figure` maps sums of shape (..., k) to
    (...)."""

    rows_a: Floats
    rows_b: Floats
    figure: Callable[[Floats], Floats]

    def of(self, rows: Floats) -> float:
        return float(self.figure(rows.sum(axis=0)))


def summed(kind: str, a: Floats, b: Floats, clusters: npt.NDArray[np.int64], count: int) -> Summed:
    """Pairs of numbers of both sides (shape (rows, 2)) as sums per cluster. `kind`: `weighted_perplexity` or
    `bits_per_byte` of (log-likelihood, weight), `f1` or `mcc` of (right, predicted) class.
    """
    figure: Callable[[Floats], Floats]
    if kind in ("weighted_perplexity", "bits_per_byte"):
        parts_a, parts_b = a, b
        figure = _weighted_perplexity if kind == "weighted_perplexity" else _bits_per_byte
    elif kind == "f1":
        parts_a, parts_b, figure = _two_by_two(a), _two_by_two(b), _f1
    else:
        classes = np.unique(np.concatenate([a, b]))
        parts_a, parts_b = _confusion(a, classes), _confusion(b, classes)
        figure = _mcc_of(classes.size)
    sums_a, sums_b = (_by_cluster(parts, clusters, count) for parts in (parts_a, parts_b))
    return Summed(sums_a, sums_b, figure)


def _by_cluster(parts: Floats, clusters: npt.NDArray[np.int64], count: int) -> Floats:
    columns = [np.bincount(clusters, column, minlength=count) for column in parts.T]
    present = np.bincount(clusters, minlength=count) > 0
    return np.asarray(np.stack(columns, axis=1)[present], dtype=np.float64)


def _weighted_perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(-sums[..., 0] / sums[..., 1]))


def _bits_per_byte(sums: Floats) -> Floats:
    return np.asarray(-sums[..., 0] / sums[..., 1] / math.log(2))


def _two_by_two(pairs: Floats) -> Floats:
    """(true positives, false positives, false negatives) of rows of (right, predicted); class 1 counts."""
    right, said = pairs[:, 0] == 1, pairs[:, 1] == 1
    return np.stack([right & said, ~right & said, right & ~said], axis=1).astype(np.float64)


def _f1(sums: Floats) -> Floats:
    hit, false, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    return _ratio(2 * hit, 2 * hit + false + missed)


def _confusion(pairs: Floats, classes: Floats) -> Floats:
    """One column per (right class, predicted class)."""
    size = classes.size
    cell = np.searchsorted(classes, pairs[:, 0]) * size + np.searchsorted(classes, pairs[:, 1])
    return np.asarray(np.eye(size * size)[cell])


def _mcc_of(size: int) -> Callable[[Floats], Floats]:
    def mcc(sums: Floats) -> Floats:
        table = sums.reshape(*sums.shape[:-1], size, size)
        right, said = table.sum(axis=-1), table.sum(axis=-2)
        total, hit = right.sum(axis=-1), np.trace(table, axis1=-2, axis2=-1)
        top = hit * total - (right * said).sum(axis=-1)
        spread = (total**2 - (said**2).sum(axis=-1)) * (total**2 - (right**2).sum(axis=-1))
        return _ratio(top, np.sqrt(np.maximum(spread, 0)))

    return mcc


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Quotient, 0 if the denominator is 0, as in scikit-learn for both figures."""
    return np.divide(top, bottom, out=np.zeros_like(np.asarray(top, dtype=np.float64)), where=bottom > 0)


@dataclass(frozen=True)
class CorpusDifference:
    """Second minus first, in the direction where more is better."""

    n: int
    estimate: float
    test: TestOutcome
    at: Callable[[float], Interval]
    """The interval at a confidence."""
    p_above: Callable[[float], float]
    """One-sided p-value against "the true difference is at most this"."""
    error: float
    """Standard error, from the influence of each cluster."""
    differing: int


def difference(asked: tuple[Summed, bool]) -> CorpusDifference:
    """Test and interval of the difference (b - a); the flag means that lower is better, and changes the
    sign."""
    data, lower = asked
    sign = -1.0 if lower else 1.0
    a, b = data.rows_a, data.rows_b
    n = len(a)
    estimate = sign * (data.of(b) - data.of(a))
    changed = int((a != b).any(axis=1).sum())
    influence = sign * (_influence(data.figure, b) - _influence(data.figure, a))
    error = math.sqrt(float((influence**2).sum()) * n / max(n - 1, 1))
    p, how = 1.0, ""
    fitted = Fitted(estimate, np.empty(0), 0.0, 0.0, False)
    if changed and n > LINEARISED_ABOVE:
        p, how = 2 * normal_tail(abs(estimate) / error), " (normal)"
        fitted = Fitted(estimate, np.empty(0), 0.0, error, True)
    elif changed and n > 1:
        p, how = _permuted(data, estimate), " (10,000 draws)"
        fitted = Fitted(estimate, sign * _drawn(data), _skew(influence), 0.0, False)
    test = TestOutcome(p, f"paired permutation of a corpus figure{how}")
    return CorpusDifference(n, estimate, test, fitted.interval, fitted.p_above, error, changed)


def _influence(figure: Callable[[Floats], Floats], rows: Floats) -> Floats:
    """Influence of each cluster: minus the change of the figure when it is left out."""
    total = rows.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = figure(total - rows)
    moved = (figure(total) - left_out) * (len(rows) - 1) / len(rows)
    moved = np.nan_to_num(moved, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(moved - moved.mean())


def _skew(influence: Floats) -> float:
    square = float((influence**2).sum())
    return float((influence**3).sum()) / (6 * square**1.5) if square > 0 else 0.0


def _drawn(data: Summed) -> Floats:
    """The difference in each of `DRAWS` draws of clusters with replacement."""
    both = np.concatenate([data.rows_a, data.rows_b], axis=1)
    rng = np.random.default_rng(content_seed(data.rows_a, data.rows_b))
    n, k = data.rows_a.shape
    found = np.empty(DRAWS)
    for start in range(0, DRAWS, BATCH):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=BATCH).astype(np.float64)
        sums = counts @ both
        with np.errstate(divide="ignore", invalid="ignore"):
            found[start : start + BATCH] = data.figure(sums[:, k:]) - data.figure(sums[:, :k])
    return found[np.isfinite(found)]


def _permuted(data: Summed, estimate: float) -> float:
    """Two-sided mid-p of the difference when both values of a cluster are exchanged at random."""
    rng = np.random.default_rng(content_seed(data.rows_b, data.rows_a))
    total_a, total_b, gap = data.rows_a.sum(axis=0), data.rows_b.sum(axis=0), data.rows_b - data.rows_a
    tolerance = 1e-9 * max(1.0, abs(estimate))
    beyond, at = 0, 1
    for _ in range(0, DRAWS, BATCH):
        moved = rng.integers(0, 2, (BATCH, len(gap))).astype(np.float64) @ gap
        drawn = np.abs(data.figure(total_b - moved) - data.figure(total_a + moved))
        beyond += int((drawn > abs(estimate) + tolerance).sum())
        at += int((np.abs(drawn - abs(estimate)) <= tolerance).sum())
    return (beyond + at / 2) / (DRAWS + 1)
