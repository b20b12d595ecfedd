"""Sign-flip permutation, BCa bootstrap and the adjusted interval against scipy and against each other."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from results.analysis.choose_test import ratio_of
from results.statistics import bootstrap
from results.statistics.adjusted import adjusted_difference
from results.statistics.bonett_price import adjusted, bonett_price
from results.statistics.mcnemar import mcnemar
from results.statistics.permutation import lattice, sign_flip


def enumerate_mid_p(differences: list[float]) -> float:
    """All sign patterns by hand, ties by half."""
    observed = abs(sum(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((-1, 1), repeat=len(differences))]  # fmt: skip
    beyond = sum(value > observed + 1e-9 for value in sums)
    ties = sum(abs(value - observed) <= 1e-9 for value in sums)
    return (beyond + ties / 2) / len(sums)


@pytest.mark.parametrize(
    "differences", [[1, 1, 1, -1, 1, 1], [0.25, -0.5, 1, 0.75, 0.25], [2, -1, 3, 3, 1, -2, 1], [1, -1]]
)
def test_exact_sign_flip_equals_all_patterns(differences: list[float]) -> None:
    outcome = sign_flip(np.array([*differences, 0.0, 0.0]))
    assert outcome.p == pytest.approx(enumerate_mid_p(differences), abs=1e-12)
    assert "exact" in outcome.method


def test_sign_flip_on_zero_one_items_is_mcnemar_mid_p() -> None:
    for b, c in [(3, 9), (0, 5), (12, 12), (200, 250)]:
        outcome = sign_flip(np.concatenate([-np.ones(b), np.ones(c), np.zeros(30)]))
        assert outcome.p == pytest.approx(mcnemar(b, c).p, abs=1e-12)


def test_drawn_sign_flip_equals_scipy_within_its_noise() -> None:
    rng = np.random.default_rng(3)
    values = rng.lognormal(3, 1, 60) - rng.lognormal(3.3, 1, 60)
    expected = stats.permutation_test(
        (values, np.zeros(60)), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=20_000, rng=np.random.default_rng(4),
    ).pvalue  # fmt: skip
    outcome = sign_flip(values)
    assert outcome.p == pytest.approx(expected, abs=0.01)
    assert outcome == sign_flip(values), "seeded from the data"


def test_normal_sign_flip_agrees_with_the_drawn_one() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.02, 1, 6000)
    drawn = 2 * stats.norm.sf(abs(values.sum()) / np.sqrt((values**2).sum()))
    assert sign_flip(values).p == pytest.approx(drawn, rel=1e-9)
    assert sign_flip(values[:4900]).p == pytest.approx(
        2 * stats.norm.sf(abs(values[:4900].sum()) / np.sqrt((values[:4900] ** 2).sum())), abs=0.02
    )


def test_no_difference_gives_p_one() -> None:
    assert sign_flip(np.zeros(10)).p == 1.0


def test_lattice_finds_common_units_only() -> None:
    assert lattice(np.array([0.5, -0.75, 1.0])).tolist() == [2, -3, 4]
    assert lattice(np.array([1.0, np.pi])) is None


def test_bca_equals_scipy_within_its_noise() -> None:
    rng = np.random.default_rng(6)
    top, bottom = rng.lognormal(1, 1, 150), rng.integers(1, 4, 150).astype(float)
    expected = stats.bootstrap(
        (top, bottom), lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis), paired=True, vectorized=True,
        n_resamples=20_000, method="BCa", rng=np.random.default_rng(7),
    ).confidence_interval  # fmt: skip
    interval = bootstrap.bca_interval(top, bottom)
    width = expected.high - expected.low
    assert interval.low == pytest.approx(expected.low, abs=0.04 * width)
    assert interval.high == pytest.approx(expected.high, abs=0.04 * width)
    assert interval == bootstrap.bca_interval(top, bottom), "seeded from the data"


def test_bca_does_not_depend_on_the_order_of_clusters() -> None:
    rng = np.random.default_rng(8)
    top = rng.lognormal(1, 1, 120)
    assert bootstrap.bca_interval(top, np.ones(120)) == bootstrap.bca_interval(top[::-1], np.ones(120))


def test_cells_of_a_multinomial_agree_with_drawing_every_cluster() -> None:
    values = np.concatenate([np.ones(60), -np.ones(40), np.zeros(200)])
    by_cells = bootstrap.bca_interval(values, np.ones(300))
    tiny = np.random.default_rng(9).normal(0, 1e-9, 300)
    by_cluster = bootstrap.bca_interval(values + tiny, np.ones(300))
    assert by_cells.low == pytest.approx(by_cluster.low, abs=0.01)
    assert by_cells.high == pytest.approx(by_cluster.high, abs=0.01)


def test_linearised_interval_of_large_samples_agrees_with_bca() -> None:
    rng = np.random.default_rng(10)
    top = rng.lognormal(2, 0.5, 6000)
    large = bootstrap.bca(top, np.ones(6000))
    assert large.linearised
    expected = stats.norm.interval(0.95, top.mean(), top.std(ddof=1) / np.sqrt(6000))
    assert (large.interval().low, large.interval().high) == pytest.approx(expected, rel=1e-6)


def test_one_sided_p_agrees_with_the_interval_where_its_lower_end_is_tested() -> None:
    rng = np.random.default_rng(11)
    fitted = bootstrap.bca(rng.normal(0.1, 1, 200), np.ones(200))
    low = fitted.interval().low
    assert fitted.p_above(low) == pytest.approx(0.025, abs=0.002)
    assert fitted.p_above(low - 0.05) < 0.025 < fitted.p_above(low + 0.05)


def test_a_binary_bootstrap_of_many_items_takes_milliseconds() -> None:
    values = np.concatenate([np.ones(20_000), -np.ones(10_000), np.zeros(70_000)])
    bootstrap.bca_interval(values, np.ones(values.size))
    start = time.perf_counter()
    bootstrap.bca_interval(values, np.ones(values.size))
    assert time.perf_counter() - start < 0.5


def test_adjusted_interval_is_bonett_price_on_zero_one_items() -> None:
    values = np.concatenate([-np.ones(6), np.ones(16), np.zeros(139)])
    fitted = adjusted_difference(values, np.ones(161))
    assert (fitted.centre, fitted.error) == pytest.approx(adjusted(6, 16, 161))


def test_adjusted_interval_is_wide_where_little_differs() -> None:
    weight = np.full(80, 4.0)
    nothing = adjusted_difference(np.zeros(80), weight).interval()
    assert nothing.low < -0.02 < 0.02 < nothing.high
    one = np.zeros(80)
    one[0] = 4.0
    assert (
        adjusted_difference(one, weight).interval().low < 0 < adjusted_difference(one, weight).interval().high
    )


def test_scores_without_bounds_have_an_interval_without_bounds() -> None:
    rng = np.random.default_rng(5)
    values, weight = rng.normal(-7, 8, 60), np.ones(60)
    interval = adjusted_difference(values, weight, bounded=False).interval()
    t = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval.low == pytest.approx(t.low, abs=0.5) and interval.high == pytest.approx(t.high, abs=0.5)


def test_draws_without_any_token_say_nothing_of_a_ratio() -> None:
    """Failed calls have no tokens; a draw of nothing but them is 0/0."""
    zeros, first = np.zeros(12), np.arange(5.0, 13.0)
    ratio, interval = ratio_of(np.append(zeros, first), np.append(zeros, first / 2))
    assert (ratio, interval.low, interval.high) == (0.5, 0.5, 0.5)
    ratio, interval = ratio_of(np.append(np.zeros(30), 5.0), np.full(31, 5.0))
    assert ratio == pytest.approx(31) and interval is None


@pytest.mark.parametrize("differing", [0, 1, 4, 100])
def test_adjusted_p_agrees_with_its_interval(differing: int) -> None:
    values = np.random.default_rng(12).choice([-0.5, 0.25, 1.0], 100) * (np.arange(100) < differing)
    fitted = adjusted_difference(values, np.ones(100))
    assert fitted.p_above(fitted.interval().low) == pytest.approx(0.025)
    assert fitted.p_above(fitted.interval().high) == pytest.approx(0.975)


def test_adjusted_interval_is_no_wider_than_if_clusters_differed_altogether() -> None:
    weight = np.full(24, 2.0)
    nothing, theirs = adjusted_difference(np.zeros(24), weight).interval(), bonett_price(0, 0, 24)
    assert (nothing.low, nothing.high) == pytest.approx((theirs.low, theirs.high))
    half = np.zeros(24)
    half[0] = 1.0
    interval, whole = adjusted_difference(half, weight).interval(), bonett_price(0, 1, 24)
    assert interval.high - interval.low < whole.high - whole.low + 0.01
