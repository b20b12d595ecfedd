"""Published intervals of a difference over clusters, as alternatives to ours: the values of `--interval`.

All are of sum(difference) / sum(weight) over clusters, and take one entry of each per cluster.

- `cr2`: the cluster-robust variance CR2 of Bell and McCaffrey (2002) with their Satterthwaite degrees of
  freedom (Pustejovsky and Tipton 2018, doi 10.1080/07350015.2016.1247004), for a regression on a constant
  with working independence of rows.
- `obuchowski`: the variance of Obuchowski (1998, doi 10.1002/(SICI)1097-0258(19980715)17:13<1495) for
  clustered matched pairs, with the normal quantile.
- `durkalski`: the test of Durkalski et al. (2003, doi 10.1002/sim.1438), inverted: differences that it does
  not reject. Its variance is computed under the tested difference. (On weighted sums; theirs takes the mean
  of the clusters' own shares, which is the same for clusters of one size.)
- `bootstrap-t`: the studentised bootstrap over clusters (Efron 1981; Davison and Hinkley 1997, section 5.2).

`tests/benchmarks/published_intervals.py` compares their coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from results.statistics import bootstrap
from results.statistics.outcomes import Floats, Interval, normal_quantile, normal_tail


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over clusters: estimate and residuals."""

    estimate: float
    residual: Floats
    weight: Floats

    @classmethod
    def of(cls, difference: Floats, weight: Floats) -> Ratio:
        estimate = float(difference.sum() / weight.sum())
        return cls(estimate, difference - estimate * weight, weight)


@dataclass(frozen=True)
class Wald:
    """Estimate plus and minus a quantile of Student's t (of the normal with infinite freedom)."""

    estimate: float
    error: float
    freedom: float
    name: str

    def interval(self, confidence: float = 0.95) -> Interval:
        from scipy.special import stdtrit

        share = 0.5 + confidence / 2
        endless = math.isinf(self.freedom)
        quantile = normal_quantile(share) if endless else float(stdtrit(self.freedom, share))
        reach = quantile * self.error
        return Interval(self.estimate - reach, self.estimate + reach, self.name)

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the true difference is at most `value`"."""
        from scipy.special import stdtr

        if self.error == 0:
            return float(self.estimate <= value)
        z = (self.estimate - value) / self.error
        return normal_tail(z) if math.isinf(self.freedom) else float(stdtr(self.freedom, -z))


def cr2(difference: Floats, weight: Floats) -> Wald:
    """Bell and McCaffrey's CR2 with Satterthwaite degrees of freedom. One cluster has no variance."""
    found, total = Ratio.of(difference, weight), float(weight.sum())
    share = weight / total
    if weight.size < 2:
        return Wald(found.estimate, 0.0, 1.0, "CR2, Satterthwaite")
    adjust = 1 / (1 - share)
    error = math.sqrt(float((found.residual**2 * adjust).sum())) / total
    # Sums over pairs of clusters of (a_i a_j w_i w_j / N)^2, the diagonal taken out.
    each = adjust * share**2
    off = float(each.sum()) ** 2 - float((each**2).sum())
    freedom = 1 / (float((share**2).sum()) + off)
    return Wald(found.estimate, error, freedom, "CR2, Satterthwaite")


def obuchowski(difference: Floats, weight: Floats) -> Wald:
    """Obuchowski's variance of clustered matched pairs."""
    found, n = Ratio.of(difference, weight), weight.size
    variance = float((found.residual**2).sum()) * n / max(n - 1, 1)
    return Wald(found.estimate, math.sqrt(variance) / float(weight.sum()), math.inf, "Obuchowski")


@dataclass(frozen=True)
class Durkalski:
    """The differences that Durkalski's test does not reject."""

    estimate: float
    moment: float
    """Sum of squared residuals over the squared sum of weights."""
    spread: float
    """Sum of squared weights over the squared sum of weights."""
    lean: float
    """Sum of residual times weight, over the squared sum of weights."""

    def interval(self, confidence: float = 0.95) -> Interval:
        z = normal_quantile(0.5 + confidence / 2)
        # (t - d)^2 = z^2 * (moment + 2 lean (t - d) + spread (t - d)^2), solved for the distance t - d.
        a, b, c = 1 - z**2 * self.spread, -2 * z**2 * self.lean, -(z**2) * self.moment
        if a <= 0:  # so few clusters that no difference is rejected
            return Interval(-math.inf, math.inf, "Durkalski")
        root = math.sqrt(b**2 - 4 * a * c)
        ends = [self.estimate - (-b + sign * root) / (2 * a) for sign in (1, -1)]
        return Interval(min(ends), max(ends), "Durkalski")

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the true difference is at most `value`"."""
        distance = self.estimate - value
        variance = self.moment + 2 * self.lean * distance + self.spread * distance**2
        return float(self.estimate <= value) if variance <= 0 else normal_tail(distance / math.sqrt(variance))


def durkalski(difference: Floats, weight: Floats) -> Durkalski:
    """Durkalski's test of clustered matched pairs, to be inverted."""
    found, square = Ratio.of(difference, weight), float(weight.sum()) ** 2
    return Durkalski(
        found.estimate,
        float((found.residual**2).sum()) / square,
        float((weight**2).sum()) / square,
        float((found.residual * weight).sum()) / square,
    )


@dataclass(frozen=True)
class Studentised:
    """Studentised replicates of an estimate."""

    estimate: float
    error: float
    replicates: Floats

    def interval(self, confidence: float = 0.95) -> Interval:
        tail = 0.5 - confidence / 2
        if self.replicates.size == 0:
            return Interval(self.estimate, self.estimate, "bootstrap-t")
        high, low = np.quantile(self.replicates, [tail, 1 - tail])
        return Interval(
            self.estimate - float(low) * self.error, self.estimate - float(high) * self.error, "bootstrap-t"
        )

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the true difference is at most `value`"."""
        if self.replicates.size == 0 or self.error == 0:
            return float(self.estimate <= value)
        beyond = float((self.replicates >= (self.estimate - value) / self.error).mean())
        return max(beyond, 0.5 / self.replicates.size)


def bootstrap_t(difference: Floats, weight: Floats) -> Studentised:
    """Draws clusters whole, and studentises each replicate by its own error. Replicates without a spread are
    left out; if nothing differs there are none, and the interval has width 0."""
    found = obuchowski(difference, weight)
    grouped = bootstrap.cells(difference, weight)
    if grouped.count.size == 1:
        return Studentised(found.estimate, found.error, np.empty(0))
    n = int(grouped.count.sum())
    drawn = bootstrap.drawn_counts(grouped)
    top, bottom = grouped.numerator, grouped.denominator
    total = drawn @ bottom
    estimate = (drawn @ top) / total
    square = drawn @ top**2 - 2 * estimate * (drawn @ (top * bottom)) + estimate**2 * (drawn @ bottom**2)
    error = np.sqrt(np.maximum(square, 0) * n / max(n - 1, 1)) / total
    sound = error > 1e-12
    return Studentised(found.estimate, found.error, (estimate[sound] - found.estimate) / error[sound])


class Published(Protocol):
    """An interval at any confidence, and the one-sided p-value that belongs to it."""

    def interval(self, confidence: float = 0.95) -> Interval: ...

    def p_above(self, value: float) -> float: ...


PUBLISHED: dict[str, Callable[[Floats, Floats], Published]] = {
    "cr2": cr2,
    "obuchowski": obuchowski,
    "durkalski": durkalski,
    "bootstrap-t": bootstrap_t,
}
"""Methods by their name in `--interval`."""
