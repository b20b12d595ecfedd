"""Simulated runs with `--until-decided`: error rates under looking, power, coverage, and items saved.

    python tests/benchmarks/simulate_looks.py                  # 20,000 runs a cell, minutes, one process
    python tests/benchmarks/simulate_looks.py --runs 2000      # a quick look

Tests and intervals of this project rest on how many clusters differ by how much, so a run is drawn as counts
of such kinds of clusters, look by look, and all runs of a cell at once. The formulas are written again here
for many runs; `tests/results/test_sequential_simulation.py` holds them against the product's own functions.
It fails, and exits with 1, where a promise of docs/statistics.md is broken.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtr, ndtri, stdtr, stdtrit

from results.statistics import power
from results.statistics.sequential.estimates import FUTILE_BELOW, FUTILE_FROM
from results.statistics.sequential.plan import Plan, planned
from results.statistics.sequential.spending import SPENDING

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
ALPHA, LOOKS, HYPOTHESES = 0.05, 5, 9
EXACT_FROM = 1.5
"""|z| from which the sign-flip test is computed exactly; below it no level of a look is near."""
FEW = 20
"""Differing clusters up to which it is always exact. The normal z of so few keeps claims from being given
up: one differing cluster has z = 1 by the normal test, 0.67 by the exact one."""


@dataclass(frozen=True)
class Kind:
    """Kinds of clusters: their weights, and by how much (in rows) the second variant leads."""

    name: str
    weight: Floats
    lead: Floats
    """Of each kind; the kinds without a lead come last."""
    likely: Floats
    """How likely each kind is among clusters that differ, were both variants equally good; 0 for the last."""
    alike: Floats
    """How likely each kind is among clusters that do not differ."""

    def chances(self, discordant: float, tilt: float) -> Floats:
        """Chance of each kind: `tilt` from -1 to 1 moves differing clusters to the second variant's side."""
        side = 1 + tilt * np.sign(self.lead)
        return discordant * self.likely * side + (1 - discordant) * self.alike

    def effect(self, discordant: float, tilt: float) -> float:
        """The true difference of scores."""
        chances = self.chances(discordant, tilt)
        return float(chances @ self.lead / (chances @ self.weight))


def _kind(name: str, weights: dict[int, float], sizes: dict[int, float], unit: float = 1.0) -> Kind:
    """Clusters of some weights, which differ by 1 up to their weight (or by `sizes` of a graded score)."""
    rows = [
        (float(w), sign * size * unit, share * chance / 2)
        for w, share in weights.items()
        for size, chance in _shares(sizes, w if unit == 1 else max(sizes)).items()
        for sign in (-1, 1)
    ]
    alike = [(float(w), 0.0, 0.0) for w in weights]
    weight, lead, likely = (np.array(column) for column in zip(*rows, *alike, strict=True))
    nothing = np.array([0.0] * len(rows) + list(weights.values()))
    return Kind(name, weight, lead, likely, nothing)


def _shares(sizes: dict[int, float], most: int) -> dict[int, float]:
    known = {size: share for size, share in sizes.items() if size <= most}
    total = sum(known.values())
    return {size: share / total for size, share in known.items()}


KINDS = (
    _kind("independent", {1: 1.0}, {1: 1.0}),
    _kind("clustered", {4: 1.0}, {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}),
    _kind("votes", {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25}, {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}),
    _kind("graded", {1: 1.0}, {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}, unit=0.25),
)


