"""A short form of tests/benchmarks/simulate_looks.py, and its formulas beside the product's own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.analysis import looks
from results.analysis.clusters import Pair, Sample
from results.errors import ResultsError
from results.statistics.sequential.plan import Plan, planned

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import simulate_growth as growth
import simulate_looks as simulation

RUNS = 3_000


def pair_of(kind: simulation.Kind, counts: np.ndarray) -> Pair:
    """Clusters of one run, in the order in which its looks asked them."""
    steps = np.diff(counts, axis=0, prepend=0)
    chosen = np.concatenate([np.repeat(np.arange(step.size), step) for step in steps])
    look = np.repeat(np.arange(1, len(steps) + 1), steps.sum(1))
    lead, weight = kind.lead[chosen], kind.weight[chosen]
    first, second = np.where(lead < 0, -lead, 0.0), np.where(lead > 0, lead, 0.0)
    rows = int(weight.sum())
    whole = kind.name != "graded"
    return Pair(Sample(first, weight, rows, whole), Sample(second, weight, rows, whole), look=look)


@pytest.mark.parametrize("kind", simulation.KINDS, ids=lambda kind: kind.name)
def test_what_is_simulated_is_what_runs(kind: simulation.Kind) -> None:
    """p at each look, p against the margin, and whether the repeated intervals hold a value."""
    cell = simulation.Cell(kind, 60, 0.3, tilt=0.3)
    counts = cell.draw(np.random.default_rng(4), 12)
    p = simulation.p_values(kind, counts)
    plan, value = cell.plan, 0.07
    for run in range(counts.shape[1]):
        pair = pair_of(kind, counts[:, run])
        found = looks.difference(pair, plan, margin=0.05)
        # With many differing clusters and far from any boundary the simulation takes the normal test.
        z = np.array([*found.z.values()])
        few = counts[:, run, kind.lead != 0].sum(-1) <= simulation.FEW
        near = (np.abs(z) > 1.6) | few
        assert np.allclose(
            p[near, run], [2 * (1 - simulation.ndtr(abs(each))) for each in z[near]], atol=1e-9
        )
        assert found.test.p == pytest.approx(plan.p([*p[:, run]]), rel=0.15)
        fits = [simulation.fitted(kind, counts[look]) for look in range(5)]
        above = [float(fit.p_above(-0.05)[run]) for fit in fits]
        assert found.p_above_margin == pytest.approx(
            plan.p([min(2 * each, 1) for each in above]) / 2, rel=1e-6
        )
        held = all(
            bool(fit.holds(value, plan.levels.nominal(look, 0.05))[run]) for look, fit in enumerate(fits)
        )
        assert held == (found.interval.low <= value <= found.interval.high)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(simulation.Cell(simulation.KINDS[0], 200, 0.2), id="independent"),
        pytest.param(simulation.Cell(simulation.KINDS[1], 80, 0.4), id="clustered", marks=pytest.mark.slow),
    ],
)
def test_promises_hold_in_a_short_simulation(cell: simulation.Cell) -> None:
    found = simulation.measure(cell, RUNS, 1)
    broken = [
        f"{promise.name}: {value}"
        for promise, value in simulation.checks(found)
        if promise.broken(value, RUNS)
    ]
    assert not broken
    # Looking five times at 5 % without a plan is what all this is for.
    assert found["naive"] is not None and found["naive"] > 0.1


def test_false_claims_over_two_plans_stay_at_the_level_of_the_first() -> None:
    cell = simulation.Cell(simulation.KINDS[0], 200, 0.4)
    found = growth.false_claims(cell, np.random.default_rng(3), RUNS, None)
    assert found["grown"] > 0.3
    assert not growth.FALSE.broken(found["left"], RUNS)
    # The plain remainder and the whole level are too much for a user who looks before growing.
    assert found["left"] < 0.055 < found["remainder"] < found["whole"]


@pytest.mark.parametrize("kind", [simulation.KINDS[0], simulation.KINDS[1]], ids=lambda kind: kind.name)
def test_after_a_second_plan_p_boundary_and_interval_agree(kind: simulation.Kind) -> None:
    old = planned(60, 5, "obrien-fleming", True)
    plan = Plan((100, 160, 236), before=old, made=3)
    rng = np.random.default_rng(12)
    decided = set()
    for tilt in (0.0, 0.2, 0.35):
        counts = simulation.Cell(kind, 60, 0.3, tilt=tilt).draw(rng, 1)[:3, 0]
        new = simulation.Cell(kind, 200, 0.3, tilt=tilt).draw(rng, 1)[:3, 0] + counts[-1]
        pair = pair_of(kind, np.concatenate([counts, new]))
        found = looks.difference(pair, plan, margin=0.05)
        assert found.n == new[-1].sum() - counts[-1].sum(), "figures are of the new clusters"
        shown = looks.history(found.z, plan, 0.05)
        crossed = any(abs(look["z"]) >= look["boundary"] for look in shown)
        assert crossed == (found.test.p <= 0.05)
        assert found.p_above_margin is not None
        assert (found.p_above_margin <= 0.025) == (found.interval.low > -0.05)
        assert found.interval.low <= found.adjusted_estimate(0.05) <= found.interval.high
        # An end of the interval is the value that is just not rejected.
        at_end = looks.difference(pair, plan, margin=-found.interval.low)
        assert at_end.p_above_margin == pytest.approx(0.025, rel=0.02)
        decided.add(crossed)
    assert decided == {True, False}


def test_rows_of_a_look_that_is_not_planned_are_refused() -> None:
    cell = simulation.Cell(simulation.KINDS[0], 60, 0.3)
    pair = pair_of(cell.kind, cell.draw(np.random.default_rng(7), 1)[:, 0])
    with pytest.raises(ResultsError, match="the plan has 3"):
        looks.difference(pair, planned(60, 3, "pocock", True))
    assert pair.look is not None
    with pytest.raises(ResultsError, match="the plan has 5"):
        looks.difference(replace(pair, look=pair.look * 2**50), cell.plan)


def test_pocock_stops_earlier_than_obrien_and_fleming() -> None:
    shares = {}
    for spending in ("obrien-fleming", "pocock"):
        cell = simulation.Cell(simulation.KINDS[0], 200, 0.4, spending=spending).at(0.25)
        assert cell is not None
        shares[spending] = simulation.Seen.of(cell, np.random.default_rng(5), RUNS).share(True)
    assert shares["pocock"] < shares["obrien-fleming"] < 0.5


def test_a_pair_of_looks_is_the_plain_pair_at_its_last_look_but_for_the_levels() -> None:
    cell = simulation.Cell(simulation.KINDS[1], 100, 0.3)
    pair = pair_of(cell.kind, cell.draw(np.random.default_rng(6), 1)[:, 0])
    plan = planned(100, 5, "obrien-fleming", True)
    found = looks.difference(pair, plan)
    assert found.n == 100 and len(found.z) == 5
    assert found.interval.low < found.adjusted_estimate(0.05) < found.interval.high
    one = looks.difference(pair.up_to(1), plan)
    assert one.n == 20 and one.interval.low < found.interval.low < found.interval.high < one.interval.high
