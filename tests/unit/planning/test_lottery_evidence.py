"""The evidence of the notebook, with few lotteries: the shape, and what must show even then."""

import numpy as np
import pytest

from mtvp_eval.planning.lottery_evidence import (
    EIGHT,
    MEAN,
    NOTED,
    against_note,
    estimator_rates,
    rejection_rates,
    simulated_region,
)


def test_regions_have_two_practices_in_every_cohort_and_no_oversize_one() -> None:
    region = simulated_region(20, np.random.default_rng(1))
    assert np.bincount(region.cohort)[1:].min() >= 2
    assert region.applications.list_size.max() <= region.applications.region_total / 4
    assert len(MEAN.cells) == 6


def test_estimators_stand_side_by_side_and_repeat_from_their_seed() -> None:
    table = estimator_rates(20, 3, 2, seed=1)
    assert {"default, shared shares", "default, shared shares; recentred, true draw"} <= set(table.index)
    assert {f"{EIGHT}; recentred, {how} draw" for how in ("true", "wrong")} <= set(table.index)
    assert table.equals(estimator_rates(20, 3, 2, seed=1))


def test_replayed_rules_stand_side_by_side() -> None:
    table = rejection_rates(20, 2, 3, seed=1)
    assert table.index.tolist() == ["the true draw", "a wrong draw", "free permutation", "normal approximation"]
    assert table["rejects"].between(0, 1).all()


def test_the_note_stands_beside_what_was_simulated() -> None:
    rates = estimator_rates(20, 3, 2, seed=1)
    beside = against_note(rates, 3, 2)
    assert len(beside) == 4 * len(NOTED)
    # Of 6 regional estimates here and 80,000 in the note; the spread of the note's populations adds .003.
    row = beside.loc[("Callaway-Sant'Anna, base g-1", "coverage")]
    error = np.hypot(np.sqrt(0.93 * 0.07 * (1 / 6 + 1 / 80_000)), 0.003)
    here = rates.loc["Callaway-Sant'Anna, base g-1", "coverage"]
    rounded = 0.0005  # the table has three decimals
    assert row["in the note"] == 0.93
    assert row["error of the difference"] == pytest.approx(error, abs=rounded)
    assert row["difference in errors"] == pytest.approx((here - 0.93) / error, abs=rounded)
    # Of 2 pooled estimates here and 2,000 in the note, in standard errors of 1.
    row = beside.loc[("Callaway-Sant'Anna, base g-1", "bias, pooled")]
    error = np.hypot(np.sqrt(1 / 2 + 1 / 2000), 0.1)
    here = rates.loc["Callaway-Sant'Anna, base g-1", "bias, pooled"]
    assert row["in the note"] == -1.18
    assert row["difference in errors"] == pytest.approx((here + 1.18) / error, abs=rounded)
