"""The lottery's default estimator as headline of a region: recentred by replay of the draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.arrays import FloatArray, ObjectArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.contrasts import drawn_plan
from mtvp_eval.inference.recentring import replayed_estimator
from mtvp_eval.inference.replay import replay_statistics
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, contrasted, exposure

REPLAYS = 499
"""Replays behind a bias: its Monte Carlo error is a 22nd of a standard error."""


def recentred(
    panel: Panel, drawn: LotteryDesign, name: str, estimands: Sequence[Estimand], draw: DrawEvidence, seed: int
) -> EffectEstimates:
    """Subtract from estimates at or after entry what replays of the draw show once the effect is taken out.

    Estimates are those of the lottery's default, every practice counting once. An estimand that hardly any replay can
    estimate stays as it is, and the notes say so; so do all where applications reacted to earlier draws, since the
    whole path cannot be replayed then. A replayed standard error that differs from Neyman's by more than a tenth is
    said as well.
    """
    found = lottery_default(panel, drawn, name, estimands)
    effects = found.effects
    if draw.reacted:
        note = f"Applications reacted to earlier draws: effects on {name} are not recentred by replay."
        return replace(effects, notes=(*effects.notes, note))
    own = panel.restrict(np.isin(panel.unit_ids.astype(str), effects.unit_ids.astype(str)), "draw", "compared")
    y, exposed = by_unit(own, name, draw), exposure(draw, own.clock)
    log_size = np.log(draw.region.applications.list_size)
    estimate, error, notes = effects.estimate.copy(), effects.std_error(), list(effects.notes)
    unstable, apart = 0, 0
    for k, e in enumerate(estimands):
        if any(t < g for g, t in e.cells):
            continue
        plan = drawn_plan(e, draw.first_round, draw.region.cohort)
        try:
            seen = replayed_estimator(
                [draw.region], compared(y, own.clock, draw, e.cells, found.beta[k], log_size)[None],
                estimate[k : k + 1], compared(exposed, own.clock, draw, e.cells, found.beta[k])[None], plan,
                np.random.default_rng(seed), REPLAYS,
            )  # fmt: skip
        except MtvpError:
            unstable += 1
            continue
        estimate[k] -= seen.bias[0]
        apart += bool(abs(seen.std_error[0] / error[k] - 1) > 0.1)
    if unstable:
        notes.append(f"{unstable} effects on {name} could not be replayed and are not recentred.")
    if apart:
        notes.append(f"Replayed and Neyman standard errors differ by more than a tenth for {apart} effects on {name}.")
    return replace(effects, estimate=estimate, notes=tuple(notes), method=f"{effects.method}, recentred by replay")


def replayed_contrasts(
    panel: Panel, name: str, estimand: Estimand, unit_ids: ObjectArray, draw: DrawEvidence, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return (4,) and (4,): the means over replays of the contrasts of an outcome, and of entering as was observed.

    The replays are those that `recentred` makes with this seed; any effect and any shares then give its bias.

    Parameters: `estimand` of quarters at or after entry, every practice counting once; `unit_ids` those analysed.

    Raises
    ------
    EstimationError, NotIdentifiedError
        If the panel does not hold a quarter compared, or hardly any replay can estimate what the observed draw did.
    """
    own = panel.restrict(np.isin(panel.unit_ids.astype(str), unit_ids.astype(str)), "draw", "compared")
    log_size = np.log(draw.region.applications.list_size)
    outcome = contrasted(by_unit(own, name, draw), own.clock, draw, estimand.cells, log_size)
    entered = contrasted(exposure(draw, own.clock), own.clock, draw, estimand.cells)
    seen = np.isfinite(outcome).all(axis=(0, 1))
    numbers = np.where(seen, np.concatenate([outcome, entered]), np.nan)  # one set of units, so one set of replays
    plan = drawn_plan(estimand, draw.first_round, draw.region.cohort)
    again = np.random.default_rng(np.random.default_rng(seed).integers(2**63, size=1))  # as `replayed_estimator` seeds
    found = replay_statistics([draw.region], numbers, plan, again, REPLAYS, np.float64)
    of_outcome, of_entry = found.replayed[:, :, 0].mean(axis=0).reshape(2, -1)
    return of_outcome, of_entry
