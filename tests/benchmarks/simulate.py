"""Do the tests and intervals of `results` keep their promises? A simulation with known truth.

    python tests/benchmarks/simulate.py            # full form, minutes, the bounds below
    python tests/benchmarks/simulate.py --short    # CI: fewer draws, bounds wider by their noise

Data: n items or clusters of which a discordant share differs between two variants. `binary`: 0/1 items;
`graded`: scores in quarters; `templates`: clusters of four rows that differ in one to four of them;
`votes`: clusters of one to four rows, weighted by their number. Every figure goes through
`results.analysis.choose_test`, so the test covers the table that decides, not one method picked by hand.
The true difference is 0 for false alarms, minus the margin for false non-inferiority, and 0, half or all of
the discordant share for coverage.

Bounds: false alarms at most 6 % everywhere and at least 4 % where 20 or more differing clusters are
expected; coverage of paired 95 % intervals at least 93.5 % everywhere and at most 97 % where 20 are
expected; Wilson, averaged over p, at least 94.5 %; false non-inferiority at most 6 %. Prints a card and,
last, one line of JSON; exit 1 where a bound breaks.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from results.analysis import choose_test as methods
from results.analysis.clusters import Pair, Sample
from results.statistics import bootstrap
from results.statistics.mcnemar import mcnemar
from results.statistics.permutation import sign_flip
from results.statistics.wilson import wilson, wilson_clustered

KINDS = ("binary", "graded", "templates", "votes")
SIZES = (80, 200, 1319)
SHARES = (0.05, 0.1, 0.2, 0.4)
MARGIN = 0.05
REPLICATES = 2000
"""Replicates of each bootstrap of tokens; a fifth of a leaderboard's, to save time."""
EXPECTED = 20
"""Number of differing clusters from which the lower bound of false alarms and the upper bound of coverage
apply."""


@dataclass(frozen=True)
class Check:
    """One simulated rate and its bounds."""

    what: str
    kind: str
    n: int
    share: float
    tilt: float
    rate: float
    low: float
    high: float
    draws: int

    @property
    def kept(self) -> bool:
        return self.low <= self.rate <= self.high


@dataclass(frozen=True)
class Form:
    """The size of the simulation, and by how many of its standard errors the bounds are widened."""

    sizes: Sequence[int]
    shares: Sequence[float]
    tilts: Sequence[float]
    draws: int
    token_draws: int
    slack: float


FULL = Form(SIZES, SHARES, (0.5, 0.75, 1.0), 4000, 2000, 0.0)
SHORT = Form((80, 200), (0.05, 0.2), (0.5, 1.0), 150, 60, 3.5)


def draw(kind: str, n: int, share: float, tilt: float, rng: np.random.Generator) -> tuple[Pair, float]:
    """A pair and the true difference; `tilt` is the share of differing clusters that the second variant
    wins."""
    u = rng.random(n)
    sign = np.where(u < share * tilt, 1.0, np.where(u < share, -1.0, 0.0))
    weight, size, mean_size, mean_weight = np.ones(n), np.ones(n), 1.0, 1.0
    if kind == "graded":
        size, mean_size = rng.choice([0.25, 0.5, 0.75, 1.0], n), 0.625
    elif kind == "templates":
        weight, mean_weight = np.full(n, 4.0), 4.0
        size, mean_size = rng.choice([1.0, 2.0, 3.0, 4.0], n, p=[0.5, 0.2, 0.1, 0.2]), 2.0
    elif kind == "votes":
        weight, mean_weight = rng.integers(1, 5, n).astype(float), 2.5
        # At least one row differs; each of the others differs with probability 0.6.
        size = 1 + rng.binomial(weight.astype(int) - 1, 0.6)
        mean_size = 1 + 0.6 * 1.5
    moved = sign * size
    rows = n if kind in ("binary", "graded") else int(weight.sum())
    zero_one = kind != "graded"
    first = Sample(np.maximum(-moved, 0), weight, rows, zero_one)
    second = Sample(np.maximum(moved, 0), weight, rows, zero_one)
    return Pair(first, second), share * (2 * tilt - 1) * mean_size / mean_weight


