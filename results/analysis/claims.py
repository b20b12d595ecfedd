"""Pairs of variants become rows of `comparisons[]`: one per metric and claim, and one for the tokens.

Differences are tested in the direction where more is better, and reported as they are (score b - score a).
Which claims are made for which pair is decided by the caller; which method runs, by `choose_test`.

`ci_low` and `ci_high` are always the 95 % interval. `ci_low_adjusted` and `ci_high_adjusted` are the interval
of confidence 1 - `level`, where `level` is what the claim was decided at (Holm's, within its family): a
verdict on superiority is `cannot_tell` exactly where it holds 0, unless cut texts turned the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import cut, verdicts
from results.analysis.cost import CostModel
from results.analysis.verdicts import Verdict
from results.records.columns import Columns
from results.statistics.holm import holm, holm_levels
from results.statistics.noninferiority import non_inferior
from results.statistics.outcomes import Interval
from results.statistics.test_based import agreeing

Row = dict[str, Any]


@dataclass(frozen=True)
class ScoreClaim:
    """A row about scores with what it was made of."""

    row: Row
    seen: methods.Difference
    a: Columns
    b: Columns


@dataclass
class Comparisons:
    """Collects pairs, then decides all claims at once, since Holm's correction needs the whole family."""

    margin: float
    """A fraction."""
    costs: CostModel
    used: set[str]
    """Keys of the method table that were used."""
    exact: bool = False
    """The exact McNemar test, for gates."""
    rows: list[Row] = field(default_factory=list)
    scores: list[ScoreClaim] = field(default_factory=list)

    def add(
        self, a: Columns, b: Columns, metrics: Mapping[str, Mapping[str, Any]], claims: Sequence[str],
        names: tuple[str, str] | None = None, **keys: Any,
    ) -> None:  # fmt: skip
        """All claims of two variants with equal rows (see `samplesets.require_same_items`).

        `metrics` come primary first; `keys` are put on every row.
        """
        first, second = names or (a.variant, b.variant)
        base: Row = {"task": a.task, "a": first, "b": second}
        keys = {**keys, "cut": {"a": cut.share(a), "b": cut.share(b)}}
        cheaper = _cheaper(base, a, b, self.costs, self.used) | keys
        for position, (metric, description) in enumerate(metrics.items()):
            pair = samplesets.pair(a, b, metric)
            if pair is None or description.get("direction") == "none":
                # Of a rate that is best in the middle, neither variant can be better.
                continue
            lower = description.get("direction") == "lower"
            seen = methods.difference(pair.swapped() if lower else pair, self.margin, self.exact)
            self.used.add(seen.method)
            for claim in claims:
                if claim != "cheaper":
                    row = _score_row(base, metric, claim, seen, self.margin, lower, position == 0)
                    row |= {key: cheaper[key] for key in RATIO_KEYS} | {"rows_left_out": pair.left_out}
                    row |= keys
                    self.rows.append(row)
                    self.scores.append(ScoreClaim(row, seen, a, b))
        if "cheaper" in claims:
            self.rows.append(cheaper)
        if "non_inferior" in claims:
            self.used.add("non_inferiority")

    def decide(self) -> list[Row]:
        """Verdicts, levels, intervals and sentences of all rows.

        Holm runs over the family: superiority on primary metrics, without the noise floor.
        """
        family = [
            one.row for one in self.scores
            if one.row["claim"] == "superior" and one.row["primary"] and not one.row.get("noise_floor")
        ]  # fmt: skip
        values = [row["p"] for row in family]
        for row, p, level in zip(family, holm(values), holm_levels(values, verdicts.ALPHA), strict=True):
            row |= {"p_adjusted": p, "level": level, "family": len(family)}
        if family:
            self.used.add("family")
        for one in self.scores:
            self._decide_score(one)
        for row in self.rows:
            row["sentence"] = verdicts.sentence(row)
        return self.rows

    def _decide_score(self, one: ScoreClaim) -> None:
        row = one.row
        row["verdict"], interval = decided(row, one.seen)
        row["ci_low_adjusted"], row["ci_high_adjusted"] = signed(interval, row["direction"] == "lower")
        side = cut.losing_side(row["verdict"])
        if side and {"a": one.a, "b": one.b}[side].cut.any():
            turn_if(row, decided(row, self._if_cut_were_right(one, side))[0])

    def _if_cut_were_right(self, one: ScoreClaim, side: str) -> methods.Difference:
        metric, lower = one.row["metric"], one.row["direction"] == "lower"
        a, b = one.a, one.b
        if side == "a":
            a = cut.as_if_right(a, metric, lower, b)
        else:
            b = cut.as_if_right(b, metric, lower, a)
        pair = samplesets.pair(a, b, metric)
        if pair is None:
            return one.seen
        return methods.difference(pair.swapped() if lower else pair, self.margin, self.exact)