@dataclass(frozen=True)
class Cell:
    """Runs of one kind of data."""

    kind: Kind
    n: int
    discordant: float
    tilt: float = 0.0
    spending: str = "obrien-fleming"

    @property
    def truth(self) -> float:
        return self.kind.effect(self.discordant, self.tilt)

    @property
    def spread(self) -> float:
        """Standard deviation of a cluster's difference were the truth 0, in the unit of the score."""
        chances = self.kind.chances(self.discordant, 0.0)
        return math.sqrt(float(chances @ self.kind.lead**2)) / float(chances @ self.kind.weight)

    @property
    def plan(self) -> Plan:
        return planned(self.n, LOOKS, self.spending, True)

    def at(self, truth: float) -> Cell | None:
        """The same with a true difference of `truth`; None where so few differing clusters cannot hold it."""
        one = self.kind.effect(self.discordant, 1.0)
        return replace(self, tilt=truth / one) if abs(truth) <= one + 1e-12 else None

    def draw(self, rng: np.random.Generator, runs: int) -> Counts:
        """Counts of each kind of cluster up to each look, shape (looks, runs, kinds)."""
        chances = self.kind.chances(self.discordant, self.tilt)
        steps = np.diff([0, *self.plan.clusters])
        drawn = [rng.multinomial(step, chances / chances.sum(), size=runs) for step in steps]
        return np.cumsum(np.array(drawn, dtype=np.int64), axis=0)


def p_values(kind: Kind, counts: Counts) -> Floats:
    """Two-sided p of McNemar's mid-p or the exact sign-flip test, shape of `counts` without the last axis."""
    if kind.name == "independent":
        below, above = (counts[..., kind.lead * sign > 0].sum(-1) for sign in (-1, 1))
        few, both = np.minimum(below, above), below + above
        fewer = np.where(few > 0, bdtr(np.maximum(few - 1, 0), both, 0.5), 0.0)
        up_to = bdtr(few, np.maximum(both, 1), 0.5)
        p = np.where(below != above, up_to + fewer, 1 - (up_to - fewer) / 2)
        return np.where(both == 0, 1.0, p)
    flat = counts.reshape(-1, counts.shape[-1])
    moved, square = flat @ kind.lead, flat @ kind.lead**2
    z = np.abs(moved) / np.sqrt(np.maximum(square, 1e-300))
    p = 2 * ndtr(-z)
    p[square == 0] = 1.0
    few = flat[:, kind.lead != 0].sum(-1) <= FEW
    near = np.flatnonzero(((z >= EXACT_FROM) | few) & (square > 0))
    for start in range(0, near.size, 4000):
        chosen = near[start : start + 4000]
        p[chosen] = _exact(kind, flat[chosen])
    return p.reshape(counts.shape[:-1])


