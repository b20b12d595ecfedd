"""Published intervals beside other implementations, and beside their form for many runs at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from results_fixtures import FakeTask, make_run
from scipy.linalg import sqrtm
from test_end_to_end import run_command

from results.analysis import choose_test
from results.analysis.clusters import Pair, Sample
from results.statistics.published import PUBLISHED, bootstrap_t, cr2, durkalski, obuchowski

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import published_intervals as many
from simulate_looks import Cell


def clusters(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows' differences and their cluster; sums of difference and rows per cluster."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, n)
    which = np.repeat(np.arange(n), sizes)
    rows = rng.choice([-1.0, 0.0, 1.0], which.size, p=[0.1, 0.7, 0.2]) * rng.choice([1.0, 0.5], which.size)
    return rows, which, np.bincount(which, rows), sizes.astype(float)


def test_obuchowskis_variance_is_that_of_a_cluster_robust_regression_on_a_constant() -> None:
    rows, which, difference, weight = clusters(1)
    outside = sm.OLS(rows, np.ones(rows.size)).fit(cov_type="cluster", cov_kwds={"groups": which})
    # Its correction is n/(n-1) * (N-1)/(N-1) for a constant alone.
    found = obuchowski(difference, weight)
    assert (found.estimate, found.error) == pytest.approx((outside.params[0], outside.bse[0]), rel=1e-9)
    low, high = outside.conf_int()[0]
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-6)


def test_cr2_and_its_degrees_of_freedom_are_those_of_the_full_matrices() -> None:
    """In full: A_i = (I - H_ii)^(-1/2), G = (g_1, ...), and df = tr(G'G)^2 / tr((G'G)^2)."""
    rows, which, difference, weight = clusters(2, n=12)
    total = rows.size
    hat, residual = np.full((total, total), 1 / total), rows - rows.mean()
    rest, columns, variance = np.eye(total) - hat, [], 0.0
    for cluster in range(weight.size):
        mine = np.flatnonzero(which == cluster)
        adjust = np.real(sqrtm(np.linalg.inv(np.eye(mine.size) - hat[np.ix_(mine, mine)])))
        ones = np.ones(mine.size) / total
        variance += float(ones @ adjust @ residual[mine]) ** 2
        columns.append(rest[:, mine] @ adjust @ ones)
    gram = np.array(columns) @ np.array(columns).T
    freedom = np.trace(gram) ** 2 / np.trace(gram @ gram)
    found = cr2(difference, weight)
    assert (found.estimate, found.error) == pytest.approx((rows.mean(), np.sqrt(variance)), rel=1e-9)
    assert found.freedom == pytest.approx(freedom, rel=1e-9)


def test_cr2_of_clusters_of_one_size_is_students_t() -> None:
    found = cr2(np.array([1.0, 0, 0, 2, -1, 0, 0, 1]), np.full(8, 2.0))
    values = np.array([0.5, 0, 0, 1, -0.5, 0, 0, 0.5])
    assert found.freedom == pytest.approx(7)
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(8))


def test_durkalskis_interval_holds_what_his_test_does_not_reject() -> None:
    _, _, difference, weight = clusters(3)
    found = durkalski(difference, weight)
    interval = found.interval(0.9)
    for value in (interval.low, interval.high):
        moved = difference - value * weight
        # The statistic of his paper, with sums in the place of shares.
        assert moved.sum() ** 2 / (moved**2).sum() == pytest.approx(1.6448536**2, rel=1e-6)
    assert found.p_above(interval.low) == pytest.approx(0.05, abs=1e-6)
    assert found.p_above(interval.high) == pytest.approx(0.95, abs=1e-6)
    assert np.isinf(durkalski(np.array([1.0, 0]), np.ones(2)).interval().high)


def test_bootstrap_t_of_normal_data_is_nearly_students_t() -> None:
    values = np.random.default_rng(4).normal(0.1, 1, 60)
    found, outside = bootstrap_t(values, np.ones(60)).interval(), cr2(values, np.ones(60)).interval()
    assert (found.low, found.high) == pytest.approx((outside.low, outside.high), abs=0.05)
    nothing = bootstrap_t(np.zeros(9), np.ones(9)).interval()
    assert nothing.low == nothing.high == 0


@pytest.mark.parametrize("name", ["cr2", "obuchowski", "durkalski"])
@pytest.mark.parametrize("kind", many.KINDS, ids=lambda kind: kind.name)
def test_what_is_simulated_is_what_runs(kind: many.Kind, name: str) -> None:
    cell = Cell(kind, 80, 0.2, 0.5)
    counts = cell.draw(np.random.default_rng(5), 60)[-1]
    simulated = getattr(many, name)(kind, counts, cell.truth)
    for run, count in enumerate(counts):
        chosen = np.repeat(np.arange(count.size), count)
        interval = PUBLISHED[name](kind.lead[chosen], kind.weight[chosen]).interval()
        assert simulated[run] == (interval.low - 1e-12 <= cell.truth <= interval.high + 1e-12)


def test_ours_keeps_its_coverage_where_the_published_ones_do_not() -> None:
    """Few differing clusters, all on one side: the cell that most of them miss."""
    templates = next(kind for kind in many.KINDS if kind.name == "templates")
    found = many.coverage(templates, 80, 0.05, 1.0, 1_000)
    assert found["ours"] >= 0.92
    for name in ("cr2", "obuchowski", "durkalski", "bootstrap-t"):
        assert found[name] < 0.92, name


def test_the_interval_that_is_asked_for_is_the_one_that_runs_and_is_printed() -> None:
    _, _, difference, weight = clusters(6)
    pair = Pair(
        Sample(np.maximum(-difference, 0), weight, 120, False),
        Sample(np.maximum(difference, 0), weight, 120, False),
    )
    for name, fit in PUBLISHED.items():
        seen = choose_test.difference(pair, margin=0.05, interval=name)
        interval = fit(pair.difference, weight).interval()
        assert (seen.interval.low, seen.interval.high) == (interval.low, interval.high)
        assert seen.method == "clustered"
        printed = [row["interval"] for row in choose_test.as_rows({"clustered"}, name) if row["used"]]
        assert printed == [choose_test.INTERVALS[name]]


def test_report_takes_another_interval(tmp_path: Path) -> None:
    make_run(tmp_path / "run", tasks=(FakeTask(rows=3, within=0.7),))
    boards = []
    for more in ((), ("--interval", "cr2")):
        assert run_command(tmp_path, ["report", "run", *more]).returncode == 0
        boards.append(json.loads((tmp_path / "run" / "leaderboard.json").read_text()))
    first, second = ([row for row in board["comparisons"] if row["claim"] == "superior"] for board in boards)
    for one, other in zip(first, second, strict=True):
        assert one["p"] == other["p"] and one["ci_low"] != other["ci_low"]
        assert other["interval"] == "CR2, Satterthwaite"
    refused = run_command(tmp_path, ["report", "run", "--interval", "wald"])
    assert refused.returncode == 2 and "wald" in refused.stderr


def test_what_is_simulated_as_ours_is_what_the_table_takes() -> None:
    """0/1 items: Bonett and Price."""
    cell = Cell(many.KINDS[0], 80, 0.2, 0.5)
    counts = cell.draw(np.random.default_rng(6), 60)[-1]
    simulated = many.ours(cell.kind, counts, cell.truth)
    assert simulated.any()
    for run, count in enumerate(counts):
        lead = np.repeat(cell.kind.lead, count)
        first, second = np.maximum(-lead, 0), np.maximum(lead, 0)
        weight = np.ones(lead.size)
        pair = Pair(Sample(first, weight, lead.size, True), Sample(second, weight, lead.size, True))
        found = choose_test.difference(pair)
        assert found.interval.method == "Bonett-Price"
        assert simulated[run] == (found.at(0.95).low <= cell.truth <= found.at(0.95).high)
