"""Every method beside somebody else's of the same kind: statsmodels, scipy, R, or a published example."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import ztest

from results.analysis import clusters as samplesets
from results.analysis.choose_test import TABLE, difference, score_interval, token_difference
from results.statistics import bootstrap
from results.statistics.bonett_price import bonett_price
from results.statistics.holm import holm
from results.statistics.mcnemar import mcnemar
from results.statistics.mover import mover
from results.statistics.noninferiority import wald_p
from results.statistics.permutation import sign_flip
from results.statistics.power import mde, needed_n
from results.statistics.wilson import effective_n, wilson


def test_holm_of_published_examples() -> None:
    # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    # The worked example of the encyclopedias: 0.005 and 0.01 are rejected at 5 %, the others are not.
    found = holm([0.01, 0.04, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert found == pytest.approx(multipletests([0.01, 0.04, 0.03, 0.005], method="holm")[1])


def test_exact_mcnemar_is_scipys_sign_test() -> None:
    for b, c in [(0, 6), (3, 9), (10, 10), (25, 41)]:
        assert mcnemar(b, c, exact=True).p == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-12)


def test_mcnemar_of_agrestis_survey() -> None:
    # Approval of a prime minister, asked twice: 150 left, 86 joined, z = -4.17 (Agresti 2002, 10.1.1).
    asymptotic = 2 * stats.norm.sf(4.17)
    assert mcnemar(150, 86).p == pytest.approx(asymptotic, rel=0.1)
    assert mcnemar(150, 86, exact=True).p == pytest.approx(stats.binomtest(86, 236).pvalue)


def test_mover_of_two_wilson_intervals_is_newcombes() -> None:
    # Newcombe 1998, method 10, example (a): 56/70 - 48/80 = 0.2000, interval 0.0524 to 0.3339.
    one, two = wilson(56, 70), wilson(48, 80)
    # `mover` takes a mean, so a difference of two is twice the mean of the first and minus the second.
    half = mover([56 / 70, -48 / 80], [one.low, -two.high], [one.high, -two.low])
    assert (2 * half.low, 2 * half.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    statsmodels = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert (2 * half.low, 2 * half.high) == pytest.approx(statsmodels)


def test_mover_of_one_estimate_is_its_own_interval() -> None:
    alone = mover([0.3], [0.1], [0.35])
    assert (alone.low, alone.high) == pytest.approx((0.1, 0.35))


@pytest.mark.parametrize("n", [80, 200, 500, 1319])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4])
def test_detectable_difference_is_statsmodels_power(n: int, share: float) -> None:
    one_sample = NormalIndPower().solve_power(nobs1=n, alpha=0.05, power=0.8, ratio=0)
    assert mde(math.sqrt(share), n) == pytest.approx(one_sample * math.sqrt(share), abs=1e-5)


def test_needed_n_is_statsmodels_power() -> None:
    asked = NormalIndPower().solve_power(effect_size=0.02 / math.sqrt(0.1), alpha=0.05, power=0.8, ratio=0)
    assert needed_n(math.sqrt(0.1), 0.02) == math.ceil(asked)


def test_non_inferiority_is_statsmodels_one_sided_z_test() -> None:
    values = np.random.default_rng(13).normal(-0.01, 0.4, 300)
    error = values.std(ddof=1) / math.sqrt(300)
    expected = ztest(values, value=-0.05, alternative="larger")[1]
    assert wald_p(values.mean(), error, 0.05) == pytest.approx(expected)


def clusters(seed: int, count: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """0/1 rows in clusters of one to five that go along with each other: rows, cluster of each, sizes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, count)
    which = np.repeat(np.arange(count), sizes)
    together = rng.random(count)[which]
    draw = np.where(rng.random(which.size) < 0.6, together, rng.random(which.size))
    return (draw < 0.55).astype(float), which, sizes.astype(float)


def robust_error(rows: np.ndarray, which: np.ndarray) -> float:
    """statsmodels' standard error of a mean, robust against clusters."""
    fitted = sm.OLS(rows, np.ones(rows.size)).fit(cov_type="cluster", cov_kwds={"groups": which})
    return float(fitted.bse[0])


