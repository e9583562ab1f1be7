"""Intervals and chances under everything that is uncertain at once: the effects and every drawn input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.flows import at
from mtvp_eval.costbenefit.joint_draws import InputDraws, draw_inputs
from mtvp_eval.costbenefit.ledger import Quantity
from mtvp_eval.costbenefit.net_benefit import NetBenefit, critical_value, total_of
from mtvp_eval.costbenefit.parties import HEALTHCARE_SECTORS, Horizon, Party, Perspective
from mtvp_eval.costbenefit.spread import Spread
from mtvp_eval.costbenefit.voi import unit_loss
from mtvp_eval.errors import LedgerError

N_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class JointTotal:
    r"""A total whose distribution is a mixture: t around `location` with `scale` (S,) in each draw of the inputs.

    .. math:: F(x) = \frac1S \sum_s T_\nu\{(x - m_s) / \sigma_s\}, \quad m_s = c_s'(\hat\theta, 1), \quad
              \sigma_s^2 = c_s' V c_s

    The total is linear in the effects once the inputs are drawn, so that the draw of the effects is integrated exactly
    (Rao-Blackwell). Without any drawn input this is the interval of the effects alone, digit by digit. `coefficient`
    (S, K+1) are the weights of effects and constant in each draw.
    """

    location: FloatArray
    scale: FloatArray
    df: float
    coefficient: FloatArray

    @property
    def sd(self) -> float:
        """Standard deviation as a normal of the same scale has it: of the effects and of the inputs together."""
        return float(np.sqrt((self.scale**2).mean() + self.location.var()))

    def below(self, value: float) -> float:
        """Return the probability that the total is below a value; a certain total at the value counts half."""
        from scipy.special import ndtr, stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(self.scale > 0.0, (value - self.location) / self.scale, 0.0)
        spread = ndtr(z) if np.isinf(self.df) else stdtr(self.df, z)
        certain = 0.5 + 0.5 * np.sign(value - self.location)
        return float(np.where(self.scale > 0.0, spread, certain).mean())

    def probability_positive(self) -> float:
        """Return the probability that the total is above zero.

        >>> round(JointTotal(np.array([-1.0, 1.0]), np.ones(2), np.inf, np.zeros((2, 1))).probability_positive(), 9)
        0.5
        """
        return 1.0 - self.below(0.0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the central interval of the mixture.

        >>> low, high = JointTotal(np.zeros(1), np.ones(1), np.inf, np.zeros((1, 1))).interval()
        >>> round(low, 4), round(high, 4)
        (-1.96, 1.96)
        """
        tail = 0.5 - level / 2.0
        return self._quantile(tail), self._quantile(1.0 - tail)

    def expected_loss(self) -> float:
        r"""Return what deciding now on the sign of the mean loses against knowing everything (normal effects).

        .. math:: E\max(0, NB) - \max(0, E\,NB)
        """
        # E max(0, X) = max(0, m) + the unit loss of X, in each draw of the inputs
        best = np.maximum(self.location, 0.0) + unit_loss(self.location, self.scale)
        return float(best.mean() - max(float(self.location.mean()), 0.0))

    def scaled(self, factor: float) -> JointTotal:
        """Return the total times a positive factor, for example one over the patient-years."""
        return JointTotal(self.location * factor, self.scale * factor, self.df, self.coefficient * factor)

    def _quantile(self, p: float) -> float:
        from scipy.optimize import brentq

        if not (self.scale > 0.0).any():
            return float(np.quantile(self.location, p))
        # a bracket around the quantile of one t of the same moments, which is near that of the mixture
        guess = float(self.location.mean()) + np.sign(p - 0.5) * critical_value(self.df, abs(2.0 * p - 1.0)) * self.sd
        step = 0.02 * self.sd
        low, high = guess - step, guess + step
        while self.below(low) > p:
            low, step = low - 2.0 * step, 2.0 * step
        while self.below(high) < p:
            high, step = high + 2.0 * step, 2.0 * step
        return float(brentq(lambda x: self.below(x) - p, low, high, xtol=1e-12 * self.sd))


