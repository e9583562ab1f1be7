"""Total effect on each cost, in euro and by calendar year, over the patient-quarters of identified cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.config import EstimationChoices
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects, totals
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell, Design, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import money_total
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.methods import Asked, asked, headline

YearCells = tuple[tuple[Cell, ...], ...]


def cost_total(counted: Counted, name: str, made: Asked, cells: Sequence[Cell]) -> tuple[EffectEstimates, YearCells]:
    """Return the total effect on a cost for each calendar year: a rate a year over a quarter counts a fourth.

    Totals count all patients of the enrolled cohorts: members outside the drawn blocks at the effect of those drawn.
    """
    after = [cell for cell in cells if cell[1] >= cell[0]]
    years = tuple(tuple(c for c in after if c[1] // 4 == year) for year in sorted({t // 4 for _, t in after}))
    design = counted.drawn.staggered
    declared = [  # the first quarter of the year tells the totals of one outcome apart
        replace(money_total(design, within=year).scaled(0.25), period=year[0][1] // 4 * 4) for year in years
    ]
    return made.estimate(counted.panel, counted.drawn, name, declared).with_units({name: "euro"}), years


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
    made = asked(method, choices, Weighting.PATIENT, counted.drawn)
    return _stacked([_supported_total(counted, name, made) for name in names], counted)


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
    made = headline(choices, Weighting.PATIENT, counted.drawn)
    then = replace(counted, panel=moved, drawn=_moved(counted.drawn, earlier, back, made))
    return *_stacked([_supported_total(then, name, made) for name in names], then), (first - back, last - back)


def _moved(drawn: LotteryDesign, earlier: StaggeredDesign, back: int, made: Asked) -> LotteryDesign:
    """Return the draw moved back as well, for a headline that compares within its blocks."""
    if not isinstance(made.design(drawn), LotteryDesign):
        return LotteryDesign.one_block(earlier)
    entry = np.where(drawn.drawn_entry == NEVER, NEVER, drawn.drawn_entry - back)
    return replace(drawn, staggered=earlier, drawn_entry=entry, entry_probability=None)


def _supported_total(counted: Counted, name: str, made: Asked) -> tuple[EffectEstimates, YearCells]:
    of_units = replace(made, choices=replace(made.choices, weighting=Weighting.PRACTICE))
    cells, _ = of_units.supported(counted.panel, counted.drawn, name)
    return cost_total(counted, name, made, cells)


def _stacked(
    parts: Sequence[tuple[EffectEstimates, YearCells]], counted: Counted
) -> tuple[PricedEffects, dict[int, float]]:
    design = counted.drawn.staggered
    cells = tuple(year for _, years in parts for year in years)
    estimates = EffectEstimates.stack(*(part for part, _ in parts))
    return priced(estimates, cells, design, counted.claims_of), patient_years(design, cells)
