"""What a cost extract can carry: which quarters are complete, which insurers, and whether the fee stands apart."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.history import History
from mtvp_eval.data.validate import first_day
from mtvp_eval.dictionary.schema import Programme


@dataclass(frozen=True, slots=True)
class CostSupply:
    """Say of a cost extract what may be concluded from it.

    `fee_separable` is False where enrolled practices have GP cost but no row of the programme's fee: the fee may then
    sit inside GP cost, and the treatment would be counted as its effect. Cost-benefit must refuse such an extract.
    `reason` says why. `last_complete` is the last quarter older than the run-out (None if there is none).
    """

    insurers: tuple[str, ...]
    insurers_change: bool
    as_of: datetime.date
    run_out_quarters: int
    last_complete: int | None
    refused_quarters: tuple[int, ...]
    fee_separable: bool
    reason: str


def incomplete(costs: Extract, run_out_quarters: int) -> BoolArray:
    """Mark rows of quarters whose end lies less than the run-out before the (earliest) as-of date.

    A quarter q is complete if the first day of quarter q + 1 + run-out is at most one day after the as-of date.
    """
    as_of = costs.columns["as_of"].min()
    complete_from = first_day(costs.columns["quarter"] + 1 + run_out_quarters)
    young: BoolArray = complete_from > as_of + np.timedelta64(1, "D")
    return young


def cost_supply(
    costs: Extract, story: History, programme: Programme, gp_sectors: tuple[str, ...], run_out_quarters: int
) -> CostSupply:
    """Describe a cost extract; `gp_sectors` are those of the cost of GP care."""
    quarters, insurer = costs.columns["quarter"], costs.columns["insurer"].astype(str)
    young = incomplete(costs, run_out_quarters)
    complete = quarters[~young]
    spans = {name: np.unique(quarters[insurer == name]).tolist() for name in np.unique(insurer).tolist()}
    separable, reason = _fee(costs, story, programme, gp_sectors)
    return CostSupply(
        insurers=tuple(spans),
        insurers_change=any(span != np.unique(quarters).tolist() for span in spans.values()),
        as_of=costs.columns["as_of"].min().item(),
        run_out_quarters=run_out_quarters,
        last_complete=int(complete.max()) if len(complete) else None,
        refused_quarters=tuple(int(q) for q in np.unique(quarters[young])),
        fee_separable=separable,
        reason=reason,
    )


def _fee(costs: Extract, story: History, programme: Programme, gp_sectors: tuple[str, ...]) -> tuple[bool, str]:
    at = story.of(costs)
    under_contract = (costs.columns["quarter"] >= story.enrolled[at]) & (costs.columns["quarter"] < story.ended[at])
    sector = costs.columns["sector"].astype(str)
    gp = np.unique(at[under_contract & np.isin(sector, gp_sectors)])
    paid = np.unique(at[under_contract & (sector == programme.fee_sector)])
    if not programme.fee_rates or not len(gp):
        return True, "no GP cost of practices under contract is in the extract"
    without = np.setdiff1d(gp, paid)
    if not len(without):
        return True, f"the fee ({programme.fee_sector}) has rows of its own for every practice under contract"
    return False, (
        f"{len(without)} of {len(gp)} practices under contract have GP cost but no row of the fee "
        f"({programme.fee_sector}): the fee may sit inside GP cost"
    )
