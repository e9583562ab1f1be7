"""Totals of cost by calendar year."""

import numpy as np
import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.config import EstimationChoices
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.pipeline.cost_totals import cost_total
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.methods import headline


def test_totals_of_two_years_and_two_costs_stand_side_by_side():
    """Cells in 2023 and 2024: a year's total is patients times effect over its quarters, a fourth of a year each."""
    clock = np.arange(quarter("2022Q4"), quarter("2024Q2") + 1)
    entry = np.repeat([quarter("2023Q3"), quarter("2025Q1")], 6)
    effect = -4.0 * (clock >= entry[:, None])
    rng = np.random.default_rng(1)
    y = rng.normal(size=(12, 1)) + rng.normal(size=len(clock)) + effect
    panel = Panel(
        np.arange(12).astype(object), tuple(str(t) for t in clock), clock, {"gp": y, "hospital": 10 * y},
        np.full(12, 1000.0), entry=entry,
    )  # fmt: skip
    drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    choices = EstimationChoices("callaway_santanna", "dr", "not_yet_enrolled", (), 0, 5, (), -8, 2, None, 0.95, 1)
    made = headline(choices, Weighting.PATIENT, drawn)
    cells = [cell for cell in drawn.staggered.identified_cells() if cell[1] >= cell[0]]
    parts = [cost_total(Counted(panel, drawn), name, made, cells)[0] for name in ("gp", "hospital")]
    found = EffectEstimates.stack(*parts)
    assert len(set(found.index)) == 4
    assert found.estimate.tolist() == pytest.approx([-12_000.0, -12_000.0, -120_000.0, -120_000.0])