def _exact(kind: Kind, counts: Counts) -> Floats:
    """`results.statistics.permutation` for many runs at once: mid-p of the flipped sum, by Fourier."""
    unit = np.abs(kind.lead[kind.lead != 0]).min()
    steps = np.rint(kind.lead / unit).astype(int)
    totals = counts @ np.abs(steps)
    cells = int(2 * totals.max() + 2)
    angle = 2 * np.pi * np.arange(cells // 2 + 1) / cells
    sizes = [size for size in np.unique(np.abs(steps)) if size]
    logs = np.zeros((counts.shape[0], angle.size))
    signs = np.zeros((counts.shape[0], angle.size), dtype=np.int64)
    for size in sizes:
        many = counts[:, np.abs(steps) == size].sum(-1)
        cosine = np.cos(size * angle)
        logs += many[:, None] * np.log(np.maximum(np.abs(cosine), 1e-300))[None, :]
        signs += many[:, None] * (cosine < 0)[None, :]
    wave = np.exp(np.maximum(logs, -700)) * np.where(signs % 2, -1.0, 1.0)
    chance = np.fft.irfft(wave, cells, axis=1)
    seen = np.abs(counts @ steps)
    place = np.arange(cells // 2 + 1)
    half = chance[:, : place.size]
    beyond = np.where(place[None, :] > seen[:, None], half, 0.0).sum(1)
    at = half[np.arange(seen.size), seen]
    return np.clip(2 * beyond + np.where(seen > 0, at, at / 2), 0.0, 1.0)


@dataclass(frozen=True)
class Score:
    """Tango's score statistic of many runs: `results.statistics.tango`."""

    b: Counts
    c: Counts
    n: Counts

    def z(self, value: float) -> Floats:
        b, c, n = self.b, self.c, self.n
        linear = -b - c + (2 * n - c + b) * value
        rest = -b * value * (1 - value)
        lost = (np.sqrt(np.maximum(linear**2 - 8 * n * rest, 0)) - linear) / (4 * n)
        variance = n * (2 * lost + value * (1 - value))
        distance = c - b - n * value
        with np.errstate(divide="ignore", invalid="ignore"):
            z = distance / np.sqrt(np.maximum(variance, 0))
        return np.where(distance == 0, 0.0, z)

    def holds(self, value: float, level: float) -> npt.NDArray[np.bool_]:
        """Whether the interval of confidence 1 - level holds `value`."""
        return np.abs(self.z(value)) <= -ndtri(level / 2)

    def p_above(self, value: float) -> Floats:
        return ndtr(-self.z(value))


@dataclass(frozen=True)
class Adjusted:
    """The adjusted difference of many runs in score form: `results.statistics.adjusted`."""

    centre: Floats
    error: Floats
    freedom: Floats
    largest: Floats
    n: Counts
    """Clusters with the imaginary ones."""

    def _error(self, beyond: Floats) -> Floats:
        return np.hypot(self.error, beyond / np.sqrt(self.n))

    def holds(self, value: float, level: float) -> npt.NDArray[np.bool_]:
        share, beyond = 1 - level / 2, self.centre - value
        student = np.abs(beyond) <= stdtrit(self.freedom, share) * self._error(beyond) + 1e-12
        return student & (np.abs(beyond) <= float(ndtri(share)) * self.largest + 1e-12)

    def p_above(self, value: float) -> Floats:
        beyond = self.centre - value
        normal = ndtr(-beyond / self.largest)
        student = stdtr(self.freedom, -beyond / self._error(beyond))
        return np.where(beyond > 0, np.minimum(student, normal), np.maximum(student, normal))


def fitted(kind: Kind, counts: Counts) -> Score | Adjusted:
    n = counts.sum(-1)
    if kind.name == "independent":
        below, above = (counts[..., kind.lead * sign > 0].sum(-1) for sign in (-1, 1))
        return Score(below, above, n)
    differ = kind.lead != 0
    weight = (counts @ kind.weight) / n
    many = counts[..., differ].sum(-1)
    squares = counts @ kind.lead**2
    size = np.where(many > 0, np.sqrt(squares / np.maximum(many, 1)), weight)
    total = n * weight + 2 * weight
    centre = (counts @ kind.lead) / total
    cross, heavy = counts @ (kind.lead * kind.weight), counts @ kind.weight**2
    square = squares - 2 * centre * cross + centre**2 * heavy
    square += (size - centre * weight) ** 2 + (size + centre * weight) ** 2
    largest = counts[..., differ] @ kind.weight[differ] ** 2 + 2 * weight**2
    return Adjusted(centre, np.sqrt(square) / total, many**2 / 9 + 1, np.sqrt(largest) / total, n + 2)


@dataclass
class Seen:
    """What runs of one claim came to. The first axis of arrays is the look."""

    cell: Cell
    p: Floats
    z: Floats
    holds: npt.NDArray[np.bool_]
    """Whether the repeated intervals of all looks up to each one hold the truth."""
    crossed: npt.NDArray[np.bool_]
    """Whether the boundary of the level was crossed by that look."""
    level: float

    @classmethod
    def of(cls, cell: Cell, rng: np.random.Generator, runs: int, level: float = ALPHA) -> Seen:
        counts, plan = cell.draw(rng, runs), cell.plan
        p = p_values(cell.kind, counts)
        moved = counts @ cell.kind.lead
        z = np.copysign(-ndtri(np.maximum(p, 1e-300) / 2), moved)
        nominal = np.array([plan.levels.nominal(look, level) for look in range(LOOKS)])
        holds = np.array([
            fitted(cell.kind, counts[look]).holds(cell.truth, nominal[look]) for look in range(LOOKS)
        ])  # fmt: skip
        crossed = np.logical_or.accumulate(p <= nominal[:, None], axis=0)
        return cls(cell, p, z, np.logical_and.accumulate(holds, axis=0), crossed, level)

    def stops(self, futility: bool) -> npt.NDArray[np.int64]:
        """The look (from 0) at which each run stops for this claim alone."""
        over = self.crossed | (self.given_up() if futility else False)
        over[-1] = True
        return np.argmax(over, axis=0)

    def given_up(self) -> npt.NDArray[np.bool_]:
        plan = self.cell.plan
        final = plan.levels.z(LOOKS - 1, self.level)
        found = np.zeros_like(self.crossed)
        for look, share in enumerate(plan.shares[:-1]):
            if share >= FUTILE_FROM:
                trend, spread = self.z[look] / math.sqrt(share), math.sqrt(1 - share)
                chance = ndtr((trend - final) / spread) + ndtr((-trend - final) / spread)
                found[look] = chance < FUTILE_BELOW
        return found

    def covered(self, futility: bool) -> float:
        """How often the interval at the stop holds the truth."""
        return float(self.holds[self.stops(futility), np.arange(self.p.shape[1])].mean())

    def share(self, futility: bool) -> float:
        """Mean share of the planned items that was asked."""
        return float(np.array(self.cell.plan.shares)[self.stops(futility)].mean())

    def fixed_power(self) -> float:
        """Power of the test that looks once, at the planned end, on the same data."""
        return float((self.p[-1] <= self.level).mean())

    def power(self, futility: bool) -> float:
        return float(self.crossed[self.stops(futility), np.arange(self.p.shape[1])].mean())


def family_error(cell: Cell, rng: np.random.Generator, runs: int) -> tuple[float, float]:
    """Share of runs with any false "better" among 3 tasks x 3 pairs, all looks made: with the plan, and where
    each look is tested by Holm at 5 % as if it were the only one.
    """
    plan, first = cell.plan, ALPHA / HYPOTHESES
    nominal = np.array([plan.levels.nominal(look, first) for look in range(LOOKS)])[:, None]
    with_plan, without = np.zeros(runs, bool), np.zeros(runs, bool)
    for _ in range(HYPOTHESES):
        p = p_values(cell.kind, cell.draw(rng, runs))
        with_plan |= (p <= nominal).any(0)
        without |= (p <= first).any(0)
    return float(with_plan.mean()), float(without.mean())


def single_error(cell: Cell, rng: np.random.Generator, runs: int) -> tuple[float, float]:
    """The same of one claim alone."""
    seen = Seen.of(cell, rng, runs)
    return float(seen.crossed[-1].mean()), float((seen.p <= ALPHA).any(0).mean())


def false_as_good(cell: Cell, margin: float, rng: np.random.Generator, runs: int) -> float | None:
    """Share of false "as good as" where the truth is the margin itself."""
    worse = cell.at(-margin)
    if worse is None:
        return None
    counts = worse.draw(rng, runs)
    p = fitted(worse.kind, counts).p_above(-margin)
    nominal = np.array([cell.plan.levels.nominal(look, ALPHA) for look in range(LOOKS)])[:, None]
    return float((2 * p <= nominal).any(0).mean())


@dataclass(frozen=True)
class Promise:
    """A bound of docs/statistics.md."""

    name: str
    least: float | None = None
    most: float | None = None

    def broken(self, value: float, runs: int) -> bool:
        """Beyond the bound by more than the noise of so few runs (2.6 standard errors below 20,000 runs)."""
        noise = 0.0 if runs >= 20_000 else 2.6 * math.sqrt(0.05 * 0.95 / runs)
        under = self.least is not None and value < self.least - noise
        return under or (self.most is not None and value > self.most + noise)


FAMILY = Promise("family-wise error", most=0.055)
AS_GOOD = Promise("false as good as", most=0.03)
LOSS = Promise("power lost, with giving up", most=0.03)
COVERAGE = Promise("coverage", least=0.935)
SHARE_NULL = Promise("items, no difference", most=0.75)
SHARE_LARGE = Promise("items, twice the MDE", most=0.50)
PROMISES = (FAMILY, AS_GOOD, LOSS, COVERAGE, SHARE_NULL, SHARE_LARGE)


def cells(spending: str) -> Iterator[Cell]:
    for kind in KINDS:
        for n in (80, 200, 1319):
            for discordant in (0.05, 0.20, 0.40):
                yield Cell(kind, n, discordant, spending=spending)


def measure(cell: Cell, runs: int, seed: int) -> dict[str, float | None]:
    """All figures of one cell."""
    rng = np.random.default_rng([seed, cell.n, int(100 * cell.discordant), len(cell.kind.name)])
    found: dict[str, float | None] = {"spending": float(list(SPENDING).index(cell.spending))}
    found["family"], found["family_naive"] = family_error(cell, rng, runs)
    found["single"], found["naive"] = single_error(cell, rng, runs)
    found["as_good"] = false_as_good(cell, 0.05, rng, runs)
    null = Seen.of(cell, rng, runs)
    found["share_null"], found["cover_null"] = null.share(True), null.covered(True)
    fewest = (
        power.FEWEST_DISCORDANT
        * np.sqrt((cell.kind.likely @ cell.kind.lead**2) * 1.0)
        / (cell.n * float(cell.kind.chances(cell.discordant, 0) @ cell.kind.weight))
    )
    smallest = max(power.mde(cell.spread, cell.n), float(fewest))
    for name, times in (("mde", 1), ("twice", 2)):
        other = cell.at(times * smallest)
        if other is None:
            found |= {
                f"power_{name}": None,
                f"fixed_{name}": None,
                f"share_{name}": None,
                f"cover_{name}": None,
            }
            continue
        seen = Seen.of(other, rng, runs)
        found[f"fixed_{name}"] = seen.fixed_power()
        found[f"power_{name}"] = seen.power(False)
        found[f"given_up_{name}"] = seen.power(True)
        found[f"share_{name}"] = seen.share(True)
        found[f"cover_{name}"] = seen.covered(True)
    return found


def checks(found: dict[str, float | None]) -> Iterator[tuple[Promise, float]]:
    """Each promise with the figure that it is about."""
    if (value := found["family"]) is not None:
        yield FAMILY, value
    for name in ("cover_null", "cover_mde", "cover_twice"):
        if (value := found[name]) is not None:
            yield COVERAGE, value
    if (value := found["as_good"]) is not None:
        yield AS_GOOD, value
    # The Pocock type pays with power for stopping early.
    if (
        found["spending"] == 0
        and (one := found["fixed_mde"]) is not None
        and (other := found["given_up_mde"]) is not None
    ):
        yield LOSS, one - other
    if (value := found["share_null"]) is not None:
        yield SHARE_NULL, value
    if (value := found["share_twice"]) is not None:
        yield SHARE_LARGE, value


COLUMNS = (
    ("family", "family"), ("naive", "family_naive"), ("one", "single"), ("naive", "naive"),
    ("as good", "as_good"), ("cover 0", "cover_null"), ("MDE", "cover_mde"), ("2 MDE", "cover_twice"),
    ("fixed", "fixed_mde"), ("looks", "power_mde"), ("+futil", "given_up_mde"),
    ("items 0", "share_null"), ("MDE", "share_mde"), ("2 MDE", "share_twice"),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spending", default="obrien-fleming")
    parser.add_argument("--kind", default=None, choices=[kind.name for kind in KINDS])
    given = parser.parse_args()
    print(f"{given.runs:,} runs a cell, {given.spending}, percent; futility in coverage and items")
    print(" ".join(["kind        ", "   n", "disc", *(f"{head:>7}" for head, _ in COLUMNS)]))
    broken = []
    for cell in cells(given.spending):
        if given.kind not in (None, cell.kind.name):
            continue
        found = measure(cell, given.runs, given.seed)
        shown = [
            "      -" if (value := found.get(key)) is None else f"{100 * value:7.2f}" for _, key in COLUMNS
        ]
        name = f"{cell.kind.name:<12} {cell.n:>4} {cell.discordant:4.0%}"
        print(" ".join([name, *shown]), flush=True)
        broken += [
            f"{name}: {promise.name} {value:.4f}"
            for promise, value in checks(found) if promise.broken(value, given.runs)
        ]  # fmt: skip
    for line in broken:
        print(f"BROKEN  {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
