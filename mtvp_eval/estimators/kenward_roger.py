r"""Kenward-Roger: covariance and degrees of freedom of fixed effects in a mixed model with few units.

Source: Kenward & Roger (1997), Biometrics 53, eq. 3-5 and section 4, for a covariance that is linear in its components,
where their second-derivative term vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the data that are independent of all others: X (m, p), residual r (m,), components G (q, m, m)."""

    X: FloatArray
    residual: FloatArray
    components: FloatArray


@dataclass(frozen=True, slots=True)
class SmallSample:
    """Adjusted covariance (p, p), plain one, its derivatives (q, p, p) and covariance of the components W (q, q).

    ``gain`` is how much the restricted log-likelihood would rise by one more scoring step: zero at its maximum.
    """

    adjusted: FloatArray
    plain: FloatArray
    derivative: FloatArray
    component_covariance: FloatArray
    gain: float

    def df(self, contrasts: FloatArray) -> FloatArray:
        r"""Return (K,) degrees of freedom of the rows of ``contrasts`` (K, p).

        .. math:: df = 2 / A, \qquad A = \sum_{kl} W_{kl} \, \partial_k v \, \partial_l v / v^2, \quad v = c'\Phi c

        which is Kenward & Roger's m for one contrast, and Satterthwaite's with the expected information.
        """
        v = np.einsum("kp,pr,kr->k", contrasts, self.plain, contrasts)
        d = np.einsum("kp,qpr,kr->kq", contrasts, self.derivative, contrasts) / v[:, None]
        return np.asarray(2 / np.einsum("kq,qs,ks->k", d, self.component_covariance, d), dtype=np.float64)


def small_sample(blocks: Sequence[Block], variance: FloatArray) -> SmallSample:
    r"""Return the covariance of generalised least squares that allows for estimated variance components.

    .. math:: V = \sum_k \theta_k G_k, \quad \Phi = (X'V^{-1}X)^{-1}, \quad P_k = -X'V^{-1}G_kV^{-1}X, \quad
        Q_{kl} = X'V^{-1}G_kV^{-1}G_lV^{-1}X

    .. math:: \Phi_A = \Phi + 2 \Phi \Big\{ \sum_{kl} W_{kl} (Q_{kl} - P_k \Phi P_l) \Big\} \Phi, \qquad
        (W^{-1})_{kl} = \tfrac12 tr(V^{-1}G_kV^{-1}G_l) - tr(\Phi Q_{kl}) + \tfrac12 tr(\Phi P_k \Phi P_l)

    Parameters
    ----------
    blocks : independent parts of the data.
    variance : theta (q,), one for each component; the last is the residual's.

    Example
    -------
    >>> rows = Block(np.ones((5, 1)), np.array([-2.0, -1, 0, 1, 2]), np.eye(5)[None])
    >>> mean = small_sample([rows], np.array([2.5]))
    >>> mean.adjusted.round(12).tolist(), mean.df(np.array([[1.0]])).round(9).tolist(), round(mean.gain, 12)
    ([[0.5]], [4.0], 0.0)
    """
    p, q = blocks[0].X.shape[1], len(variance)
    XVX, P, Q = np.zeros((p, p)), np.zeros((q, p, p)), np.zeros((q, q, p, p))
    trace, trace_one, square = np.zeros((q, q)), np.zeros(q), np.zeros(q)
    for block in blocks:
        inverse = np.linalg.inv(np.einsum("q,qmn->mn", variance, block.components))
        VX, u = inverse @ block.X, inverse @ block.residual
        GVX, VG = block.components @ VX, inverse @ block.components
        XVX += block.X.T @ VX
        P -= np.einsum("mp,qmr->qpr", VX, GVX)
        Q += np.einsum("kmp,lmr->klpr", GVX, inverse @ GVX)
        trace += np.einsum("kmn,lnm->kl", VG, VG)
        trace_one += np.einsum("kmm->k", VG)
        square += np.einsum("m,kmn,n->k", u, block.components, u)
    plain: FloatArray = np.asarray(np.linalg.inv(XVX), dtype=np.float64)
    information = (
        0.5 * trace - np.einsum("pr,klrp->kl", plain, Q) + 0.5 * np.einsum("pr,krs,st,ltp->kl", plain, P, plain, P)
    )
    W: FloatArray = np.asarray(np.linalg.inv(information), dtype=np.float64)
    inner = np.einsum("kl,klpr->pr", W, Q) - np.einsum("kl,kps,st,ltr->pr", W, P, plain, P)
    score = 0.5 * (square - trace_one - np.einsum("pr,krp->k", plain, P))
    return SmallSample(
        plain + 2 * plain @ inner @ plain, plain, -np.einsum("ps,kst,tr->kpr", plain, P, plain), W,
        float(0.5 * score @ W @ score),
    )  # fmt: skip


def independent_blocks(X: FloatArray, residual: FloatArray, block: IntArray, labels: Sequence[IntArray]) -> list[Block]:
    """Return the independent parts of the data; each label (m,) names the rows that share one random effect.

    Parameters
    ----------
    X : (N, p).
    residual : (N,).
    block : (N,) number of the independent part of each row.
    labels : one (N,) array for each random effect; the residual's component is added last.

    Example
    -------
    >>> parts = independent_blocks(np.ones((3, 1)), np.zeros(3), np.array([0, 0, 1]), [np.array([0, 0, 1])])
    >>> parts[0].components.tolist()
    [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    """
    parts = []
    for number in np.unique(block):
        rows = np.flatnonzero(block == number)
        shared = [(label[rows][:, None] == label[rows]).astype(np.float64) for label in labels]
        parts.append(Block(X[rows], residual[rows], np.stack([*shared, np.eye(len(rows))])))
    return parts
