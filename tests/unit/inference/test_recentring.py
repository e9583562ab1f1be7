"""The bias of an estimator under the draw, against every order of a small region."""

from datetime import date
from itertools import permutations

import numpy as np
import pytest

from mtvp_eval.design.draw import cohorts_from_tickets
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.inference.contrasts import ContrastPlan, drawn_plan
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


def test_a_mean_over_cohorts_is_recentred_with_the_weights_of_every_other_draw() -> None:
    """Two capped rounds and the quarter after each start: cells weighed by cohort size, over all 40,320 orders."""
    rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24), capped_rounds=2, cap_share=0.3)
    size = np.array([1500, 1700, 2000, 2200, 2500, 3000, 5000, 6000])
    applications = Applications(size, np.ones(8), int(size.sum()))
    change = np.stack([np.log(size) * 10, size / 1000.0])  # what the cells of cohorts 1 and 2 compare
    cohorts = cohorts_from_tickets(applications, rule, np.array(list(permutations(range(8))))[None])
    counts = np.stack([(cohorts == g).sum(axis=1) for g in (1, 2, 3)], axis=1)
    kept = cohorts[(counts >= 2).all(axis=1)]
    weighed, unweighed = [], []
    for cohort in kept:
        gaps = [change[g - 1][cohort == g].mean() - change[g - 1][cohort > g].mean() for g in (1, 2)]
        weighed.append(np.average(gaps, weights=[(cohort == g).sum() for g in (1, 2)]))
        unweighed.append(gaps)
    assert len({tuple(row) for row in counts[(counts >= 2).all(axis=1)].tolist()}) > 1
    observed = kept[np.argmax([(c == 1).sum() for c in kept])].astype(np.int64)
    held = np.array([(observed == g).sum() for g in (1, 2)])
    share = tuple((held / held.sum()).tolist())
    mean = Estimand("overall", Weighting.PRACTICE, ((5, 5), (6, 6)), share, "", share_group=(0, 0))
    seen = replayed_estimator(
        [DrawnRegion(applications, rule, observed, np.arange(8))], change[None], np.zeros(1), np.zeros((1, 2, 8)),
        drawn_plan(mean, 5, observed), np.random.default_rng(0), 20_000,
    )  # fmt: skip
    error = np.std(weighed) / np.sqrt(20_000)
    assert seen.bias[0] == pytest.approx(np.mean(weighed), abs=3 * error)
    assert abs(np.mean(np.array(unweighed) @ share) - np.mean(weighed)) > 10 * error  # what the observed weights miss
