"""Joint covariance of placebo contrasts: against its definition, by simulation, and what is refused."""

import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.placebo import NoiseScale, PlaceboDraws
from mtvp_eval.inference.placebo_covariance import placebo_covariance


def draws(contrast, size, noise, own=100.0):
    return PlaceboDraws(0.0, own, contrast, size, noise, len(size))


def test_variances_are_those_of_the_noise_by_size():
    rng, size = np.random.default_rng(1), np.linspace(50, 200, 60)
    noise = [NoiseScale(0.01 * k, 2.0 / k) for k in (1, 2, 3)]
    parts = [draws(rng.normal(size=60), size, n) for n in noise]
    found = placebo_covariance(parts)
    expected = [n.a + n.b / 100.0 for n in noise]
    np.testing.assert_allclose(np.diag(found), expected, rtol=1e-12)  # an identity but for rounding
    np.testing.assert_array_equal(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 0


def test_the_true_covariance_is_found():
    rng, groups = np.random.default_rng(2), 20_000
    truth = np.array([[4.0, 1.0, -0.5], [1.0, 1.0, 0.2], [-0.5, 0.2, 2.0]])
    size = rng.uniform(20, 400, groups)
    values = rng.multivariate_normal(np.zeros(3), truth, groups) / np.sqrt(size)[:, None]
    parts = [draws(values[:, k], size, NoiseScale(0.0, truth[k, k])) for k in range(3)]
    # a correlation of 20,000 groups has a standard error below 0.0071: four of them
    error = 4 / np.sqrt(groups) * np.sqrt(np.outer(np.diag(truth), np.diag(truth))) / 100.0
    assert (np.abs(placebo_covariance(parts) - truth / 100.0) < error).all()


def test_effects_on_different_groups_have_no_joint_covariance():
    rng, size = np.random.default_rng(3), np.full(30, 10.0)
    one = draws(rng.normal(size=30), size, NoiseScale(1.0, 0.0))
    with pytest.raises(EstimationError, match="2 sets of untouched groups"):
        placebo_covariance([one, draws(rng.normal(size=30), size + 1, NoiseScale(1.0, 0.0))])
    few = [draws(rng.normal(size=4), np.full(4, 10.0), NoiseScale(1.0, 0.0)) for _ in range(4)]
    with pytest.raises(EstimationError, match="4 effects"):
        placebo_covariance(few)
