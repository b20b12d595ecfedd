"""Coverage of published intervals beside ours, where simulate.py checks the interval of a difference.

    python tests/benchmarks/published_intervals.py                  # 4,000 runs a cell (1,000 of bootstrap-t)

The same kinds of data (0/1 items, graded scores, four templates, one to four votes), numbers of clusters
(80, 200, 1,319), discordant shares (5 to 40 %) and tilts (half, three quarters, all of the differing clusters
on one side): 144 cells. The other cells of simulate.py are about tests, one variant's score, and tokens.
`ours` is what the table of methods takes: Bonett and Price for 0/1 items, else the adjusted interval. Runs
are drawn as counts of kinds of clusters, as in simulate_looks.py, and the formulas of
`results.statistics.published` are written for many runs at once (tests/results/test_published.py holds them
against each other). Prints, for each interval, its lowest coverage and how many cells stay below 93.5 %.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

sys.path.insert(0, str(Path(__file__).parent))
from simulate_looks import Cell, Counts, Kind, fitted

Floats = npt.NDArray[np.float64]
Z = float(ndtri(0.975))
DRAWS = 999
"""Replicates of a bootstrap-t."""


def _kind(name: str, sizes: dict[int, dict[float, float]]) -> Kind:
    """`sizes`: weight -> (how much a differing cluster differs -> its chance); all weights are as likely."""
    rows = [
        (float(weight), sign * size, chance / len(sizes) / 2)
        for weight, of_weight in sizes.items()
        for size, chance in of_weight.items()
        for sign in (-1, 1)
    ]
    alike = [(float(weight), 0.0, 0.0) for weight in sizes]
    weight, lead, likely = (np.array(column) for column in zip(*rows, *alike, strict=True))
    return Kind(name, weight, lead, likely, np.array([0.0] * len(rows) + [1 / len(sizes)] * len(sizes)))


def _votes(weight: int) -> dict[float, float]:
    """One row differs, and each of the others with chance .6."""
    from math import comb

    rest = weight - 1
    return {1.0 + k: comb(rest, k) * 0.6**k * 0.4 ** (rest - k) for k in range(rest + 1)}


BINARY = "binary"
KINDS = (
    _kind(BINARY, {1: {1.0: 1.0}}),
    _kind("graded", {1: dict.fromkeys((0.25, 0.5, 0.75, 1.0), 0.25)}),
    _kind("templates", {4: {1.0: 0.5, 2.0: 0.2, 3.0: 0.1, 4.0: 0.2}}),
    _kind("votes", {weight: _votes(weight) for weight in (1, 2, 3, 4)}),
)


def sums(kind: Kind, counts: Counts) -> dict[str, Floats]:
    """What all formulas are made of, of each run."""
    w, d = kind.weight, kind.lead
    return {
        "n": counts.sum(-1).astype(float), "w": counts @ w, "d": counts @ d,
        "ww": counts @ w**2, "dd": counts @ d**2, "dw": counts @ (d * w),
    }  # fmt: skip


def residual_square(s: dict[str, Floats], value: Floats) -> Floats:
    return s["dd"] - 2 * value * s["dw"] + value**2 * s["ww"]


def cr2(kind: Kind, counts: Counts, truth: float) -> npt.NDArray[np.bool_]:
    s = sums(kind, counts)
    estimate, share = s["d"] / s["w"], kind.weight[None, :] / s["w"][:, None]
    adjust = 1 / (1 - share)
    residual = kind.lead[None, :] - estimate[:, None] * kind.weight[None, :]
    error = np.sqrt((counts * residual**2 * adjust).sum(-1)) / s["w"]
    each = adjust * share**2
    off = (counts * each).sum(-1) ** 2 - (counts * each**2).sum(-1)
    freedom = 1 / ((counts * share**2).sum(-1) + off)
    return np.abs(estimate - truth) <= stdtrit(freedom, 0.975) * error + 1e-12


def obuchowski(kind: Kind, counts: Counts, truth: float) -> npt.NDArray[np.bool_]:
    s = sums(kind, counts)
    estimate = s["d"] / s["w"]
    error = np.sqrt(residual_square(s, estimate) * s["n"] / (s["n"] - 1)) / s["w"]
    return np.abs(estimate - truth) <= Z * error + 1e-12


def durkalski(kind: Kind, counts: Counts, truth: float) -> npt.NDArray[np.bool_]:
    s = sums(kind, counts)
    variance = residual_square(s, np.full_like(s["d"], truth))
    return (s["d"] - truth * s["w"]) ** 2 <= Z**2 * variance + 1e-12


def bootstrap_t(kind: Kind, counts: Counts, truth: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    held = np.zeros(len(counts), bool)
    for run, count in enumerate(counts):
        s = sums(kind, count[None, :])
        n = int(s["n"][0])
        estimate = s["d"] / s["w"]
        error = np.sqrt(residual_square(s, estimate) * n / (n - 1)) / s["w"]
        drawn = sums(kind, rng.multinomial(n, count / n, size=DRAWS))
        other = drawn["d"] / drawn["w"]
        errors = np.sqrt(np.maximum(residual_square(drawn, other), 0) * n / (n - 1)) / drawn["w"]
        sound = errors > 1e-12
        if error[0] <= 1e-12 or not sound.any():
            held[run] = abs(estimate[0] - truth) < 1e-12
            continue
        low, high = np.quantile((other[sound] - estimate[0]) / errors[sound], [0.025, 0.975])
        held[run] = (
            estimate[0] - high * error[0] <= truth + 1e-12 and truth - 1e-12 <= estimate[0] - low * error[0]
        )
    return held


def ours(kind: Kind, counts: Counts, truth: float) -> npt.NDArray[np.bool_]:
    if kind.name == BINARY:
        return bonett_price(kind, counts, truth)
    return fitted(kind, counts).holds(truth, 0.05)


def bonett_price(kind: Kind, counts: Counts, truth: float) -> npt.NDArray[np.bool_]:
    """`results.statistics.bonett_price` for many runs at once."""
    n = counts.sum(-1) + 2
    below, above = ((counts[:, kind.lead * sign > 0].sum(-1) + 1) / n for sign in (-1, 1))
    error = np.sqrt((below + above - (above - below) ** 2) / n)
    return np.abs(above - below - truth) <= Z * error + 1e-12


def coverage(kind: Kind, n: int, share: float, tilt: float, runs: int) -> dict[str, float]:
    """How often each interval holds the truth."""
    cell = Cell(kind, n, share, 2 * tilt - 1)
    rng = np.random.default_rng([n, round(1000 * share), round(100 * tilt), len(kind.name)])
    chances = kind.chances(share, cell.tilt)
    counts = rng.multinomial(n, chances / chances.sum(), size=runs)
    found = {
        "ours": ours(kind, counts, cell.truth),
        "cr2": cr2(kind, counts, cell.truth),
        "obuchowski": obuchowski(kind, counts, cell.truth),
        "durkalski": durkalski(kind, counts, cell.truth),
        "bootstrap-t": bootstrap_t(kind, counts[: max(runs // 4, 1)], cell.truth, rng),
    }
    return {name: float(held.mean()) for name, held in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--all", action="store_true", help="print every cell")
    given = parser.parse_args()
    rows: dict[tuple[str, int, float, float], dict[str, float]] = {}
    for kind in KINDS:
        for n in (80, 200, 1319):
            for share in (0.05, 0.1, 0.2, 0.4):
                for tilt in (0.5, 0.75, 1.0):
                    found = coverage(kind, n, share, tilt, given.runs)
                    rows[kind.name, n, share, tilt] = found
                    if given.all:
                        text = " ".join(f"{name} {100 * rate:5.1f}" for name, rate in found.items())
                        print(f"{kind.name:<10} {n:>4} {share:4.0%} {tilt:.2f}  {text}", flush=True)
    print(f"{len(rows)} cells, {given.runs:,} runs each (bootstrap-t a quarter)")
    heads = ("lowest %", "below 93.5", "20 or more differing: lowest", "below")
    print(f"{'interval':<12} {heads[0]:>9} {heads[1]:>11} {heads[2]:>29} {heads[3]:>6}")
    for name in next(iter(rows.values())):
        rates = [found[name] for found in rows.values()]
        many = [found[name] for (_, n, share, _), found in rows.items() if n * share >= 20]
        print(
            f"{name:<12} {100 * min(rates):>9.1f} {sum(rate < 0.935 for rate in rates):>11} "
            f"{100 * min(many):>29.1f} {sum(rate < 0.935 for rate in many):>6}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