def decided(row: Mapping[str, Any], seen: methods.Difference) -> tuple[Verdict, Interval]:
    """Verdict of a claim about scores, and the interval that agrees with it, both at the row's level."""
    if row["claim"] == "non_inferior":
        return non_inferior(seen.interval, row["margin"]), seen.interval
    level = row["level"]
    interval = agreeing(seen.at(1 - level), seen.estimate, seen.test.p, level)
    return verdicts.superior(seen.estimate, seen.test.p, level), interval


def turn_if(row: Row, hopeful: Verdict) -> None:
    """Take back a verdict that would be `hopeful`, another one, were the losing side's cut items right."""
    if hopeful != row["verdict"]:
        row |= {"turned_by_cut": True, "verdict_as_scored": row["verdict"], "verdict": "cannot_tell"}


def signed(interval: Interval, lower: bool) -> tuple[float, float]:
    """The ends of an interval in the metric's own sign, low first."""
    sign = -1.0 if lower else 1.0
    low, high = sorted((sign * interval.low, sign * interval.high))
    return low + 0.0, high + 0.0


RATIO_KEYS = (
    "token_ratio", "token_ratio_low", "token_ratio_high", "flops_ratio", "flops_ratio_low",
    "flops_ratio_high",
    "usd_ratio", "usd_ratio_low", "usd_ratio_high",
)  # fmt: skip


def _score_row(
    base: Row, metric: str, claim: str, seen: methods.Difference, margin: float, lower: bool, primary: bool
) -> Row:
    sign = -1.0 if lower else 1.0
    ends = signed(seen.interval, lower)
    row: Row = base | {
        "metric": metric, "claim": claim, "n": seen.n,
        "difference": sign * seen.estimate + 0.0, "ci_low": ends[0], "ci_high": ends[1],
        "test": seen.test.method, "p": seen.test.p, "p_adjusted": None, "alpha": verdicts.ALPHAS[claim],
        "level": verdicts.ALPHA, "ci_low_adjusted": ends[0], "ci_high_adjusted": ends[1],
        "margin": None, "mde": methods.detectable(seen),
        "needed_n": methods.clusters_needed(seen, seen.estimate),
        "verdict": "cannot_tell", "interval": seen.interval.method, "differing": seen.differing,
        "primary": primary, "direction": "lower" if lower else "higher",
    }  # fmt: skip
    if claim == "non_inferior":
        row |= {
            "test": "paired non-inferiority", "p": seen.p_above_margin, "margin": margin,
            "needed_n": methods.clusters_needed(seen, margin),
        }  # fmt: skip
    return row


def _cheaper(base: Row, a: Columns, b: Columns, costs: CostModel, used: set[str]) -> Row:
    """The claim on generated tokens; `difference` and its interval are tokens per item here, not
    fractions. `same`: both spend equally many on every item.
    """
    tokens = samplesets.row_pair(a, a.usage["generated_tokens"], b.usage["generated_tokens"])
    seen = methods.token_difference(tokens)
    used.update((seen.method, "token_ratio"))
    row: Row = base | {
        "metric": "generated_tokens", "claim": "cheaper", "n": seen.n,
        "difference": seen.estimate, "ci_low": seen.interval.low, "ci_high": seen.interval.high,
        "test": seen.test.method, "p": seen.test.p, "p_adjusted": None, "alpha": verdicts.ALPHAS["cheaper"],
        "level": verdicts.ALPHA, "ci_low_adjusted": seen.interval.low, "ci_high_adjusted": seen.interval.high,
        "margin": None, "mde": methods.detectable(seen), "needed_n": None, "verdict": "cannot_tell",
        "interval": seen.interval.method, "differing": seen.differing, "primary": False, "direction": "lower",
        "rows_left_out": 0, "same": seen.differing == 0, "one_program": a.method == b.method,
    }  # fmt: skip
    for name, unit in (("token", "tokens"), ("flops", "flops"), ("usd", "usd")):
        spent, left = costs.per_row(a, unit), costs.per_row(b, unit)
        value = interval = None
        if spent is not None and left is not None:
            pair = samplesets.row_pair(a, spent, left)
            value, interval = methods.ratio(pair)
        row[f"{name}_ratio"] = value
        row[f"{name}_ratio_low"] = None if interval is None else interval.low
        row[f"{name}_ratio_high"] = None if interval is None else interval.high
    row["verdict"] = verdicts.cheaper(row["token_ratio_low"], row["token_ratio_high"])
    return row
