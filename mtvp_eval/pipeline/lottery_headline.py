"""The lottery's default estimator as headline of a region: recentred by replay of the draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.contrasts import drawn_plan
from mtvp_eval.inference.recentring import replayed_estimator
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, exposure

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
