"""Two-period, two-group effects for several periods at once: regression, weighting, and both (doubly robust)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.propensity import OddsWeights, odds_weights

LEVERAGE_COUNTS_BELOW = 500
"""Comparison units a covariate from which leverage moves a standard error by less than 0.1 %: it is then left out."""
UNITS_AT_ONCE = 2**15
"""Units worked on at once: what is made of so many takes a few MB."""


class Adjustment(StrEnum):
    """How covariates enter: outcome regression, inverse probability weighting, or doubly robust."""

    REG = "reg"
    IPW = "ipw"
    DR = "dr"


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Hold outcomes y (T, N), covariates x (p, N) with the constant first, and positive weights w (N,)."""

    y: FloatArray
    x: FloatArray
    w: FloatArray
    _known: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    def moments(self, stretches: Sequence[slice], period: IntArray, base: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the sums of w x x' (p, p) and of w x times changes (p, P); those of a stretch are made once."""
        for part in stretches:
            if (part.start, part.stop) not in self._known:
                x, weighted = self.x[:, part], self.x[:, part] * self.w[part]
                self._known[part.start, part.stop] = weighted @ x.T, weighted @ self.y[:, part].T
        (gram, levels), *others = (self._known[part.start, part.stop] for part in stretches)
        for xx, xy in others:
            gram, levels = gram + xx, levels + xy
        return gram, levels[:, period] - levels[:, base]

    def changes(self, part: slice, period: IntArray, base: IntArray, out: FloatArray) -> None:
        """Write the changes between P pairs of periods of a stretch of units into the first P rows of ``out``."""
        for row, now, before in zip(out, period, base, strict=False):
            np.subtract(self.y[now, part], self.y[before, part], out=row)


@dataclass(frozen=True, slots=True, eq=False)
class TwoGroupEffect:
    """Hold effects (P,) and what each unit's share in them is made of; see ``two_group_effect`` for the symbols.

    ``eta`` means of e (P,) among treated and comparison units, ``beta`` (P, p), ``q`` (p,), ``h`` (P, p), ``total``
    W and R, and the logit fitted, if any. ``leverage`` (N,) is what HC2 multiplies the shares by beyond what it does
    for a mean; None where that is nothing.
    """

    effect: FloatArray
    fit: OddsWeights | None
    units: Units
    groups: tuple[Sequence[slice], Sequence[slice]]
    period: IntArray
    base: IntArray
    eta: tuple[FloatArray, FloatArray]
    beta: FloatArray
    q: FloatArray
    h: FloatArray
    total: tuple[float, float]
    leverage: FloatArray | None

    def influence(self, averages: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield stretches of units with their shares psi / n in ``averages`` (J, P) of the effects, (J, units).

        Treated and comparison units differ in what the residual e is multiplied by, in the weight of their mean, and in
        their residual of the logit: the rest is one matrix product.
        """
        P, p = self.beta.shape
        most = max(part.stop - part.start for part in (*self.groups[0], *self.groups[1]))
        rows, out = np.empty((P + 2 * p + 1, most)), np.empty((len(averages), most))
        for treated, stretches in zip((True, False), self.groups, strict=True):
            eta = -self.eta[0] if treated else self.eta[1]
            right = np.concatenate([-self.beta, eta[:, None], self.h], axis=1)
            loading = np.concatenate([averages, averages @ right], axis=1)
            for part in stretches:
                x, w, m = self.units.x[:, part], self.units.w[part], part.stop - part.start
                made = rows[:, :m]
                if treated:
                    factor = mean = w / self.total[0]
                else:
                    mean = np.zeros(m) if self.fit is None else self.fit.odds[part] / self.total[1]
                    factor = -mean - w * (self.q @ x)
                self.units.changes(part, self.period, self.base, out=made)
                made[P : P + p] = x
                made[: P + p] *= factor
                made[P + p] = mean
                if self.fit is not None:
                    np.multiply(x, w * (self.fit.chance[part] - treated), out=made[P + p + 1 :])
                used = len(made) if self.fit is not None else P + p + 1
                yield part, np.matmul(loading[:, :used], made[:used], out=out[:, :m])


def two_group_effect(
    units: Units,
    treated: Sequence[slice],
    against: Sequence[slice],
    period: IntArray,
    base: IntArray,
    method: Adjustment,
    start: FloatArray | None = None,
) -> TwoGroupEffect:
    r"""Compare the changes of treated and comparison units in P pairs of periods.

    With :math:`e_i = \Delta Y_i - x_i'\beta`, :math:`\beta = G^{-1}\sum_C w x \Delta Y`, :math:`G = \sum_C w x x'`,
    odds weights r and :math:`R = \sum_C r`:

    .. math:: ATT = \eta_T - \eta_C = \frac{\sum_g w e}{W} - \frac{\sum_C r e}{R}
    .. math:: \psi_i/n = w(e-\eta_T)/W - w(1-p)x'h \quad (i \in g), \qquad
              \psi_i/n = -r(e-\eta_C)/R - w e\,x'q + w p\,x'h \quad (i \in C)

    with :math:`h = H^{-1}\sum_C r(e-\eta_C)x/R` and :math:`q = G^{-1}(\sum_g w x/W - \sum_C r x/R)`. ``reg``
    drops r and h; ``ipw`` drops :math:`\beta` and q. Residuals of a fit are smaller than errors: the leverage of a
    comparison unit is :math:`\ell_i = w_i x_i'G^{-1}x_i`, and its share is multiplied by
    :math:`\sqrt{(1 - w_i/\sum_C w)/(1 - \ell_i)}` where HC2 is asked for.

    Parameters
    ----------
    units : values of the units, and of others.
    treated, against : stretches of treated and of comparison units.
    period, base : (P,) rows of ``units.y`` between which changes are taken.
    method : adjustment.
    start : (p,) logit coefficients to begin from.

    Raises
    ------
    EstimationError
        If covariates separate the groups, or are collinear among the comparison units.

    Source: Sant'Anna & Zhao (2020), eq. 2.5, 2.6 and 3.1 with Hájek weights (their section 3.1, panel data); leverage
    after MacKinnon & White (1985), HC2.

    Example
    -------
    >>> units = Units(np.array([[0.0, 0, 0, 0], [3, 5, 1, 2]]), np.ones((1, 4)), np.ones(4))
    >>> found = two_group_effect(
    ...     units, [slice(0, 2)], [slice(2, 4)], np.array([1]), np.array([0]), Adjustment.REG)
    >>> found.effect.tolist(), [(part, psi.tolist()) for part, psi in found.influence(np.eye(1))]
    ([2.5], [(slice(0, 2, None), [[-0.5, 0.5]]), (slice(2, 4, None), [[0.25, -0.25]])])
    """
    P, p = len(period), len(units.x)
    own, changes = units.moments(treated, period, base)
    W = float(own[0, 0])
    mean, beta, q = own[0] / W, np.zeros((P, p)), np.zeros(p)
    fit = None if method == Adjustment.REG else _odds(units, treated, against, start)
    R, other, outside, h, leverage = 1.0, np.zeros(p), np.zeros(P), np.zeros((P, p)), None
    if method != Adjustment.IPW:
        gram, cross = units.moments(against, period, base)
        inverse = gram_inverse(gram)
        beta = cross.T @ inverse
        if sum(part.stop - part.start for part in against) < LEVERAGE_COUNTS_BELOW * (p - 1):
            leverage = np.ones(len(units.w))
            for part in against:
                leverage[part] = _leverage_scale(units.x[:, part], units.w[part] / gram[0, 0], inverse * gram[0, 0])
    if fit is not None:
        tilted = _tilted(units, fit.odds, cut(against), period, base)
        R = float(tilted[0, P])
        other = tilted[:, P] / R
        outside = tilted[0, :P] / R - beta @ other
        slope = tilted[:, :P].T - beta @ tilted[:, P:] - np.outer(outside, tilted[:, P])
        h = slope / R @ fit.inverse_hessian
    if method != Adjustment.IPW:
        q = inverse @ (mean - other)
    inside = changes[0] / W - beta @ mean
    return TwoGroupEffect(
        inside - outside, fit, units, (cut(treated), cut(against)), period, base, (inside, outside), beta, q, h, (W, R),
        leverage,
    )  # fmt: skip


def _odds(units: Units, treated: Sequence[slice], against: Sequence[slice], start: FloatArray | None) -> OddsWeights:
    inside = np.zeros(len(units.w), dtype=np.bool_)
    for part in treated:
        inside[part] = True
    return odds_weights(units.x, inside, units.w, start, cut([*treated, *against]))


def _leverage_scale(x: FloatArray, share: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return what HC2 multiplies residuals by (N,), x (p, N), over what it does where only a mean is fitted.

    ``share`` (N,) are weights that add to one over all comparison units, ``inverse`` that of their Gram matrix.
    """
    own = share * np.einsum("pi,pq,qi->i", x, inverse, x)
    alone = own > 1 - 1e-9  # the fit passes through it: its residual is zero whatever the factor
    return np.where(alone, 1.0, np.sqrt((1 - share) / np.where(alone, 1.0, 1 - own)))


def _tilted(units: Units, odds: FloatArray, parts: Sequence[slice], period: IntArray, base: IntArray) -> FloatArray:
    """Return the sums of r x [change, x]' (p, P + p) over comparison units."""
    P, p = len(period), len(units.x)
    rows = np.empty((P + p, max(part.stop - part.start for part in parts)))
    total = np.zeros((p, P + p))
    for part in parts:
        made = rows[:, : part.stop - part.start]
        units.changes(part, period, base, out=made)
        made[P:] = units.x[:, part]
        for j, x in enumerate(units.x[:, part]):
            total[j] += made @ (odds[part] * x if j else odds[part])
    return total


def cut(stretches: Sequence[slice]) -> list[slice]:
    """Return the same units in equal stretches of at most ``UNITS_AT_ONCE``; those next to each other are one before.

    >>> cut([slice(5, 9), slice(0, 5), slice(20, 22)])
    [slice(0, 9, None), slice(20, 22, None)]
    """
    found: list[slice] = []
    for start, stop in sorted((each.start, each.stop) for each in stretches):
        first = found.pop().start if found and found[-1].stop == start else start
        found.append(slice(first, stop))
    if all(each.stop - each.start <= UNITS_AT_ONCE for each in found):
        return found
    pieces = [(each, -(-(each.stop - each.start) // UNITS_AT_ONCE)) for each in found]
    return [
        slice(each.start + (each.stop - each.start) * k // m, each.start + (each.stop - each.start) * (k + 1) // m)
        for each, m in pieces
        for k in range(m)
    ]


def gram_inverse(gram: FloatArray) -> FloatArray:
    """Return the inverse of a ``gram`` matrix (p, p), after a check on a scale-free condition number.

    Raises
    ------
    EstimationError
        If covariates are collinear.

    Example
    -------
    >>> gram_inverse(np.array([[4.0]])).tolist()
    [[0.25]]
    """
    scale = np.sqrt(np.diag(gram))
    if scale.all():
        value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
        if value[0] >= 1e-12 * value[-1]:
            half = vector / scale[:, None]
            return np.asarray((half / value) @ half.T, dtype=np.float64)
    raise EstimationError("covariates are collinear among the comparison units")
