"""Levels of repeated looks: published bounds, brute force over random walks, and the limits of one look."""

import numpy as np
import pytest
from scipy.stats import norm

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.looks import spending_levels


def test_bounds_are_those_published_for_five_equal_looks():
    """Lan-DeMets spending like O'Brien and Fleming, .025 on either side, as printed by R gsDesign and rpact.

    5e-5: they print four decimals.
    """
    bounds = norm.ppf(0.5 + spending_levels(5) / 2)
    np.testing.assert_allclose(bounds, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310], rtol=0, atol=5e-5)


@pytest.mark.parametrize("planned", [2, 4])
def test_all_looks_together_hold_the_level(planned):
    """A random walk crosses the bounds at some look with probability .05: 400,000 walks, four Monte Carlo errors."""
    rng, walks = np.random.default_rng(planned), 400_000
    z = rng.normal(size=(walks, planned)).cumsum(axis=1) / np.sqrt(np.arange(1, planned + 1))
    bounds = norm.ppf(0.5 + spending_levels(planned) / 2)
    crossed = (np.abs(z) > bounds).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / walks))
    unadjusted = (np.abs(z) > norm.ppf(0.975)).any(axis=1).mean()
    assert unadjusted > 0.07


def test_one_look_costs_nothing():
    assert spending_levels(1, 0.9) == pytest.approx([0.9], abs=1e-12)


def test_levels_fall_and_never_below_the_declared_one():
    levels = spending_levels(6)
    assert (np.diff(levels) < 0).all()
    assert levels[-1] > 0.95


def test_no_looks_are_refused():
    with pytest.raises(EstimationError, match="0 planned looks"):
        spending_levels(0)
