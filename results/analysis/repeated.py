"""Intervals and p-values over several planned looks, for any test that has both at one look.

The interval is the intersection of the repeated intervals of all looks. The looks of a later plan reject a
value if its test crosses the boundary for the error that this value had left; the interval holds what is not
rejected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from results.analysis.clusters import Pair
from results.analysis.table_functions import At
from results.errors import ResultsError
from results.statistics.outcomes import Interval, normal_quantile, normal_tail
from results.statistics.sequential.boundaries import LEAST
from results.statistics.sequential.plan import Plan

WIDEST = 1 - 1e-9
"""Confidence of the interval within which the ends after a replaced plan are searched."""
FAR = 40.0
"""Standard errors that are as good as infinite."""

Scores = Mapping[int, float]
"""Look (from 0) -> z."""
Asked = tuple[At, Callable[[float], float]]
"""At one look: the interval at a confidence, and the one-sided p-value against "at most this"."""
Shown = Callable[[float], float]


def sides(z: Scores) -> tuple[Scores, Scores]:
    """One-sided p-values of each look against "at most 0", and against "at least 0"."""
    return {k: normal_tail(each) for k, each in z.items()}, {k: normal_tail(-each) for k, each in z.items()}


def parts(pair: Pair, plan: Plan) -> dict[int, Pair]:
    """Look (from 0) -> the pair's clusters of that look's plan asked by then; empty if the metric applied to
    none of them. ResultsError for rows of a look that the plan does not have.
    """
    last = plan.looks if pair.look is None else int(pair.look.max())
    if last > plan.looks or (pair.look is not None and int(pair.look.min()) < 1):
        raise ResultsError(
            f"samples name look {last:,}, but the plan has {plan.looks}: repeat the run's command, which "
            "writes them again"
        )
    found: dict[int, Pair] = {}
    of: Plan | None = plan
    while of is not None:
        until = last if pair.look is None else int(pair.look[pair.look <= last].max(initial=0))
        found |= {look - 1: pair.up_to(look, of.made) for look in range(of.made + 1, until + 1)}
        last = of.made
        of = of.before
    return dict(sorted(found.items()))


def in_common(each: Mapping[int, Asked | None], plan: Plan, shown: Shown = float) -> At:
    """The interval of all looks, as a function of confidence: the intersection of the repeated intervals.
    Looks without data are skipped. If the intersection is empty, it is the last look's interval. `plan` is
    that of the last look; `shown` turns what is tested into what the intervals are about.
    """
    known = {look: one for look, one in each.items() if one is not None}
    old = [look for look in known if look < plan.made]

    @lru_cache(maxsize=8)
    def at(confidence: float) -> Interval:
        repeated = {k: known[k][0](plan.confidence(k, confidence)) for k in known}
        found = list(repeated.values())
        if old:
            found = [repeated[k] for k in old] + [_not_rejected(known, plan, confidence, shown)]
        low, high = max(one.low for one in found), min(one.high for one in found)
        if low > high:
            low, high = found[-1].low, found[-1].high
        return Interval(low, high, f"{repeated[max(repeated)].method}, repeated")

    return at


def _not_rejected(known: Mapping[int, Asked], plan: Plan, confidence: float, shown: Shown) -> Interval:
    """The values that the new looks of a plan do not reject, each with the error that it had left."""
    from scipy.optimize import brentq

    own = [look for look in known if look >= plan.made]
    widest = [known[look][0](WIDEST) for look in own]
    back = math.log if shown is math.exp else float
    low, high = (back(end) for end in (max(one.low for one in widest), min(one.high for one in widest)))

    def beyond(value: float, upper: bool) -> float:
        p = {k: one[1](value) if upper else 1 - one[1](value) for k, one in known.items()}
        z = {k: -normal_quantile(min(max(each, 1e-300), 1 - 1e-16)) for k, each in p.items()}
        left = max(2 * plan.level(p, (1 - confidence) / 2), LEAST)
        return max(min(max(z[k] - plan.levels.z(k - plan.made, left), -FAR), FAR) for k in own)

    ends = []
    for upper, outer, inner in ((True, low, high), (False, high, low)):
        if beyond(outer, upper) <= 0 or beyond(inner, upper) >= 0:
            ends.append(outer)
        else:
            ends.append(float(brentq(beyond, low, high, args=(upper,), xtol=1e-9)))
    return Interval(shown(ends[0]), shown(ends[1]), "")
