"""Effects of every supplied outcome: declared estimands, one method as headline, others beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.config import EstimationChoices, EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell
from mtvp_eval.dictionary.schema import Dictionary
from mtvp_eval.errors import EstimationError, MtvpError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.bands import simultaneous_band
from mtvp_eval.pipeline import lottery_headline, methods
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
    first = methods.headline(choices, Weighting.PRACTICE, drawn)
    parts: list[EffectEstimates] = []
    totals: list[tuple[EffectEstimates, YearCells]] = []
    whose = counted or Counted(panel, drawn)
    for name, outcome in dictionary.outcomes.items():
        if name not in panel.outcomes:
            continue
        try:
            cells, why = first.supported(panel, drawn, name)
            refused += _left_out(name, first, drawn, cells, why)
            if not any(t >= g for g, t in cells):
                raise EstimationError("no cell at or after a start can be estimated")
            parts += [
                _one(panel, drawn, name, choices, cells, weighting, draw).with_units({name: outcome.unit_en})
                for weighting in Weighting
            ]
            if outcome.kind == "cost":
                totals.append(cost_total(whose, name, methods.headline(choices, Weighting.PATIENT, drawn), cells))
        except MtvpError as error:
            refused.append(NotEstimated(name, 0, str(error)))
    if not parts:
        raise EstimationError(
            "No outcome can be estimated:\n" + "\n".join(f"  {r.outcome}: {r.reason}" for r in refused)
        )
    joint = EffectEstimates.stack(*parts)
    money = EffectEstimates.stack(*(part for part, _ in totals)) if totals else None
    money_cells = tuple(cells for _, years in totals for cells in years)
    return Effects(
        joint,
        money,
        money_cells,
        _with_bands(joint, choices),
        methods.by_method(panel, drawn, joint, choices),
        tuple(refused),
    )


def _one(
    panel: Panel, drawn: LotteryDesign, name: str, choices: EstimationChoices, cells: Sequence[Cell],
    weighting: Weighting, draw: DrawEvidence | None,
) -> EffectEstimates:  # fmt: skip
    """Everything declared on the cells of one outcome; the lottery's default is recentred where the draw is known."""
    made = methods.headline(choices, weighting, drawn)
    estimands = methods.declared(made, drawn, cells, choices)
    if made.method == "lottery_default" and draw is not None and weighting is Weighting.PRACTICE:
        return lottery_headline.recentred(panel, drawn, name, estimands, draw, choices.seed)
    return made.estimate(panel, drawn, name, estimands)


def _left_out(
    name: str, made: methods.Asked, drawn: LotteryDesign, cells: Sequence[Cell], why: Mapping[Cell, str]
) -> list[NotEstimated]:
    """Say how many cells the headline does not estimate, and why."""
    rows = [NotEstimated(name, len(why), "; ".join(sorted(set(why.values()))))] if why else []
    design = made.design(drawn)
    lost = [c for c in design.identified_cells() if c[1] >= c[0] and c not in why and c not in set(cells)]
    if lost:
        rows.append(NotEstimated(name, len(lost), f"{made.method} has no comparison for them"))
    return rows


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
