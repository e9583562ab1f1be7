"""Minimum detectable effect: the declared draw replayed on a region's own quarters before the first start.

Source: the multiple (t of the level + t of the power) x standard error is Bloom (1995), Eval. Rev. 19; the replay takes
the place of his formula for the error. `../design` of the draw: `mtvp_eval.design.draw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.inference.contrasts import ContrastPlan, cell_changes, event_study
from mtvp_eval.planning.replayed import ReplayedEffects, cell_chances, coefficients, replayed_effects

POWER, RAMP_QUARTERS = 0.8, 5
"""Chance to find an effect of the detectable size; quarters over which a ramp builds up to the full effect."""


@dataclass(frozen=True, slots=True)
class PowerChoices:
    """What is declared: level of the test, power asked for, quarters of the ramp, windows used."""

    level: float = 0.95
    power: float = POWER
    ramp_quarters: int = RAMP_QUARTERS
    windows: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Detectable:
    """Hold the smallest effects of K estimands that a region can be expected to show.

    Parameters
    ----------
    names : K event times, and `overall`.
    immediate : (K,) effect that is there at once, found with the power asked for under replays of the draw.
    ramp : (K,) the full effect of a linear build-up that is found as often; its part inside the window is `dose`.
    formula : (K,) (t of the level + t of the power) x the standard error of complete randomisation.
    std_error : (K,) spread of the estimate over replays and windows; `neyman` (K,) what the analysis would report.
    df : (K,) degrees of freedom of the reported error; medians over replays.
    dose : (K,) share of the full ramp effect that the estimand holds.
    windows : stretches of the pre-period replayed; `dropped` (K,) share of replays without an estimate.
    """

    names: tuple[str, ...]
    immediate: FloatArray
    ramp: FloatArray
    formula: FloatArray
    std_error: FloatArray
    neyman: FloatArray
    df: FloatArray
    dose: FloatArray
    windows: int
    dropped: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PlannedDesign:
    """Hold what is known before any outcome: replays of the draw, blocks, weights, covariates.

    Parameters
    ----------
    cohorts : (B, n) replayed rounds of entry, 0 where a unit compares nowhere.
    block : (n,) application round (and priority class).
    weight : (n,) ones, or frozen list sizes.
    covariates : (n, p) baseline values that the planned analysis adjusts for.
    rounds : capped rounds: the lottery window in quarters.
    """

    cohorts: IntArray
    block: IntArray
    weight: FloatArray
    covariates: FloatArray
    rounds: int

    def plan(self, horizon: int | None = None) -> ContrastPlan:
        """Return the event times 0 to `horizon` (default the whole window) and the mean of all cells.

        A cell counts if at least half of the replays of the draw leave somebody to compare with in it; an event time
        without such a cell is left out.

        Raises
        ------
        NotIdentifiedError
            If the horizon lies beyond the window in which the draw leaves anybody waiting, or no cell counts.
        """
        if horizon is not None and not 0 <= horizon < self.rounds:
            raise NotIdentifiedError(
                f"A horizon of {horizon} quarters after entry lies beyond the lottery window: the draw leaves units "
                f"waiting up to {self.rounds - 1} quarters after the first entry (event times 0 to {self.rounds - 1}). "
                "Ask for a shorter one; later quarters rest on parallel trends, for which a draw gives no power."
            )
        whole, event_time = event_study(self.rounds, 0, overall=True)
        chance = cell_chances(self.cohorts, self.block, whole)
        used = (chance >= 0.5) & (event_time <= (self.rounds if horizon is None else horizon))
        weights = whole.weights * used
        kept = np.flatnonzero(weights.any(axis=1))
        if not len(kept):
            raise NotIdentifiedError(
                f"The draw leaves two practices or more on both sides of a comparison in at most {chance.max():.0%} of "
                "its replays: the region is too small, or too few applied at once, to show any effect by its draw."
            )
        return ContrastPlan(tuple(whole.names[k] for k in kept), whole.cohort, whole.after, weights[kept])


def minimum_detectable(
    outcome: FloatArray,
    design: PlannedDesign,
    choices: PowerChoices | None = None,
    starts: Sequence[int] | None = None,
    horizon: int | None = None,
) -> Detectable:
    r"""Replay the draw on the quarters before entry, as if round 1 had begun in each of several earlier quarters.

    .. math:: \Pr\big(|\hat\theta_b - \bar\theta + \delta| > t_{df_b} \hat s_b\big) = \text{power}

    averaged over replays b, windows and both signs of the effect; the mean over replays is taken off, as the recentred
    test does. In no window did anything happen, so the estimates are pure chance: noise of the region, dependence over
    time, sizes of cohorts, and the cap on patients are all in them.

    Parameters
    ----------
    outcome : (n, T) quarters before the first entry, and no later one; NaN where not observed.
    design : the replayed draw.
    choices : level, power, ramp, number of windows.
    starts : columns that may stand in for round 1; the latest ones that fit where not given.
    horizon : last event time; the lottery window where not given.

    Raises
    ------
    NotIdentifiedError
        If the horizon lies beyond the lottery window, or (nearly) no replay leaves a comparison.
    EstimationError
        If the pre-period is shorter than the window and one quarter.

    Source: see the module.

    Example
    -------
    >>> rng = np.random.default_rng(1)
    >>> order = rng.permuted(np.tile(np.repeat([1, 2, 3, 4], 10), (200, 1)), axis=1)
    >>> planned = PlannedDesign(order, np.zeros(40, dtype=int), np.ones(40), np.empty((40, 0)), rounds=3)
    >>> found = minimum_detectable(rng.normal(size=(40, 12)), planned)
    >>> found.names, bool(found.immediate[0] < found.ramp[0]), round(float(found.dose[-1]), 2)
    (('0', '1', '2', 'overall'), True, 0.33)
    """
    chosen = choices or PowerChoices()
    plan = design.plan(horizon)
    event_time = plan.after - plan.cohort  # the plan holds no leads
    first = _windows(outcome.shape[1], design.rounds, starts)[-chosen.windows :]
    dose = np.minimum(1.0, (event_time + 1) / chosen.ramp_quarters)
    found: list[ReplayedEffects] = []
    expected: list[FloatArray] = []
    for column in first:
        numbers = adjusted(cell_changes(outcome, column, plan.cohort, event_time), design)
        if np.isfinite(numbers).sum(axis=1).min() < 4:
            continue
        found.append(replayed_effects(numbers, design.cohorts, design.block, design.weight, plan, dose))
        expected.append(_formula(numbers, design, plan, dose))
    if not found:
        raise EstimationError("Fewer than four units are observed in every window before the first entry.")
    return _summary(found, np.array(expected), plan.names, chosen)


def _windows(quarters: int, rounds: int, starts: Sequence[int] | None) -> list[int]:
    """Return the columns that may stand in for round 1."""
    fits = range(1, quarters - rounds + 1)
    usable = [column for column in fits if starts is None or column in starts]
    if not usable:
        raise EstimationError(
            f"The {quarters} quarters before the first entry hold no {rounds + 1} quarters in a row that may "
            "be used: nothing to replay the draw on. Supply earlier quarters."
        )
    return usable


def adjusted(numbers: FloatArray, design: PlannedDesign) -> FloatArray:
    """Return the `numbers` (C, n) of each cell less what blocks and covariates explain, scaled for the slopes used.

    >>> planned = PlannedDesign(np.ones((1, 4), dtype=int), np.zeros(4, dtype=int), np.ones(4),
    ...     np.array([[0.0], [1.0], [2.0], [3.0]]), 1)
    >>> adjusted(np.array([[1.0, 3.0, 5.0, 7.0]]), planned).round(9).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """
    out = numbers.copy()
    indicators = (design.block[:, None] == np.unique(design.block)[None]).astype(np.float64)
    p = design.covariates.shape[1]
    for row in out:
        seen = np.isfinite(row)
        used = indicators[seen][:, indicators[seen].any(axis=0)]
        X = np.column_stack([used, design.covariates[seen]])
        root = np.sqrt(design.weight[seen])
        slope = np.linalg.lstsq(X * root[:, None], row[seen] * root, rcond=None)[0]
        left = int(seen.sum()) - used.shape[1]
        row[seen] = (row[seen] - X @ slope) * np.sqrt(left / max(left - p, 1))
    return out


def _formula(numbers: FloatArray, design: PlannedDesign, plan: ContrastPlan, dose: FloatArray) -> FloatArray:
    r"""Return variances (K,) of complete randomisation: sum over strata of a' S a / N, sizes as expected by replay."""
    rounds = int(max(design.cohorts.max(), plan.after.max() + 1)) + 1
    labels, of_block = np.unique(design.block, return_inverse=True)
    seen = np.isfinite(numbers)
    C, S = len(numbers), len(labels) * rounds
    size, heads, moment = np.zeros((S, C)), np.zeros((S, C)), np.zeros((len(labels), C, C))
    for b in range(len(labels)):
        mine = of_block == b
        if not mine.any():
            continue
        w = design.weight[mine]
        f = np.where(seen[:, mine], numbers[:, mine], 0.0) * w / w.mean()  # a weighted mean to first order
        pairs = seen[:, mine].astype(float) @ seen[:, mine].T
        moment[b] = (f @ f.T) / np.maximum(pairs - 1, 1)
        for g in range(1, rounds):
            chance = (design.cohorts[:, mine] == g).mean(axis=0)
            heads[b * rounds + g] = seen[:, mine] @ chance
            size[b * rounds + g] = seen[:, mine] @ (chance * w)
    variance = np.full(len(plan.names), np.nan)
    for k in range(len(plan.names)):
        a, _, good = coefficients(size[None], heads[None], plan, k, rounds, dose)
        if good[0]:
            variance[k] = sum(
                a[0, s] @ moment[s // rounds] @ a[0, s] / heads[s].max() for s in range(S) if a[0, s].any()
            )
    return variance


def _summary(
    found: list[ReplayedEffects], expected: FloatArray, names: tuple[str, ...], chosen: PowerChoices
) -> Detectable:
    from scipy.special import stdtrit

    K, tail = len(names), 0.5 + chosen.level / 2
    columns = {name: np.full(K, np.nan) for name in ("immediate", "ramp", "formula", "error", "neyman", "df", "dose")}
    dropped = np.ones(K)
    for k in range(K):
        parts = [(f.estimate[:, k], f.variance[:, k], f.df[:, k], f.dose[:, k]) for f in found]
        good = [np.isfinite(p[0]) & np.isfinite(p[2]) for p in parts]
        dropped[k] = 1 - float(np.mean([g.mean() for g in good]))
        if dropped[k] > 0.5:
            continue
        gap = np.concatenate([p[0][g] - p[0][g].mean() for p, g in zip(parts, good, strict=True) if g.any()])
        variance, df, dose = (np.concatenate([p[j][g] for p, g in zip(parts, good, strict=True)]) for j in range(1, 4))
        bar = stdtrit(df, tail) * np.sqrt(variance)
        columns["error"][k] = float(np.sqrt((gap**2).mean()))
        columns["neyman"][k], columns["df"][k] = float(np.sqrt(variance.mean())), float(np.median(df))
        columns["dose"][k] = float(dose.mean())
        columns["immediate"][k] = _smallest(gap, bar, np.ones(len(gap)), chosen.power)
        columns["ramp"][k] = _smallest(gap, bar, dose, chosen.power)
        multiple = stdtrit(columns["df"][k], tail) + stdtrit(columns["df"][k], chosen.power)
        columns["formula"][k] = float(multiple * np.sqrt(np.nanmean(expected[:, k])))
    if not np.isfinite(columns["immediate"]).any():
        raise NotIdentifiedError(
            "More than half of the replays of the draw leave nothing to compare among units observed: no effect "
            "can be shown by the draw alone."
        )
    return Detectable(
        names, columns["immediate"], columns["ramp"], columns["formula"], columns["error"], columns["neyman"],
        columns["df"], columns["dose"], len(found), dropped,
    )  # fmt: skip


def _smallest(gap: FloatArray, bar: FloatArray, dose: FloatArray, power: float) -> float:
    """Return the effect that passes the bar with the chance asked for, the mean of both signs; by bisection."""

    def chance(effect: float) -> float:
        return float(((np.abs(gap + effect * dose) > bar).mean() + (np.abs(gap - effect * dose) > bar).mean()) / 2)

    high = float(np.median(bar)) or 1e-12
    for _ in range(60):
        if chance(high) >= power:
            break
        high *= 2
    else:
        return np.inf
    low = 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if chance(middle) >= power else (middle, high)
    return high
