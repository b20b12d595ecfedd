"""Wilson, McNemar, Bonett-Price, Holm and power against statsmodels, R's examples and the field notes."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from results.statistics.bonett_price import bonett_price
from results.statistics.holm import holm
from results.statistics.mcnemar import mcnemar
from results.statistics.noninferiority import non_inferior, wald_p
from results.statistics.outcomes import Interval
from results.statistics.power import mde, needed_n
from results.statistics.wilson import effective_n, wilson, wilson_clustered


@pytest.mark.parametrize(("b", "c"), [(0, 1), (3, 9), (12, 12), (6, 16), (40, 20), (0, 30)])
def test_exact_mcnemar_equals_statsmodels(b: int, c: int) -> None:
    expected = statsmodels_mcnemar([[10, b], [c, 20]], exact=True).pvalue
    assert mcnemar(b, c, exact=True).p == pytest.approx(expected, rel=1e-12)


def test_mcnemar_of_the_r_package_contingencytables() -> None:
    # Complete response before and after consolidation therapy (Cavo et al. 2012): 59, 6, 16, 80.
    assert mcnemar(6, 16, exact=True).p == pytest.approx(0.052479, abs=5e-7)
    assert mcnemar(6, 16).p == pytest.approx(0.034690, abs=5e-7)


def test_nothing_discordant_gives_p_one() -> None:
    assert mcnemar(0, 0).p == 1.0
    assert mcnemar(0, 0, exact=True).p == 1.0


def test_mid_p_lies_below_exact_and_is_symmetric() -> None:
    for b, c in [(1, 7), (5, 5), (0, 4)]:
        assert mcnemar(b, c).p < mcnemar(b, c, exact=True).p
        assert mcnemar(b, c).p == mcnemar(c, b).p


def test_bonett_price_of_the_r_package_contingencytables() -> None:
    interval = bonett_price(16, 6, 161)
    assert (interval.low, interval.high) == (
        pytest.approx(-0.1195, abs=5e-5),
        pytest.approx(-0.0032, abs=5e-5),
    )


def test_bonett_price_of_the_r_package_propcis() -> None:
    # diffpropci.mp(b = 40, c = 20, n = 160): estimate -0.1235 of adjusted counts, from its formula.
    interval = bonett_price(40, 20, 160)
    assert (interval.low + interval.high) / 2 == pytest.approx(-20 / 162)


def test_bonett_price_is_never_a_point_and_stays_in_range() -> None:
    assert bonett_price(0, 0, 80).low < 0 < bonett_price(0, 0, 80).high
    assert bonett_price(0, 3, 3).high <= 1


@pytest.mark.parametrize(("k", "n"), [(0, 80), (80, 80), (123, 200), (1319, 1319)])
def test_wilson_equals_statsmodels_and_scipy(k: int, n: int) -> None:
    from scipy.stats import binomtest

    interval = wilson(k, n)
    assert (interval.low, interval.high) == pytest.approx(proportion_confint(k, n, method="wilson"))
    other = binomtest(k, n).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_effective_n_is_rows_without_correlation_and_clusters_with_full_correlation() -> None:
    rng = np.random.default_rng(1)
    weight = np.full(400, 4.0)
    apart = rng.binomial(4, 0.5, 400).astype(float)
    together = 4.0 * rng.binomial(1, 0.5, 400)
    assert effective_n(apart, weight, 1600) == pytest.approx(1600, rel=0.2)
    assert effective_n(together, weight, 1600) == pytest.approx(400, rel=0.02)
    # Full correlation makes the clustered interval the plain one on clusters.
    plain, clustered = wilson(together.sum() / 4, 400), wilson_clustered(together, weight, 1600)
    assert clustered.low == pytest.approx(plain.low, abs=1e-3)


def test_effective_n_counts_clusters_where_everything_is_right() -> None:
    weight = np.full(80, 2.0)
    assert wilson_clustered(weight, weight, 160).low == pytest.approx(wilson(80, 80).low)


FIELD_NOTES = {
    80: (9.9, 14.0, 17.2, 19.8),
    200: (6.3, 8.9, 10.9, 12.5),
    500: (4.0, 5.6, 6.9, 7.9),
    1319: (2.4, 3.4, 4.2, 4.9),
}


@pytest.mark.parametrize("n", FIELD_NOTES)
def test_minimum_detectable_differences_of_the_field_notes(n: int) -> None:
    found = [round(100 * mde(share**0.5, n), 1) for share in (0.1, 0.2, 0.3, 0.4)]
    assert found == pytest.approx(FIELD_NOTES[n], abs=0.051)


def test_needed_n_is_the_smallest_that_reaches_the_difference() -> None:
    n = needed_n(0.1**0.5, 0.02)
    assert n == 1963
    assert mde(0.1**0.5, n) <= 0.02 < mde(0.1**0.5, n - 1)
    assert needed_n(0.3, 0.0) is None


def test_holm_equals_the_hand_calculation() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_non_inferiority_looks_at_the_lower_end() -> None:
    assert non_inferior(Interval(-0.04, 0.02, ""), 0.05) == "yes"
    assert non_inferior(Interval(-0.08, 0.02, ""), 0.05) == "cannot_tell"
    assert non_inferior(Interval(-0.12, -0.06, ""), 0.05) == "no"
    assert wald_p(-0.05, 0.02, 0.05) == pytest.approx(0.5)
