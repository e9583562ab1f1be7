"""Was it a lottery? Balance and cohort sizes against replays of the declared draw, and what the draw identifies.

Source: randomization tests of balance as in Morgan & Rubin (2012), Annals of Statistics 40(2), with the declared draw
in place of complete randomisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.design.draw import CohortArray
from mtvp_eval.design.probabilities import EntryProbabilities
from mtvp_eval.design.record import round_facts
from mtvp_eval.errors import DataError
from mtvp_eval.inference.conditional import RoundChances
from mtvp_eval.inference.replay import DrawnRegion


@dataclass(frozen=True, slots=True, eq=False)
class BalanceTest:
    """Whether what was known before the draw is as alike between cohorts as the declared draw makes it.

    Parameters
    ----------
    names : p covariates.
    difference : (p,) mean of the first cohort less mean of those starting later, inside blocks, in standard deviations.
    expected : (p,) the same under the rule, averaged over replays; not zero for list size under a cap on patients.
    p_value : (p,) and joint_p over all covariates at once, from replays, by the +1 rule.
    replays : their number.
    """

    names: tuple[str, ...]
    difference: FloatArray
    expected: FloatArray
    p_value: FloatArray
    joint_p: float
    replays: int


def balance_test(
    regions: Sequence[DrawnRegion],
    x: FloatArray,
    names: Sequence[str],
    rng: np.random.Generator,
    draws: int = 1_999,
) -> BalanceTest:
    r"""Test whether cohorts differ in covariates by more than the declared draw makes them.

    .. math:: T = \sum_{b,h} (A_{bh} - \bar A_{bh})^2 / s^2_{bh}, \qquad
              A_{bh} = \sum_{i \in b:\,G_i = h} (x_i - \bar x_b)

    with mean and variance of A over the replays; large T is compared with its replays. The joint test adds T over
    covariates made uncorrelated inside blocks.

    Parameters
    ----------
    x : (n, p) covariates of the panel rows, known before the draw, complete.

    Raises
    ------
    DataError
        If a covariate is missing for a practice, or does not vary inside blocks.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> applications = Applications(np.full(8, 100), np.ones(8), 800)
    >>> drawn = DrawnRegion(applications, rule, np.array([1, 2, 3, 4, 1, 2, 3, 4]), np.arange(8))
    >>> test = balance_test([drawn], np.arange(8.0)[:, None], ["place in the list"], np.random.default_rng(1), 99)
    >>> bool(test.p_value[0] > 0.2)
    True
    """
    rows = np.concatenate([region.rows for region in regions])
    if missing := int((~np.isfinite(x[rows])).any(axis=1).sum()):
        raise DataError(f"Balance needs complete covariates; {missing} practices of the draw lack one.")
    most = max(len(region.rows) for region in regions)
    block = np.concatenate([k * most + region.applications.block for k, region in enumerate(regions)])
    inside = x[rows] - _block_means(x[rows], block)
    spread = np.sqrt((inside**2).mean(axis=0))
    if flat := [name for name, s in zip(names, spread, strict=True) if s < 1e-12]:
        raise DataError(f"These covariates do not vary inside blocks: {', '.join(flat)}. Leave them out.")
    inside = inside / spread
    value, vectors = np.linalg.eigh(inside.T @ inside / len(rows))
    kept = value > 1e-10
    columns = np.hstack([inside, inside @ vectors[:, kept] / np.sqrt(value[kept])])
    total = np.zeros((draws + 1, columns.shape[1]))
    apart = np.zeros((draws + 1, len(names)))
    first = 0
    for region in regions:
        cohorts = np.concatenate([region.observed(), region.replay(rng, draws)])
        here = columns[first : first + len(region.rows)]
        first += len(region.rows)
        for b in np.unique(region.applications.block):
            mine = np.flatnonzero(region.applications.block == b)
            for h in range(1, region.last + 1):
                total += _standardised(_sums(cohorts[:, mine] == h, here[mine])) ** 2
            apart += len(mine) * _first_against_later(cohorts[:, mine], here[mine, : len(names)])
    p = len(names)
    reached = (total >= total[0] * (1 - 1e-9)).mean(axis=0)
    joint = total[:, p:].sum(axis=1)
    apart /= len(rows)
    joint_p = float((joint >= joint[0] * (1 - 1e-9)).mean())
    return BalanceTest(tuple(names), apart[0], apart[1:].mean(axis=0), reached[:p], joint_p, draws)


def _block_means(x: FloatArray, block: IntArray) -> FloatArray:
    """Return the mean of each row's block (n, p)."""
    index = np.unique(block, return_inverse=True)[1].reshape(-1)
    count = np.bincount(index)
    sums = np.stack([np.bincount(index, weights=column) for column in x.T], axis=1)
    return np.asarray((sums / count[:, None])[index])


