"""Placebo inference: closed forms, and its size on invented untouched units of very different sizes."""

import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.placebo import (
    NoiseScale,
    PlaceboDraws,
    group_contrasts,
    nearest_in_size,
    noise_scale,
    placebo_groups,
    rank_test,
)


def test_contrast_is_the_difference_of_weighted_means():
    rng = np.random.default_rng(1)
    change, weight = rng.normal(size=9), rng.uniform(1, 5, 9)
    groups = np.array([[0, 3], [2, 8]])
    for group, value in zip(groups, group_contrasts(change, weight, groups), strict=True):
        inside = np.isin(np.arange(9), group)
        brute = np.average(change[inside], weights=weight[inside]) - np.average(
            change[~inside], weights=weight[~inside]
        )
        assert value == pytest.approx(brute, abs=1e-14)  # rounding


def test_groups_keep_to_one_region_or_spread_over_several():
    region = np.array([name for name in "abcd" for _ in range(6)], dtype=object)
    rng = np.random.default_rng(2)
    inside = placebo_groups(np.ones(24), region, 3, within_region=True, limit=50, rng=rng)
    assert len(inside) == 4 * 20  # all 6-choose-3 subsets of each region
    assert all(len(set(region[group])) == 1 for group in inside)
    across = placebo_groups(np.ones(24), region, 3, within_region=False, limit=50, rng=rng)
    assert all(len(set(region[group])) == 3 for group in across)
    with pytest.raises(EstimationError, match="7 units"):
        placebo_groups(np.ones(24), region, 7, within_region=True, limit=50, rng=rng)


def test_noise_scale_finds_the_variance_that_made_the_contrasts():
    rng = np.random.default_rng(3)
    size = np.exp(rng.normal(10, 1, 4000))
    contrast = rng.normal(0, np.sqrt(3e-4 + 25 / size))
    scale = noise_scale(contrast, size)
    # variance of a square is twice its mean squared: about 2 sqrt(2/4000) = 4 % a parameter, three of those
    assert scale.a == pytest.approx(3e-4, rel=0.15)
    assert scale.b == pytest.approx(25, rel=0.15)


def test_interval_inverts_the_test():
    rng = np.random.default_rng(4)
    draws = rng.normal(size=199)
    found = rank_test(0.7, 1.0, draws)
    step = 1e-9
    for effect, rejected in ((found.low - step, True), (found.low + step, False), (found.high - step, False)):
        p = rank_test(0.7 - effect, 1.0, draws).p_value
        assert (p <= 0.05) is rejected


def test_too_few_groups_are_refused_not_stretched():
    with pytest.raises(EstimationError, match="19 untouched groups"):
        rank_test(1.0, 1.0, np.arange(19.0))


def test_nearest_in_size_is_on_the_log_scale():
    assert nearest_in_size(np.array([50.0, 190.0, 220.0]), np.arange(3), 100.0, 2).tolist() == [0, 1]


def test_no_region_makes_up_the_whole_distribution():
    size = np.array([100.0] * 50 + [400.0] * 50)
    kept = nearest_in_size(size, np.repeat([0, 1], 50), 100.0, 20)
    assert (kept < 50).sum() == 10


def test_p_value_is_never_zero():
    found = rank_test(100.0, 1.0, np.arange(-49.5, 50.0))
    assert found.p_value == pytest.approx(2 / 101)


def _sizes_of_rejection(studentised: bool) -> list[float]:
    """Reject by size third when each untouched unit in turn is the project: variance 3e-4 + 25/n as in real data."""
    rng = np.random.default_rng(5)
    rejected: dict[int, list[bool]] = {0: [], 1: [], 2: []}
    for _ in range(30):
        size = np.exp(rng.normal(10.3, 0.9, 300))
        change = rng.normal(0, np.sqrt(3e-4 + 25 / size))
        groups = np.arange(300)[:, None]
        contrast = group_contrasts(change, np.ones(300), groups)
        third = np.searchsorted(np.quantile(size, [1 / 3, 2 / 3]), size)
        for i in range(0, 300, 3):
            others = np.delete(np.arange(300), i)
            scale = noise_scale(contrast[others], size[others]) if studentised else NoiseScale(1.0, 0.0)
            found = PlaceboDraws(float(contrast[i]), float(size[i]), contrast[others], size[others], scale, 299).test()
            rejected[int(third[i])].append(found.p_value <= 0.05)
    return [float(np.mean(rejected[j])) for j in range(3)]


@pytest.mark.slow
def test_size_is_right_for_small_and_large_only_when_studentised():
    small, middle, large = _sizes_of_rejection(studentised=True)
    # 1,000 tests a third: Monte Carlo error 0.7 points; three of those about the nominal 5 %
    for share in (small, middle, large):
        assert 0.029 < share < 0.071
    small, _, large = _sizes_of_rejection(studentised=False)
    assert small > 0.09  # what goes wrong without it
    assert large < 0.02
