"""Many regions through the steps of the pipeline: each brings its recentred default estimate, and these are pooled.

Scenario T of the design note on the lottery, with sixteen quarters before the draw as a region supplies them: forty
regions of thirty practices, queue + skip, list size explains 30 % of the variance of the change, AR(1) 0.5, no effect.
The bias of an ordinary estimate hardly shows in one region and is 1.2 standard errors of the mean of forty.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.rules import Applications
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.inference.regions import pool_regions
from mtvp_eval.inference.replay import DrawnRegion
from mtvp_eval.pipeline.lottery_headline import recentred
from tests.simulation.test_lottery_inference import lists, rule

BEFORE, AFTER, REGIONS, N = 16, 3, 40, 30
CLOCK = np.arange(1, BEFORE + AFTER + 1)
LEVEL = 0.95


def outcome(applications: Applications, rng: np.random.Generator) -> FloatArray:
    """AR(1) 0.5 of variance one, and a change at the draw that list size explains for 30 %."""
    y = np.empty((applications.n, len(CLOCK)))
    y[:, 0] = rng.standard_normal(applications.n)
    for t in range(1, len(CLOCK)):
        y[:, t] = 0.5 * y[:, t - 1] + np.sqrt(0.75) * rng.standard_normal(applications.n)
    z = np.log(applications.list_size)
    z = (z - z.mean()) / z.std()
    change = y[:, BEFORE:].mean(axis=1) - y[:, BEFORE - 8 : BEFORE].mean(axis=1)
    return y + np.sqrt(0.3 / 0.7) * change.std() * z[:, None] * (CLOCK > BEFORE)


def region(rng: np.random.Generator) -> tuple[Panel, LotteryDesign, Any]:
    """One region drawn by its rule, with what the pipeline knows of its draw."""
    while True:
        applications = lists(N, rng)
        cohort = replay_cohorts(applications, rule("queue", "skip"), rng, 1)[0].astype(np.int64)
        if min((cohort == h).sum() for h in range(1, 5)) >= 2:
            break
    ids = np.array([str(i) for i in range(N)], dtype=object)
    entry, size = BEFORE + cohort, applications.list_size.astype(float)
    panel = Panel(
        ids, tuple(map(str, CLOCK)), CLOCK, {"y": outcome(applications, rng)}, weight=size, entry=entry,
        baseline={"log_list_size": np.log(size)},
    )  # fmt: skip
    staggered = StaggeredDesign.from_panel(panel)
    drawn = DrawnRegion(applications, rule("queue", "skip"), cohort, np.arange(N))
    evidence = SimpleNamespace(
        region=drawn, practice_ids=ids, member=np.arange(N), first_round=BEFORE + 1, reacted=False
    )
    return panel, LotteryDesign(staggered, np.full(N, "r", dtype=object), staggered.entry), evidence


def pooled(estimate: FloatArray, error: FloatArray, df: FloatArray) -> tuple[float, float, bool]:
    """Mean of the regions, its standard error, and whether its interval holds the truth, which is zero."""
    mean = pool_regions(tuple(map(str, range(len(estimate)))), estimate, error, df, np.ones(len(estimate)), LEVEL).fixed
    return mean.mean, mean.std_error, mean.low <= 0 <= mean.high


def simulate(lotteries: int, seed: int) -> dict[str, FloatArray]:
    """Return mean, standard error and coverage (lotteries, 3) of what regions bring, and of Callaway-Sant'Anna's."""
    rng = np.random.default_rng(seed)
    plain = np.array([[1.0, 0.0, 0.0]])
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for _ in range(lotteries):
        rows: dict[str, list[tuple[float, float, float]]] = {}
        for k in range(REGIONS):
            panel, drawn, evidence = region(rng)
            mean = overall(drawn)
            for name, effects in (
                ("ordinary", lottery_default(panel, drawn, "y", [mean], beta=plain).effects),
                ("brought", recentred(panel, drawn, "y", [mean], evidence, seed + k)),
            ):
                one = (float(effects.estimate[0]), float(effects.std_error()[0]), float(effects.df()[0]))
                rows.setdefault(name, []).append(one)
        for name, row in rows.items():
            found.setdefault(name, []).append(pooled(*np.array(row).T))
    return {name: np.array(values, dtype=float) for name, values in found.items()}


@pytest.mark.slow
def test_the_pooled_estimate_of_forty_regions_covers_where_an_ordinary_one_does_not() -> None:
    lotteries = 100
    found = simulate(lotteries, seed=1)
    error = np.sqrt(LEVEL * (1 - LEVEL) / lotteries)  # 2.2 points
    mean, std_error, covers = found["brought"].T
    assert abs(covers.mean() - LEVEL) < 3 * error
    assert abs(mean.mean()) < 3 * mean.std() / np.sqrt(lotteries)
    # a ratio of a mean and a standard deviation of a hundred: 7 % of Monte Carlo error
    assert std_error.mean() / mean.std() == pytest.approx(1.0, abs=3 * 0.07)
    # the note: bias of 1.18 standard errors and coverage .82
    ordinary, _, held = found["ordinary"].T
    assert ordinary.mean() / ordinary.std() < -1.18 + 3 / np.sqrt(lotteries)
    assert held.mean() < LEVEL - 3 * error
