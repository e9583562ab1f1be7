"""Outcomes without a price beside the money: cost-consequence, so that nothing without a tariff is worth nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Horizon, Perspective


@dataclass(frozen=True, slots=True)
class Consequence:
    """An effect without a price: patient satisfaction, work pleasure, time of a practitioner."""

    outcome: str
    unit: str
    estimate: float
    low: float
    high: float


def cost_consequence(result: NetBenefit, outcomes: Sequence[Consequence], horizon: Horizon = Horizon.OBSERVED) -> Any:
    """Return a DataFrame with net cost per patient-year by perspective, then every outcome without a price.

    Columns what, unit, estimate, low, high. No ratio is made of them: a euro per point of satisfaction has no
    threshold. A net cost is minus the net benefit: more is worse.
    """
    import pandas as pd

    years = result.patient_years(horizon, discounted=True)
    rows: list[tuple[str, str, float, float, float]] = []
    for whose in Perspective:
        total = result.total(whose, horizon)
        low, high = total.interval()
        rows.append(
            (f"net cost, {whose.value}", "euro per patient-year", -total.mean / years, -high / years, -low / years)
        )
    rows += [(one.outcome, one.unit, one.estimate, one.low, one.high) for one in outcomes]
    return pd.DataFrame(rows, columns=["what", "unit", "estimate", "low", "high"])
