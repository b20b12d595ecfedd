"""Simulated runs with `--until-decided` whose `--limit` is raised after a claim was given up.

    python tests/benchmarks/simulate_growth.py                 # 20,000 runs a cell, a few minutes
    python tests/benchmarks/simulate_growth.py --runs 2000

The user looks at the result before choosing the new size: a claim with a trend gets four times the clusters,
one without a trend half as many more. Shown are false claims over both plans: with the error that the first
plan left (the conditional error, which is what runs), with the plain remainder of the 5 %, with the whole 5 %
on the new clusters, and with all clusters tested as if the larger number had been planned. Exits with 1 if
the first of them is above its promise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import simulate_looks as simulation
from scipy.special import ndtr, ndtri
from simulate_looks import ALPHA, KINDS, LOOKS, Cell, Counts, Floats, Promise

from results.statistics.sequential.boundaries import Levels
from results.statistics.sequential.estimates import FUTILE_BELOW, FUTILE_FROM
from results.statistics.sequential.spending import SPENDING

MARGIN, TREND, MORE, LESS = 0.05, 0.5, 4.0, 0.5
FALSE = Promise("false better, over both plans", most=0.055)
FALSE_AS_GOOD = Promise("false as good as, over both plans", most=0.03)
Flags = npt.NDArray[np.bool_]
GRID = np.concatenate([[-300.0], np.linspace(-40.0, np.log(0.4), 400)])
"""Logarithms of one-sided levels at which boundaries are tabulated."""


@dataclass(frozen=True)
class Tested:
    """Normal scores of a claim at each look, (looks, runs), upwards, and whether only "above" is a claim."""

    z: Floats
    one_sided: bool

    @classmethod
    def of(cls, cell: Cell, counts: Counts, margin: float | None) -> Tested:
        if margin is not None:
            above = simulation.fitted(cell.kind, counts).p_above(-margin)
            return cls(-ndtri(np.clip(above, 1e-300, 1 - 1e-16)), True)
        p = simulation.p_values(cell.kind, counts)
        return cls(np.copysign(-ndtri(np.maximum(p, 1e-300) / 2), counts @ cell.kind.lead), False)

    def crossed(self, up: Floats, down: Floats) -> Flags:
        """Whether a boundary, (looks, runs) or (looks, 1), was crossed at any look."""
        above = (self.z >= up).any(0)
        return above if self.one_sided else above | (self.z <= -down).any(0)


def boundaries(levels: Levels, level: Floats) -> Floats:
    """z of each look at one-sided levels, (looks, runs)."""
    asked = np.log(np.maximum(level, 1e-300))
    table = [[levels.z(look, 2 * float(np.exp(each))) for each in GRID] for look in range(LOOKS)]
    return np.array([np.interp(asked, GRID, row) for row in np.nan_to_num(np.array(table), posinf=40.0)])


def left(levels: Levels, look: int, z: Floats) -> Floats:
    """The conditional error of each run."""
    grid = np.linspace(z.min(), z.max(), 200) if z.size else np.zeros(1)
    known = [levels.left(look, float(each), ALPHA) for each in grid]
    return np.interp(z, grid, known)


def false_claims(cell: Cell, rng: np.random.Generator, runs: int, margin: float | None) -> dict[str, float]:
    """Share of runs with a claim that `cell` makes false."""
    counts, plan = cell.draw(rng, runs), cell.plan
    first = Tested.of(cell, counts, margin)
    bounds = np.array([plan.levels.z(look, ALPHA) for look in range(LOOKS)])[:, None]
    final = float(bounds[-1, 0])
    over = np.zeros(runs, bool)
    claimed = {name: np.zeros(runs, bool) for name in ("left", "remainder", "whole", "pooled")}
    alone = np.zeros(runs, bool)
    grown = np.zeros(runs, bool)
    for look, share in enumerate(plan.shares):
        z = first.z[look]
        above, below = ~over & (z >= bounds[look]), ~over & (z <= -bounds[look])
        alone |= above if first.one_sided else above | below
        over |= above | below
        if not FUTILE_FROM <= share < 1:
            continue
        trend, spread = z / np.sqrt(share), np.sqrt(1 - share)
        chance = ndtr((trend - final) / spread) + ndtr((-trend - final) / spread)
        stopped = ~over & (chance < FUTILE_BELOW)
        over |= stopped
        grown |= stopped
        for has_trend, times in ((True, MORE), (False, LESS)):
            chosen = np.flatnonzero(stopped & ((np.abs(z) >= TREND) == has_trend))
            if not chosen.size:
                continue
            more = replace(cell, n=int(times * cell.n))
            new = more.draw(rng, chosen.size)
            found = Tested.of(more, new, margin)
            here = z[chosen]
            up, down = left(plan.levels, look, here), left(plan.levels, look, -here)
            levels = more.plan.levels
            claimed["left"][chosen] = found.crossed(boundaries(levels, up), boundaries(levels, down))
            rest = np.full(chosen.size, ALPHA / 2 - SPENDING[cell.spending](share, ALPHA / 2))
            claimed["remainder"][chosen] = found.crossed(*[boundaries(levels, rest)] * 2)
            whole = np.full(chosen.size, ALPHA / 2)
            claimed["whole"][chosen] = found.crossed(*[boundaries(levels, whole)] * 2)
            everything = Tested.of(more, new + counts[look][chosen], margin)
            claimed["pooled"][chosen] = everything.crossed(*[boundaries(levels, whole)] * 2)
    return {
        "grown": float(grown.mean()),
        "first": float(alone.mean()),
        **{name: float((alone | flags).mean()) for name, flags in claimed.items()},
        "gained": float(claimed["left"][grown].mean()) if grown.any() else 0.0,
    }


COLUMNS = ("grown", "first", "left", "remainder", "whole", "pooled", "gained")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{given.runs:,} runs a cell, percent; gained: decided by the second plan, of the runs given up")
    print(" ".join(["claim, truth             kind            n disc", *(f"{name:>9}" for name in COLUMNS)]))
    broken = []
    for kind in KINDS[:2]:
        for n, discordant in ((80, 0.4), (200, 0.2), (200, 0.4), (1319, 0.2)):
            cell = Cell(kind, n, discordant)
            smallest = simulation.power.mde(cell.spread, n)
            cases = (
                ("better, no difference", cell, None, FALSE),
                ("as good as, the margin", cell.at(-MARGIN), MARGIN, FALSE_AS_GOOD),
                ("better, the MDE", cell.at(smallest), None, None),
            )
            for name, truth, margin, promise in cases:
                if truth is None:
                    continue
                rng = np.random.default_rng([given.seed, n, int(100 * discordant), len(name)])
                found = false_claims(truth, rng, given.runs, margin)
                head = f"{name:<24} {kind.name:<12} {n:>4} {discordant:4.0%}"
                print(" ".join([head, *(f"{100 * found[key]:9.2f}" for key in COLUMNS)]), flush=True)
                if promise is not None and promise.broken(found["left"], given.runs):
                    broken.append(f"{head}: {promise.name} {found['left']:.4f}")
    for line in broken:
        print(f"BROKEN  {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
