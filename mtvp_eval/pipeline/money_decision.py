"""What a decision needs beside the net benefit: shared savings under noise, value of knowing more, saving rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.costbenefit.budget_impact import PLAUSIBLE_SAVING, break_even_effect, mean_effect, saving_rate
from mtvp_eval.costbenefit.contract import minimum_rate_for, under_noise
from mtvp_eval.costbenefit.joint_interval import JointTotal, Uncertain
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Perspective
from mtvp_eval.costbenefit.spread import Dependence
from mtvp_eval.costbenefit.voi import evppi_linear, evppi_regression, evsi_linear, regression_beside
from mtvp_eval.errors import LedgerError
from mtvp_eval.pipeline.evaluate import Evaluation
from mtvp_eval.pipeline.money_beside import Beside
from mtvp_eval.report.inputs import page_frame

if TYPE_CHECKING:
    import pandas as pd

_FALSE_PAYMENT = (0.10, 0.05)
_AGREED_RATES = (0.01, 0.02)
"""Minimum savings rates as they stand in contracts, beside those that follow from the programme's own error."""
_QUARTERS = 4


def contract(uncertain: Uncertain, baseline: float) -> pd.DataFrame:
    """Chance of paying for nothing, and of not paying for a saving as large as the best Dutch estimate."""
    sd = uncertain.saving_rate(baseline).sd
    rows: list[tuple[Any, ...]] = []
    if sd <= 0.0:
        return page_frame("contract", rows)
    rates = [(f"own_{100 * false:g}", minimum_rate_for(sd, false)) for false in _FALSE_PAYMENT]
    for rule, rate in [*rates, *((f"agreed_{100 * rate:g}", rate) for rate in _AGREED_RATES)]:
        paid = under_noise(0.0, sd, 1.0, rate).probability
        missed = 1.0 - under_noise(PLAUSIBLE_SAVING, sd, 1.0, rate).probability
        rows.append((rule, 100 * rate, 100 * paid, 100 * missed))
    return page_frame("contract", rows)


def observed_quarters(evaluation: Evaluation) -> int:
    """Return the number of calendar quarters whose effects are priced."""
    return len({period for cells in evaluation.effects.money_cells for _, period in cells})


def measure_next(uncertain: Uncertain, how: Dependence, quarters: int, rng: np.random.Generator) -> pd.DataFrame:
    """Value of knowing everything, of more data, of each effect and of each drawn input; below the floor it is noise.

    Effects by the closed form with a regression as check; inputs by regression, those of one kind together where `how`
    says that they are drawn so. More data: one more region like this one, and one more year as if independent of these
    `quarters` with as many practices still waiting, which is the most that a year can give.
    """
    total = uncertain.total(Perspective.INSURER)
    mean, gradient = float(total.location.mean()), total.coefficient[:, :-1].mean(axis=0)
    effects = uncertain.result.effects
    own = evppi_linear(mean, gradient, effects.covariance)
    year, region = (
        evsi_linear(mean, gradient, effects.covariance, effects.covariance * factor)
        for factor in (quarters / _QUARTERS, 1.0)
    )
    head: list[tuple[Any, ...]] = [
        ("all", "everything", total.expected_loss(), np.nan, np.nan),
        ("data", "one_more_year", year, np.nan, np.nan),
        ("data", "one_more_region", region, np.nan, np.nan),
    ]
    rows: list[tuple[Any, ...]] = []
    for key, value, sd in zip(effects.key, own.evppi, own.sd, strict=True):
        check = regression_beside(mean, total.sd, float(sd), rng)
        rows.append(("effect", f"{key.outcome} {key.year}", float(value), check.value, check.floor))
    rows += _inputs(uncertain, how, total, rng)
    return page_frame("measure_next", [*head, *sorted(rows, key=lambda row: -row[2])])


def _inputs(
    uncertain: Uncertain, how: Dependence, total: JointTotal, rng: np.random.Generator
) -> list[tuple[Any, ...]]:
    """One row for each input that varies, or for each kind where its inputs are drawn together."""
    worth = np.column_stack([np.zeros(len(total.location)), total.location])
    rows = []
    for kind, varied in uncertain.inputs.varied.items():
        values = dict(varied)
        if how is Dependence.COMMON and len(values) > 1:
            values = {"all": np.sum(list(values.values()), axis=0)}  # all rise with one quantile, and so does their sum
        for name, x in values.items():
            found = evppi_regression(worth, x[:, None], rng, permutations=50)
            rows.append((kind, name, found.value, found.cross_fitted, found.floor))
    return rows


def break_even_effects(result: NetBenefit, level: float) -> pd.DataFrame:
    """Each priced effect per patient-year beside the one at which the insurer breaks even, all else as it is."""
    rows: list[tuple[Any, ...]] = []
    for outcome in result.effects.outcomes():
        own = mean_effect(result.effects, outcome)
        try:
            rows.append((outcome, own.mean, *own.interval(level), break_even_effect(result, outcome)))
        except LedgerError:  # no effect of it reaches the insurer
            continue
    return page_frame("break_even_effects", rows)


def saving(uncertain: Uncertain, beside: Beside, level: float) -> pd.DataFrame:
    """Net cash saving as a share of total cost, beside the best Dutch estimate."""
    low, high = uncertain.saving_rate(beside.baseline_value).interval(level)
    mean, base = saving_rate(uncertain.result, beside.baseline_value).mean, beside.baseline
    row = (
        100 * mean,
        100 * low,
        100 * high,
        100 * PLAUSIBLE_SAVING,
        base.value,
        base.evidence,
        base.source,
    )
    return page_frame("saving", [row])
