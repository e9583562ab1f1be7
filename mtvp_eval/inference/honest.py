"""How far trends may differ before the conclusion falls: robust intervals for an event study.

Relative magnitudes: after entry the difference in trends changes per period by at most Mbar times its largest change
before entry. Smoothness: its slope changes by at most M a period.
Source: Rambachan & Roth (2023); Andrews, Roth & Pakes (2023) for the conditional least-favourable test; Armstrong &
Kolesar (2018, 2020) for fixed-length intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.honest_study import HonestStudy

GRID_POINTS = 1_000
_GRID_ERRORS = 20.0
_KAPPA = 0.1
"""First-stage share of the level in the hybrid test, as in the original."""
_BISECTIONS = 30


@dataclass(frozen=True, slots=True)
class RobustInterval:
    """Hold an interval for what is weighted by ``post``, the bound it allows for, and whether an end lies on the grid.

    An open end says that the interval goes on beyond 20 standard errors from zero.
    """

    bound: float
    low: float
    high: float
    open_end: bool = False

    @property
    def holds_zero(self) -> bool:
        """Whether zero is inside, so that nothing is concluded about the sign."""
        return self.low <= 0 <= self.high


def original_interval(study: HonestStudy, post: FloatArray, level: float = 0.95) -> RobustInterval:
    """Return the usual interval of ``post`` (P,) times the effects after entry: trends taken as parallel.

    Source: Rambachan & Roth (2023), the interval they start from.

    >>> study = HonestStudy(np.array([0.0, 0.0]), np.array([1.0]), np.eye(3))
    >>> original_interval(study, np.ones(1)).low.__round__(4)
    -0.96
    """
    from scipy.special import ndtri

    centre, error = study.combination(post)
    half = float(ndtri(0.5 + level / 2)) * error
    return RobustInterval(0.0, centre - half, centre + half)


def relative_magnitudes(
    study: HonestStudy,
    post: FloatArray,
    bounds: Sequence[float],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 20_000,
) -> tuple[RobustInterval, ...]:
    r"""Return the C-LF interval for each bound Mbar on the change of trends after entry.

    .. math:: |\delta_{t+1}-\delta_t| \le \bar M \max_{s<0} |\delta_{s+1}-\delta_s| \quad (t \ge 0)

    The set is a union over the period s and the sign of the largest change before entry; for each the moment
    inequalities of the post-periods are tested on a grid of 1,000 points within 20 standard errors of zero. The extreme
    points of the dual problem are known: with d the changes, :math:`\gamma_+-\gamma_- \propto D^{-T}\ell`, its
    negative, and one point a period where both signs bind; so the test needs no linear programme.

    Parameters
    ----------
    study : coefficients from one universal base, with their covariance.
    post : (P,) weights of the effects after entry, such as 1, 0, 0.
    bounds : Mbar, each >= 0.
    rng : generator of the least-favourable critical value.
    level : 1 - alpha; a tenth of alpha goes to the first stage.
    draws : normal draws for that value; at 20,000 its Monte Carlo error can move an end by one grid step.

    Raises
    ------
    EstimationError
        If weights do not fit, or a bound is negative.

    Source: Rambachan & Roth (2023), bounds on relative magnitudes; Andrews, Roth & Pakes (2023), hybrid test.

    Example
    -------
    >>> study = HonestStudy(np.array([0.1, -0.1]), np.array([2.0, 2.0]), 0.01 * np.eye(4))
    >>> small, large = relative_magnitudes(study, np.array([1.0, 0.0]), (0.0, 20.0), np.random.default_rng(0))
    >>> small.holds_zero, large.holds_zero
    (False, True)
    """
    _refuse(study, post, bounds)
    normals = rng.standard_normal((draws, len(study.covariance)))
    return tuple(_relative(study, post, bound, normals, 1 - level) for bound in bounds)


def smoothness(
    study: HonestStudy, post: FloatArray, bounds: Sequence[float], *, level: float = 0.95
) -> tuple[RobustInterval, ...]:
    r"""Return the fixed-length interval for each bound M on the change of slope.

    .. math:: |(\delta_{t+1}-\delta_t)-(\delta_t-\delta_{t-1})| \le M, \qquad
              a'\hat\beta \pm \hat\sigma_a\, cv_\alpha(M B_a/\hat\sigma_a)

    with a the weights that make the interval shortest, B_a the largest bias for M = 1 and cv the quantile of abs(N(b,
    1)). Written in second differences the bias is a sum of absolute values, so that the half-length is a smooth convex
    function of the positive and negative parts of the weights before entry.

    Parameters
    ----------
    study : coefficients from one universal base, with their covariance.
    post : (P,) weights of the effects after entry.
    bounds : M, in units of the outcome a period, each >= 0.
    level : of the interval.

    Raises
    ------
    EstimationError
        If weights do not fit, or a bound is negative.

    Source: Rambachan & Roth (2023), smoothness; Armstrong & Kolesar (2020), bias-aware critical value.

    Example
    -------
    >>> study = HonestStudy(np.array([-0.2, -0.1]), np.array([1.1]), 0.01 * np.eye(3))
    >>> line, = smoothness(study, np.ones(1), (0.0,))
    >>> round((line.low + line.high) / 2, 2)
    1.0
    """
    _refuse(study, post, bounds)
    return tuple(_fixed_length(study, post, bound, 1 - level) for bound in bounds)


def breakdown(interval: Callable[[float], RobustInterval], start: float = 1.0, largest: float = 1e3) -> float:
    """Return the smallest bound at which the interval holds zero: 0 if it does without any, infinity beyond largest.

    ``interval`` maps a bound to its interval; the first crossing at or below a doubling of ``start`` is bisected.
    Source: Rambachan & Roth (2023), breakdown value.

    >>> breakdown(lambda m: RobustInterval(m, 2 - m, 3 + m)).__round__(6)
    2.0
    """
    if interval(0.0).holds_zero:
        return 0.0
    inside, outside = 0.0, start
    while not interval(outside).holds_zero:
        inside, outside = outside, 2 * outside
        if outside > largest:
            return np.inf
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if interval(middle).holds_zero:
            outside = middle
        else:
            inside = middle
    return outside


def breakdown_relative(
    study: HonestStudy, post: FloatArray, rng: np.random.Generator, *, level: float = 0.95, draws: int = 20_000
) -> float:
    """Return the smallest Mbar at which the interval for ``post`` (P,) holds zero; the same draws serve every bound.

    Source: Rambachan & Roth (2023), breakdown value.

    >>> study = HonestStudy(np.array([0.1, -0.1]), np.array([2.0, 2.0]), 0.01 * np.eye(4))
    >>> 1 < breakdown_relative(study, np.array([1.0, 0.0]), np.random.default_rng(0)) < 20
    True
    """
    _refuse(study, post, ())
    normals = rng.standard_normal((draws, len(study.covariance)))
    return breakdown(lambda bound: _relative(study, post, bound, normals, 1 - level))


def _refuse(study: HonestStudy, post: FloatArray, bounds: Sequence[float]) -> None:
    if np.shape(post) != (len(study.after),) or not np.any(post):
        raise EstimationError(f"{np.shape(post)} weights do not fit {len(study.after)} effects after entry.")
    if any(bound < 0 for bound in bounds):
        raise EstimationError("A bound on how far trends differ cannot be negative.")


def _relative(study: HonestStudy, post: FloatArray, bound: float, normals: FloatArray, alpha: float) -> RobustInterval:
    error = study.combination(post)[1]
    grid = np.linspace(-_GRID_ERRORS * error, _GRID_ERRORS * error, GRID_POINTS)
    beta = np.concatenate([study.before, study.after])
    values, vectors = np.linalg.eigh(study.covariance)
    noise = normals @ (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T  # (B, p + P); no sign matters
    changes = _changes(len(study.before), len(study.after))
    p = len(study.before)
    accepted = np.zeros(GRID_POINTS, dtype=np.bool_)
    for largest in (*changes[:p], *-changes[:p]):
        moments = np.concatenate([changes[p:] - bound * largest, -changes[p:] - bound * largest])  # (2P, p + P)
        accepted |= _accept(moments, study.covariance, beta, post, grid, noise, alpha)
    if not accepted.any():
        raise EstimationError("No value is compatible with the bound: the pre-periods contradict it.")
    inside = np.flatnonzero(accepted)
    ends = grid[inside[[0, -1]]]
    return RobustInterval(bound, float(ends[0]), float(ends[1]), bool(inside[0] == 0 or inside[-1] == GRID_POINTS - 1))


def _changes(p: int, P: int) -> FloatArray:
    """Return the changes of trend (p + P, p + P): p up to the base, then P from the base on; the base itself is 0."""
    steps = np.eye(p + P + 1)[1:] - np.eye(p + P + 1)[:-1]
    return np.delete(steps, p, axis=1)


def _accept(
    moments: FloatArray, covariance: FloatArray, beta: FloatArray, post: FloatArray, grid: FloatArray,
    noise: FloatArray, alpha: float,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:  # fmt: skip
    """Tell which values of the combination the hybrid test of the moment inequalities does not reject, (grid,)."""
    from scipy.special import log_ndtr

    sigma = moments @ covariance @ moments.T
    gamma = _extreme_points(moments[:, -len(post) :], post, np.sqrt(np.diag(sigma)))  # (J, 2P)
    weights = gamma @ moments  # (J, p + P)
    slope = weights[:, -len(post) :] @ post / (post @ post)
    value = (weights @ beta)[:, None] - slope[:, None] * grid  # (J, grid)
    least_favourable = np.quantile((noise @ weights.T).max(axis=1), 1 - alpha * _KAPPA)
    size = (alpha - alpha * _KAPPA) / (1 - alpha * _KAPPA)
    spread = weights @ covariance @ weights.T
    best = value.argmax(axis=0)
    seen = value[best, np.arange(len(grid))]
    variance = spread[best, best]
    still = variance <= 1e-14 * spread.max()
    error = np.sqrt(np.where(still, 1.0, variance))
    share = spread[best].T / np.where(still, 1.0, variance)  # (J, grid)
    rest = value - share * seen
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = rest / (1 - share)
    lowest = np.where(share < 1 - 1e-9, cut, -np.inf).max(axis=0) / error
    highest = np.minimum(np.where(share > 1 + 1e-9, cut, np.inf).min(axis=0), least_favourable) / error
    top, at, bottom = (log_ndtr(-x) for x in (highest, seen / error, np.minimum(lowest, seen / error)))
    beyond = (np.exp(at - bottom) - np.exp(top - bottom)) / -np.expm1(top - bottom)
    rejected = np.where(still, seen > 0, (seen > 0) & (beyond < size))
    return ~(rejected | (seen > least_favourable))


def _extreme_points(after: FloatArray, post: FloatArray, error: FloatArray) -> FloatArray:
    """Return the extreme points (J, 2P) of multipliers that leave no other parameter, normalised by the errors."""
    P = len(post)
    combination = np.linalg.solve(after[:P].T, post)  # D^-T l: weights on the changes that give l
    positive, negative = np.maximum(combination, 0), np.maximum(-combination, 0)
    points = [np.concatenate([positive, negative]), np.concatenate([negative, positive])]
    points += [np.concatenate([row, row]) for row in np.eye(P)] if P > 1 else []
    found = np.stack(points)
    return found / (found @ error)[:, None]


def _fixed_length(study: HonestStudy, post: FloatArray, bound: float, alpha: float) -> RobustInterval:
    from scipy.optimize import minimize

    p, P = len(study.before), len(study.after)
    # Second differences h: those around pre-periods (weights free), then those from the base on (weights given).
    ahead = np.array([post[k:] @ np.arange(1, P - k + 1) for k in range(P)])
    given = np.abs(ahead).sum()
    second = np.array([[max(s - i, 0) for i in range(1, p)] for s in range(p, 0, -1)], dtype=np.float64).reshape(p, -1)
    step = -np.arange(p, 0, -1.0)  # value of each pre-period when the slope is one
    # Weights w before entry: second' w = x (free), step' w = -(sum of t * post): slopes cancel.
    system = np.vstack([second.T, step])
    inverse = np.linalg.inv(system)
    base = inverse[:, -1] * -ahead[0]
    turn = inverse[:, :-1]
    scale = study.combination(post)[1]

    def weights(x: FloatArray) -> FloatArray:
        return np.concatenate([base + turn @ x, post])

    def half(parts: FloatArray) -> tuple[float, FloatArray]:
        x = parts[: p - 1] - parts[p - 1 :]
        w = weights(x)
        pull = study.covariance @ w
        error = float(np.sqrt(w @ pull))
        bias = bound * (given + parts.sum())
        quantile, slope = folded_quantile(bias / error, alpha)
        d_error = turn.T @ pull[:p] / error * (quantile - slope * bias / error)
        gradient = np.concatenate([d_error, -d_error]) + slope * bound
        return error * quantile / scale, gradient / scale

    start = np.zeros(2 * (p - 1))
    if bound == 0:
        x = -np.linalg.solve(
            turn.T @ study.covariance[:p, :p] @ turn, turn.T @ (study.covariance @ weights(np.zeros(p - 1)))[:p]
        )
        start = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)])
    found = minimize(
        half, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start),
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 5_000},
    )  # fmt: skip
    w = weights(found.x[: p - 1] - found.x[p - 1 :])
    centre = float(w @ np.concatenate([study.before, study.after]))
    return RobustInterval(bound, centre - scale * float(found.fun), centre + scale * float(found.fun))


def folded_quantile(bias: float, alpha: float) -> tuple[float, float]:
    """Return the 1 - alpha quantile of abs(N(bias, 1)) and its derivative in the bias, which is >= 0.

    Source: Armstrong & Kolesar (2020), bias-aware critical value.

    >>> [round(v, 4) for v in folded_quantile(0.0, 0.05)]
    [1.96, 0.0]
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    edge = float(ndtri(1 - alpha))
    quantile = float(
        brentq(lambda c: ndtr(bias - c) + ndtr(-c - bias) - alpha, bias + edge - 1e-9, bias + 2 * edge + 1)
    )
    near, far = (np.exp(-z * z / 2.0) / np.sqrt(2 * np.pi) for z in (quantile - bias, quantile + bias))
    return quantile, float((near - far) / (near + far))
