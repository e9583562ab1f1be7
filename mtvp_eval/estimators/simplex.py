r"""Least squares with weights that are not negative and sum to one, solved exactly by an active set.

Source: Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23 (NNLS), with the sum as an equality.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.errors import EstimationError


def simplex_least_squares(columns: FloatArray, target: FloatArray, ridge: float = 0.0) -> FloatArray:
    r"""Return the weights of the columns that come nearest the target.

    .. math:: \min_w \|A w - b\|^2 + \eta \|w\|^2, \qquad w \ge 0, \; \sum_j w_j = 1

    The set of positive weights grows by the column that lowers the objective most, and shrinks where the least-squares
    solution on it would turn negative; every step lowers the objective, so it ends at the minimum, up to rounding.

    Parameters
    ----------
    columns : A (m, n).
    target : b (m,).
    ridge : eta, not negative.

    Returns
    -------
    FloatArray
        (n,) weights; those outside the active set are zero exactly.

    Raises
    ------
    EstimationError
        If a value is not finite, or there is no column.

    Example
    -------
    >>> simplex_least_squares(np.array([[0.0, 4.0], [1.0, 1.0]]), np.array([1.0, 5.0])).tolist()
    [0.75, 0.25]
    """
    A = np.asarray(columns, dtype=np.float64) - np.asarray(target, dtype=np.float64)[:, None]
    if not A.shape[1] or not np.isfinite(A).all():
        raise EstimationError("Weights need at least one comparison unit and finite outcomes.")
    # the weights sum to one, so A w - b = (A - b 1') w: a target of zero, and no digits lost on the level
    n = A.shape[1]
    scale = float(np.abs(A).max())
    if not scale:
        return np.full(n, 1 / n)  # every column is the target; with a ridge this is the minimum
    A, eta = A / scale, ridge / scale**2
    w = _near(A, eta)
    w, active = _settle(A, eta, w, w > 0)
    for _ in range(20 * n + 100):
        gradient = A.T @ (A @ w) + eta * w
        slack = np.where(active, np.inf, gradient - gradient[active].max())
        # rounding of a sum of terms of size one
        if slack.min() >= -1e-13 * max(1.0, np.abs(gradient).max()):
            return w
        new, kept = _settle(A, eta, w, active | (np.arange(n) == np.argmin(slack)))
        if _objective(A, eta, new) >= _objective(A, eta, w):
            return w  # no descent is left but rounding
        w, active = new, kept
    raise EstimationError("The weights did not settle; the comparison units are numerically the same.")


def _objective(A: FloatArray, eta: float, w: FloatArray) -> float:
    return float(((A @ w) ** 2).sum() + eta * (w**2).sum())


def _near(A: FloatArray, eta: float) -> FloatArray:
    """Return a feasible start: the nearest column, or with a ridge the end of some accelerated projected steps."""
    n = A.shape[1]
    w = np.zeros(n)
    w[int(np.argmin((A**2).sum(axis=0)))] = 1.0
    if eta == 0:
        return w  # from one column on, the active columns stay independent
    step = 1 / (np.linalg.norm(A, 2) ** 2 + eta)
    ahead, momentum = w, 1.0
    for _ in range(200):
        new = _project(ahead - step * (A.T @ (A @ ahead) + eta * ahead))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, w, momentum = new + (momentum - 1) / following * (new - w), new, following
    return w


def _project(v: FloatArray) -> FloatArray:
    """Return the nearest point with no negative part and sum one."""
    ordered = np.sort(v)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(v) + 1)
    return np.maximum(v - excess[np.flatnonzero(ordered > excess)[-1]], 0.0)


def _settle(A: FloatArray, eta: float, w: FloatArray, active: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Move to the minimum on the active columns, dropping those that would turn negative on the way."""
    while True:
        wanted = _solve(A, eta, active)
        falling = active & (wanted <= 0)
        if not falling.any():
            return wanted, active
        step = float((w[falling] / np.maximum(w[falling] - wanted[falling], 1e-300)).min())
        w = np.where(active, w + step * (wanted - w), 0.0)
        active = active & ~(falling & (w <= 1e-15))
        w = np.where(active, w, 0.0)


def _solve(A: FloatArray, eta: float, active: BoolArray) -> FloatArray:
    """Return the (n,) least-squares weights with sum one on the active columns, of any sign; zero elsewhere."""
    place = np.flatnonzero(active)
    w = np.zeros(len(active))
    first, rest = place[0], place[1:]
    w[first] = 1.0
    if len(rest):
        # w = e_first + sum_j v_j (e_j - e_first): the sum is one for every v
        rows = [A[:, rest] - A[:, [first]]]
        right = [-A[:, first]]
        if eta > 0:
            root = np.sqrt(eta)
            rows += [root * np.eye(len(rest)), -root * np.ones((1, len(rest)))]
            right += [np.zeros(len(rest)), np.array([-root])]
        v = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0]
        w[rest] = v
        w[first] = 1.0 - v.sum()
    return w
