"""What an estimator shows in replays of the draw once the effect is taken out of the outcomes: its bias and spread.

Source: recentring by the mean over replays as in Borusyak & Hull (2023), Econometrica 91(6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedEstimator:
    """Mean and standard deviation of estimates over replays, without the effect, each (K,); `draws` replays."""

    bias: FloatArray
    std_error: FloatArray
    draws: int


def replayed_estimator(
    regions: Sequence[DrawnRegion],
    numbers: FloatArray,
    effect: FloatArray,
    exposure: FloatArray,
    plan: ContrastPlan,
    rng: np.random.Generator,
    draws: int = 999,
) -> ReplayedEstimator:
    r"""Replay each estimand with its own estimate taken out of the outcomes.

    .. math:: \text{bias}_k = \frac{1}{B}\sum_b \hat\theta_k(G_b;\, Y - \hat\theta_k D)

    The recentred estimate is :math:`\hat\theta_k - \text{bias}_k`: exact for a constant effect under the declared rule.
    The spread contains all joint chances of entry, so it stands beside Neyman's standard error as a check of it.

    Parameters
    ----------
    numbers : (K, C, n) what each cell compares, for each estimand with its own adjustment.
    effect : (K,) estimates, taken as the constant effect.
    exposure : (K, C, n) the same numbers of the exposure that the observed entries made (1 from entry on).
    plan : K estimands; estimand k uses row k of the numbers.

    Raises
    ------
    NotIdentifiedError
        If an estimand can be estimated in no block, or in nearly no replay.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    >>> first = np.repeat([1, 2], 10)
    >>> drawn = DrawnRegion(Applications(np.full(20, 100), np.ones(20), 2000), rule, first, np.arange(20))
    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> D = (first == 1)[None, None].astype(float)
    >>> y = 3 * D + np.tile([0.0, 0.5, 1.0, 1.5, 2.0], 4)
    >>> seen = replayed_estimator([drawn], y, np.array([3.0]), D, plan, np.random.default_rng(1))
    >>> bool(abs(seen.bias[0]) < 0.05), bool(0.25 < seen.std_error[0] < 0.40)
    (True, True)
    """
    K = len(plan.names)
    bias, spread = np.zeros(K), np.zeros(K)
    seeds = rng.integers(2**63, size=1)  # every estimand sees the same replays
    for k in range(K):
        used = np.flatnonzero(plan.weights[k])
        own = ContrastPlan(
            (plan.names[k],), plan.cohort[used], plan.after[used], plan.weights[k : k + 1, used], plan.by_size
        )
        without = (numbers[k] - effect[k] * exposure[k])[None, used]
        seen = replay_statistics(regions, without, own, np.random.default_rng(seeds), draws).replayed[:, 0, 0]
        bias[k], spread[k] = float(seen.mean()), float(seen.std(ddof=1))
    return ReplayedEstimator(bias, spread, draws)
