"""Effects of every supplied outcome: declared estimands, one method as headline, others beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.config import EstimationChoices, EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.dictionary.schema import Dictionary
from mtvp_eval.errors import EstimationError, MtvpError
from mtvp_eval.estimands.aggregate import by_calendar, by_cohort, event_study, overall
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimands.placebo import placebo
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna, supported_cells
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.bands import simultaneous_band
from mtvp_eval.pipeline import lottery_headline
from mtvp_eval.pipeline.cost_totals import YearCells, cost_total
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.insured import Counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class NotEstimated:
    """An outcome, or some of its cells, for which there is no estimate, and why."""

    outcome: str
    cells: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """All effects of one region.

    `joint` holds every estimand of every outcome with its joint covariance; `money` the totals of cost outcomes by
    calendar year over the cells in `money_cells`, in euro; `frame` is `joint` as a tidy table with simultaneous bands
    over the event times of an outcome; `robustness` the overall effect by every method.
    """

    joint: EffectEstimates
    money: EffectEstimates | None
    money_cells: YearCells
    frame: pd.DataFrame
    robustness: pd.DataFrame
    not_estimated: tuple[NotEstimated, ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Outcomes with an estimate, in the order of the dictionary."""
        return tuple(dict.fromkeys(key.outcome for key in self.joint.index))


def estimate_effects(
    panel: Panel, drawn: LotteryDesign, dictionary: Dictionary, config: EvaluationConfig,
    draw: DrawEvidence | None = None, counted: Counted | None = None,
) -> Effects:  # fmt: skip
    """Estimate every supplied outcome in both weightings, its placebos, and the totals of cost outcomes.

    Totals are over the patients in `counted`, all registered ones where it is not given.

    Raises
    ------
    EstimationError
        If no outcome can be estimated; the reason of each is listed.
    """
    choices, refused = config.estimation, []
    design = drawn.staggered
    parts: list[EffectEstimates] = []
    totals: list[tuple[EffectEstimates, YearCells]] = []
    whose = counted or Counted(panel, drawn)
    for name, outcome in dictionary.outcomes.items():
        if name not in panel.outcomes:
            continue
        try:
            if choices.estimator == "lottery_default":
                parts += [
                    lottery_headline.headline(panel, drawn, name, choices, weighting, draw).with_units(
                        {name: outcome.unit_en}
                    )
                    for weighting in Weighting
                ]
                if outcome.kind == "cost":
                    totals.append(lottery_headline.totals(whose.panel, whose.drawn, name))
                continue
            cells, why = supported_cells(
                panel, design, name, covariates=choices.covariates, method=_adjustment(choices)
            )
            if why:
                refused.append(NotEstimated(name, len(why), "; ".join(sorted(set(why.values())))))
            if not any(t >= g for g, t in cells):
                raise EstimationError("no cell at or after a start can be estimated")
            parts += [_one(panel, design, name, choices, cells, weighting, outcome.unit_en) for weighting in Weighting]
            if outcome.kind == "cost":
                totals.append(cost_total(whose.panel, whose.drawn.staggered, name, choices, cells))
        except MtvpError as error:
            refused.append(NotEstimated(name, 0, str(error)))
    if not parts:
        raise EstimationError(
            "No outcome can be estimated:\n" + "\n".join(f"  {r.outcome}: {r.reason}" for r in refused)
        )
    joint = EffectEstimates.stack(*parts)
    money = EffectEstimates.stack(*(part for part, _ in totals)) if totals else None
    money_cells = tuple(cells for _, years in totals for cells in years)
    estimated = tuple(dict.fromkeys(key.outcome for key in joint.index))
    return Effects(
        joint,
        money,
        money_cells,
        _with_bands(joint, choices),
        _by_method(panel, drawn, estimated, choices),
        tuple(refused),
    )


def _adjustment(choices: EstimationChoices) -> Adjustment:
    return Adjustment(choices.method)


