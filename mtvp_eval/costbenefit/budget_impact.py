"""The payer's yearly budget, undiscounted; payback, return, and the effect at which the programme breaks even."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.effects import PricedEffects, QuantityBasis
from mtvp_eval.costbenefit.flows import at
from mtvp_eval.costbenefit.ledger import Quantity
from mtvp_eval.costbenefit.net_benefit import NetBenefit, Total, critical_value, total_of
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.errors import LedgerError

PLAUSIBLE_SAVING = 0.02
"""Saving on total cost in the first year of a Dutch shared-savings programme for general practice, estimated against
regional controls (Hayen et al., Health Policy 2021;125:489-494); more than this is flagged."""


@dataclass(frozen=True, slots=True)
class Payback:
    """When cumulative gains become zero: years from the start, or None; and whether they stay above it after that."""

    years: float | None
    stays: bool


def budget_impact(result: NetBenefit, party: Party = Party.INSURER) -> Any:
    """Return a payer's budget by year, undiscounted, in its own prices (a cost is positive).

    Columns year, horizon, programme (what it pays by contract or input), induced (rises in cost), savings (falls in
    cost that are cash), net_budget_impact = programme + induced - savings, std_error, low, high, and freed_capacity:
    falls in volume that no purse has gained. Whether a line is a rise or a fall follows from its effect. Source:
    Sullivan et al., Value in Health 2014;17:5-14 (budget impact, good practice II).
    """
    import pandas as pd

    flows, mean = result.flows, result.effects.mean
    position = list(Party).index(party)
    side = (flows.payer == position).astype(float) - (flows.receiver == position)
    effect = np.array([line.quantity_source is Quantity.EFFECT for line in result.ledger.lines])
    cash = np.einsum("l,ltk->ltk", side, flows.cash())
    signed, waiting = at(cash, mean), side[:, None] * at(flows.full(), mean) - at(cash, mean)
    net, gradient = signed.sum(axis=0), cash.sum(axis=0)[:, :-1]
    sd = np.sqrt(np.maximum(np.einsum("tk,kl,tl->t", gradient, result.effects.covariance, gradient), 0.0))
    z = critical_value(result.total(party, Horizon.ALL).df)
    return pd.DataFrame(
        {
            "year": result.scenario.years,
            "horizon": np.where(result.scenario.observed > 0, "observed", "extrapolated"),
            "programme": signed[~effect].sum(axis=0),
            "induced": np.maximum(signed[effect], 0.0).sum(axis=0),
            "savings": np.maximum(-signed[effect], 0.0).sum(axis=0),
            "net_budget_impact": net,
            "std_error": sd,
            "low": net - z * sd,
            "high": net + z * sd,
            "freed_capacity": np.maximum(-waiting[effect], 0.0).sum(axis=0),
        }
    )


def payback(flow: FloatArray) -> Payback:
    r"""Return when cumulative flows reach zero, each spread evenly over its year.

    .. math:: t + (-cum_{t-1}) / flow_t

    counted from the start of the first year. Give discounted flows for a discounted payback, and say which.
    Parameters: `flow` (T,), gains positive.

    >>> payback(np.array([-100.0, 40.0, 50.0, 60.0])).years
    3.1666666666666665
    """
    cumulative = np.concatenate([[0.0], np.cumsum(flow)])
    reached = [t for t in range(len(flow)) if cumulative[t] < 0.0 <= cumulative[t + 1]]
    if not reached:
        never_below = bool((cumulative >= 0.0).all())
        return Payback(0.0 if never_below else None, never_below)
    t = reached[0]
    return Payback(float(t - cumulative[t] / flow[t]), bool((cumulative[t + 1 :] >= 0.0).all()))


@dataclass(frozen=True, slots=True)
class Return:
    """Present value of programme cost, induced cost and cash savings, and the ratios made of them.

    `net_ratio` = (savings - induced) / programme; `gross_ratio` = savings / (programme + induced); `roi` = net benefit
    / programme. The ratios rank programmes of different size wrongly: the net benefit is the measure.
    """

    programme: float
    induced: float
    savings: float

    @property
    def net_ratio(self) -> float:
        """Savings net of induced cost per euro of programme cost."""
        return (self.savings - self.induced) / self.programme

    @property
    def gross_ratio(self) -> float:
        """Savings per euro of all outlays."""
        return self.savings / (self.programme + self.induced)

    @property
    def roi(self) -> float:
        """Net benefit per euro of programme cost."""
        return (self.savings - self.induced - self.programme) / self.programme


def programme_return(result: NetBenefit, party: Party = Party.INSURER, horizon: Horizon = Horizon.OBSERVED) -> Return:
    """Return the payer's present values and ratios; raises ``LedgerError`` when it has no programme cost."""
    table = budget_impact(result, party)
    weights = result.scenario.factors() * (result.scenario.observed if horizon is Horizon.OBSERVED else 1.0)
    programme, induced, savings = (
        float(weights @ table[name].to_numpy()) for name in ("programme", "induced", "savings")
    )
    if programme <= 0.0:
        raise LedgerError(f"{party} pays nothing for the programme, so it has no return on it.")
    return Return(programme, induced, savings)