def _sums(member: BoolArray, x: FloatArray) -> FloatArray:
    """Return the sums of x over the members of each draw (draws, p)."""
    return np.asarray(member.astype(np.float64) @ x)


def _standardised(a: FloatArray) -> FloatArray:
    """Return each draw's distance from the mean of all in standard deviations; zero where nothing varies."""
    spread = a.std(axis=0)
    return np.asarray((a - a.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _first_against_later(cohorts: CohortArray, x: FloatArray) -> FloatArray:
    """Return mean of the block's first cohort less mean of those starting later (draws, p); zero where one is empty."""
    started = np.where(cohorts > 0, cohorts, np.int8(127))
    lead = cohorts == started.min(axis=1, keepdims=True)
    later = (cohorts > 0) & ~lead
    counts = lead.sum(axis=1, keepdims=True), later.sum(axis=1, keepdims=True)
    gap = _sums(lead, x) / np.maximum(counts[0], 1) - _sums(later, x) / np.maximum(counts[1], 1)
    return np.where(counts[1] > 0, gap, 0.0)


@dataclass(frozen=True, slots=True)
class CohortSizeRow:
    """One round: units started and their patients, what replays of the rule give on average, and how unusual it is."""

    round: int
    started: int
    expected: float
    started_patients: int
    cap: float
    expected_patients: float
    lottery: bool
    p_value: float


def cohort_sizes(region: DrawnRegion, rng: np.random.Generator, draws: int = 1_999) -> tuple[CohortSizeRow, ...]:
    r"""Compare each round's size with replays of the declared rule.

    The p-value is twice the smaller tail of the number of units started, by the +1 rule; a round without a lottery
    (all who waited start) has p = 1 unless somebody was left out.

    Raises
    ------
    DataError
        If the region has no declared rule.
    """
    if region.rule is None:
        raise DataError("Cohort sizes are checked against a declared rule; none is declared.")
    seen = round_facts(region.applications, region.rule, region.cohort[None])
    replayed = round_facts(region.applications, region.rule, region.replay(rng, draws))
    rows = []
    for k in range(region.rule.capped_rounds):
        n = seen.started[0, k]
        low, high = (1 + (replayed.started[:, k] <= n).sum()), (1 + (replayed.started[:, k] >= n).sum())
        rows.append(
            CohortSizeRow(
                k + 1, int(n), float(replayed.started[:, k].mean()), int(seen.started_patients[0, k]),
                float(seen.cap[0, k]), float(replayed.started_patients[:, k].mean()), bool(seen.lottery[0, k]),
                float(min(1.0, 2 * min(low, high) / (draws + 1))),
            )
        )  # fmt: skip
    return tuple(rows)


class IdentifiedBy(StrEnum):
    """What makes a comparison one of effects."""

    LOTTERY = "lottery"
    PARALLEL_TRENDS = "parallel trends"
    NOTHING = "not identified"


@dataclass(frozen=True, slots=True)
class IdentificationRow:
    """One block at one event time: what identifies the effect, and how many practices and patients compare."""

    applied_round: int
    priority: int
    event_time: int
    identified_by: IdentifiedBy
    practices: int
    patients: int
    practices_comparing: int
    patients_comparing: int


def identification_table(
    region: DrawnRegion, chances: EntryProbabilities | RoundChances, last_event_time: int, other_comparisons: int = 0
) -> tuple[IdentificationRow, ...]:
    """Say, before any outcome is read, what the draw identifies in each block at each event time.

    Identified by lottery: practices of the block that started in round g and others that start after round g + e, all
    of whom could have done either (chances of both strictly between 0 and 1). By parallel trends: somebody elsewhere,
    or the `other_comparisons` clean practices that never applied, is still waiting. Counts are those that compare.

    Parameters
    ----------
    chances : of the region's applicants (`entry_probabilities`); replayed chances of exactly 0 or 1 compare nobody.
        Where applications reacted to earlier draws those of single rounds (`round_chances`): the lottery then
        identifies an effect in the quarter of the start alone.
    last_event_time : largest event time shown, e = 0 being the quarter of entry.
    """
    a, cohort, last = region.applications, region.observed()[0].astype(np.int64), region.last
    gone = np.zeros(a.n, dtype=bool) if a.withdrawn_round is None else a.withdrawn_round < NEVER
    rows = []
    for b in np.unique(a.block):
        mine = a.block == b
        for e in range(last_event_time + 1):
            treated, waiting, observational = (np.zeros(a.n, dtype=bool) for _ in range(3))
            elsewhere = np.zeros(a.n, dtype=bool)
            for g in np.unique(cohort[mine & (cohort > 0)]):
                starts, later = mine & (cohort == g), (cohort > g + e)
                both = chances.compares(int(g), int(g) + e) if g < last and g + e < last else np.zeros(a.n, dtype=bool)
                own, against = starts & both, mine & later & both & ~(gone & (cohort == 0))
                if own.any() and against.any():
                    treated |= own
                    waiting |= against
                if starts.any() and (later.any() or other_comparisons):
                    observational |= starts
                    elsewhere |= later
            by = IdentifiedBy.NOTHING
            if treated.any():
                by = IdentifiedBy.LOTTERY
            elif observational.any():
                by, treated, waiting = IdentifiedBy.PARALLEL_TRENDS, observational, elsewhere
            more = other_comparisons if by is IdentifiedBy.PARALLEL_TRENDS else 0
            rows.append(
                IdentificationRow(
                    int(a.applied_round[mine][0]), 0 if a.priority is None else int(a.priority[mine][0]), e, by,
                    int(treated.sum()), int(a.list_size[treated].sum()),
                    int(waiting.sum()) + more, int(a.list_size[waiting].sum()),
                )
            )  # fmt: skip
    return tuple(rows)


@dataclass(frozen=True, slots=True, eq=False)
class ApplicantRow:
    """One covariate among those who applied and those who did not: means and their distance in standard deviations."""

    name: str
    applicants: float
    others: float
    difference: float


def describe_applicants(x: FloatArray, names: Sequence[str], applied: BoolArray) -> tuple[ApplicantRow, ...]:
    """Describe applicants and non-applicants apart; nothing in the draw says anything about the latter.

    `x` (n, p) covariates called `names`, missing values left out; `applied` (n,) tells who did.

    >>> applied = np.array([True, True, False, False])
    >>> rows = describe_applicants(np.array([[1.0], [3.0], [5.0], [7.0]]), ["age"], applied)
    >>> rows[0].applicants, rows[0].others, round(rows[0].difference, 2)
    (2.0, 6.0, -2.83)
    """
    rows = []
    for j, name in enumerate(names):
        own, others = (values[np.isfinite(values)] for values in (x[applied, j], x[~applied, j]))
        if len(own) < 2 or len(others) < 2:
            continue
        spread = np.sqrt((own.var(ddof=1) + others.var(ddof=1)) / 2) or 1.0
        gap = float((own.mean() - others.mean()) / spread)
        rows.append(ApplicantRow(name, float(own.mean()), float(others.mean()), gap))
    return tuple(rows)
