"""Score against tokens: every variant of a task, and which of them are on the Pareto front.

Each variant also has its probability of being on the front (`results.statistics.pareto`). Each task has its
cheapest variant that is as good as System 2 within the margin, by the paired non-inferiority test of the
claims, one for each variant that generates fewer tokens. It is unadjusted, like all such claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from results.analysis import choose_test as methods
from results.analysis import looks
from results.analysis.clusters import pair, same_rows, scored_by_all
from results.analysis.pairing import in_common_looks, without_seeds
from results.records.columns import Columns
from results.records.load import RunData
from results.records.roles import missing_seeds, noise_floor, standing, taught_by
from results.schema import Comparison, Frontier, FrontierPoint, Verdict
from results.statistics.bootstrap import FEWEST_CLUSTERS
from results.statistics.outcomes import Floats
from results.statistics.pareto import front_probability, on_front
from results.statistics.sequential.plan import Plan


def frontiers(
    run: RunData, compared: Sequence[Comparison], margin: float, interval: str = methods.ADJUSTED
) -> list[Frontier]:
    """An entry per task with two variants or more on the same rows; `margin` is a fraction, `interval` a key
    of `choose_test.INTERVALS`. Verdicts of existing claims are taken from `compared`."""
    found = (_frontier(run, task, compared, margin, interval) for task in run.tasks)
    return [one for one in found if one is not None]


def _frontier(
    run: RunData, task: str, compared: Sequence[Comparison], margin: float, interval: str
) -> Frontier | None:
    metric, description = next(iter(run.metrics(task).items()))
    direction = description.get("direction") or "higher"
    variants = _same_rows(run, task)
    sign = -1.0 if direction == "lower" else 1.0
    sums = _sums(variants, metric) if len(variants) > 1 and direction != "none" else None
    if sums is None:
        return None
    scores, tokens = sums.totals.sum(axis=1) / sums.weights.sum(), sums.costs.sum(axis=1) / sums.rows.sum()
    front = on_front(sign * scores, tokens)
    enough = int((sums.weights > 0).sum()) >= FEWEST_CLUSTERS
    chance = front_probability(sign * sums.totals, sums.weights, sums.costs, sums.rows)
    against = standing(run.manifest).get("s2")
    points: list[FrontierPoint] = [
        {
            "variant": one.variant,
            "score": float(scores[place]),
            "tokens": float(tokens[place]),
            "on_front": bool(front[place]),
            "p_on_front": float(chance[place]) if enough else None,
            "as_good": None,
            "uses_labels": taught_by(run.manifest, one.variant) == "labels",
        }
        for place, one in enumerate(variants)
    ]
    points.sort(key=lambda point: (point["tokens"], -sign * point["score"]))
    plan = looks.plan_of(run.manifest, task)
    limit = next((point["tokens"] for point in points if point["variant"] == against), None)
    columns = {one.variant: one for one in variants}
    for point in points:
        if limit is not None and point["tokens"] < limit:
            a, b = columns[str(against)], columns[point["variant"]]
            point["as_good"] = _as_good(a, b, metric, sign, compared, margin, interval, plan)
    entry: Frontier = {
        "task": task,
        "metric": metric,
        "n": int((sums.weights > 0).sum()),
        "margin": margin,
        "against": against if limit is not None else None,
        "points": points,
        "cheapest": next((point["variant"] for point in points if point["as_good"] == "yes"), None),
        "sentence": "",
    }
    return {**entry, "sentence": sentence(entry)}


class Sums(NamedTuple):
    """Sums over the rows of each cluster: of weight * score and of tokens by variant, of weights, of rows."""

    totals: Floats
    costs: Floats
    weights: Floats
    rows: Floats


def _sums(variants: Sequence[Columns], metric: str) -> Sums | None:
    """None if no row has a score of every variant."""
    first = variants[0]
    applies = scored_by_all(variants, metric)
    if not applies.any():
        return None
    codes, count = first.clusters
    weight = np.where(applies, first.weights[metric], 0.0)

    def by_cluster(values: Floats) -> Floats:
        return np.bincount(codes, values, minlength=count).astype(np.float64)

    return Sums(
        np.array([by_cluster(np.where(applies, one.scores[metric], 0.0) * weight) for one in variants]),
        np.array([by_cluster(one.usage["generated_tokens"]) for one in variants]),
        by_cluster(weight),
        by_cluster(np.ones(first.n_rows)),
    )


def _same_rows(run: RunData, task: str) -> list[Columns]:
    """The variants with the same rows as System 2 (or as the first one), over the seeds and planned looks
    that all of them have. A second run of a variant is left out."""
    roles = standing(run.manifest)
    base = roles.get("base")
    lacking = missing_seeds(run.manifest)
    here = [
        columns
        for (of, name), columns in run.columns.items()
        if of == task and (base is None or name == base or not noise_floor(run.manifest, base, name))
    ]
    gone = set().union(*(lacking.get((task, one.variant), set()) for one in here))
    left = [one for each in here if (one := without_seeds(each, gone)).n_rows]
    if not left:
        return []
    left = in_common_looks(*left)
    first = next((one for one in left if one.variant == roles.get("s2")), left[0])
    return [one for one in left if one is first or same_rows(one, first)]


def _as_good(
    a: Columns,
    b: Columns,
    metric: str,
    sign: float,
    compared: Sequence[Comparison],
    margin: float,
    interval: str,
    plan: Plan | None,
) -> Verdict | None:
    """Whether `b` is as good as `a` within the margin; None if they share no scored row."""
    for row in compared:
        names = (row["task"], row["metric"], row["claim"], row["a"], row["b"])
        if names == (a.task, metric, "non_inferior", a.variant, b.variant):
            return row["verdict"]
    both = pair(a, b, metric)
    if both is None:
        return None
    seen = looks.claimed(both.swapped() if sign < 0 else both, plan, margin, interval=interval)
    return methods.NON_INFERIORITY.run((seen.interval, margin))


def sentence(entry: Frontier) -> str:
    """A sentence with the cheapest variant that is as good as System 2, or that none was shown to be."""
    against, within = entry["against"], f"within {100 * entry['margin']:g} points"
    if against is None:
        return ""
    points = {point["variant"]: point for point in entry["points"]}
    if entry["cheapest"] is None:
        unsure = [point["variant"] for point in entry["points"] if point["as_good"] == "cannot_tell"]
        more = f"; the data cannot tell for {', '.join(unsure)}" if unsure else ""
        return f"On {entry['task']} no cheaper variant is shown to be as good as {against} {within}{more}."
    best, whole = points[entry["cheapest"]], points[against]
    labelled = " (it uses labels)" if best["uses_labels"] else ""
    ratio = best["tokens"] / whole["tokens"]
    return (
        f"On {entry['task']} the cheapest variant that is as good as {against}, {within}, is "
        f"{best['variant']}{labelled}: {best['tokens']:,.1f} tokens per item, {ratio:.2f} times those of "
        f"{against}."
    )
