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
    total = np.stack([w[unit] @ np.take(y, unit, axis=0) for unit in members])
    return np.asarray(total / np.bincount(cohort, w)[:, None], dtype=np.float64)


def linearised(y: FloatArray, w: FloatArray, cohort: IntArray, centre: FloatArray) -> FloatArray:
    """Return u (n, T): deviations of ``y`` from ``centre`` (G, T), scaled by N_g ``w`` / W_g of the ``cohort``.

    >>> linearised(np.array([[1.0], [3.0]]), np.array([1.0, 3.0]), np.array([0, 0]), np.array([[2.5]])).tolist()
    [[-0.75], [0.75]]
    """
    u = y - centre[cohort]
    u *= (w * (np.bincount(cohort) / np.bincount(cohort, w))[cohort])[:, None]
    return u


def cohort_covariances(u: FloatArray, cohort: IntArray) -> FloatArray:
    """Return each cohort's sample covariance of ``u`` (n, T) with N_g - 1, (G, T, T); zero for a ``cohort`` of one.

    >>> cohort_covariances(np.array([[-1.0], [1.0]]), np.array([0, 0])).tolist()
    [[[2.0]]]
    """
    members = [u[cohort == g] for g in range(int(cohort.max()) + 1)]
    return np.stack([own.T @ own / max(len(own) - 1, 1) for own in members])


def influence_of(u: FloatArray, cohort: IntArray, weights: FloatArray, n: int) -> FloatArray:
    """Return psi (len(u), K) of effects with ``weights`` (K, G, T) on cohort means, in a sample of ``n`` units.

    ``u`` (units, T) is centred as the method asks, ``cohort`` (units,) from 0.

    >>> influence_of(np.array([[-1.0], [1.0]]), np.array([0, 0]), np.array([[[2.0]]]), 2).tolist()
    [[-2.0], [2.0]]
    """
    psi = np.empty((len(u), len(weights)))
    for g, N in enumerate(np.bincount(cohort).tolist()):
        if N:
            rows = np.flatnonzero(cohort == g)
            psi[rows] = u[rows] @ (n / N * weights[:, g].T)
    return psi
