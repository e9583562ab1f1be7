"""Bounds: all subsets by brute force, all fillings of the gaps, and simulated leaving with a known effect."""

from itertools import combinations, product

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimators.bounds import attrition_bounds, lee_bounds, manski_bounds


@pytest.mark.parametrize("side", [True, False])
def test_lee_is_the_extreme_over_all_subsets(side):
    rng = np.random.default_rng(1)
    y, treated = rng.normal(size=20), np.arange(20) < 10
    leavers = [11, 14, 17] if side else [1, 4, 7]  # among waiting, or among drawn
    y[leavers] = np.nan
    found = lee_bounds(y, treated)
    full, short = (treated, ~treated) if side else (~treated, treated)
    means = [np.mean(part) for part in combinations(y[full], 7)]  # 7 of 10 stay on the other side
    other = np.nanmean(y[short])
    expected = (min(means) - other, max(means) - other) if side else (other - max(means), other - min(means))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert found.trimmed == pytest.approx(0.3)
    assert found.left == pytest.approx((0.0, 0.3) if side else (0.3, 0.0))


def test_without_leavers_lee_is_the_difference_in_means():
    rng = np.random.default_rng(2)
    y, treated = rng.normal(size=30), np.arange(30) < 12
    found = lee_bounds(y, treated)
    gap = y[treated].mean() - y[~treated].mean()
    neyman = np.sqrt(y[treated].var(ddof=1) / 12 + y[~treated].var(ddof=1) / 18)
    assert (found.low, found.high) == pytest.approx((gap, gap), rel=1e-12)
    assert found.low_error == pytest.approx(neyman, rel=1e-12)
    assert found.ci == pytest.approx((gap - 1.959964 * neyman, gap + 1.959964 * neyman), rel=1e-6)


def test_manski_is_the_extreme_over_all_fillings():
    y = np.array([0.2, np.nan, 0.9, np.nan, 0.4, np.nan, 0.1])
    treated = np.array([True, True, True, True, False, False, False])
    gaps = []
    for filling in product((0.0, 0.5, 1.0), repeat=3):
        filled = y.copy()
        filled[np.isnan(y)] = filling
        gaps.append(filled[treated].mean() - filled[~treated].mean())
    found = manski_bounds(y, treated, (0.0, 1.0))
    assert (found.low, found.high) == pytest.approx((min(gaps), max(gaps)), rel=1e-12)


def test_interval_covers_the_effect_on_those_who_stay():
    rng = np.random.default_rng(3)
    inside, reported, lows = [], [], []
    for _ in range(1500):
        n = 200
        treated = rng.permutation(np.arange(n) < n // 2)
        strength = rng.normal(size=n)
        stays_waiting = strength > -0.8
        stays = stays_waiting | treated  # winning keeps everybody: monotone
        y = np.where(stays, 1.0 * treated + strength + 0.3 * rng.normal(size=n), np.nan)
        found = lee_bounds(y, treated)
        inside.append(found.ci[0] <= 1.0 <= found.ci[1])
        reported.append(found.low_error)
        lows.append(found.low)
    assert np.mean(inside) >= 0.933  # 1,500 intervals at .95: three Monte Carlo errors of .0056
    # the reported error against the spread over draws, known to 1.8 %
    assert np.mean(reported) == pytest.approx(np.std(lows), rel=0.08)


def test_cells_are_averaged_over_blocks_by_drawn_units():
    rng = np.random.default_rng(5)
    entry, block = np.tile(np.repeat([3, 9], 8), 2), np.repeat(["a", "b"], 16)
    entry[16:20] = 9  # block b has four drawn
    y = rng.normal(size=(32, 3))
    y[[9, 30], 2] = np.nan
    panel = Panel(np.arange(32).astype(object), ("1", "2", "3"), np.arange(1, 4), {"y": y}, entry=entry)
    design = LotteryDesign(StaggeredDesign.from_panel(panel), block.astype(object), entry)
    (found,) = attrition_bounds(panel, design, "y", [(3, 3)])
    change, won = y[:, 2] - y[:, 1], entry == 3
    parts = [lee_bounds(change[block == b], won[block == b]) for b in "ab"]
    assert found.low == pytest.approx((8 * parts[0].low + 4 * parts[1].low) / 12, rel=1e-12)
    (worst,) = attrition_bounds(panel, design, "y", [(3, 3)], span=(-9.0, 9.0))
    assert worst.low < found.low <= found.high < worst.high
    with pytest.raises(NotIdentifiedError):
        attrition_bounds(panel, design, "y", [(2, 3)])


def test_what_cannot_be_bounded_is_refused():
    y, treated = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, False])
    with pytest.raises(EstimationError, match="outside the range"):
        manski_bounds(y, treated, (0.0, 1.0))
    with pytest.raises(EstimationError, match="two units"):
        lee_bounds(np.array([1.0, 2.0, 3.0, np.nan]), treated)
    with pytest.raises(EstimationError, match="two units"):
        manski_bounds(y, np.array([True, False, False, False]), (0.0, 9.0))
