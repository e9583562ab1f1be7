"""Partial pooling and Fieller's ratio: closed forms and the boundary cases."""

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.stats import t

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.fieller import RatioSet, fieller
from mtvp_eval.inference.placebo import noise_scale
from mtvp_eval.inference.pooling import partial_pooling


def test_equal_errors_have_a_closed_form():
    theta, s = np.array([-0.04, -0.01, 0.02, 0.05]), 0.01
    pooled = partial_pooling(theta, np.full(4, s))
    # with equal errors the generalised Q equation gives tau2 = var - s2 and the plain mean
    assert pooled.mean == pytest.approx(theta.mean(), abs=1e-15)
    assert pooled.between_variance == pytest.approx(theta.var(ddof=1) - s**2, rel=1e-9)
    error = np.sqrt(theta.var(ddof=1) / 4)
    assert pooled.high - pooled.mean == pytest.approx(t.ppf(0.975, 3) * error, rel=1e-9)
    assert pooled.prediction is not None
    assert pooled.prediction[1] - pooled.mean == pytest.approx(
        t.ppf(0.975, 2) * np.sqrt(pooled.between_variance + error**2), rel=1e-9
    )


def test_effects_are_drawn_to_the_mean_the_more_the_less_they_say():
    pooled = partial_pooling(np.array([0.0, 0.3, -0.1]), np.array([0.01, 0.2, 0.05]))
    moved = np.abs(pooled.shrunken - [0.0, 0.3, -0.1])
    assert moved[1] > moved[2] > moved[0]


def test_alike_effects_pool_completely_but_not_with_a_shrunken_interval():
    pooled = partial_pooling(np.array([0.01, 0.0101]), np.array([0.02, 0.02]))
    assert pooled.between_variance == 0.0
    assert pooled.mean_error == pytest.approx(0.02 / np.sqrt(2))  # never narrower than the fixed-effect error
    assert pooled.prediction is None


def test_one_effect_cannot_be_pooled():
    with pytest.raises(EstimationError, match="1 effects"):
        partial_pooling(np.array([0.1]), np.array([0.1]))


def test_fieller_solves_its_quadratic():
    ratio = fieller(-0.03, 0.4, (1e-4, 4e-4), 1e-5, 1.96)
    for end in (ratio.low, ratio.high):
        gap = (-0.03 - end * 0.4) ** 2
        assert gap == pytest.approx(1.96**2 * (1e-4 - 2 * end * 1e-5 + end**2 * 4e-4), rel=1e-9)  # rounding
    assert ratio.low < ratio.estimate < ratio.high


def test_a_denominator_near_zero_gives_no_false_interval():
    assert fieller(0.5, 0.01, (0.01, 0.01), 0.0, 1.96).shape is RatioSet.OUTSIDE
    assert fieller(0.01, 0.01, (0.01, 0.01), 0.0, 1.96).shape is RatioSet.EVERYTHING


def test_noise_scale_never_goes_below_zero():
    rng = np.random.default_rng(6)
    for scale in (lambda n: 1e-4 + 0 * n, lambda n: 20 / n, lambda n: 1e-8 * n):
        size = np.exp(rng.normal(10, 1, 500))
        found = noise_scale(rng.normal(0, np.sqrt(scale(size))), size)
        assert found.a >= 0
        assert found.b >= 0
        assert found.a + found.b > 0


def test_first_fit_is_the_non_negative_least_squares_fit():
    from mtvp_eval.inference.placebo import _least_squares_not_negative

    rng = np.random.default_rng(7)
    for _ in range(50):
        D, y = rng.uniform(0, 1, (30, 2)), rng.normal(0.2, 1, 30)
        np.testing.assert_allclose(_least_squares_not_negative(D, y), nnls(D, y)[0], atol=1e-12)  # rounding
