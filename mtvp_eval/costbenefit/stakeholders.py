"""Who pays and who gains: each party's flows, and what a provider loses that it cannot save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.flows import at
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Horizon, Party


@dataclass(frozen=True, slots=True)
class StrandedCost:
    """What a fall in volume means for a provider in each year (T,), undiscounted.

    `full_value` is the fall at the payer's price; `revenue_loss` the part that becomes cash for the payer;
    `cost_avoided` what the provider stops spending; `stranded` = revenue_loss - cost_avoided; `not_yet_cash` is freed
    capacity: value that no purse has gained.
    """

    full_value: FloatArray
    revenue_loss: FloatArray
    cost_avoided: FloatArray

    @property
    def stranded(self) -> FloatArray:
        """Revenue lost beyond the cost avoided (T,)."""
        return self.revenue_loss - self.cost_avoided

    @property
    def not_yet_cash(self) -> FloatArray:
        """Value of the fall in volume that is no cash for the payer (T,)."""
        return self.full_value - self.revenue_loss


def stranded_cost(result: NetBenefit, party: Party = Party.HOSPITAL) -> StrandedCost:
    """Return what the effects mean for a provider; a rise in volume gives negative numbers."""
    lines = [i for i, line in enumerate(result.ledger.lines) if line.receiver is party and line.effect is not None]
    mean, flows = result.effects.mean, result.flows
    full, cash, resource = (-at(c[lines], mean).sum(axis=0) for c in (flows.full(), flows.cash(), flows.resource()))
    return StrandedCost(full, cash, resource)


def who_pays_who_gains(result: NetBenefit, horizon: Horizon = Horizon.OBSERVED) -> Any:
    """Return a DataFrame with a row for each party that takes part.

    Columns party, pays, receives, resource_cost, net (present values in euros), std_error, low, high,
    probability_gain and wrong_pocket: the party pays in net for the programme and loses, while another party gains.
    """
    import pandas as pd

    mean, flows = result.effects.mean, result.flows
    weights = result.scenario.factors() * (result.scenario.observed if horizon is Horizon.OBSERVED else 1.0)
    cash, resource = at(flows.cash(), mean) @ weights, at(flows.resource(), mean) @ weights
    rows = []
    for position, party in enumerate(Party):
        paid, received = flows.payer == position, flows.receiver == position
        if not (paid | received).any():
            continue
        total = result.total(party, horizon)
        low, high = total.interval()
        rows.append(
            {
                "party": party.value,
                "pays": cash[paid].sum(),
                "receives": cash[received].sum(),
                "resource_cost": resource[received].sum(),
                "net": total.mean,
                "std_error": total.sd,
                "low": low,
                "high": high,
                "probability_gain": total.probability_positive(),
            }
        )
    frame = pd.DataFrame(rows)
    someone_gains = bool((frame["net"] > 0).any())
    frame["wrong_pocket"] = (frame["pays"] > 0) & (frame["net"] < 0) & someone_gains
    return frame


def side_payments(net: FloatArray) -> FloatArray | None:
    r"""Return the smallest payments that leave no party with a loss, or None when no division can do that.

    Losers are made whole; gainers pay in proportion to their gain, so :math:`s_p = -\min(g_p, 0) - \max(g_p, 0) L / G`
    with L the sum of losses and G of gains. Payments sum to zero and the total moved, L, is the least possible.

    Parameters: `net` (P,), each party's gain. Returns (P,), + is received.

    >>> side_payments(np.array([30.0, -10.0])).tolist()
    [-10.0, 10.0]
    >>> side_payments(np.array([5.0, -10.0])) is None
    True
    """
    gains, losses = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    # an exact zero sum of rounded numbers still divides; 1e-9 of the gains is rounding, not money
    if losses.sum() > gains.sum() * (1.0 + 1e-9):
        return None
    if losses.sum() == 0.0:
        return np.zeros_like(net)
    return losses - gains * (losses.sum() / gains.sum())
