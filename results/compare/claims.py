"""Claims about paired tables: those of a leaderboard, in the metric's own unit, and safe against missing
rows.

A leaderboard does not have these cases: metrics in their own unit, with a margin only if the user names one;
metrics of a whole corpus; an unknown direction; rows that have a metric but no number. A verdict is kept only
if it survives the worst case of such rows: the worst value for the winner, the best value for the loser.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import looks
from results.analysis.claims import (
    Comparisons,
    OfPair,
    ScoreClaim,
    cheaper_row,
    decided,
    score_row,
    without_tokens,
)
from results.analysis.cut import losing_side
from results.analysis.table_functions import Difference
from results.compare.metrics import Asked
from results.compare.pairs import Matched
from results.records.columns import Columns, Floats
from results.records.log import SHARE, LogMetric
from results.schema import ClaimName, Verdict
from results.statistics import corpus

Flags = npt.NDArray[np.bool_]
Seen = Callable[[samplesets.Pair, "Scored"], Difference]
"""Makes test and interval of a paired metric, with the sign changed if lower is better."""


@dataclass(frozen=True)
class Scored:
    """One metric of two paired tables."""

    a: Columns
    b: Columns
    metric: str
    about: LogMetric
    margin: float | None
    pairs: tuple[Floats, Floats] | None
    """Pairs of numbers of both sides, for a corpus metric."""
    lacking_a: Flags
    """Rows that have the metric but no number on the first side."""
    lacking_b: Flags
    infinite: str = ""
    """The sides (`a`, `b`) with an infinite row."""

    @property
    def lower(self) -> bool:
        return self.about.direction == "lower"

    def difference(self, seen_of: Seen) -> tuple[Difference, float, float] | None:
        """Test and interval (by `seen_of` for plain metrics), and both scores; None if no row has a number
        on both sides.
        """
        if self.pairs is not None:
            both = ~np.isnan(self.pairs[0]).any(axis=1) & ~np.isnan(self.pairs[1]).any(axis=1)
            if not both.any():
                return None
            codes, count = self.a.clusters
            data = corpus.summed(
                self.about.figure, self.pairs[0][both], self.pairs[1][both], codes[both], count
            )
            found = _as_difference(methods.CORPUS.run((data, self.lower)), self.margin)
            return found, data.of(data.rows_a), data.of(data.rows_b)
        pair = samplesets.pair(self.a, self.b, self.metric)
        if pair is None:
            return None
        return seen_of(pair.swapped() if self.lower else pair, self), pair.first.score, pair.second.score

    def at_worst_for(self, winner: str) -> Scored | None:
        """The same with numbers in the rows that lack one: bad ones for the winner, good ones for the loser.
        None if the worst case has no bound: a corpus metric, or infinite rows of the winner.
        """
        if self.pairs is not None or winner in self.infinite:
            return None
        seen = np.concatenate([self.a.scores[self.metric], self.b.scores[self.metric]])
        seen = seen[~np.isnan(seen)]
        low, high = (0.0, 1.0) if self.about.unit == SHARE else (float(seen.min()), float(seen.max()))
        bad, good = (high, low) if self.lower else (low, high)
        return replace(
            self,
            a=_filled(self.a, self.metric, self.lacking_a, bad if winner == "a" else good),
            b=_filled(self.b, self.metric, self.lacking_b, bad if winner == "b" else good),
        )


def _as_difference(found: corpus.CorpusDifference, margin: float | None) -> Difference:
    spread = found.error * math.sqrt(found.n)
    size = spread * math.sqrt(found.n / found.differing) if found.differing else 1.0
    above = None if margin is None else found.p_above(-margin)
    return Difference(
        found.n, found.estimate, found.at(methods.CONFIDENCE), found.test, above, spread, size,
        found.differing, methods.CORPUS.key, found.at, found.p_above, math.inf,
    )  # fmt: skip


def _filled(columns: Columns, metric: str, rows: Flags, value: float) -> Columns:
    return replace(columns, scores={**columns.scores, metric: np.where(rows, value, columns.scores[metric])})


def scored_name(metric: str, other: str) -> str:
    """The name of a metric that the second side calls `other`."""
    return metric if metric == other else f"{metric} = {other}"


def scored(matched: Matched, metric: str, other: str, about: LogMetric, margin: float | None) -> Scored:
    """A metric of paired tables, which the second side calls `other`, under one name."""
    a, b = matched.a, matched.b
    name = scored_name(metric, other)
    pairs = None
    if about.figure == "mean":
        first, second = _only(a.columns, metric, name), _only(b.columns, other, name)
        has_a, has_b = ~np.isnan(first.scores[name]), ~np.isnan(second.scores[name])
    else:
        pairs, first, second = (a.pairs[metric], b.pairs[other]), a.columns, b.columns
        has_a, has_b = (np.asarray(~np.isnan(one).any(axis=1)) for one in pairs)
    applies = has_a | has_b | _lacking(a.lacking, metric, has_a) | _lacking(b.lacking, other, has_b)
    infinite = ("a" if metric in a.infinite else "") + ("b" if other in b.infinite else "")
    return Scored(first, second, name, about, margin, pairs, applies & ~has_a, applies & ~has_b, infinite)


def _only(columns: Columns, metric: str, name: str) -> Columns:
    return replace(columns, scores={name: columns.scores[metric]}, weights={name: columns.weights[metric]})


def _lacking(flags: Mapping[str, Flags], metric: str, like: Flags) -> Flags:
    found = flags.get(metric)
    return np.zeros_like(like) if found is None else found


@dataclass(frozen=True)
class LogClaim(ScoreClaim):
    """A claim about two tables."""

    behind: Scored


@dataclass
class LogComparisons(Comparisons):
    """Collects paired tables, then decides all claims at once, as `Comparisons` does."""

    asked: Asked = field(default_factory=Asked)

    def add_matched(
        self,
        matched: Matched,
        metrics: Mapping[str, tuple[str, LogMetric]],
        claims: Sequence[ClaimName],
        names: tuple[str, str],
    ) -> None:
        """All claims on two paired tables; `metrics` as `metrics.shared` returns them, the primary one first.

        `claims` may name `cheaper` only where both sides count tokens.
        """
        a, b = matched.a.columns, matched.b.columns
        spent = None
        if "cheaper" in claims:
            spent = cheaper_row(*names, a, b, self.costs, self.used, self.plans.get(a.task), {})
        of_pair: OfPair = spent or without_tokens(*names, a, b)
        for position, (metric, (other, about)) in enumerate(metrics.items()):
            if about.direction == "none":
                # If a rate is best in the middle, neither side can be better.
                continue
            one = scored(matched, metric, other, about, self.asked.margin_of(metric, about))
            found = one.difference(self._seen_of)
            if found is None:
                continue
            seen, score_a, score_b = found
            self.used.add(seen.method)
            for claim in claims:
                if claim == "cheaper" or (claim == "non_inferior" and not _has_margin(one)):
                    continue
                margin = one.margin if claim == "non_inferior" else None
                left_out = int((one.lacking_a != one.lacking_b).sum())
                row = score_row(
                    one.metric, claim, seen, margin, one.lower, position == 0, left_out, {}, of_pair
                )
                row["direction"], row["unit"] = about.direction, about.unit
                row["score_a"], row["score_b"] = score_a, score_b
                row["without_number"] = {"a": int(one.lacking_a.sum()), "b": int(one.lacking_b.sum())}
                self.used |= {"non_inferiority"} if claim == "non_inferior" else set()
                self.rows.append(row)
                self.scores.append(LogClaim(row, seen, one.a, one.b, one))
        if spent is not None:
            spent["score_a"], spent["score_b"] = (
                float(side.usage["generated_tokens"].mean()) for side in (a, b)
            )
            self.rows.append(spent)

    def _seen_of(self, pair: samplesets.Pair, one: Scored) -> Difference:
        plan = self.plans.get(one.a.task)
        self.used |= {"looks"} if plan is not None else set()
        return looks.claimed(pair, plan, one.margin, self.exact, self.interval)

    def _decide_score(self, one: ScoreClaim) -> None:
        super()._decide_score(one)
        assert isinstance(one, LogClaim), "this class collects no others"
        row, behind = one.row, one.behind
        if row["direction"] == "unknown":
            row["verdict"] = "cannot_tell"
            return
        loser = losing_side(row["verdict"])
        if loser and (behind.lacking_a.any() or behind.lacking_b.any()):
            hopeful = self._at_worst(one, behind, "b" if loser == "a" else "a")
            if hopeful != row["verdict"]:
                row["turned_by_missing"], row["verdict_as_scored"] = True, row["verdict"]
                row["verdict"] = "cannot_tell"

    def _at_worst(self, one: ScoreClaim, behind: Scored, winner: str) -> Verdict:
        worst = behind.at_worst_for(winner)
        found = None if worst is None else worst.difference(self._seen_of)
        return "cannot_tell" if found is None else decided(one.row, found[0])[0]


def _has_margin(one: Scored) -> bool:
    return one.margin is not None and one.about.direction != "unknown"


def perplexity_ratio(difference: float) -> str:
    """A difference of mean log-likelihoods (b - a) as a ratio of perplexities, in words."""
    return f"exp(-mean): the perplexity of the second is {math.exp(-difference):.3g} times that of the first"
