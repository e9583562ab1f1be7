"""Regions whose effects are known practice by practice, and the truth of an estimand in them.

Two ways of entry. *Equal*: a third of the practices each in two rounds, a third waits; the effect is one a quarter for
everybody. *Capped*: the programme's draw, a random order cut by patients (queue, skip), with one practice that holds
most of a round's patients; trends rise with list size; effects build up over four quarters, differ between practices
and fall with list size. Both: unequal lists, noise that falls with them, errors correlated in time (0.5), and counts
whose rate rises by a fifth.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Oversize, Rollover
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.inference.replay import DrawnRegion

RULE = DrawRule(
    Rollover.QUEUE, Misfit.SKIP, "made for a test", date(2023, 2, 24), cap_share=0.15, oversize=Oversize.WAITS
)
"""Fifteen percent a round: cohorts of two to five at twenty practices."""
LARGEST = 0.12
"""Share of the patients that the one dominating practice holds."""
FIRST = 12
"""Period of the first round; twelve quarters come before it."""
ROUNDS = RULE.capped_rounds
RAMP = np.minimum(np.arange(1, 5) / 4, 1.0)


@dataclass(frozen=True, eq=False)
class Region:
    """A panel with entries, the effect (n, E) of each practice by quarters since entry, and what entry does to counts.

    `rate_ratio` is that of all events over all enrolled quarters against those expected without entry.
    """

    panel: Panel
    effect: FloatArray
    rate_ratio: float
    drawn: DrawnRegion | None = None

    @cached_property
    def design(self) -> StaggeredDesign:
        """Who entered when, everybody compared with those not yet enrolled."""
        return StaggeredDesign.from_panel(self.panel)

    def finite_truth(self, estimand: Estimand, population: Population) -> float:
        """Return the estimand's mean of the effects of these very practices: the treated, or everyone drawn."""
        entry, size = self.panel.entry, self.panel.weight
        weight = size if estimand.weighting is Weighting.PATIENT else np.ones(len(size))
        total = 0.0
        for (g, t), share in zip(estimand.cells, estimand.weights, strict=True):
            who = weight * (entry == g) if population is Population.TREATED else weight
            total += share * float(who @ self.effect[:, t - g] / who.sum())
        return total

    def expected_truth(self, estimand: Estimand, sampling: str) -> float:
        """Return the mean over regions made alike; shares are those expected, or as realised where held fixed."""
        if self.drawn is None:
            return 1.0
        by_cell, share = expected_cells(len(self.panel.weight), estimand.weighting)
        found = np.array([by_cell[g - FIRST, t - g] for g, t in estimand.cells])
        weights = np.array(estimand.weights)
        if sampling == "superpopulation" and estimand.share_group:
            weights = np.array([share[g - FIRST] for g, _ in estimand.cells])
            weights = weights / weights.sum()
        return float(weights @ found)


def correlated(n: int, periods: int, rng: np.random.Generator) -> FloatArray:
    """Return errors (n, T) with correlation 0.5 a quarter and innovations of variance one."""
    noise = rng.normal(size=(n, periods))
    noise[:, 0] /= np.sqrt(0.75)
    for t in range(1, periods):
        noise[:, t] += 0.5 * noise[:, t - 1]
    return noise


def panel_of(y, entry, size, cluster=None, **more) -> Panel:
    """Return a panel of practices over quarters 0, 1, …; log list size is its baseline."""
    ids, clock = np.arange(len(y)).astype(object), np.arange(y.shape[1])
    return Panel(
        ids, tuple(map(str, clock)), clock, {"y": y, **more}, weight=size, entry=entry, cluster=cluster,
        baseline={"log_list_size": np.log(size)},
    )  # fmt: skip


def equal_region(n: int, rng: np.random.Generator) -> Region:
    """Return a region with equal chances and an effect of one."""
    size = np.exp(7.7 + 0.5 * rng.normal(size=n))
    entry = rng.permutation(np.resize([6, 8, NEVER], n))
    T, on = 12, np.arange(12)[None, :] >= entry[:, None]
    y = 3 * rng.normal(size=(n, 1)) + correlated(n, T, rng) * np.sqrt(2200 / size)[:, None] + on
    counts, ratio = events(size, np.where(on, 1.2, 1.0), 0.0, rng)
    return Region(panel_of(y, entry, size, **counts), np.ones((n, T)), ratio)


