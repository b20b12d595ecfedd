"""An interval that never contradicts its test.

A test and an interval that were each chosen for being right most often (McNemar's mid-p and Bonett-Price,
say) come from different formulas. Near the edge they may disagree: the test rejects, yet the interval holds
0, or the other way round. A reader who sees both must not be left with two answers, so the test decides, and
the end of the interval that faces 0 is then test-based (Miettinen 1976): with z the normal quantile of the
test's p and z_level that of its level,

    end = estimate * (1 - z_level / z),

which lies beyond 0 exactly where the test rejects. Where the two agree, the interval is left as it is.
"""

from __future__ import annotations

from results.statistics.outcomes import Interval, normal_quantile


def agreeing(interval: Interval, estimate: float, p: float, level: float) -> Interval:
    """`interval` of confidence 1 - level, so that it leaves out 0 exactly where `p`, of a two-sided test
    against 0, is at most `level`.
    """
    rejected = p <= level and estimate != 0
    if rejected != (interval.low <= 0 <= interval.high):
        return interval
    z = normal_quantile(1 - p / 2) if p > 0 else float("inf")
    end = estimate * (1 - normal_quantile(1 - level / 2) / z) if z > 0 else 0.0
    method = f"{interval.method}, test-based at 0"
    if not rejected:
        # An end that the test sets is never beyond 0 here, so the interval holds it.
        low, high = (end, interval.high) if interval.low > 0 else (interval.low, end)
        return Interval(min(low, 0.0), max(high, 0.0), method)
    if estimate > 0:
        return Interval(end, max(interval.high, estimate), method)
    return Interval(min(interval.low, estimate), end, method)