@dataclass(frozen=True, slots=True, eq=False)
class Uncertain:
    """A net benefit with draws of all its inputs; `of` makes it."""

    result: NetBenefit
    inputs: InputDraws

    @classmethod
    def of(cls, result: NetBenefit, spread: Spread, seed: int, n_draws: int = N_DRAWS) -> Uncertain:
        """Draw the inputs of a net benefit; names of lines that this ledger does not hold are left aside.

        One draw is enough where no input is uncertain. Raises ``LedgerError`` as `draw_inputs` does.
        """
        own = spread.within([line.id for line in result.ledger.lines])
        n = n_draws if own.n_inputs else 1
        return cls(result, draw_inputs(result, own, n, np.random.default_rng(seed)))

    def total(
        self, whose: Perspective | Party, horizon: Horizon = Horizon.OBSERVED, factors: FloatArray | None = None
    ) -> JointTotal:
        """Return the present value of a perspective or party; `factors` (T,) replaces the discount factors."""
        if whose is Perspective.INSURER:
            whose = Party.INSURER
        lines = self.result.ledger.lines
        if isinstance(whose, Party):
            receives = np.array([line.receiver is whose for line in lines], dtype=float)
            pays = np.array([line.payer is whose for line in lines], dtype=float)
            return self._of(receives - pays, -receives, self._weights(horizon, factors))
        society = whose is Perspective.SOCIETY
        inside = np.array([society or line.sector in HEALTHCARE_SECTORS for line in lines], dtype=float)
        return self._of(np.zeros(len(lines)), -inside, self._weights(horizon, factors))

    def later(self, whose: Perspective | Party) -> JointTotal:
        """Return the present value of the years after the observed ones alone."""
        return self.total(whose, Horizon.ALL, self.result.scenario.factors() * (1.0 - self.result.scenario.observed))

    def break_even_tariff(self) -> JointTotal:
        r"""Return the fee per patient-year at which the insurer's present value over the observed years is zero.

        .. math:: \tau^* = (NPV_{insurer} + PV(\text{fee paid})) / PV(\text{patient-years})

        Raises ``LedgerError`` where there are no patient-years.
        """
        result, years = self.result, self.result.patient_years(discounted=True)
        if years <= 0.0:
            raise LedgerError("There are no patient-years in this horizon, so no tariff breaks even.")
        lines = result.ledger.lines
        fee = np.array([line.id == result.ledger.fee for line in lines], dtype=float)
        side = np.array(
            [(line.receiver is Party.INSURER) - (line.payer is Party.INSURER) for line in lines], dtype=float
        )
        used = np.array([line.receiver is Party.INSURER for line in lines], dtype=float)
        return self._of(side + fee, -used, self._weights(Horizon.OBSERVED)).scaled(1.0 / years)

    def saving_rate(self, baseline_cost: float) -> JointTotal:
        """Return the insurer's cash saving as a share of total cost; see `budget_impact.saving_rate`.

        Raises ``LedgerError`` when the baseline or the patient-years are not positive.
        """
        result, lines = self.result, self.result.ledger.lines
        cost = baseline_cost * result.patient_years()
        if cost <= 0.0:
            raise LedgerError("A saving rate needs a positive total cost per patient-year, and patient-years.")
        side = np.array(
            [
                ((line.receiver is Party.INSURER) - (line.payer is Party.INSURER))
                * (line.quantity_source is Quantity.EFFECT)
                for line in lines
            ],
            dtype=float,
        )
        return self._of(side, np.zeros(len(lines)), result.scenario.observed).scaled(1.0 / cost)

    def _of(self, cash: FloatArray, used: FloatArray, weights: FloatArray) -> JointTotal:
        """Total of cash times `cash` and resource cost times `used` (L,), weighted by year (T,)."""
        flows, drawn = self.result.flows, self.inputs
        quantity = flows.persistence * drawn.scale[:, drawn.group] * drawn.price[:, :, None] * weights
        payer, resource = flows.price_payer * flows.paid, flows.price_resource * flows.unfilled
        amount = quantity * (cash[:, None] * payer * drawn.cash + used[:, None] * resource * drawn.avoid)
        coefficient = amount.reshape(len(amount), -1) @ flows.weight.reshape(-1, flows.weight.shape[2])
        return mixture(coefficient, self.result.effects)

    def _weights(self, horizon: Horizon, factors: FloatArray | None = None) -> FloatArray:
        scenario = self.result.scenario
        d = scenario.factors() if factors is None else factors
        return d * scenario.observed if horizon is Horizon.OBSERVED else d


def mixture(coefficient: FloatArray, effects: PricedEffects) -> JointTotal:
    """Return the total with `coefficient` (S, K+1) on effects and constant in each of S draws of the inputs.

    >>> from mtvp_eval.costbenefit.effects import per_patient_year
    >>> effects = per_patient_year(["a"], ["visit"], [3.0], [[0.25]])
    >>> total = mixture(np.array([[2.0, 1.0], [4.0, 0.0]]), effects)
    >>> total.location.tolist(), total.scale.tolist()
    ([7.0, 12.0], [1.0, 2.0])
    """
    c = coefficient[:, :-1]
    variance = np.einsum("sk,kj,sj->s", c, effects.covariance, c)
    df = total_of(np.abs(coefficient).sum(axis=0), effects).df
    return JointTotal(at(coefficient, effects.mean), np.sqrt(np.maximum(variance, 0.0)), df, coefficient)
