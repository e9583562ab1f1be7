"""Shares of the past that many regions have in common, from what each of them says of its contrasts.

Source: Roth & Sant'Anna (2023), eq. 8 (arXiv:2102.01291), with one beta for all regions; recentring by the mean over
replays as in Borusyak & Hull (2023), Econometrica 91(6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True, eq=False)
class RegionContrasts:
    r"""Hold the contrasts of one region: of the later periods first, then of P adjusters that preceded the draw.

    .. math:: \hat\theta_r(\beta) = b'\hat c_r - b'\bar c_r^{Y} + (b'\hat c_r)(b'\bar c_r^{D}), \qquad b = (1, -\beta')'

    The mean of an estimator over replays on :math:`Y - \theta D` is linear in theta and in beta, so the replays are
    made once, in the region, and any shares can be taken off afterwards without them.

    Parameters
    ----------
    estimate, covariance : (1 + P,), (1 + P, 1 + P) under the draw.
    replayed_outcome, replayed_exposure : (1 + P,) means over replays of the same contrasts of the observed outcomes,
        and of having entered as observed (1 from entry on).

    Example
    -------
    >>> half = RegionContrasts(np.array([3.0, 1.0]), np.eye(2), np.array([0.5, 0.0]), np.array([0.1, 0.0]))
    >>> half.effect(np.array([0.5])), half.std_error(np.array([0.0]))
    (2.25, 1.0)
    """

    estimate: FloatArray
    covariance: FloatArray
    replayed_outcome: FloatArray
    replayed_exposure: FloatArray

    def effect(self, shares: FloatArray) -> float:
        """Return the effect less shares (P,) of the adjusters, recentred."""
        b = np.r_[1.0, -shares]
        plain = float(b @ self.estimate)
        return plain - float(b @ self.replayed_outcome) + plain * float(b @ self.replayed_exposure)

    def std_error(self, shares: FloatArray) -> float:
        """Return the standard error of the effect less shares (P,) that are known numbers."""
        b = np.r_[1.0, -shares]
        return float(np.sqrt(b @ self.covariance @ b))


def shared_shares(regions: Sequence[RegionContrasts], weight: FloatArray) -> FloatArray:
    r"""Return (P,) the shares that make the variance of the weighted mean of regions smallest.

    .. math:: \beta^* = \Big(\sum_r w_r^2 V_{X,r}\Big)^{-1} \sum_r w_r^2 V_{X\theta,r}

    Parameters
    ----------
    regions : k regions.
    weight : (k,) weights of the mean, fixed before outcomes.

    Raises
    ------
    EstimationError
        If there is no region.

    Example
    -------
    >>> one = RegionContrasts(np.zeros(2), np.array([[2.0, 0.5], [0.5, 1.0]]), np.zeros(2), np.zeros(2))
    >>> shared_shares([one, one], np.ones(2)).tolist()
    [0.5]
    """
    if not regions:
        raise EstimationError("Shares common to regions need one region at least.")
    whole = sum(w**2 * r.covariance for r, w in zip(regions, np.asarray(weight, dtype=np.float64), strict=True))
    return frozen(np.linalg.lstsq(whole[1:, 1:], whole[1:, 0], rcond=None)[0])
