"""The lottery's own estimators in a region's evaluation: the default as headline, the others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.config import EstimationChoices
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.aggregate import by_calendar, by_cohort, event_study, money_total, overall
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimands.placebo import placebo
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_default import DefaultEffects, lottery_default
from mtvp_eval.estimators.lottery_efficient import Adjustment, lottery_efficient
from mtvp_eval.estimators.lottery_weighted import lottery_weighted
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.contrasts import declared_plan
from mtvp_eval.inference.recentring import replayed_estimator
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, exposure

REPLAYS = 499
"""Replays behind a bias: its Monte Carlo error is a 22nd of a standard error."""
FEWEST = 10
"""Practices in every compared cohort from which shares may be estimated block by block."""


def headline(
    panel: Panel, drawn: LotteryDesign, name: str, choices: EstimationChoices, weighting: Weighting,
    draw: DrawEvidence | None,
) -> EffectEstimates:  # fmt: skip
    """Return every declared estimand that the draw identifies, recentred by replay where effects are per practice.

    Where applications reacted to earlier draws the whole path cannot be replayed: nothing is recentred, and a note says
    so.

    Raises
    ------
    NotIdentifiedError
        If no block was decided by lottery.
    """
    declared: list[Estimand] = [overall(drawn, weighting)]
    declared += [e for e in event_study(drawn, weighting, base=BasePeriod.UNIVERSAL) if _shown(e, choices)]
    declared += by_cohort(drawn, weighting)
    declared += by_calendar(drawn, weighting)
    declared += [e for e in placebo(drawn, weighting, base=BasePeriod.UNIVERSAL) if _shown(e, choices)]
    declared += [cell_effect(cell, weighting) for cell in drawn.identified_cells(BasePeriod.UNIVERSAL)]
    found = lottery_default(panel, drawn, name, declared)
    if draw is None or weighting is Weighting.PATIENT:
        return found.effects
    if draw.reacted:
        note = f"Applications reacted to earlier draws: effects on {name} are not recentred by replay."
        return replace(found.effects, notes=(*found.effects.notes, note))
    return recentred(panel, name, declared, found, draw, choices.seed)


def recentred(
    panel: Panel, name: str, estimands: Sequence[Estimand], found: DefaultEffects, draw: DrawEvidence, seed: int
) -> EffectEstimates:
    """Subtract from each estimate at or after entry what replays of the draw show once the effect is taken out.

    An estimand that hardly any replay can estimate stays as it is, and the notes say so. A replayed standard error that
    differs from Neyman's by more than a tenth is said as well.
    """
    effects = found.effects
    own = panel.restrict(np.isin(panel.unit_ids.astype(str), effects.unit_ids.astype(str)), "draw", "compared")
    y, exposed = by_unit(own, name, draw), exposure(draw, own.clock)
    log_size = np.log(draw.region.applications.list_size)
    estimate, error, notes = effects.estimate.copy(), effects.std_error(), list(effects.notes)
    unstable, apart = 0, 0
    for k, e in enumerate(estimands):
        if any(t < g for g, t in e.cells):
            continue
        plan = declared_plan([e], draw.first_round)
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


def totals(panel: Panel, drawn: LotteryDesign, name: str) -> tuple[EffectEstimates, tuple[tuple[Cell, ...], ...]]:
    """Return the total effect on a cost by calendar year, in euro, over the cells the draw identifies.

    Members of a cohort outside the drawn blocks are counted at the effect of those drawn. A rate a year over a quarter
    counts a fourth.
    """
    after = [cell for cell in drawn.identified_cells() if cell[1] >= cell[0]]
    years = tuple(tuple(c for c in after if c[1] // 4 == year) for year in sorted({t // 4 for _, t in after}))
    declared = [money_total(drawn.staggered, within=year).scaled(0.25) for year in years]
    return lottery_default(panel, drawn, name, declared).effects.with_units({name: "euro"}), years


def default_overall(
    panel: Panel, drawn: LotteryDesign, name: str, _: EstimationChoices, weighting: Weighting
) -> EffectEstimates:
    """Return the overall effect by the default, before recentring."""
    return lottery_default(panel, drawn, name, [overall(drawn, weighting)]).effects


def means_overall(
    panel: Panel, drawn: LotteryDesign, name: str, _: EstimationChoices, weighting: Weighting
) -> EffectEstimates:
    """Return the overall effect by cohort means."""
    estimand = overall(drawn, weighting)
    return aggregate(lottery(panel, drawn, name, weighting=weighting, cells=estimand.cells), drawn, [estimand])


def weighted_overall(
    panel: Panel, drawn: LotteryDesign, name: str, _: EstimationChoices, weighting: Weighting
) -> EffectEstimates:
    """Return the overall effect weighted by replayed chances."""
    estimand = overall(drawn, weighting)
    return aggregate(lottery_weighted(panel, drawn, name, weighting=weighting, cells=estimand.cells), drawn, [estimand])


def efficient_overall(
    panel: Panel, drawn: LotteryDesign, name: str, _: EstimationChoices, weighting: Weighting
) -> EffectEstimates:
    """Return the overall effect by Roth and Sant'Anna's estimator; beta = 1 with few practices in a cohort."""
    few = min(int(b.design.cohort_size.min()) for b in drawn.drawn) < FEWEST if drawn.drawn else True
    return lottery_efficient(
        panel, drawn, name, [overall(drawn, weighting)], beta=1.0 if few else None, adjustment=Adjustment.POOLED
    ).effects


def _shown(estimand: Estimand, choices: EstimationChoices) -> bool:
    return choices.event_first <= (estimand.event_time or 0) <= choices.event_last
