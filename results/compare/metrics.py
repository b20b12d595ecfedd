"""Finds the metrics that two sides share, with direction and unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from results.analysis.leaderboard import share_margin
from results.compare.sides import Table
from results.errors import ResultsError
from results.records.log import SHARE, Better, LogMetric

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """The user's options on metrics."""

    margin: float | None = None
    """Points, for shares of 1; None is 5."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Metric -> margin in its own unit."""
    directions: Mapping[str, Better] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    """Metric of the first side -> its name on the second."""

    def share_margin(self) -> float:
        """Margin of shares, as a fraction. ResultsError if it is not between 0 and 1."""
        return share_margin(self.margin)

    def margin_of(self, name: str, metric: LogMetric) -> float | None:
        """Margin in the metric's unit; None for a metric in its own unit without a margin from the user."""
        own = _of(self.margins, name)
        if own is not None and not own > 0:
            raise ResultsError(f"the margin of {name} is {own:g}: give one above 0, in the metric's own unit")
        if metric.unit != SHARE:
            return own
        return self.share_margin() if own is None else own


def shared(a: Table, b: Table, asked: Asked) -> tuple[dict[str, tuple[str, LogMetric]], list[str]]:
    """Metric of the first side -> (its name on the second, what is known of it), and notes.

    Empty if the sides share none. ResultsError if their directions differ.
    """
    names = {name: name for name in a.metrics if name in b.metrics}
    for name, other in asked.same.items():
        if name in a.metrics and other in b.metrics:
            names[name] = other
    notes = []
    if not names and len(a.metrics) == len(b.metrics) == 1:
        (one,), (other,) = a.metrics, b.metrics
        names = {one: other}
        notes.append(f"{a.columns.task}: {one} of the first is compared with {other} of the second.")
    found = {}
    for name, other in names.items():
        metric = _agreed(name, a.metrics[name], b.metrics[other], asked)
        if not metric.unit and metric.figure == "mean" and within_one(a, name) and within_one(b, other):
            metric = replace(metric, unit=SHARE)
        if metric.figure == "f1":
            metric = replace(metric, unit=SHARE)
        found[name] = (other, metric)
        if metric.direction == "unknown":
            notes.append(
                f"{a.columns.task}: the direction of {name} is unknown, so there is no verdict: add "
                f"--higher-is-better {name} or --lower-is-better {name}."
            )
        elif metric.unit != SHARE and asked.margin_of(name, metric) is None:
            notes.append(
                f"{a.columns.task}: {name} has its own unit: add --margin "
                f"{name.split(',')[0]}=VALUE to ask whether the second is as good."
            )
        if metric.direction != "unknown" and "unknown" in (
            a.metrics[name].direction,
            b.metrics[other].direction,
        ):
            side = "first" if a.metrics[name].direction == "unknown" else "second"
            notes.append(
                f"{a.columns.task}: only one side gives the direction of {name}; the {side} has no "
                "results file with the time of its log."
            )
    return found, notes


def none_shared(a: Table, b: Table) -> str:
    """The message that two tables share no metric, with the metrics of each."""
    return (
        f"{a.columns.task}: the sides share no metric: the first has {', '.join(a.metrics)}; the second has "
        f"{', '.join(b.metrics)} (--same-metric NAME=OTHER says that two are the same)"
    )


def _agreed(name: str, a: LogMetric, b: LogMetric, asked: Asked) -> LogMetric:
    """The metric as both sides describe it; a results file takes precedence over the metric's name."""
    told = _of(asked.directions, name)
    if a.figure != b.figure:
        raise ResultsError(f"{name} is a {a.figure} over rows on one side and a {b.figure} on the other")
    if a.unit != b.unit:
        raise ResultsError(
            f"{name}: rows are {a.unit or 'plain numbers'} on one side and {b.unit or 'plain numbers'} on "
            "the other"
        )
    if told is not None:
        return replace(a, direction=told, said_by="the command line")
    sides = [side for side in (a, b) if side.direction != "unknown"]
    filed = [side for side in sides if side.said_by != "its name"] or sides
    if len({side.direction for side in filed}) > 1:
        raise ResultsError(
            f"{name}: {a.direction} is better by {a.said_by}, but {b.direction} is better by {b.said_by}; "
            f"decide with --higher-is-better {name} or --lower-is-better {name}"
        )
    return filed[0] if filed else a


def within_one(table: Table, metric: str) -> bool:
    """Whether all numbers that a table has for a metric lie between 0 and 1."""
    if metric in table.infinite:
        return False
    values = table.columns.scores[metric]
    values = values[~np.isnan(values)]
    return bool(np.all((values >= 0) & (values <= 1)))


def _of(named: Mapping[str, T], metric: str) -> T | None:
    """The entry for a metric by its whole name, or by the part before the filter."""
    return named.get(metric, named.get(metric.split(",")[0]))
