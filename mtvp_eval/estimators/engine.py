"""One engine for linear estimators: effects as known weights on cohort-by-period means.

    theta_k = sum_g a_kg' Ybar_g        psi_ik = n / N_g * a_kg' u_i        u_i = N_g w_i / W_g * (Y_i - centre_g)

Source: algebra of weighted cohort means; Roth & Sant'Anna (2023), section 3, for the centre at the cohort mean.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray


def cohort_means(y: FloatArray, w: FloatArray, cohort: IntArray) -> FloatArray:
    """Return the weighted mean path of each cohort, (G, T), of ``y`` (n, T) with ``w`` (n,) and ``cohort`` (n,) from 0.

    >>> cohort_means(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([1.0, 3.0]), np.array([0, 0])).tolist()
    [[2.5, 5.0]]
    """
    members = [np.flatnonzero(cohort == g) for g in range(int(cohort.max()) + 1)]
    total = np.stack([w[unit] @ y[unit] for unit in members])
    return np.asarray(total / np.bincount(cohort, w)[:, None], dtype=np.float64)


def linearised(y: FloatArray, w: FloatArray, cohort: IntArray, centre: FloatArray) -> FloatArray:
    """Return u (n, T): deviations of ``y`` from ``centre`` (G, T), scaled by N_g ``w`` / W_g of the ``cohort``.

    >>> linearised(np.array([[1.0], [3.0]]), np.array([1.0, 3.0]), np.array([0, 0]), np.array([[2.5]])).tolist()
    [[-0.75], [0.75]]
    """
    scale = np.bincount(cohort) / np.bincount(cohort, w)
    return np.asarray((w * scale[cohort])[:, None] * (y - centre[cohort]), dtype=np.float64)


def cohort_covariances(u: FloatArray, cohort: IntArray) -> FloatArray:
    """Return each cohort's sample covariance of ``u`` (n, T) with N_g - 1, (G, T, T); zero for a ``cohort`` of one.

    >>> cohort_covariances(np.array([[-1.0], [1.0]]), np.array([0, 0])).tolist()
    [[[2.0]]]
    """
    count = np.bincount(cohort)
    return np.stack([u[cohort == g].T @ u[cohort == g] / max(N - 1, 1) for g, N in enumerate(count)])


def influence_of(u: FloatArray, cohort: IntArray, weights: FloatArray, n: int) -> FloatArray:
    """Return psi (len(u), K) of effects with ``weights`` (K, G, T) on cohort means, in a sample of ``n`` units.

    ``u`` (units, T) is centred as the method asks, ``cohort`` (units,) from 0.

    >>> influence_of(np.array([[-1.0], [1.0]]), np.array([0, 0]), np.array([[[2.0]]]), 2).tolist()
    [[-2.0], [2.0]]
    """
    psi = np.empty((len(u), len(weights)))
    for g, N in enumerate(np.bincount(cohort)):
        rows = np.flatnonzero(cohort == g)
        psi[rows] = u[rows] @ (n / max(N, 1) * weights[:, g].T)
    return psi


def centred_influence(
    y: FloatArray, w: FloatArray, cohort: IntArray, means: FloatArray, weights: FloatArray
) -> tuple[FloatArray, float]:
    """Return psi (n, K) of ``weights`` (K, G, T) on the weighted ``means`` (G, T) of ``y`` (n, T); the largest score.

    Scores are ``w`` (n,) times what is left of ``y`` without its ``cohort`` mean path and its own mean over periods.
    Cohort by cohort, so that what is worked on stays in the cache.

    >>> psi, largest = centred_influence(np.array([[1.0, 2.0], [3.0, 6.0]]), np.ones(2), np.array([0, 0]),
    ...     np.array([[2.0, 4.0]]), np.array([[[-1.0, 1.0]]]))
    >>> psi.tolist(), largest
    ([[-1.0], [1.0]], 0.5)
    """
    psi, largest = np.empty((len(y), len(weights))), 0.0
    for g in range(len(means)):
        unit = np.flatnonzero(cohort == g)
        score = y[unit]
        score -= means[g]
        score -= score.mean(axis=1, keepdims=True)
        score *= w[unit, None]
        largest = max(largest, float(score.max()), -float(score.min()))
        psi[unit] = score @ (len(y) / w[unit].sum() * weights[:, g].T)
    return psi, largest
