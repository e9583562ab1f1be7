"""Effects per exposed patient: the ratio, its interval by brute force over drawn shares, and when none is given."""

import numpy as np
import pytest

from mtvp_eval.inference.exposed import ExposedShare, per_exposed_patient
from mtvp_eval.inference.placebo import rank_test


def placebo(estimate, scale=0.01):
    from scipy.special import ndtri

    return rank_test(estimate, scale, ndtri(np.arange(1, 1000) / 1000))


def test_a_known_change_of_the_exposed_is_recovered():
    # the cost of 30 % of patients falls by 12 %: all cost changes by the factor 1 - 0.3 * 0.12
    found = per_exposed_patient("p", "o", placebo(np.log(1 - 0.3 * 0.12)), ExposedShare(0.3, 0.3, 0.3, 0.0), 0.2)
    assert found.ratio.estimate == pytest.approx(-0.12, rel=1e-12)


def test_the_interval_covers_when_share_and_effect_are_both_uncertain():
    rng, truth, level = np.random.default_rng(4), -0.10, 0.95
    share = rng.uniform(0.2, 0.4, 2000)
    noise = rng.normal(0, 0.01, 2000)
    covered = []
    for s, e in zip(share, noise, strict=True):
        # what is known of the share is its range; the effect comes from the true one
        test = placebo(float(np.log1p(truth * s) + e))
        ratio = per_exposed_patient("p", "o", test, ExposedShare(0.2, 0.4, 0.3, 0.2 / 12**0.5), 0.5).ratio
        covered.append(ratio.low <= truth <= ratio.high)
    # Monte Carlo error of 2,000 trials 0.5 points; the quantile of 999 placebos another 0.7
    assert abs(np.mean(covered) - level) < 0.025


def test_the_interval_of_a_sure_share_is_the_effects_own():
    test = placebo(-0.02)
    found = per_exposed_patient("p", "o", test, ExposedShare(0.5, 0.5, 0.5, 0.0), 0.9)
    critical = np.quantile(np.abs(test.studentised), 0.95)
    half = critical * np.exp(-0.02) * 0.01 / 0.5
    assert found.ratio.low == pytest.approx(np.expm1(-0.02) / 0.5 - half, rel=1e-9)
    assert found.ratio.high == pytest.approx(np.expm1(-0.02) / 0.5 + half, rel=1e-9)


def test_no_ratio_where_only_a_large_fall_could_be_found():
    test = placebo(-0.02)
    share = ExposedShare(0.0, 0.3, 0.1, 0.05)
    found = per_exposed_patient("p", "o", test, share, 0.2)
    assert found.ratio is None
    assert found.detectable[0] < found.detectable[1] < found.detectable[2] == np.inf
    assert found.detectable[1] == pytest.approx(-np.expm1(-test.detectable) / 0.1, rel=1e-12)
