"""Standardisation by hand arithmetic and by its properties."""

import numpy as np
import pytest

from mtvp_eval.data.open_data.standardise import direct, indirect
from mtvp_eval.errors import EstimationError

COST = np.array([[100.0, 400.0], [200.0, 300.0], [90.0, np.nan]])
YEARS = np.array([[10.0, 20.0], [10.0, 5.0], [6.0, np.nan]])
CLEAN = np.array([True, True, False])


def test_indirect_by_hand():
    s = indirect(COST, YEARS, CLEAN)
    # rates: 300/20 = 15 and 700/25 = 28; expected: 10*15 + 20*28 = 710, 10*15 + 5*28 = 290, 6*15 = 90
    np.testing.assert_array_equal(s.rates, [15.0, 28.0])
    np.testing.assert_array_equal(s.expected, [710.0, 290.0, 90.0])
    np.testing.assert_array_equal(s.observed, [500.0, 500.0, 90.0])


def test_reference_observed_equals_expected_in_sum():
    s = indirect(COST, YEARS, CLEAN)
    assert s.observed[CLEAN].sum() == pytest.approx(s.expected[CLEAN].sum(), rel=1e-14)  # an identity


def test_an_effect_in_an_exposed_unit_does_not_move_its_own_expectation():
    higher = COST.copy()
    higher[2, 0] *= 2
    np.testing.assert_array_equal(indirect(COST, YEARS, CLEAN).expected, indirect(higher, YEARS, CLEAN).expected)


def test_prices_do_not_matter_for_differences_of_log_ratios():
    a, b = indirect(COST, YEARS, CLEAN).log_ratio, indirect(1.07 * COST, YEARS, CLEAN).log_ratio
    np.testing.assert_allclose(a, b, atol=1e-14)  # the deflator cancels; rounding only


def test_a_cell_no_reference_unit_shows_is_refused():
    cost = np.array([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(EstimationError, match="1 age-sex cells"):
        indirect(cost, np.where(np.isnan(cost), np.nan, 1.0), np.array([True, False]))


def test_direct_by_hand_with_bounds():
    d = direct(COST, YEARS, np.array([0.25, 0.75]))
    # rates 10,20 | 20,60 | 15,?: hole = (400+300)/(20+5) = 28, bounds 20 and 60
    np.testing.assert_allclose(d.rate, [17.5, 50.0, 3.75 + 21.0], rtol=1e-15)
    np.testing.assert_allclose(d.low, [17.5, 50.0, 3.75 + 15.0], rtol=1e-15)
    np.testing.assert_allclose(d.high, [17.5, 50.0, 3.75 + 45.0], rtol=1e-15)
