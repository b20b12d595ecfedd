"""The ratio of two paired sums on the logarithm: linearised, with Student's t.

log(sum(second) / sum(first)) moves with each cluster by second / sum(second) - first / sum(first), to first
order. The standard error follows from these influences (the delta method; Kish 1965), and the quantile is
Student's with n - 1 degrees of freedom. It is used for levels that a bootstrap of 10,000 draws does not
reach: at the early looks of a planned run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from results.statistics.outcomes import Floats, Interval


@dataclass(frozen=True)
class LogRatio:
    """Logarithm of a ratio, its standard error, and degrees of freedom."""

    estimate: float
    error: float
    freedom: float

    @property
    def p(self) -> float:
        """Two-sided p-value against "both are equal"."""
        from scipy.special import stdtr

        if self.error == 0:
            return float(self.estimate == 0)
        return float(min(2 * stdtr(self.freedom, -abs(self.estimate) / self.error), 1.0))

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the logarithm of the ratio is at most `value`"."""
        from scipy.special import stdtr

        beyond = self.estimate - value
        if self.error == 0:
            return 0.0 if beyond > 0 else 0.5 if beyond == 0 else 1.0
        return float(stdtr(self.freedom, -beyond / self.error))

    def interval(self, confidence: float = 0.95) -> Interval:
        """Interval of the ratio itself."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, 0.5 + confidence / 2)) * self.error
        # With few clusters at an extreme level, no float can hold the end.
        low, high = (math.exp(max(min(self.estimate + move, 700.0), -700.0)) for move in (-reach, reach))
        return Interval(low, high, "log ratio, Student's t")


def log_ratio(first: Floats, second: Floats) -> LogRatio | None:
    """From sums per cluster; None if one side is 0 in total, or there is only one cluster."""
    if first.sum() <= 0 or second.sum() <= 0 or first.size < 2:
        return None
    influence = second / second.sum() - first / first.sum()
    error = math.sqrt(float((influence**2).sum()) * first.size / (first.size - 1))
    error = 0.0 if np.allclose(influence, 0, atol=1e-15) else error
    return LogRatio(math.log(float(second.sum() / first.sum())), error, first.size - 1)
