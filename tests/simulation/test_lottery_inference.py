"""Size of the replay test and bias under the declared draw, as printed in the design note on the lottery.

The note's scenario T: list size explains 30 % of the variance of the change, no effect, drawn by queue + skip. Lists
are lognormal (sd of the log 0.5, mean 3,800, within 1,500 and 12,000); the statistic is the mean of the six identified
cells, each against the mean of the eight quarters before.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.draw import CohortArray, replay_cohorts
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.inference.contrasts import ContrastPlan, event_study
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

pytestmark = pytest.mark.slow


def rule(rollover: str, misfit: str) -> DrawRule:
    return DrawRule(Rollover(rollover), Misfit(misfit), "test", date(2023, 2, 24))


def lists(n: int, rng: np.random.Generator) -> Applications:
    size = np.clip(3800 * np.exp(0.5 * rng.standard_normal(n) - 0.125), 1500, 12000).astype(int)
    while size.max() > size.sum() / 4:  # no oversize practice, as in the note
        size = np.clip(3800 * np.exp(0.5 * rng.standard_normal(n) - 0.125), 1500, 12000).astype(int)
    return Applications(size, np.ones(n), int(size.sum()))


def outcome(applications: Applications, rng: np.random.Generator) -> FloatArray:
    """Eight quarters before and three after, AR(1) 0.5, and a change that list size explains for 30 %."""
    n, T = applications.n, 11
    y = np.empty((n, T))
    y[:, 0] = rng.standard_normal(n)
    for t in range(1, T):
        y[:, t] = 0.5 * y[:, t - 1] + np.sqrt(0.75) * rng.standard_normal(n)
    z = np.log(applications.list_size)
    z = (z - z.mean()) / z.std()
    change = y[:, 8:].mean(axis=1) - y[:, :8].mean(axis=1)
    slope = np.sqrt(0.3 / 0.7) * change.std()
    return y + slope * z[:, None] * (np.arange(T) >= 8)


def sizes_of_tests(n: int, regions: int, lotteries: int, replayed: list[DrawRule | None], seed: int) -> list[float]:
    """Share of lotteries under queue + skip in which each replayed rule rejects no effect at 5 %."""
    rng = np.random.default_rng(seed)
    study, event_time = event_study(3, leads=0)
    cells = len(study.cohort)
    plan = ContrastPlan(
        ("mean of the cells",), study.cohort, study.after, np.full((1, cells), 1 / cells), by_size=False
    )
    period = 8 + study.cohort - 1 + event_time
    rejected = np.zeros(len(replayed))
    places = [np.arange(r * n, (r + 1) * n) for r in range(regions)]
    done = 0
    while done < lotteries:
        parts = [lists(n, rng) for _ in range(regions)]
        y = np.concatenate([outcome(part, rng) for part in parts])
        numbers = (y[:, period] - y[:, :8].mean(axis=1, keepdims=True)).T[None]
        drawn = [replay_cohorts(part, rule("queue", "skip"), rng, 1)[0].astype(int) for part in parts]
        sizes = np.array([[(c == h).sum() for h in range(1, 5)] for c in drawn])
        if not plan.estimable(sizes).all():
            continue
        for k, other in enumerate(replayed):
            seen = [
                DrawnRegion(part, other, cohort, rows) for part, cohort, rows in zip(parts, drawn, places, strict=True)
            ]
            test = randomization_test(replay_statistics(seen, numbers, plan, rng, 199))
            rejected[k] += test.p_value[0, -1] <= 0.05
        done += 1
    return (rejected / lotteries).tolist()


def errors(share: float, lotteries: int) -> float:
    """Three Monte Carlo errors of a share."""
    return float(3 * np.sqrt(share * (1 - share) / lotteries))


def test_the_replay_test_holds_its_level_in_one_region() -> None:
    lotteries = 1500
    true, free = sizes_of_tests(12, 1, lotteries, [rule("queue", "skip"), None], seed=1)
    assert true == pytest.approx(0.05, abs=errors(0.05, lotteries))
    # Printed in the note from 2,500 lotteries, so both have their Monte Carlo error.
    assert free == pytest.approx(0.066, abs=np.hypot(errors(0.066, lotteries), errors(0.066, 2500)))


def test_over_forty_regions_the_rule_that_is_replayed_decides() -> None:
    lotteries = 200
    replayed = [rule("queue", "skip"), None, rule("queue", "close")]
    true, free, close = sizes_of_tests(30, 40, lotteries, replayed, seed=3)
    assert true == pytest.approx(0.05, abs=errors(0.05, lotteries))
    # Printed in the note, uncentred there: .306 and .337. Free permutation has its centre at zero, so recentring
    # changes nothing; under queue + close it moves the test a little further off.
    assert free == pytest.approx(0.306, abs=errors(0.306, lotteries))
    assert close > 0.05 + errors(0.05, lotteries)


# Design note, section 3 (24 regions x 3,000 draws): mean chance of round 1 by list size (< 2.5k, 2.5-4k, 4-6k, > 6k);
# expected difference of mean log list size, cohorts 1, 2, 3 less later starters, in sd; share left for the open round.
PRINTED = {
    (12, "queue", "skip"): ([0.39, 0.27, 0.20, 0.14], [-0.29, -0.10, -0.13], 0.28),
    (12, "redraw", "skip"): ([0.39, 0.27, 0.20, 0.14], [-0.29, -0.32, -0.38], 0.27),
    (12, "queue", "close"): ([0.25, 0.23, 0.20, 0.14], [-0.06, 0.15, 0.11], 0.40),
    (12, "redraw", "close"): ([0.25, 0.23, 0.20, 0.14], [-0.06, -0.08, -0.12], 0.38),
    (12, "queue", "admit"): ([0.29, 0.29, 0.30, 0.32], [0.12, 0.12, 0.28], 0.11),
    (12, "queue", "nearest"): ([0.26, 0.26, 0.25, 0.23], [0.05, 0.14, 0.11], 0.25),
    (30, "queue", "skip"): ([0.31, 0.26, 0.23, 0.21], [-0.15, -0.03, -0.07], 0.26),
    (30, "redraw", "skip"): ([0.31, 0.26, 0.23, 0.21], [-0.15, -0.16, -0.21], 0.25),
    (30, "queue", "close"): ([0.25, 0.24, 0.23, 0.21], [-0.02, 0.04, 0.02], 0.31),
    (30, "queue", "admit"): ([0.27, 0.27, 0.27, 0.28], [0.05, 0.06, 0.05], 0.19),
    (60, "queue", "skip"): ([0.28, 0.25, 0.24, 0.23], [-0.08, -0.02, -0.04], 0.25),
    (60, "redraw", "skip"): ([0.28, 0.25, 0.24, 0.23], [-0.08, -0.09, -0.12], 0.25),
    (120, "queue", "skip"): ([0.27, 0.25, 0.25, 0.24], [-0.04, -0.01, -0.02], 0.25),
    (120, "redraw", "skip"): ([0.27, 0.25, 0.25, 0.24], [-0.04, -0.05, -0.06], 0.25),
}


def gaps(cohorts: CohortArray, z: FloatArray) -> list[float]:
    """Mean of z in cohort g less that of later starters, averaged over draws in which neither is empty."""
    found = []
    for g in (1, 2, 3):
        own, later = cohorts == g, cohorts > g
        both = own.any(axis=1) & later.any(axis=1)
        own, later = own[both], later[both]
        found.append(float(np.mean(own @ z / own.sum(axis=1) - later @ z / later.sum(axis=1))))
    return found


@pytest.mark.parametrize(("n", "rollover", "misfit"), list(PRINTED))
def test_chances_by_list_size_are_those_of_the_note(n: int, rollover: str, misfit: str) -> None:
    rng = np.random.default_rng(n)
    size, chance, apart, left = [], [], [], []
    for _ in range(48):
        applications = lists(n, rng)
        cohorts = replay_cohorts(applications, rule(rollover, misfit), rng, 2000)
        z = np.log(applications.list_size)
        size.append(applications.list_size)
        chance.append((cohorts == 1).mean(axis=0))
        apart.append(gaps(cohorts, (z - z.mean()) / z.std(ddof=1)))
        left.append(np.mean(cohorts == 4))
    bins = np.digitize(np.concatenate(size), [2500, 4000, 6000])
    seen = [float(np.concatenate(chance)[bins == b].mean()) for b in range(4)]
    by_bin, smd, opened = PRINTED[n, rollover, misfit]
    # Draws leave no visible error; regions do: the note has 24 of them, this test 48, and chances depend on the few
    # lists of a region. Widest at 12 practices, where the note does not say how regions with an oversize practice were
    # replaced (here by drawing all lists again).
    assert seen == pytest.approx(by_bin, abs=0.35 / n + 0.006)
    assert np.mean(apart, axis=0) == pytest.approx(smd, abs=0.9 / n + 0.01)
    assert np.mean(left) == pytest.approx(opened, abs=0.2 / n + 0.006)
