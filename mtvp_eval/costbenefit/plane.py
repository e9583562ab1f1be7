"""The cost-effectiveness plane: ICER with its confidence set, quadrants, ellipse, net benefit under normality."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.voi import unit_loss


class Quadrant(StrEnum):
    """Where a mean difference lies: more effect and more cost is NE."""

    NE = "more effect, more cost"
    SE = "more effect, less cost: dominant"
    SW = "less effect, less cost: the ratio is a willingness to accept"
    NW = "less effect, more cost: dominated"


class SetShape(StrEnum):
    """Shape of a Fieller set."""

    INTERVAL = "interval"
    COMPLEMENT = "complement"
    WHOLE_LINE = "whole line"


@dataclass(frozen=True, slots=True)
class FiellerSet:
    """All ratios that the data do not reject: between the limits, outside them, or every number (limits NaN)."""

    shape: SetShape
    low: float
    high: float

    def contains(self, ratio: float) -> bool:
        """Say whether a ratio belongs to the set."""
        if self.shape is SetShape.WHOLE_LINE:
            return True
        inside = self.low <= ratio <= self.high
        return inside if self.shape is SetShape.INTERVAL else not self.low < ratio < self.high


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean difference in effect and cost (programme minus comparator) with variances and covariance."""

    effect: float
    cost: float
    var_effect: float
    var_cost: float
    covariance: float

    @property
    def quadrant(self) -> Quadrant:
        """The quadrant of the means; without a difference in effect the one with less cost dominates."""
        if self.effect > 0 or (self.effect == 0 and self.cost < 0):
            return Quadrant.NE if self.cost > 0 else Quadrant.SE
        return Quadrant.SW if self.cost < 0 else Quadrant.NW

    @property
    def icer(self) -> float:
        """Ratio of the means (never the mean of ratios); NaN without any difference in effect."""
        return self.cost / self.effect if self.effect != 0.0 else float("nan")

    def inb(self, willingness_to_pay: FloatArray) -> tuple[FloatArray, FloatArray]:
        r"""Return incremental net benefit and its standard deviation at J thresholds.

        .. math:: INB = k\,\Delta E - \Delta C, \qquad sd^2 = k^2 v_E + v_C - 2k\,cov
        """
        k = np.asarray(willingness_to_pay, dtype=float)
        variance = k**2 * self.var_effect + self.var_cost - 2.0 * k * self.covariance
        return k * self.effect - self.cost, np.sqrt(np.maximum(variance, 0.0))

    def normal_ceac(self, willingness_to_pay: FloatArray) -> FloatArray:
        """Return P(INB > 0) under a normal distribution (J,)."""
        from scipy.special import ndtr

        mean, sd = self.inb(willingness_to_pay)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sd > 0, ndtr(mean / sd), 0.5 + 0.5 * np.sign(mean))

    def normal_evpi(self, willingness_to_pay: FloatArray) -> FloatArray:
        """Return the value of perfect information under a normal distribution (J,)."""
        mean, sd = self.inb(willingness_to_pay)
        return unit_loss(mean, sd)

    def quadrant_probabilities(self) -> dict[str, float]:
        """Return the probability of each quadrant under a bivariate normal distribution."""
        from scipy.special import ndtr
        from scipy.stats import multivariate_normal

        sd_effect, sd_cost = np.sqrt(self.var_effect), np.sqrt(self.var_cost)
        rho = self.covariance / (sd_effect * sd_cost)
        below = np.array([-self.effect / sd_effect, -self.cost / sd_cost])
        sw = float(multivariate_normal(cov=np.array([[1.0, rho], [rho, 1.0]]), allow_singular=True).cdf(below))
        less_effect, less_cost = (float(ndtr(z)) for z in below)
        return {"NE": 1.0 - less_effect - less_cost + sw, "SE": less_cost - sw, "SW": sw, "NW": less_effect - sw}

    def ellipse(self, level: float = 0.95, points: int = 200) -> FloatArray:
        r"""Return the joint confidence region as points (points, 2) of effect and cost.

        .. math:: \mu + U\,\mathrm{diag}(\sqrt{q w})\,(\cos\theta, \sin\theta)', \qquad q = \chi^2_{2}(level)

        With two degrees of freedom q is 5.991 at 95 %; 3.84 would cover 85 %.
        """
        v = np.array([[self.var_effect, self.covariance], [self.covariance, self.var_cost]])
        w, u = np.linalg.eigh(v)
        q = -2.0 * np.log1p(-level)  # the chi-square quantile with two degrees of freedom in closed form
        angle = np.linspace(0.0, 2.0 * np.pi, points)
        circle = np.stack([np.cos(angle), np.sin(angle)])
        return np.array([self.effect, self.cost]) + (u @ (np.sqrt(q * np.maximum(w, 0.0))[:, None] * circle)).T


def difference(effect: FloatArray, cost: FloatArray) -> Difference:
    """Return means and covariance of draws (S,) of incremental effect and cost.

    >>> difference(np.array([1.0, 3.0]), np.array([10.0, 30.0])).icer
    10.0
    """
    v = np.cov(effect, cost)
    return Difference(float(effect.mean()), float(cost.mean()), float(v[0, 0]), float(v[1, 1]), float(v[0, 1]))


def fieller(d: Difference, level: float = 0.95, df: float = np.inf) -> FiellerSet:
    r"""Return the confidence set of the ICER.

    .. math:: A k^2 + B k + C \le 0, \quad A = \Delta E^2 - z^2 v_E, \quad B = -2(\Delta E \Delta C - z^2 cov), \quad
              C = \Delta C^2 - z^2 v_C

    A > 0: an interval. A < 0 with real roots: everything outside them. No real roots: the whole line. The limits are
    the thresholds at which \|INB\| / sd = z. Source: Willan & O'Brien, Health Econ 1996;5:297; Chaudhary & Stearns,
    Stat Med 1996;15:1447.

    >>> fieller(Difference(0.05, 20.0, 0.015**2, 64.0, 0.036)).shape.value
    'interval'
    """
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2.0
    z2 = float(ndtri(tail) if np.isinf(df) else stdtrit(df, tail)) ** 2
    a = d.effect**2 - z2 * d.var_effect
    b = -2.0 * (d.effect * d.cost - z2 * d.covariance)
    c = d.cost**2 - z2 * d.var_cost
    root = b**2 - 4.0 * a * c
    if root < 0.0 or (a == 0.0 and b == 0.0):
        return FiellerSet(SetShape.WHOLE_LINE, float("nan"), float("nan"))
    if a == 0.0:
        limits = (-np.inf, -c / b) if b > 0 else (-c / b, np.inf)
        return FiellerSet(SetShape.INTERVAL, *limits)
    # the root farther from zero first, the other by the product of roots: no cancellation when one is near zero
    q = -0.5 * (b + np.copysign(np.sqrt(root), b))
    low, high = sorted((q / a, c / q if q != 0.0 else 0.0))
    return FiellerSet(SetShape.INTERVAL if a > 0.0 else SetShape.COMPLEMENT, low, high)
