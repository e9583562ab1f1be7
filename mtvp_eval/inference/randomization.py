"""Randomization inference: tests and intervals from replays of the declared draw, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.draw import CohortArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.replay import DrawnRegion, ReplayedStatistics, conditional_replays, replay_statistics

_TIE = 1e-5
"""A replay that reproduces the observed draw must count as reaching it; single precision differs by less than this."""


@dataclass(frozen=True, slots=True, eq=False)
class RandomizationTest:
    """Tests of no effect at all for J outcomes x K estimands.

    Parameters
    ----------
    names : K estimands.
    estimate : (J, K) recentred: less its mean over the replays, which is what the draw alone would show.
    std_error, statistic, p_value : (J, K).
    adjusted : (J, K) Westfall-Young step-down p-values over all outcomes and estimands together.
    replays : number of replays; p-values are multiples of 1 / (replays + 1).
    rejected : (regions,) share of replays drawn again because an estimand could not be estimated.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    adjusted: FloatArray
    replays: int
    rejected: FloatArray


def randomization_test(replayed: ReplayedStatistics) -> RandomizationTest:
    r"""Test the sharp hypothesis of no effect by the recentred studentised statistic.

    .. math:: t = (\hat\theta - \bar\theta)/\sqrt{\hat V}, \qquad
              p = \frac{1 + \#\{b: |t_b| \ge |t|\}}{B + 1}

    with the mean over the replays and the observed draw. Under the declared draw p holds its level at any number of
    units; with effects that differ it is close to it. All outcomes and estimands share the replays, so the step-down
    maxima need no assumption on how they hang together.

    Raises
    ------
    EstimationError
        If an observed contrast has no variance (an outcome that does not vary).

    Source: Westfall & Young (1993), step-down maxima; recentring: Borusyak & Hull (2023).
    """
    B, J, K = replayed.replayed.shape
    if flat := int((replayed.variance <= 0).sum()):
        raise EstimationError(f"{flat} of {J * K} contrasts do not vary between the compared units: nothing to test.")
    centre = (replayed.estimate + replayed.replayed.sum(axis=0, dtype=np.float64)) / (B + 1)
    error = np.sqrt(replayed.variance)
    statistic = (replayed.estimate - centre) / error
    reached = _studentised(replayed.replayed - centre.astype(replayed.replayed.dtype), replayed.replayed_variance)
    bar = (np.abs(statistic) * (1 - _TIE) - _TIE).reshape(-1)
    reached = reached.reshape(B, -1)
    p_value = (1 + (reached >= bar).sum(axis=0)) / (B + 1)
    order = np.argsort(-bar, kind="stable")
    highest = np.maximum.accumulate(reached[:, order[::-1]], axis=1)[:, ::-1]
    stepped = np.maximum.accumulate((1 + (highest >= bar[order]).sum(axis=0)) / (B + 1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return RandomizationTest(
        replayed.names, replayed.estimate - centre, error, statistic, p_value.reshape(J, K), adjusted.reshape(J, K), B,
        replayed.rejected,
    )  # fmt: skip


def _studentised(gap: FloatArray, variance: FloatArray) -> FloatArray:
    """Return |gap| / sqrt(variance); a replay without variance reaches everything, so it never makes p smaller."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.abs(gap) / np.sqrt(variance)
    return np.where(np.isfinite(value), value, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class SharpInterval:
    """Intervals (K,) for one constant or ramp effect: all sizes of it that the test at 1 - level does not reject."""

    names: tuple[str, ...]
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    level: float


def sharp_interval(
    regions: Sequence[DrawnRegion],
    numbers: FloatArray,
    exposure: FloatArray,
    plan: ContrastPlan,
    rng: np.random.Generator,
    draws: int,
    level: float = 0.95,
) -> SharpInterval:
    r"""Invert the recentred studentised test of the sharp hypothesis :math:`Y = Y(\infty) + \theta_0 D`.

    Replayed estimates on :math:`Y - \theta_0 D` are :math:`A_b - \theta_0 C_b` and their variances quadratic in
    :math:`\theta_0`, so one set of replays serves every value tried; the interval is the outermost accepted one.

    Parameters
    ----------
    numbers, exposure : (C, n) what each cell compares, of the outcome and of the exposure D that the observed entries
        made (1 from entry on for a constant effect; quarters since entry over five, at most 1, for a ramp).

    Raises
    ------
    NotIdentifiedError
        If an estimand can be estimated in no block.
    EstimationError
        If the exposure does not differ in a contrast.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    >>> first = np.repeat([1, 2], 10)
    >>> drawn = DrawnRegion(Applications(np.full(20, 100), np.ones(20), 2000), rule, first, np.arange(20))
    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> exposure = (first == 1)[None].astype(float)
    >>> y = 3 * exposure + np.tile([0.0, 0.5, 1.0, 1.5, 2.0], 4)
    >>> found = sharp_interval([drawn], y, exposure, plan, np.random.default_rng(1), draws=199)
    >>> bool(found.low[0] < 3 < found.high[0]), bool(found.low[0] > 0)
    (True, True)
    """
    spread = [float(np.nanstd(part)) or 1.0 for part in (numbers, exposure)]
    y, d = numbers / spread[0], exposure / spread[1]
    stack = np.stack([y, d, y + d])
    s = replay_statistics(regions, stack, plan, rng, draws, precision=np.float64)
    A = np.concatenate([s.estimate[None], s.replayed])  # (B + 1, 3, K), observed first
    V = np.concatenate([s.variance[None], s.replayed_variance])
    cross = (V[:, 2] - V[:, 0] - V[:, 1]) / 2
    if not (np.abs(A[0, 1]) > 1e-9).all():
        raise EstimationError("The exposure does not differ in some contrast; no effect size can be inverted there.")
    estimate, low, high = (np.empty(len(plan.names)) for _ in range(3))
    for k in range(len(plan.names)):

        def p_at(theta: float, k: int = k) -> float:
            gap = A[:, 0, k] - theta * A[:, 1, k]
            variance = V[:, 0, k] - 2 * theta * cross[:, k] + theta**2 * V[:, 1, k]
            t = _studentised(gap - gap.mean(), np.maximum(variance, 0))
            return float((t >= t[0] * (1 - 1e-9)).mean())

        slope = A[0, 1, k] - A[:, 1, k].mean()
        middle = (A[0, 0, k] - A[:, 0, k].mean()) / slope  # here the recentred numerator is zero, so p = 1
        step = np.sqrt(V[0, 0, k]) / abs(slope)
        estimate[k] = middle
        low[k], high[k] = (_outermost(p_at, middle, sign * step, round(1 - level, 12)) for sign in (-1, 1))
    unit = spread[0] / spread[1]
    return SharpInterval(plan.names, estimate * unit, low * unit, high * unit, level)


def _outermost(p_at: Callable[[float], float], middle: float, step: float, alpha: float) -> float:
    """Walk outward in quarter steps, remember the last accepted value, and bisect the border; infinite if none."""
    accepted, rejected = middle, 0
    for j in range(1, 161):
        if p_at(middle + j * step / 4) > alpha:
            accepted, rejected = middle + j * step / 4, 0
        else:
            rejected += 1
        if rejected == 8:  # two standard errors of rejections in a row: p only falls from here
            break
    else:
        return float(np.copysign(np.inf, step))
    outside = accepted + step / 4
    for _ in range(30):
        between = (accepted + outside) / 2
        accepted, outside = (between, outside) if p_at(between) > alpha else (accepted, between)
    return float(accepted)


def replay_estimator(
    region: DrawnRegion,
    estimate: Callable[[IntArray], tuple[FloatArray, FloatArray]],
    rng: np.random.Generator,
    draws: int,
    names: tuple[str, ...],
) -> ReplayedStatistics:
    """Replay any estimator, one fit per replay: `estimate` takes cohorts (n,) and returns estimates and variances (K,).

    Replays in which an estimate or variance is not finite although the observed draw has it are drawn again, and their
    share is reported. Slow by nature; `replay_statistics` is the fast form for contrasts of cohorts.

    Raises
    ------
    NotIdentifiedError
        If fewer than 1 in 200 replays can be estimated.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    >>> drawn = DrawnRegion(Applications(np.full(4, 100), np.ones(4), 400), rule, np.array([1, 1, 2, 2]), np.arange(4))
    >>> y = np.array([5.0, 7.0, 1.0, 3.0])
    >>> gap = lambda cohort: (np.array([y[cohort == 1].mean() - y[cohort == 2].mean()]), np.ones(1))
    >>> replay_estimator(drawn, gap, np.random.default_rng(0), 50, ("gap",)).estimate.tolist()
    [[4.0]]
    """
    found: list[tuple[FloatArray, FloatArray]] = []

    def fit(cohorts: CohortArray) -> BoolArray:
        good = np.zeros(len(cohorts), dtype=bool)
        for b, cohort in enumerate(cohorts):
            theta, variance = estimate(cohort.astype(np.int64))
            good[b] = bool(np.isfinite(theta).all() and np.isfinite(variance).all())
            if good[b]:
                found.append((theta, variance))
        return good

    theta, variance = estimate(region.observed()[0].astype(np.int64))
    _, rejected = conditional_replays(partial(region.replay, rng), fit, draws)
    thetas, variances = (np.stack([pair[j] for pair in found[:draws]])[:, None] for j in range(2))
    return ReplayedStatistics(
        names, theta[None], variance[None], thetas, variances, np.array([rejected]), np.ones(len(names), dtype=np.int64)
    )


def largest_p(tests: Sequence[RandomizationTest]) -> FloatArray:
    """Return the largest p-value (J, K) over the readings that a record allows, where the rule is undocumented."""
    return np.asarray(np.max([test.p_value for test in tests], axis=0))
