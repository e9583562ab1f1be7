"""Euros of one price year: what was spent, what changed, and what would have paid back a fee per exposed patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.costbenefit.prices import Index, Price
from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.inference.exposed import ExposedEffect
from mtvp_eval.inference.fieller import RatioSet
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_exposed import insured_by_year, years_averaged
from mtvp_eval.pipeline.open_data_results import OpenData, OpenDataEvaluation, ProjectEffect

Range = tuple[float, float, float]
"""Estimate, lower and upper end."""

NOTHING: Range = (float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class EuroEffect:
    """One overall effect in euros of the declared price year; a saving is positive.

    Parameters
    ----------
    cost : observed, per insured year, mean of the full years; `expected` without the project, by the estimate.
    saving : per insured year, with the placebo interval.
    fee : the yardstick, a patient a year; `needed` is the saving per insured year that pays it back, at the smallest
        and the largest exposed share; `needed_share` the fee over the expected cost.
    detectable : smallest saving per exposed patient that would be found, at the mean share.
    per_exposed : saving per exposed patient with its Fieller interval, NaN where none is printed.
    net : the same less the fee, as if it was paid outside the claims; a fee paid within them is in the cost already.
    """

    project: str
    outcome: str
    cost: float
    expected: float
    saving: Range
    fee: float
    needed: tuple[float, float]
    needed_share: float
    detectable: float
    per_exposed: Range
    net: Range


def euro_effects(answer: OpenDataEvaluation, index: Index) -> tuple[EuroEffect, ...]:
    """Return every overall effect that has an exposed share in euros of the declared price year.

    Parameters
    ----------
    answer : effects and exposed shares.
    index : consumer prices by year; cost is moved from its calendar year, the fee from its own year, each once.

    Raises
    ------
    LedgerError
        If the index has no level for a year of the effects or for the price year.
    """
    return tuple(_euro_effects(answer, index))


def cost_in_euros(
    config: OpenDataConfig, data: OpenData, projects: Sequence[Project], outcome: str, index: Index
) -> float:
    r"""Return cost per insured year in euros of the price year over the full years of an effect.

    .. math:: \bar C = \sum_p \omega_p \frac{1}{T_p} \sum_t \frac{K_{pt}}{n_{pt}} \frac{I_{\text{price}}}{I_t},
              \qquad \omega_p \propto n_p T_p
    """
    total = mass = 0.0
    for project in projects:
        years = years_averaged(config, data, project)
        at = np.isin(data.costs.unit_ids, project.exposed)
        columns = [data.costs.years.index(year) for year in years]
        spent = np.nansum(data.costs.cost[outcome][at][:, columns], axis=(0, 2)) / insured_by_year(data, project, years)
        euros = [
            Price(float(value), year).moved_to(config.exposure.price_year, index).value
            for value, year in zip(spent, years, strict=True)
        ]
        weight = float(insured_by_year(data, project, [config.window.weight_year])[0]) * len(years)
        total, mass = total + weight * float(np.mean(euros)), mass + weight
    return total / mass


def _euro_effects(answer: OpenDataEvaluation, index: Index) -> Iterator[EuroEffect]:
    config, data = answer.config, answer.data
    fee = Price(config.exposure.yardstick_fee, config.exposure.fee_year).moved_to(config.exposure.price_year, index)
    overall = {(r.project, r.outcome): r for r in (*answer.projects, *answer.pooled) if r.event_time is None}
    for exposed in answer.exposed:
        row = overall[exposed.project, exposed.outcome]
        names = config.pooled.get(exposed.project, (exposed.project,))
        members = [p for p in data.projects if p.name in names and p.name not in row.missing]
        cost = cost_in_euros(config, data, members, exposed.outcome, index)
        yield _euros(row, exposed, cost, fee.value)


def _euros(row: ProjectEffect, exposed: ExposedEffect, cost: float, fee: float) -> EuroEffect:
    assert row.test is not None  # an exposed share is given for estimable effects only
    expected = cost / float(np.exp(row.estimate))
    low, high = (-expected * float(np.expm1(end)) for end in (row.test.high, row.test.low))
    per_exposed = NOTHING
    if exposed.ratio is not None and exposed.ratio.shape is RatioSet.INTERVAL:
        ratio = exposed.ratio
        per_exposed = (-expected * ratio.estimate, -expected * ratio.high, -expected * ratio.low)
    return EuroEffect(
        project=row.project,
        outcome=row.outcome,
        cost=cost,
        expected=expected,
        saving=(expected - cost, low, high),
        fee=fee,
        needed=(fee * exposed.share.low, fee * exposed.share.high),
        needed_share=fee / expected,
        detectable=expected * exposed.detectable[1],
        per_exposed=per_exposed,
        net=(per_exposed[0] - fee, per_exposed[1] - fee, per_exposed[2] - fee),
    )