def rates(form: Form) -> Iterator[Check]:
    """All checks of a form, one cell of the grid after the other."""
    yield from wilson_averaged(form)
    for kind in KINDS:
        for n in form.sizes:
            for share in form.shares:
                yield from cell(form, kind, n, share)
    yield from token_intervals(form)
    yield from wilson_of_clusters(form)


def cell(form: Form, kind: str, n: int, share: float) -> Iterator[Check]:
    """All rates of one kind of data, one n and one discordant share."""
    rng = np.random.default_rng([KINDS.index(kind), n, round(1000 * share)])
    many = n * share >= EXPECTED
    draws = form.draws
    check = maker(form, kind, n, share)
    for tilt in form.tilts:
        false = exact = covered = 0
        for _ in range(draws):
            pair, truth = draw(kind, n, share, tilt, rng)
            seen = analyse(pair)
            false += seen.test.p <= 0.05
            covered += seen.interval.low <= truth <= seen.interval.high
            if kind == "binary" and tilt == 0.5:
                exact += exact_p(*pair.cells()) <= 0.05
        if tilt == 0.5:
            yield check("false alarms", tilt, false, draws, 0.04 if many else 0.0, 0.06)
        if kind == "binary" and tilt == 0.5:
            yield check("false alarms, exact", tilt, exact, draws, 0.0, 0.06)
        yield check("coverage", tilt, covered, draws, 0.935, 0.97 if many else 1.0)
    scale = draw(kind, n, share, 1.0, rng)[1] / share
    tilt = (1 - MARGIN / (share * scale)) / 2
    if tilt >= 0:
        wrong = 0
        for _ in range(draws):
            pair, _ = draw(kind, n, share, tilt, rng)
            wrong += analyse(pair).interval.low > -MARGIN
        yield check("false non-inferiority", tilt, wrong, draws, 0.0, 0.06)


def analyse(pair: Pair) -> methods.Difference:
    """The method table's result for a pair; equal counts of 0/1 items are analysed once."""
    return of_counts(pair.n, *pair.cells()) if pair.binary else methods.difference(pair)


@cache
def of_counts(n: int, b: int, c: int) -> methods.Difference:
    """The analysis of `n` 0/1 items, `b` of them lost and `c` won."""
    moved = np.concatenate([-np.ones(b), np.ones(c), np.zeros(n - b - c)])
    weight = np.ones(n)
    sides = [Sample(np.maximum(sign * moved, 0), weight, n, True) for sign in (-1, 1)]
    return methods.difference(Pair(sides[0], sides[1]))


@cache
def exact_p(b: int, c: int) -> float:
    """The exact McNemar p-value, as the gate uses it."""
    return mcnemar(b, c, exact=True).p


def maker(form: Form, kind: str, n: int, share: float) -> Callable[..., Check]:
    """A function that turns hits among draws into a `Check`, bounds widened by the form's slack."""

    def check(what: str, tilt: float, hits: int, draws: int, low: float, high: float) -> Check:
        rate = hits / draws
        slack = form.slack * math.sqrt(max(0.05 * 0.95, rate * (1 - rate)) / draws)
        return Check(what, kind, n, share, tilt, rate, low - slack, high + slack, draws)

    return check


def wilson_averaged(form: Form) -> Iterator[Check]:
    """Coverage of Wilson at every count, weighted by its exact probability, averaged over 999 shares."""
    from scipy.stats import binom

    shares = np.arange(1, 1000) / 1000
    for n in form.sizes:
        ends = [wilson(k, n) for k in range(n + 1)]
        low, high = (np.array([getattr(end, name) for end in ends]) for name in ("low", "high"))
        holds = (low[:, None] <= shares) & (shares <= high[:, None])
        chance = binom.pmf(np.arange(n + 1)[:, None], n, shares)
        yield Check(
            "coverage, averaged", "Wilson", n, 0, 0, float((holds * chance).sum(0).mean()), 0.945, 1.0, 0
        )


