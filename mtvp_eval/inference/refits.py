"""Replays of any registered estimator: one fit a replay, with the entries that the replayed draw gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.rules import NOT_STARTED
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, MtvpError
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.method import Choices
from mtvp_eval.estimators.results import EffectKey
from mtvp_eval.inference.randomization import replay_estimator
from mtvp_eval.inference.replay import DrawnRegion, ReplayedStatistics


def replay_method(
    panel: Panel,
    region: DrawnRegion,
    first_round: int,
    method: str,
    outcomes: Sequence[str],
    estimands: Sequence[str],
    rng: np.random.Generator,
    draws: int,
    choices: Choices | None = None,
) -> ReplayedStatistics:
    """Replay a registered method on several outcomes; give the result to `randomization_test`.

    The method is fitted anew in every replay, so what it estimates on the way (adjustments, weights) is estimated anew
    too. A replay in which an effect of the observed draw has no estimate or no error is drawn again, and counted.
    Slow by nature: linear methods have fast forms (`replay_statistics`, `permuted_estimators`).

    Parameters
    ----------
    panel : outcomes; practices outside the draw keep the entry they had.
    region : the draw as it went; its `rows` are rows of the panel.
    first_round : clock of round 1.
    method : name in the registry.
    outcomes, estimands : names; the result holds one row of outcome/estimand contrasts, so that adjusted p-values cover
        them all.
    choices : covariates, weighting and options of the method.

    Raises
    ------
    EstimationError
        If the method does not support what is asked, or an effect of the observed draw has no error.
    NotIdentifiedError
        If fewer than 1 in 200 replays can be estimated.

    Source: Roth & Sant'Anna (2023), section 4 (arXiv:2102.01291): studentised randomization tests of any estimator.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    >>> drawn = DrawnRegion(Applications(np.full(8, 100), np.ones(8), 800), rule, np.repeat([1, 2], 4), np.arange(8))
    >>> y = np.array([[0.0, 1, 5], [1, 1, 4], [0, 2, 6], [1, 2, 4], [0, 1, 1], [1, 2, 2], [1, 1, 2], [0, 2, 2]])
    >>> panel = Panel(np.arange(8).astype(object), ("1", "2", "3"), np.array([1, 2, 3]), {"y": y})
    >>> seen = replay_method(panel, drawn, 3, "callaway_santanna", ["y"], ["overall"], np.random.default_rng(0), 19)
    >>> seen.names, seen.estimate.round(6).tolist(), seen.replayed.shape
    (('y/overall',), [[3.0]], (19, 1, 1))
    """
    asked = choices or Choices()
    recorded = np.full(panel.n_units, NEVER, dtype=np.int64) if panel.entry is None else panel.entry

    def fit(cohort: IntArray) -> dict[EffectKey, tuple[float, float]]:
        entry = recorded.copy()
        entry[region.rows] = np.where(cohort == NOT_STARTED, NEVER, first_round + cohort - 1)
        again = replace(panel, entry=entry)
        design = StaggeredDesign.from_panel(again)
        found: dict[EffectKey, tuple[float, float]] = {}
        for outcome in outcomes:
            for names in registry.together(method, estimands):
                effects = registry.run(method, again, design, outcome, names, asked)
                error = effects.std_error()
                found |= {
                    key: (float(theta), float(e) ** 2)
                    for key, theta, e in zip(effects.index, effects.estimate, error, strict=True)
                }
        return found

    observed = fit(region.observed()[0].astype(np.int64))
    if without := sum(not np.isfinite(pair).all() or pair[1] <= 0 for pair in observed.values()):
        raise EstimationError(f"{without} of {len(observed)} effects of {method} have no standard error to divide by.")
    keys = tuple(observed)

    def aligned(cohort: IntArray) -> tuple[FloatArray, FloatArray]:
        try:
            found = fit(cohort)
        except MtvpError:
            return np.full(len(keys), np.nan), np.full(len(keys), np.nan)
        pairs = np.array([found.get(key, (np.nan, np.nan)) for key in keys])
        return pairs[:, 0], np.where(pairs[:, 1] > 0, pairs[:, 1], np.nan)

    return replay_estimator(region, aligned, rng, draws, tuple(_name(key) for key in keys))


def _name(key: EffectKey) -> str:
    where = (key.event_time, key.cohort, key.period)
    return "/".join([key.outcome, key.estimand, *(str(part) for part in where if part is not None)])
