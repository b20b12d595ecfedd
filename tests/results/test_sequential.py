"""Boundaries beside published ones, sequential p-values, estimates after stopping, Tango's interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from results.statistics.log_ratio import log_ratio
from results.statistics.sequential.boundaries import bounds, exits, levels
from results.statistics.sequential.estimates import conditional_power, futile, median_unbiased
from results.statistics.sequential.plan import Plan, planned, score_of
from results.statistics.sequential.spending import SPENDING, obrien_fleming, pocock
from results.statistics.tango import tango, tango_p_above, tango_z

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)


def even(looks: int) -> tuple[float, ...]:
    return tuple((look + 1) / looks for look in range(looks))


def test_looking_again_and_again_at_5_percent_is_armitages_table() -> None:
    """Armitage, McPherson and Rowe 1969, table 2: chance of any |z| > 1.96 in so many looks."""
    for looks, chance in (
        (1, 0.050),
        (2, 0.083),
        (3, 0.107),
        (4, 0.126),
        (5, 0.142),
        (10, 0.193),
        (20, 0.248),
    ):
        found = sum(map(sum, exits([1.959964] * looks, even(looks))))
        assert found == pytest.approx(chance, abs=6e-4)


@pytest.mark.parametrize(
    ("looks", "pocock_z", "obrien_z"),
    [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)],
)
def test_constants_of_jennison_and_turnbull_spend_5_percent(
    looks: int, pocock_z: float, obrien_z: float
) -> None:
    """Tables 2.1 and 2.3 of Group Sequential Methods (2000), alpha .05."""
    shares = even(looks)
    assert sum(map(sum, exits([pocock_z] * looks, shares))) == pytest.approx(0.05, abs=1e-4)
    falling = [obrien_z / math.sqrt(share) for share in shares]
    assert sum(map(sum, exits(falling, shares))) == pytest.approx(0.05, abs=1e-4)


def test_bounds_are_those_of_lan_and_demets() -> None:
    """R: ldbounds::ldBounds(t = seq(.2, 1, .2), iuse = c(1, 1), alpha = c(.025, .025)), and iuse 2."""
    assert bounds(FIVE, 0.05, "obrien-fleming") == pytest.approx(
        [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4
    )
    assert bounds(FIVE, 0.05, "pocock") == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=2e-4)


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.0055, 1e-5])
def test_each_look_spends_what_the_function_says(spending: str, alpha: float) -> None:
    shares = (0.1, 0.35, 0.4, 0.9, 1.0)
    spent = np.cumsum([above for _, above in exits(bounds(shares, alpha, spending), shares)])
    assert spent == pytest.approx([SPENDING[spending](share, alpha / 2) for share in shares], rel=1e-6)


def test_spending_functions_begin_at_nothing_and_end_at_the_level() -> None:
    for function in (obrien_fleming, pocock):
        assert function(0.0, 0.025) == 0
        assert function(1.0, 0.025) == pytest.approx(0.025)
        values = [function(share, 0.025) for share in np.linspace(0.01, 1, 50)]
        assert np.all(np.diff(values) > 0)


def test_a_drift_is_crossed_as_often_as_random_walks_cross() -> None:
    z, drift = bounds(FIVE, 0.05, "obrien-fleming"), 2.8
    steps = np.random.default_rng(0).normal(drift * 0.2, math.sqrt(0.2), (40_000, 5))
    walks = steps.cumsum(1) / np.sqrt(FIVE)
    open_, found = np.ones(len(walks), bool), []
    for look, bound in enumerate(z):
        found.append(float((open_ & (walks[:, look] >= bound)).mean()))
        open_ &= np.abs(walks[:, look]) < bound
    assert [above for _, above in exits(z, FIVE, drift)] == pytest.approx(found, abs=0.008)


@pytest.mark.parametrize("spending", SPENDING)
def test_a_sequential_p_is_the_level_at_which_the_look_would_just_have_crossed(spending: str) -> None:
    known = levels(FIVE, spending)
    for look in range(5):
        for alpha in (0.2, 0.05, 0.0125, 1e-4):
            z = bounds(FIVE, alpha, spending)[look]
            assert known.z(look, alpha) == pytest.approx(z, abs=1e-5)
            assert known.p(look, 2 * stats.norm.sf(z)) == pytest.approx(alpha, rel=1e-4)
    assert known.p(4, 1.0) == 1.0
    assert known.p(4, 0.0) < 1e-8


def test_a_claim_that_was_decided_once_stays_decided() -> None:
    plan = Plan((20, 40, 60, 80, 100))
    early = plan.p([1e-7])
    assert early <= 0.05
    assert plan.p([1e-7, 0.5, 0.9]) == early
    assert plan.passed([5.0, 0.1], 0.05) == 0 and plan.passed([0.1, 0.2], 0.05) == 2


def test_a_plan_is_evenly_spaced_and_never_looks_twice_at_the_same_clusters() -> None:
    assert planned(100, 5, "pocock", True).clusters == (20, 40, 60, 80, 100)
    assert planned(7, 5, "pocock", True).clusters == (2, 3, 5, 6, 7)
    assert planned(2, 5, "pocock", True).clusters == (1, 2)
    assert planned(1, 5, "pocock", True).shares == (1.0,)


def test_the_error_that_is_left_is_the_chance_of_crossing_in_the_looks_not_made() -> None:
    known, z, rng = levels(FIVE, "pocock"), 1.1, np.random.default_rng(8)
    bound = [known.z(look, 0.05) for look in range(5)]
    walks = z * math.sqrt(0.4) + rng.normal(0, math.sqrt(0.2), (100_000, 3)).cumsum(1)
    scores = walks / np.sqrt(FIVE[2:])
    crossed = np.abs(scores) >= bound[2:]
    first = np.where(crossed.any(1), crossed.argmax(1), 2)
    above = crossed.any(1) & (scores[np.arange(len(scores)), first] > 0)
    assert known.left(1, z, 0.05) == pytest.approx(float(above.mean()), abs=0.003)
    assert known.left(4, 1.9, 0.05) == 0, "at the planned end all is spent"


def test_the_error_spent_and_the_error_left_add_up_to_the_level_of_the_test() -> None:
    known = levels(FIVE, "obrien-fleming")
    bound = [known.z(look, 0.05) for look in range(5)]
    steps = np.random.default_rng(9).normal(0, math.sqrt(0.2), (100_000, 3))
    scores = steps.cumsum(1) / np.sqrt(FIVE[:3])
    crossed = np.abs(scores) >= bound[:3]
    first = np.where(crossed.any(1), crossed.argmax(1), 0)
    above = crossed.any(1) & (scores[np.arange(len(scores)), first] > 0)
    grid = np.linspace(-4, 4, 81)
    left = np.interp(scores[:, 2], grid, [known.left(2, float(z), 0.05) for z in grid])
    total = np.where(crossed.any(1), above, left).mean()
    assert float(total) == pytest.approx(0.025, abs=0.0012)


def test_a_second_plan_spends_what_each_level_had_left() -> None:
    old = Plan((20, 40, 60, 80, 100))
    plan = Plan((160, 260), before=old, made=3)
    assert plan.looks == 5 and plan.start == 60 and plan.shares == (0.5, 1.0)
    assert [plan.asked(look) for look in range(5)] == [20, 40, 60, 160, 260]
    before = {0: 0.4, 1: 0.3, 2: 0.2}
    assert plan.p_above(before) == old.p_above(before)
    above = {**before, 3: 0.3, 4: 1e-4}
    p = plan.p_above(above)
    assert p < old.p_above(before)
    assert old.left(before, p) == pytest.approx(plan.levels.p(1, 2e-4) / 2, rel=1e-4)
    assert plan.bound(4, above, 2 * p) == pytest.approx(stats.norm.isf(1e-4), abs=1e-4)
    # A worse beginning leaves less, and a claim that was decided stays decided.
    assert plan.p_above({**above, 2: 0.6}) > p
    decided = {0: 1e-9, 1: 0.4, 2: 0.5}
    assert plan.p_above({**decided, 3: 0.5, 4: 0.9}) == old.p_above(decided)
    # At the planned end nothing is left, however many clusters follow.
    spent = dict.fromkeys(range(5), 0.1)
    late = Plan((300,), before=old, made=5)
    assert late.p_above({**spent, 5: 1e-12}) == old.p_above(spent)


def test_a_third_plan_has_what_the_second_one_left() -> None:
    first = Plan((20, 40, 60, 80, 100))
    second = Plan((160, 260), before=first, made=3)
    third = Plan((400,), before=second, made=4)
    above = {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.25, 4: 1e-5}
    p = third.p_above(above)
    old = {look: each for look, each in above.items() if look < 4}
    assert second.left(old, p) == pytest.approx(third.levels.p(0, 2e-5) / 2, rel=1e-4)
    assert 0 < second.left(old, 0.025) < first.left({0: 0.4, 1: 0.3, 2: 0.2}, 0.025)


def test_half_of_all_outcomes_are_more_extreme_under_the_median_unbiased_estimate() -> None:
    """More extreme: above the boundary at an earlier look, or above the z seen at the same one."""
    z = np.array(bounds(FIVE, 0.05, "pocock"))
    for stop, seen in ((1, 2.6), (2, 3.4), (4, 1.0), (4, -0.7)):
        # In units in which the estimate's error is 1 at the planned end, so the drift is the true value.
        error = 1 / math.sqrt(FIVE[stop])
        found = median_unbiased(seen * error, error, FIVE[stop], [*z[:stop]], FIVE[:stop])
        steps = np.random.default_rng(stop).normal(found * 0.2, math.sqrt(0.2), (60_000, 5))
        walks = steps.cumsum(1) / np.sqrt(FIVE)
        crossed = np.abs(walks[:, :stop]) >= z[:stop]
        first = np.where(crossed.any(1), crossed.argmax(1), stop)
        extreme = np.where(first < stop, walks[np.arange(len(walks)), first] > 0, walks[:, stop] >= seen)
        assert float(extreme.mean()) == pytest.approx(0.5, abs=0.008)
        if stop < 4:
            assert found < seen * error, "what stops early is taken back a little"


def test_without_an_earlier_look_the_estimate_is_the_plain_one() -> None:
    assert median_unbiased(0.1, 0.02, 0.2, [], []) == 0.1


def test_conditional_power_is_the_chance_of_the_end_under_the_trend() -> None:
    z, share, final = 1.2, 0.6, 2.03
    rest = np.random.default_rng(2).normal(z / math.sqrt(share) * 0.4, math.sqrt(0.4), 200_000)
    ends = np.abs(z * math.sqrt(share) + rest)
    assert conditional_power(z, share, final) == pytest.approx(float((ends >= final).mean()), abs=0.004)
    assert conditional_power(3.0, 1.0, final) == 1.0
    assert futile(0.3, 0.6, final) and not futile(0.3, 0.4, final) and not futile(1.9, 0.6, final)


def test_scores_have_the_sign_of_the_estimate() -> None:
    assert score_of(0.05, 1) == pytest.approx(1.96, abs=1e-3)
    assert score_of(0.05, -1) == pytest.approx(-1.96, abs=1e-3)
    assert score_of(1.0, 1) == 0


def test_tangos_interval_of_the_airway_data() -> None:
    """Fagerland, Lydersen and Laake 2014, table IV: 1 and 7 discordant among 21, -0.517 to -0.026."""
    found = tango(7, 1, 21)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_tangos_interval_holds_what_its_test_does_not_reject() -> None:
    for b, c, n in ((0, 0, 50), (3, 12, 80), (0, 9, 40), (40, 0, 40)):
        found = tango(b, c, n, 0.9)
        for end, tail in ((found.low, 0.05), (found.high, 0.95)):
            if abs(end) < 1:
                assert tango_p_above(b, c, n, end) == pytest.approx(tail, abs=1e-6)
        assert found.low < (c - b) / n + 1e-9 and (c - b) / n - 1e-9 < found.high
        assert tango_z(b, c, n, -0.5) > tango_z(b, c, n, 0.5)


def test_the_log_ratio_has_the_error_of_the_delta_method() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.gamma(5, 10, 400), rng.gamma(5, 2, 400)
    found = log_ratio(first, second)
    assert found is not None
    covariance = np.cov(first, second) / 400
    slope = np.array([-1 / first.mean(), 1 / second.mean()])
    assert found.error == pytest.approx(math.sqrt(slope @ covariance @ slope), rel=1e-9)
    assert found.estimate == pytest.approx(math.log(second.mean() / first.mean()))
    low, high = (found.estimate + sign * stats.t.ppf(0.975, 399) * found.error for sign in (-1, 1))
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert found.p < 1e-12


def test_a_ratio_without_variance_or_without_tokens() -> None:
    same = log_ratio(np.full(9, 3.0), np.full(9, 3.0))
    assert same is not None and (same.p, same.error) == (1.0, 0.0)
    fifth = log_ratio(np.full(9, 15.0), np.full(9, 3.0))
    assert fifth is not None and fifth.p == 0.0 and fifth.interval().high == pytest.approx(0.2)
    assert log_ratio(np.zeros(4), np.ones(4)) is None
    assert log_ratio(np.ones(1), np.ones(1)) is None