def mean_effect(effects: PricedEffects, outcome: str) -> Total:
    """Return an outcome's effect per patient-year, of its totals together where they are totals, with its uncertainty.

    >>> from mtvp_eval.costbenefit.effects import EffectKey, totals
    >>> mean_effect(totals([EffectKey("a", "euro", 2023, 2023, 1000.0)], [-15_000.0], [[4e6]]), "a").mean
    -15.0
    """
    own, coefficient = effects.of(outcome), np.zeros(effects.n + 1)
    coefficient[own] = 1.0 / _covered(effects, outcome).sum()
    return total_of(coefficient, effects)


def _covered(effects: PricedEffects, outcome: str) -> FloatArray:
    """What each effect of an outcome grows by when the effect per patient-year grows by one."""
    keys = [effects.key[k] for k in effects.of(outcome)]
    if effects.basis is QuantityBasis.PER_PATIENT_YEAR:
        return np.ones(len(keys))
    if not all(key.patient_years for key in keys):
        raise LedgerError(f"{outcome}: the patient-years that its totals cover are not given.")
    return np.array([key.patient_years for key in keys], dtype=float)


def break_even_effect(
    result: NetBenefit,
    outcome: str,
    perspective: Perspective = Perspective.INSURER,
    horizon: Horizon = Horizon.OBSERVED,
) -> float:
    r"""Return the effect of one outcome per patient-year at which a present value is zero.

    .. math:: \theta^* = \bar\theta - NPV / \sum_{k \in outcome} c_k n_k

    with c_k the worth of a unit of each effect and n_k what it grows by per unit and patient-year (the patient-years of
    a total). Other effects and all amounts stay as they are. Raises ``LedgerError`` when the outcome carries no money,
    or when totals do not say which patient-years they cover.
    """
    total, own = result.total(perspective, horizon), result.effects.of(outcome)
    worth = float(total.coefficient[own] @ _covered(result.effects, outcome)) if len(own) else 0.0
    if worth == 0.0:
        raise LedgerError(f"{outcome} carries no money in this ledger, so no size of it breaks even.")
    return mean_effect(result.effects, outcome).mean - total.mean / worth


def saving_rate(result: NetBenefit, baseline_cost: float, horizon: Horizon = Horizon.OBSERVED) -> Total:
    r"""Return the insurer's cash saving, net of induced cost, as a share of total cost, with its uncertainty.

    .. math:: s = -\sum_t \text{cash effects}_t / (b \sum_t PY_t)

    Its mean and standard error are what a shared-savings contract sees (`contract.under_noise`): set the minimum rate
    from them. Parameters: `baseline_cost` b, euros of total health-care cost per patient-year without the programme.
    Raises ``LedgerError`` when b or the patient-years are not positive.
    """
    cost = baseline_cost * result.patient_years(horizon)
    if cost <= 0.0:
        raise LedgerError("A saving rate needs a positive total cost per patient-year, and patient-years.")
    flows, position = result.flows, list(Party).index(Party.INSURER)
    side = (flows.receiver == position).astype(float) - (flows.payer == position)
    priced = side * np.array([line.quantity_source is Quantity.EFFECT for line in result.ledger.lines])
    years = result.scenario.observed if horizon is Horizon.OBSERVED else np.ones(result.scenario.n_years)
    return total_of(np.einsum("l,ltk,t->k", priced, flows.cash(), years) / cost, result.effects)


def implausible_saving(result: NetBenefit, baseline_cost: float, horizon: Horizon = Horizon.OBSERVED) -> str | None:
    """Return a warning when the net cash saving is above 2 % of total cost, or None; see `saving_rate`."""
    share = saving_rate(result, baseline_cost, horizon).mean
    if share <= PLAUSIBLE_SAVING:
        return None
    return (
        f"The saving is {100 * share:.1f} % of total cost. The best Dutch estimate with controls is "
        f"{100 * PLAUSIBLE_SAVING:.0f} % (Hayen et al. 2021): look for what else changed before relying on it."
    )
