"""Total effect on each cost, in euro and by calendar year, over the patient-quarters of identified cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.config import EstimationChoices
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects, totals
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell, Design, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import money_total, overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna, supported_cells
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.pipeline import lottery_headline
from mtvp_eval.pipeline.insured import Counted

YearCells = tuple[tuple[Cell, ...], ...]


def cost_total(
    panel: Panel, design: StaggeredDesign, name: str, choices: EstimationChoices, cells: Sequence[Cell]
) -> tuple[EffectEstimates, YearCells]:
    """Return the total effect on a cost for each calendar year: a rate a year over a quarter counts a fourth."""
    after = [cell for cell in cells if cell[1] >= cell[0]]
    single = callaway_santanna(
        panel, design, name, covariates=choices.covariates, weighting=Weighting.PATIENT,
        method=Adjustment(choices.method), cells=after,
    )  # fmt: skip
    return _by_year(single, design, name, after)


def lottery_total(panel: Panel, drawn: LotteryDesign, name: str) -> tuple[EffectEstimates, YearCells]:
    """Return the same total by cohort means, over the cells that the lottery identifies."""
    cells = overall(drawn, Weighting.PATIENT).cells
    return _by_year(lottery(panel, drawn, name, weighting=Weighting.PATIENT, cells=cells), drawn, name, cells)


def _by_year(
    single: EffectEstimates, design: StaggeredDesign | LotteryDesign, name: str, after: Sequence[Cell]
) -> tuple[EffectEstimates, YearCells]:
    years = tuple(tuple(c for c in after if c[1] // 4 == year) for year in sorted({t // 4 for _, t in after}))
    declared = [money_total(design, within=year).scaled(0.25) for year in years]
    return aggregate(single, design, declared).with_units({name: "euro"}), years


def patient_years(design: Design, cells: YearCells) -> dict[int, float]:
    """Return observed patient-years by calendar year: frozen lists of the identified cells, a fourth of a year each."""
    seen = sorted({cell for year in cells for cell in year})
    out: dict[int, float] = {}
    for (_, period), patients in zip(seen, design.cell_size(seen, by_size=True).tolist(), strict=True):
        out[period // 4] = out.get(period // 4, 0.0) + patients / 4
    return dict(sorted(out.items()))


def priced(estimates: EffectEstimates, cells: YearCells, design: Design, claims_of: str) -> PricedEffects:
    """Return totals as effects to be priced, with their joint covariance."""
    keys = []
    for key, own in zip(estimates.index, cells, strict=True):
        year = own[0][1] // 4
        covered = sum(patient_years(design, (own,)).values())
        keys.append(EffectKey(key.outcome, "euro", price_year=year, year=year, patient_years=covered))
    made = totals(keys, estimates.estimate, estimates.covariance(), df=estimates.df())
    return replace(made, claims_of=claims_of)


def by_method(
    counted: Counted, names: Sequence[str], choices: EstimationChoices, method: str
) -> tuple[PricedEffects, dict[int, float]]:
    """Return the priced effects and patient-years by one of the methods shown beside the headline.

    Raises
    ------
    MtvpError
        If the method refuses.
    """
    panel, design = counted.panel, counted.drawn.staggered
    if method == "lottery":
        parts = [lottery_total(panel, counted.drawn, name) for name in names]
        return _stacked(parts, counted.drawn, counted.claims_of)
    if method == "lottery_default":
        parts = [lottery_headline.totals(panel, counted.drawn, name) for name in names]
        return _stacked(parts, design, counted.claims_of)
    changed = {
        "callaway_santanna": choices,
        "callaway_santanna_unadjusted": replace(choices, covariates=()),
        "callaway_santanna_regression": replace(choices, method="reg"),
        "callaway_santanna_weighting": replace(choices, method="ipw"),
    }[method]
    return _stacked([_supported_total(panel, design, name, changed) for name in names], design, counted.claims_of)


def placebo_year(
    counted: Counted, names: Sequence[str], choices: EstimationChoices
) -> tuple[PricedEffects, dict[int, float], tuple[int, int]]:
    """Return what the same window would have shown whole years before the programme, with its first and last quarter.

    Every entry is moved back by the fewest whole years that put the window before the first start, so that seasons
    agree; quarters from the first start on are left out. The programme can have done nothing in it.

    Raises
    ------
    MtvpError
        If there are too few quarters before the start.
    """
    panel, design = counted.panel, counted.drawn.staggered
    first, last = int(design.cohorts[0]), design.last_period
    back = 4 * -(-(last - first + 1 + choices.anticipation) // 4)
    if first - back <= int(panel.clock[0]) + choices.anticipation:
        raise EstimationError(f"There are fewer than {back + 1} quarters before the first start.")
    assert panel.entry is not None
    entry = np.where(panel.entry == NEVER, NEVER, panel.entry - back)
    moved = replace(panel, entry=entry).window(int(panel.clock[0]), last - back)
    earlier = StaggeredDesign.from_panel(moved, design.comparison, design.anticipation)
    if choices.estimator == "lottery_default":
        given = counted.drawn.drawn_entry
        drawn = replace(counted.drawn, staggered=earlier, drawn_entry=np.where(given == NEVER, NEVER, given - back))
        parts = [lottery_headline.totals(moved, drawn, name) for name in names]
    else:
        parts = [_supported_total(moved, earlier, name, choices) for name in names]
    return *_stacked(parts, earlier, counted.claims_of), (first - back, last - back)


def _supported_total(
    panel: Panel, design: StaggeredDesign, name: str, choices: EstimationChoices
) -> tuple[EffectEstimates, YearCells]:
    cells, _ = supported_cells(panel, design, name, covariates=choices.covariates, method=Adjustment(choices.method))
    return cost_total(panel, design, name, choices, cells)


def _stacked(
    parts: Sequence[tuple[EffectEstimates, YearCells]], design: Design, claims_of: str
) -> tuple[PricedEffects, dict[int, float]]:
    cells = tuple(year for _, years in parts for year in years)
    estimates = EffectEstimates.stack(*(part for part, _ in parts))
    return priced(estimates, cells, design, claims_of), patient_years(design, cells)
