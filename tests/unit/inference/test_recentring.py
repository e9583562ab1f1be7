"""The bias of an estimator under the draw, against every order of a small region."""

from datetime import date
from itertools import permutations

import numpy as np
import pytest

from mtvp_eval.design.draw import cohorts_from_tickets
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.recentring import replayed_estimator
from mtvp_eval.inference.replay import DrawnRegion


def test_the_bias_is_the_mean_over_all_orders_with_the_effect_taken_out() -> None:
    rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24), capped_rounds=1, cap_share=0.4)
    size = np.array([1500, 2000, 2500, 3000, 4000, 5000, 6000])
    applications = Applications(size, np.ones(7), int(size.sum()))
    y = np.log(size) * 10
    orders = np.array(list(permutations(range(7))))[None]
    cohorts = cohorts_from_tickets(applications, rule, orders)
    first = cohorts == 1
    good = (first.sum(axis=1) >= 2) & ((~first).sum(axis=1) >= 2)
    means = [y[c].mean() - y[~c].mean() for c in first[good]]
    cohort = cohorts[np.flatnonzero(good)[0]].astype(np.int64)
    plan = ContrastPlan(("gap",), np.array([1]), np.array([1]), np.array([[1.0]]))
    exposed = (cohort == 1).astype(float)[None, None]
    seen = replayed_estimator(
        [DrawnRegion(applications, rule, cohort, np.arange(7))],
        (y + 2.5 * (cohort == 1))[None, None], np.array([2.5]), exposed, plan, np.random.default_rng(0), 20_000,
    )  # fmt: skip
    # Three Monte Carlo errors of a mean, and of a standard deviation, of 20,000 replays.
    assert seen.bias[0] == pytest.approx(np.mean(means), abs=3 * np.std(means) / np.sqrt(20_000))
    assert seen.std_error[0] == pytest.approx(np.std(means), abs=3 * np.std(means) / np.sqrt(20_000))
    assert np.mean(means) < -1  # small lists start first, so there is something to take out