def test_effective_n_is_statsmodels_cluster_robust_variance() -> None:
    rows, which, sizes = clusters(14)
    total = np.bincount(which, rows)
    share = rows.mean()
    expected = share * (1 - share) / robust_error(rows, which) ** 2
    assert effective_n(total, sizes, rows.size) == pytest.approx(expected, rel=0.01)


def test_linearised_error_is_statsmodels_cluster_robust_error() -> None:
    rows, which, sizes = clusters(15)
    assert bootstrap.standard_error(np.bincount(which, rows), sizes) == pytest.approx(
        robust_error(rows, which), rel=1e-6
    )


def test_adjusted_interval_is_near_statsmodels_robust_one_in_large_samples() -> None:
    rng = np.random.default_rng(16)
    rows, which, sizes = clusters(16, 4000)
    change = rng.choice([-1.0, 0.0, 1.0], rows.size, p=[0.1, 0.7, 0.2])
    total = np.bincount(which, change)
    zeros = np.zeros(total.size)
    sample = [samplesets.Sample(part, sizes, rows.size, True) for part in (zeros, total)]
    seen = difference(samplesets.Pair(*sample))
    reach = 1.96 * robust_error(change, which)
    assert seen.method == "clustered"
    assert (seen.interval.low, seen.interval.high) == pytest.approx(
        (change.mean() - reach, change.mean() + reach), abs=0.03 * reach
    )


def test_permutation_of_wilcoxons_kind_equals_scipys_exact_one() -> None:
    # Without ties between sums, mid-p counts the observed pattern and its mirror image by half.
    values = np.array([1.1, -2.3, 3.7, 5.9, 8.3, -0.7, 13.1])
    exact = stats.permutation_test(
        (values, np.zeros(7)), lambda a, b, axis: (a - b).sum(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert sign_flip(values * 10).p == pytest.approx(exact - 1 / 2**7, abs=1e-9)


def test_tokens_of_many_items_are_scipys_paired_t_interval() -> None:
    rng = np.random.default_rng(17)
    first, second = (
        rng.poisson(100, 20_000) + rng.random(20_000),
        rng.poisson(20, 20_000) + rng.random(20_000),
    )
    ones = np.ones(20_000)
    pair = samplesets.Pair(
        samplesets.Sample(first, ones, 20_000, False), samplesets.Sample(second, ones, 20_000, False)
    )
    seen = token_difference(pair)
    expected = stats.ttest_rel(second, first).confidence_interval()
    assert (seen.interval.low, seen.interval.high) == pytest.approx((expected.low, expected.high), rel=1e-3)


def sample_of(kind: str) -> samplesets.Sample:
    rows, which, sizes = clusters(18)
    if kind == "proportion":
        return samplesets.Sample(rows, np.ones(rows.size), rows.size, True)
    if kind == "proportion_clustered":
        return samplesets.Sample(np.bincount(which, rows), sizes, rows.size, True)
    return samplesets.Sample(rows * 0.5, np.ones(rows.size), rows.size, False)


@pytest.mark.parametrize("kind", ["proportion", "proportion_clustered", "number"])
def test_the_table_decides_by_the_data(kind: str) -> None:
    interval, key = score_interval(sample_of(kind))
    assert key == kind and key in TABLE
    assert interval.low < sample_of(kind).score < interval.high


def test_bonett_price_is_agresti_and_mins_up_to_half_an_item_a_side() -> None:
    """PropCIs::diffpropci.mp adds half an item to each of the four cells: one centre, a hair narrower."""
    b, c, n = 40, 20, 160
    centre = (c - b) / (n + 2)
    error = math.sqrt((b + c + 1) - (c - b) ** 2 / (n + 2)) / (n + 2)
    ours = bonett_price(b, c, n)
    assert (ours.low + ours.high) / 2 == pytest.approx(centre)
    assert 1 < (ours.high - ours.low) / (2 * 1.96 * error) < 1.02
