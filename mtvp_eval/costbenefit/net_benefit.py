"""Net benefit: gains by party and year with their joint uncertainty, and the totals a decision rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.build import PARTIES, Assumption, assumptions, build_flows
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.flows import FlowModel, at
from mtvp_eval.costbenefit.ledger import Ledger, Quantity
from mtvp_eval.costbenefit.parties import HEALTHCARE_SECTORS, Horizon, Party, Perspective
from mtvp_eval.costbenefit.prices import PriceTable
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.errors import LedgerError


def critical_value(df: float, level: float = 0.95) -> float:
    """Return the half-width of a central interval in standard deviations: t, normal when df is infinite.

    >>> round(critical_value(np.inf), 3), round(critical_value(8.0), 3)
    (1.96, 2.306)
    """
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2.0
    return float(ndtri(tail) if np.isinf(df) else stdtrit(df, tail))


@dataclass(frozen=True, slots=True)
class Total:
    """A total in euros: mean, standard deviation, degrees of freedom, coefficients on effects and constant (K+1,)."""

    mean: float
    sd: float
    df: float
    coefficient: FloatArray

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the central interval of a t (normal when df is infinite) distribution.

        >>> low, high = Total(0.0, 1.0, np.inf, np.zeros(1)).interval()
        >>> round(low, 4), round(high, 4)
        (-1.96, 1.96)
        """
        z = critical_value(self.df, level)
        return self.mean - z * self.sd, self.mean + z * self.sd

    def probability_positive(self) -> float:
        """Return the probability that the total is above zero; 0 or 1 when nothing is uncertain, 0.5 at exactly zero.

        >>> Total(0.0, 1.0, np.inf, np.zeros(1)).probability_positive()
        0.5
        """
        from scipy.special import ndtr, stdtr

        if self.sd == 0.0:
            return 0.5 + 0.5 * float(np.sign(self.mean))
        z = self.mean / self.sd
        return float(ndtr(z) if np.isinf(self.df) else stdtr(self.df, z))


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Gains of every party in every year, linear in the effects, in euros of the scenario's price year."""

    ledger: Ledger
    effects: PricedEffects
    scenario: Scenario
    flows: FlowModel
    assumptions: tuple[Assumption, ...]

    def gain_by_year(self, party: Party) -> FloatArray:
        """Return the undiscounted gain of one party in each year (T,)."""
        return at(self.flows.gains()[PARTIES.index(party)], self.effects.mean)

    def society_by_year(self) -> FloatArray:
        """Return minus the resource cost of all lines in each year (T,), undiscounted."""
        return at(self.coefficients(Perspective.SOCIETY), self.effects.mean)

    def coefficients(self, whose: Perspective | Party) -> FloatArray:
        """Return the yearly gain of a perspective or a party per unit of effect and constant (T, K+1)."""
        if whose is Perspective.INSURER:
            whose = Party.INSURER
        if isinstance(whose, Party):
            return self.flows.gains()[PARTIES.index(whose)]
        society = whose is Perspective.SOCIETY
        inside = np.array([society or line.sector in HEALTHCARE_SECTORS for line in self.ledger.lines], dtype=float)
        return -np.einsum("l,ltk->tk", inside, self.flows.resource())

    def total(
        self, whose: Perspective | Party, horizon: Horizon = Horizon.OBSERVED, factors: FloatArray | None = None
    ) -> Total:
        r"""Return the present value of a perspective or party with its uncertainty.

        .. math:: NPV = c'(\hat\theta, 1), \quad sd^2 = c_{1:K}' V c_{1:K}, \quad c = \sum_t d_t C_t

        `factors` (T,) replaces the scenario's discount factors, for example ones for an undiscounted total. Degrees of
        freedom are the smallest among the effects that carry weight, which is conservative.
        """
        coefficient = self._weights(horizon, factors) @ self.coefficients(whose)
        return total_of(coefficient, self.effects)

    def covariance(self, whose: list[Perspective | Party], horizon: Horizon = Horizon.OBSERVED) -> FloatArray:
        """Return the joint covariance of several totals (n, n)."""
        c = np.stack([self.total(one, horizon).coefficient[:-1] for one in whose])
        return c @ self.effects.covariance @ c.T

    def gradient(self, whose: Perspective | Party, horizon: Horizon = Horizon.OBSERVED) -> FloatArray:
        """Return the change of the present value per unit of each effect (K,)."""
        return self.total(whose, horizon).coefficient[:-1]

    def patient_years(self, horizon: Horizon = Horizon.OBSERVED, discounted: bool = False) -> float:
        """Return the paid patient-years of a horizon, discounted like costs when asked."""
        weights = self._weights(horizon, None if discounted else np.ones(self.scenario.n_years))
        return float(weights @ self.scenario.patient_years)

    def paid_tariff(self, horizon: Horizon = Horizon.OBSERVED) -> float:
        """Return the fee paid per patient-year: discounted fee divided by discounted patient-years."""
        fee = self._fee_position()
        paid = at(self.flows.cash()[fee], self.effects.mean)
        return float(self._weights(horizon) @ paid) / self.patient_years(horizon, discounted=True)

    def break_even_tariff(self, horizon: Horizon = Horizon.OBSERVED) -> Total:
        r"""Return the fee per patient-year at which the insurer's present value is zero, with its uncertainty.

        .. math:: \tau^* = \bar\tau + NPV_{insurer} / PV(\text{patient-years})

        In euros of the scenario's price year; compare it with `paid_tariff`. Raises ``LedgerError`` where the horizon
        has no patient-years.
        """
        self._fee_position()
        npv, years = self.total(Perspective.INSURER, horizon), self.patient_years(horizon, discounted=True)
        if years <= 0.0:
            raise LedgerError("There are no patient-years in this horizon, so no tariff breaks even.")
        coefficient = npv.coefficient / years
        coefficient[-1] += self.paid_tariff(horizon)
        return total_of(coefficient, self.effects)

    def to_frame(self) -> Any:
        """Return a tidy DataFrame: one row for each party, year and line the party takes part in.

        Columns party, year, line, label, sector, law, kind, flow (pays, receives or resource), amount (gain of the
        party: + is good for it, undiscounted), present_value, not_cash (value that is no cash yet), evidence and
        horizon (observed or extrapolated).
        """
        import pandas as pd

        mean, d = self.effects.mean, self.scenario.factors()
        cash, full = at(self.flows.cash(), mean), at(self.flows.full(), mean)
        resource = at(self.flows.resource(), mean)
        rows = []
        for i, line in enumerate(self.ledger.lines):
            sides = (
                (line.payer, "pays", -cash[i]),
                (line.receiver, "receives", cash[i]),
                (line.receiver, "resource", -resource[i]),
            )
            for party, flow, amount in sides:
                for t, year in enumerate(self.scenario.years):
                    observed = t < self.scenario.observed_years
                    measured = observed or line.quantity_source is not Quantity.EFFECT
                    rows.append(
                        {
                            "party": party.value,
                            "year": int(year),
                            "line": line.id,
                            "label": line.label,
                            "sector": line.sector.value,
                            "law": line.law_in(int(year)).value,
                            "kind": line.kind.value,
                            "flow": flow,
                            "amount": amount[t],
                            "present_value": d[t] * amount[t],
                            "not_cash": full[i, t] - cash[i, t] if flow == "pays" else 0.0,
                            "evidence": line.evidence.value if measured else "extrapolated",
                            "horizon": "observed" if observed else "extrapolated",
                        }
                    )
        return pd.DataFrame(rows)

    def summary(self, level: float = 0.95) -> Any:
        """Return a DataFrame with a row for each perspective and horizon.

        Columns perspective, horizon, net_benefit, std_error, low, high, df, probability_positive, per_patient_year,
        low_per_patient_year and high_per_patient_year: present values in euros of the price year, the latter three per
        discounted patient-year. Extrapolated years appear only in the rows with horizon `all`, never in the headline.
        """
        import pandas as pd

        horizons = [Horizon.OBSERVED] + [Horizon.ALL] * (self.scenario.observed_years < self.scenario.n_years)
        rows = []
        for horizon in horizons:
            years = self.patient_years(horizon, discounted=True)
            for perspective in Perspective:
                total = self.total(perspective, horizon)
                low, high = total.interval(level)
                rows.append(
                    {
                        "perspective": perspective.value,
                        "horizon": horizon.value,
                        "net_benefit": total.mean,
                        "std_error": total.sd,
                        "low": low,
                        "high": high,
                        "df": total.df,
                        "probability_positive": total.probability_positive(),
                        "per_patient_year": total.mean / years,
                        "low_per_patient_year": low / years,
                        "high_per_patient_year": high / years,
                    }
                )
        return pd.DataFrame(rows)

    def _weights(self, horizon: Horizon, factors: FloatArray | None = None) -> FloatArray:
        """Discount factors, zero in the years the horizon leaves out (T,)."""
        d = self.scenario.factors() if factors is None else factors
        return d * self.scenario.observed if horizon is Horizon.OBSERVED else d

    def _fee_position(self) -> int:
        return [line.id for line in self.ledger.lines].index(self.ledger.fee)


def net_benefit(ledger: Ledger, effects: PricedEffects, table: PriceTable, scenario: Scenario) -> NetBenefit:
    """Price effects through a ledger in one scenario.

    Raises ``LedgerError`` with everything in which ledger, effects, prices and scenario do not fit together.
    """
    flows = build_flows(ledger, effects, table, scenario)
    return NetBenefit(ledger, effects, scenario, flows, assumptions(ledger, effects, scenario))


def total_of(coefficient: FloatArray, effects: PricedEffects) -> Total:
    """Return a total that is linear in the effects: its `coefficient` (K+1,) on effects and constant.

    >>> from mtvp_eval.costbenefit.effects import per_patient_year
    >>> total = total_of(np.array([2.0, 1.0]), per_patient_year(["a"], ["visit"], [3.0], [[0.25]]))
    >>> total.mean, total.sd
    (7.0, 1.0)
    """
    c = coefficient[:-1]
    used = (c != 0.0) & (np.diag(effects.covariance) > 0.0)
    df = float(effects.df[used].min()) if used.any() else float("inf")
    variance = float(c @ effects.covariance @ c)
    return Total(float(at(coefficient, effects.mean)), float(np.sqrt(max(variance, 0.0))), df, coefficient)