def events(
    size: FloatArray, ratio: FloatArray, trend: float, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], float]:
    """Return counts (n, T) with list sizes as their exposure, and the rate ratio of all quarters in which it is not 1.

    Rates differ between practices; `trend` is by how much their log rises a quarter with a unit of log list size.
    """
    n, T = ratio.shape
    rate = 0.02 * np.exp(0.2 * rng.normal(size=(n, 1)) + 0.1 * correlated(n, T, rng))
    without = size[:, None] * rate * np.exp(trend * np.log(size / 3500)[:, None] * np.arange(T))
    count = rng.poisson(without * ratio).astype(float)
    on = ratio != 1
    patients = np.broadcast_to(size[:, None], ratio.shape).copy()
    return {"count": count, "patients": patients}, float((without * ratio)[on].sum() / without[on].sum())


def capped_lists(n: int, rng: np.random.Generator) -> FloatArray:
    """Return list sizes of which the largest holds a fixed share of all patients."""
    size = np.clip(3800 * np.exp(0.5 * rng.standard_normal(n) - 0.125), 1500, 7000).round()
    size[0] = np.round(size[1:].sum() * LARGEST / (1 - LARGEST))
    return size


def drawn_rounds(size: FloatArray, rng: np.random.Generator, draws: int = 1) -> tuple[Applications, np.ndarray]:
    """Return draws (D, n), at most as many as asked, in which every cohort holds two: what the estimands need."""
    applications = Applications(size.astype(int), np.ones(len(size)), int(size.sum()))
    while True:
        cohorts = replay_cohorts(applications, RULE, rng, draws).astype(int)
        held = np.stack([(cohorts == h).sum(axis=1) for h in range(1, ROUNDS + 2)])
        if (good := held.min(axis=0) >= 2).any():
            return applications, cohorts[good]


def effects_by_list(size: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return effects (n, E): they build up, fall with list size and differ between practices."""
    own = 1 - 0.3 * np.log(size / 3500) + 0.3 * rng.standard_normal(len(size))
    return own[:, None] * RAMP


def capped_region(n: int, rng: np.random.Generator) -> Region:
    """Return a region drawn under the cap on patients, with trends that rise with list size."""
    size = capped_lists(n, rng)
    applications, cohorts = drawn_rounds(size, rng)
    cohort = cohorts[0]
    entry, effect = FIRST + cohort - 1, effects_by_list(size, rng)
    T = FIRST + ROUNDS  # the last cohort is enrolled from there on: nobody is left to compare with
    trend = 0.2 * np.log(size / 3500)[:, None] * np.arange(T)
    y = 3 * rng.normal(size=(n, 1)) + trend + correlated(n, T, rng) * np.sqrt(3500 / size)[:, None]
    for e in range(ROUNDS):
        rows = np.flatnonzero(entry + e < T)
        y[rows, entry[rows] + e] += effect[rows, e]
    since = np.arange(T)[None] - entry[:, None]
    higher = np.where(since >= 0, 1 + 0.2 * RAMP[np.clip(since, 0, len(RAMP) - 1)], 1.0)
    counts, ratio = events(size, higher, 0.02, rng)
    drawn = DrawnRegion(applications, RULE, cohort, np.arange(n))
    return Region(panel_of(y, entry, size, **counts), effect, ratio, drawn)


@cache
def expected_cells(n: int, weighting: Weighting) -> tuple[FloatArray, FloatArray]:
    """Return mean effects (rounds, E) of those drawn in each round, and the rounds' expected shares (rounds,).

    From 4,000 regions of twenty draws: the Monte Carlo error is less than a hundredth of an interval.
    """
    rng = np.random.default_rng([20261126, n])
    total, weights = np.zeros(ROUNDS), np.zeros(ROUNDS)
    for _ in range(4_000):
        size = capped_lists(n, rng)
        _, cohorts = drawn_rounds(size, rng, 20)
        weight = size / size.mean() if weighting is Weighting.PATIENT else np.ones(n)
        own = weight * (1 - 0.3 * np.log(size / 3500))
        for g in range(ROUNDS):
            mine = (cohorts == g + 1) / len(cohorts)
            total[g] += (mine @ own).sum()
            weights[g] += (mine @ weight).sum()
    return (total / weights)[:, None] * RAMP, weights / weights.sum()
