"""Power and bias of a pre-test: closed forms for independent coefficients, the normal's own integral for others."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, truncnorm

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.honest_study import HonestStudy
from mtvp_eval.inference.pretrend_power import detectable_slope, pretrend_power

Z = norm.ppf(0.975)
DRAWS = 100_000


def correlated():
    root = np.array([[1.0, 0, 0, 0], [0.5, 0.8, 0, 0], [0.3, 0.2, 0.9, 0], [0.4, 0.1, 0.2, 0.7]])
    return HonestStudy(np.zeros(3), np.zeros(1), root @ root.T)


def test_power_equals_the_integral_of_the_normal():
    study = correlated()
    found = pretrend_power(study, 0.6, np.random.default_rng(0), draws=DRAWS)
    error = np.sqrt(np.diag(study.covariance)[:3])
    inside = multivariate_normal(0.6 * np.arange(-3, 0), study.covariance[:3, :3]).cdf(
        Z * error, lower_limit=-Z * error, rng=np.random.default_rng(1)
    )
    assert found.power == pytest.approx(1 - inside, abs=4 * 0.5 / np.sqrt(DRAWS))


def test_bias_once_passed_equals_truncated_normals_where_coefficients_are_independent():
    """Pre-coefficients independent: E[b | pass] is a truncated mean each, carried over by the regression of post."""
    covariance = np.eye(3)
    covariance[2, :2] = covariance[:2, 2] = [0.3, 0.5]
    study, slope = HonestStudy(np.zeros(2), np.zeros(1), covariance), 0.5
    mean = slope * np.array([-2.0, -1.0])
    passed = truncnorm(-Z - mean, Z - mean, loc=mean).mean()
    found = pretrend_power(study, slope, np.random.default_rng(0), draws=DRAWS)
    assert found.bias_if_passed[0] == pytest.approx(0.5 + [0.3, 0.5] @ (passed - mean), abs=4 / np.sqrt(DRAWS))
    assert found.bias.tolist() == [0.5]


def test_the_slope_found_has_the_power_asked_for():
    study = correlated()
    slope = detectable_slope(study, 0.8, np.random.default_rng(0), draws=DRAWS)
    again = pretrend_power(study, slope, np.random.default_rng(1), draws=DRAWS)
    assert again.power == pytest.approx(0.8, abs=6 * 0.4 / np.sqrt(DRAWS))  # both sides are drawn


def test_a_power_below_the_size_is_refused():
    with pytest.raises(EstimationError, match="without any difference"):
        detectable_slope(correlated(), 0.05, np.random.default_rng(0))


def test_a_line_that_is_always_seen_is_refused():
    with pytest.raises(EstimationError, match="every draw"):
        pretrend_power(correlated(), 100.0, np.random.default_rng(0))