def wilson_of_clusters(form: Form) -> Iterator[Check]:
    """Shares in clusters of four rows, half of which follow the cluster."""
    for n in form.sizes:
        rng = np.random.default_rng([7, n])
        covered = 0
        for _ in range(form.draws):
            share = rng.random()
            together = np.repeat(rng.random((n, 1)), 4, axis=1)
            own = np.where(rng.random((n, 4)) < 0.5, together, rng.random((n, 4)))
            interval = wilson_clustered((own < share).sum(1).astype(float), np.full(n, 4.0), 4 * n)
            covered += interval.low <= share <= interval.high
        yield maker(form, "Wilson clustered", n, 0)("coverage, averaged", 0, covered, form.draws, 0.94, 1.0)


def token_intervals(form: Form) -> Iterator[Check]:
    """Skewed token counts: a long and a short variant that share the difficulty of the item."""
    for n in [size for size in form.sizes if size <= 200]:
        rng = np.random.default_rng([9, n])
        hits = [0, 0, 0]
        for _ in range(form.token_draws):
            item = rng.normal(0, 0.3, n)
            long, short = np.exp(5 + item + rng.normal(0, 0.5, n)), np.exp(3 + item + rng.normal(0, 0.2, n))
            again = np.exp(5 + item + rng.normal(0, 0.5, n))
            true_long, true_short = math.exp(5 + 0.045 + 0.125), math.exp(3 + 0.045 + 0.02)
            gap = bootstrap.bca(short - long, np.ones(n), REPLICATES).interval()
            ratio = bootstrap.bca(short, long, REPLICATES).interval()
            hits[0] += gap.low <= true_short - true_long <= gap.high
            hits[1] += ratio.low <= true_short / true_long <= ratio.high
            hits[2] += sign_flip(again - long, 1000).p <= 0.05
        check = maker(form, "tokens", n, 1.0)
        yield check("coverage", 0, hits[0], form.token_draws, 0.935, 0.97)
        yield check("coverage of the ratio", 0, hits[1], form.token_draws, 0.935, 0.97)
        yield check("false alarms", 0, hits[2], form.token_draws, 0.04, 0.06)


def summary(checks: Sequence[Check]) -> list[str]:
    """Per kind of figure: the lowest and highest rate, where more than 20 differing clusters are expected
    and all.
    """
    lines = []
    for what in dict.fromkeys(check.what for check in checks):
        for kind in dict.fromkeys(check.kind for check in checks if check.what == what):
            mine = [check for check in checks if (check.what, check.kind) == (what, kind)]
            many = [check.rate for check in mine if check.n * check.share >= EXPECTED] or [math.nan]
            every = [check.rate for check in mine]
            lines.append(
                f"{what:<22} {kind:<17} all {100 * min(every):5.1f} to {100 * max(every):5.1f} %   "
                f"20 or more expected {100 * min(many):5.1f} to {100 * max(many):5.1f} %"
            )
    return lines


def line(check: Check) -> str:
    """One check as a line of text."""
    state = "kept" if check.kept else "BROKEN"
    return (
        f"{state:<7}{check.what} {check.kind} n={check.n} share={check.share:g} tilt={check.tilt:.2f}: "
        f"{100 * check.rate:.2f} % (bounds {100 * check.low:.1f} to {100 * check.high:.1f}, "
        f"{check.draws} draws)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one form; 0 where every bound is kept."""
    parser = argparse.ArgumentParser(
        description="Type I error, coverage and false non-inferiority by simulation."
    )
    parser.add_argument("--short", action="store_true", help="fewer draws, bounds wider by their noise")
    parser.add_argument("--all", action="store_true", help="print every cell of the grid")
    chosen = parser.parse_args(arguments)
    start = time.perf_counter()
    checks = []
    for check in rates(SHORT if chosen.short else FULL):
        checks.append(check)
        if chosen.all or not check.kept:
            print(line(check), flush=True)
    broken = [check for check in checks if not check.kept]
    print("\n".join(summary(checks)))
    seconds = round(time.perf_counter() - start, 1)
    report = {"status": "broken" if broken else "kept", "checks": len(checks), "seconds": seconds}
    print(json.dumps(report | {"broken": [asdict(check) for check in broken]}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
