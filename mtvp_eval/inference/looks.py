"""Several looks at data that grow: levels that keep the chance of any false finding over all planned looks.

Source: Lan & DeMets (1983), Biometrika 70(3); O'Brien & Fleming (1979); Jennison & Turnbull (2000), chapter 9, for
repeated intervals.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError

_NODES = 160
"""Points of the numerical integral: critical values to 1e-10."""


def spending_levels(planned: int, level: float = 0.95) -> FloatArray:
    r"""Return the level of the interval at each of the planned looks, (planned,).

    .. math:: \alpha^*(t) = 4\{1 - \Phi(z_{1-\alpha/4}/\sqrt t)\}, \qquad
              \Pr(|Z_j| \le c_j, j < k;\; |Z_k| > c_k) = \alpha^*(t_k) - \alpha^*(t_{k-1})

    with :math:`t_k = k/planned`: every look adds as much information, and estimates gain by independent increments. An
    interval at level :math:`2\Phi(c_k) - 1` then holds the truth at all looks together with probability `level`. The
    last look costs little, the first ones almost everything.

    Parameters
    ----------
    planned : number of looks, this one and later ones included, fixed before the first.
    level : of all looks together.

    Raises
    ------
    EstimationError
        If fewer than one look is planned.

    Source: Lan & DeMets (1983), eq. 3-4, with the spending function that resembles O'Brien and Fleming's, on either
    side.

    Example
    -------
    >>> from scipy.special import ndtri
    >>> ndtri(0.5 + spending_levels(5) / 2).round(3).tolist()
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if planned < 1:
        raise EstimationError(f"{planned} planned looks: at least one is needed.")
    time = np.arange(1, planned + 1) / planned
    spent = 4 * ndtr(ndtri((1 - level) / 4) / np.sqrt(time))
    new = np.diff(spent, prepend=0.0)
    step = np.sqrt(1 / planned)
    point, weight = np.polynomial.legendre.leggauss(_NODES)
    bound = np.empty(planned)
    bound[0] = -ndtri(new[0] / 2) * step
    at = bound[0] * point
    density = _density(at / step) / step * bound[0] * weight
    for k in range(1, planned):

        def beyond(c: float, at: FloatArray = at, density: FloatArray = density, k: int = k) -> float:
            return float(density @ (ndtr((at - c) / step) + ndtr(-(c + at) / step)) - new[k])

        bound[k] = brentq(beyond, 1e-3, 20.0, xtol=1e-12)
        onward = bound[k] * point
        density = (_density((onward[:, None] - at) / step) / step @ density) * bound[k] * weight
        at = onward
    return np.asarray(1 - 2 * ndtr(-bound / np.sqrt(time)), dtype=np.float64)


def _density(z: FloatArray) -> FloatArray:
    """Return the standard normal density."""
    return np.asarray(np.exp(-(z**2) / 2.0) / np.sqrt(2 * np.pi))