def _one(
    panel: Panel, design: StaggeredDesign, name: str, choices: EstimationChoices, cells: Sequence[Cell],
    weighting: Weighting, unit: str,
) -> EffectEstimates:  # fmt: skip
    """Cells of one outcome and everything declared on them."""
    single = callaway_santanna(
        panel,
        design,
        name,
        covariates=choices.covariates,
        weighting=weighting,
        method=_adjustment(choices),
        cells=cells,
    ).with_units({name: unit})
    declared: list[Estimand] = [overall(design, weighting, within=cells)]
    declared += [e for e in event_study(design, weighting, within=cells) if _shown(e, choices)]
    declared += by_cohort(design, weighting, within=cells)
    declared += by_calendar(design, weighting, within=cells)
    declared += [e for e in placebo(design, weighting, within=cells) if _shown(e, choices)]
    return EffectEstimates.stack(aggregate(single, design, declared), single)


def _shown(estimand: Estimand, choices: EstimationChoices) -> bool:
    return choices.event_first <= (estimand.event_time or 0) <= choices.event_last


def _with_bands(joint: EffectEstimates, choices: EstimationChoices) -> pd.DataFrame:
    """Tidy table with a simultaneous band over the event times of each outcome and weighting."""
    rng = np.random.default_rng(choices.seed)
    low, high = np.full(len(joint), np.nan), np.full(len(joint), np.nan)
    studies: dict[tuple[str, Weighting], list[int]] = {}
    for row, key in enumerate(joint.index):
        if key.estimand == "event_study":
            studies.setdefault((key.outcome, key.weighting), []).append(row)
    for rows in studies.values():
        study = joint.take(rows)
        if np.isfinite(study.std_error()).any():
            band = simultaneous_band(study, rng, level=choices.level)
            low[rows], high[rows] = band.low, band.high
    return joint.to_frame(choices.level).assign(band_low=low, band_high=high)


Method = Callable[[Panel, LotteryDesign, str, EstimationChoices, Weighting], EffectEstimates]


def _callaway(adjusted: bool, method: str | None = None) -> Method:
    def estimate(
        panel: Panel, drawn: LotteryDesign, name: str, choices: EstimationChoices, weighting: Weighting
    ) -> EffectEstimates:
        design = drawn.staggered
        covariates = choices.covariates if adjusted else ()
        way = Adjustment(method or choices.method)
        cells, _ = supported_cells(panel, design, name, covariates=covariates, weighting=weighting, method=way)
        after = [cell for cell in cells if cell[1] >= cell[0]]
        single = callaway_santanna(
            panel, design, name, covariates=covariates, weighting=weighting, method=way, cells=after
        )
        return aggregate(single, design, [overall(design, weighting, within=after)])

    return estimate


METHODS: dict[str, Method] = {
    "callaway_santanna": _callaway(adjusted=True),
    "callaway_santanna_unadjusted": _callaway(adjusted=False),
    "callaway_santanna_regression": _callaway(adjusted=True, method="reg"),
    "callaway_santanna_weighting": _callaway(adjusted=True, method="ipw"),
    "lottery": lottery_headline.means_overall,
}
"""The overall effect by every method shown beside the headline."""
ON_REQUEST: dict[str, Method] = {
    "lottery_default": lottery_headline.default_overall,
    "lottery_weighted": lottery_headline.weighted_overall,
    "lottery_efficient": lottery_headline.efficient_overall,
}
"""Methods that stand beside the headline where the question names them as sensitivity."""


def _by_method(panel: Panel, drawn: LotteryDesign, outcomes: Sequence[str], choices: EstimationChoices) -> pd.DataFrame:
    """Overall effect of every outcome by every method; a method that refuses has a row with its reason."""
    import pandas as pd

    parts, refused = [], []
    asked = {name: ON_REQUEST[name] for name in choices.sensitivity if name in ON_REQUEST}
    for method, estimate in {**METHODS, **asked}.items():
        found: list[EffectEstimates] = []
        for name in outcomes:
            for weighting in Weighting:
                try:
                    found.append(estimate(panel, drawn, name, choices, weighting))
                except MtvpError as error:
                    refused.append({"method": method, "outcome": name, "weighting": str(weighting), "note": str(error)})
        if found:
            parts.append(EffectEstimates.stack(*found).to_frame(choices.level).assign(method=method))
    return pd.concat([*parts, pd.DataFrame(refused)], ignore_index=True)
