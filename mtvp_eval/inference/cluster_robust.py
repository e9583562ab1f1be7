"""Cluster-robust covariances of a least-squares fit: CR1, CR2 with its degrees of freedom, CR3 by deletion.

They need the design matrix. Influence values alone have CR1 (``clustering``); rescaled, those are neither CR2 nor CR3.
Source: Bell & McCaffrey (2002); Pustejovsky & Tipton (2018); MacKinnon, Nielsen & Webb (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.errors import EstimationError

_ROUNDING = 1e-10


class Kind(StrEnum):
    """Which covariance: CR1 with C/(C - 1), CR2 of Bell and McCaffrey, CR3 by leaving out, CV3 with (C - 1)/C."""

    CR1 = "CR1"
    CR2 = "CR2"
    CR3 = "CR3"
    CV3 = "CV3"


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """Rows of a weighted regression whose clusters are whole units of assignment.

    Parameters
    ----------
    X : (N, p) regressors; effects of units that lie inside one cluster may have been taken out beforehand.
    y : (N,) outcome, treated alike.
    cluster : (N,) integer from 0.
    weight : (N,) positive.
    """

    X: FloatArray
    y: FloatArray
    cluster: IntArray
    weight: FloatArray

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max()) + 1

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return X'WX (C, p, p) and X'Wy (C, p) of each cluster."""
        C, p = self.n_clusters, self.X.shape[1]
        gram, moment = np.zeros((C, p, p)), np.zeros((C, p))
        order = np.argsort(self.cluster, kind="stable")
        X, y, w = self.X[order], self.y[order], self.weight[order]
        last = np.cumsum(np.bincount(self.cluster, minlength=C))
        for c, mine in enumerate(map(slice, [0, *last[:-1]], last)):
            WX = X[mine].T if (w[mine] == 1).all() else X[mine].T * w[mine]
            gram[c], moment[c] = WX @ X[mine], WX @ y[mine]
        return gram, moment


@dataclass(frozen=True, slots=True, eq=False)
class TwoWayRows:
    """The rows of a two-way regression; dense regressors are made only where a method asks for them.

    Parameters
    ----------
    within : (n, T, 1 + K) outcome and effects less their unit's mean over the rows seen, zero elsewhere.
    seen : (n, T) rows of the regression.
    unit_cluster : (n,) integer from 0.
    unit_weight : (n,) positive.
    """

    within: FloatArray
    seen: BoolArray
    unit_cluster: IntArray
    unit_weight: FloatArray

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.unit_cluster.max()) + 1

    @property
    def X(self) -> FloatArray:  # noqa: N802 - the regressors, as in LeastSquares
        """(N, K + T - 1) effects and periods, less unit means."""
        n, T = self.seen.shape
        periods = np.broadcast_to(np.eye(T)[:, 1:], (n, T, T - 1)) * self.seen[:, :, None]
        periods -= periods.sum(axis=1, keepdims=True) / np.maximum(self.seen.sum(axis=1), 1)[:, None, None]
        return np.concatenate([self.within[:, :, 1:], periods], axis=2)[self.seen]

    @property
    def y(self) -> FloatArray:
        """(N,) outcome, less unit means."""
        return self.within[:, :, 0][self.seen]

    @property
    def cluster(self) -> IntArray:
        """(N,) cluster of each row."""
        return np.broadcast_to(self.unit_cluster[:, None], self.seen.shape)[self.seen]

    @property
    def weight(self) -> FloatArray:
        """(N,) weight of each row."""
        return np.broadcast_to(self.unit_weight[:, None], self.seen.shape)[self.seen]

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return X'WX (C, p, p) and X'Wy (C, p) of each cluster.

        Means over the rows seen are a projection, so a period's product with anything is the sum of that in the period.
        """
        T, K = self.seen.shape[1], self.within.shape[2] - 1
        order = np.argsort(self.unit_cluster, kind="stable")
        count = np.bincount(self.unit_cluster)
        values, w, seen = self.within[order], self.unit_weight[order], self.seen[order]

        def by_cluster(of_unit: FloatArray) -> FloatArray:
            total = np.zeros((len(count), *of_unit.shape[1:]))
            total[count > 0] = np.add.reduceat(of_unit, (np.cumsum(count) - count)[count > 0], axis=0)
            return total

        gram, moment = np.empty((len(count), K + T - 1, K + T - 1)), np.empty((len(count), K + T - 1))
        weighted = w[:, None, None] * values
        products = by_cluster(np.einsum("nta,ntk->nak", weighted, values[:, :, 1:]))
        sums = by_cluster(weighted)
        moment[:, :K], moment[:, K:] = products[:, 0], sums[:, 1:, 0]
        gram[:, :K, :K], gram[:, K:, :K] = products[:, 1:], sums[:, 1:, 1:]
        gram[:, :K, K:] = gram[:, K:, :K].transpose(0, 2, 1)
        if seen.all():
            gram[:, K:, K:] = by_cluster(w)[:, None, None] * (np.eye(T) - 1 / T)[1:, 1:]
            return gram, moment
        o = seen.astype(np.float64)
        share = w[:, None] * o / np.maximum(o.sum(axis=1, keepdims=True), 1)
        for c, mine in enumerate(np.split(np.arange(len(w)), np.cumsum(count)[:-1])):
            gram[c, K:, K:] = (np.diag(w[mine] @ o[mine]) - share[mine].T @ o[mine])[1:, 1:]
        return gram, moment


@dataclass(frozen=True, slots=True, eq=False)
class ClusterRobust:
    """Hold coefficients (p,), their covariance (p, p), degrees of freedom (p,) and which covariance it is."""

    estimate: FloatArray
    covariance: FloatArray
    df: FloatArray
    kind: Kind

    def interval(self, level: float = 0.95) -> FloatArray:
        """Return the t intervals, (p, 2)."""
        from scipy.special import stdtrit

        half = stdtrit(self.df, 0.5 + level / 2) * np.sqrt(np.diag(self.covariance))
        return np.column_stack([self.estimate - half, self.estimate + half])


def two_way_rows(y: FloatArray, effects: FloatArray, cluster: IntArray, weight: FloatArray | None = None) -> TwoWayRows:
    r"""Return the rows of :math:`y_{it} = \alpha_i + \lambda_t + x_{it}'\beta + e_{it}` with unit effects taken out.

    Parameters
    ----------
    y : (n, T) outcomes; a missing one is NaN and its row is left out.
    effects : (n, T, K) regressors of interest; their coefficients come first, those of T - 1 periods after them.
    cluster : (n,) integer cluster of each unit, from 0.
    weight : (n,) constant in time; one for every unit where not given.

    Raises
    ------
    EstimationError
        If the shapes disagree.

    Source: within transformation; Frisch & Waugh (1933).

    Example
    -------
    >>> D = np.array([[0.0, 1.0], [0.0, 0.0]])[:, :, None]
    >>> rows = two_way_rows(np.array([[1.0, 4.0], [2.0, 3.0]]), D, np.array([0, 1]))
    >>> rows.X.tolist()
    [[-0.5, -0.5], [0.5, 0.5], [0.0, -0.5], [0.0, 0.5]]
    """
    n, T = y.shape
    if effects.shape[:2] != (n, T) or cluster.shape != (n,):
        raise EstimationError(f"Effects {effects.shape} and clusters {cluster.shape} do not fit outcomes {y.shape}.")
    seen = np.isfinite(y)
    within = np.where(seen[:, :, None], np.concatenate([y[:, :, None], effects], axis=2), 0.0)
    within -= within.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1), 1)[:, None, None]
    if not seen.all():
        within *= seen[:, :, None]
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    return TwoWayRows(within, seen, cluster, w)


def cluster_robust(rows: LeastSquares | TwoWayRows, kind: Kind = Kind.CR2) -> ClusterRobust:
    r"""Estimate by least squares and return the asked-for covariance with its degrees of freedom.

    .. math:: \hat V = M \Big[\sum_c X_c'W_cA_c\hat e_c\hat e_c'A_c'W_cX_c\Big] M, \qquad M = (X'WX)^{-1}

    CR1: A = I and the factor C/(C - 1). CR2: :math:`A_c = [(I-H)(I-H)']_{cc}^{-1/2}`, unbiased if errors are
    independent with equal variance, with Satterthwaite's degrees of freedom under that model. CR3: the sum of squared
    changes when a cluster is left out, which is :math:`A_c = (I-H_{cc})^{-1}`; CV3 is CR3 times (C - 1)/C. All but CR2
    have C - 1 degrees of freedom.

    Parameters
    ----------
    rows : the regression.
    kind : CR1, CR2 (default), CR3 or CV3.

    Raises
    ------
    EstimationError
        If there are fewer than two clusters, or coefficients cannot be told apart (for CR3: without one cluster).

    Source: Bell & McCaffrey (2002), bias-reduced linearization; Pustejovsky & Tipton (2018) on absorbed effects.

    Example
    -------
    >>> rows = LeastSquares(np.ones((4, 1)), np.array([1.0, 3.0, 2.0, 6.0]), np.arange(4), np.ones(4))
    >>> [round(float(cluster_robust(rows, kind).covariance[0, 0]), 4) for kind in Kind]
    [1.1667, 1.1667, 1.5556, 1.1667]
    """
    kind = Kind(kind)
    if rows.n_clusters < 2:
        raise EstimationError("All rows lie in one cluster; its spread cannot be seen. Cluster at a lower level.")
    gram, moment = rows.moments()
    bread = _inverse(gram.sum(axis=0), "The coefficients")
    beta = bread @ moment.sum(axis=0)
    C, df = rows.n_clusters, np.full(len(beta), rows.n_clusters - 1.0)
    if kind in (Kind.CR3, Kind.CV3):
        change = _changes(gram, moment, beta)
        factor = (C - 1) / C if kind == Kind.CV3 else 1.0
        return ClusterRobust(beta, factor * change.T @ change, df, kind)
    if kind == Kind.CR1:
        scores = (moment - gram @ beta) @ bread
        return ClusterRobust(beta, C / (C - 1) * scores.T @ scores, df, kind)
    scores, df = _bias_reduced(rows, bread, beta)
    return ClusterRobust(beta, scores.T @ scores, df, kind)


def deletion_covariance(
    estimate: FloatArray, refit: Callable[[BoolArray], FloatArray], cluster: IntArray
) -> FloatArray:
    r"""Return CR3 of any estimator by leaving out one cluster at a time, (K, K).

    .. math:: \hat V = \sum_c (\hat\theta^{(c)} - \hat\theta)(\hat\theta^{(c)} - \hat\theta)'

    Parameters
    ----------
    estimate : (K,) on all units.
    refit : takes the units kept (n,) and returns the estimates (K,) on them, everything re-estimated.
    cluster : (n,) integer from 0.

    Raises
    ------
    EstimationError
        If an estimate cannot be made without one of the clusters.

    Source: MacKinnon, Nielsen & Webb (2023), the cluster jackknife CV3, without its factor (C - 1)/C.

    Example
    -------
    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> deletion_covariance(np.array([3.0]), lambda kept: y[kept].mean(keepdims=True), np.arange(4)).round(4).tolist()
    [[1.5556]]
    """
    change = np.stack([refit(cluster != c) - estimate for c in range(int(cluster.max()) + 1)])
    lost = int((~np.isfinite(change).all(axis=1)).sum())
    if lost:
        raise EstimationError(f"Without {lost} of {len(change)} clusters the estimate does not exist: no CR3.")
    return change.T @ change


def _changes(gram: FloatArray, moment: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the change of the coefficients when each cluster is left out, (C, p)."""
    rest = gram.sum(axis=0) - gram
    inverse = np.stack([_inverse(G, "Without one of the clusters, coefficients") for G in rest])
    without = np.einsum("cij,cj->ci", inverse, moment.sum(axis=0) - moment)
    return np.asarray(without - beta, dtype=np.float64)


def _bias_reduced(
    rows: LeastSquares | TwoWayRows, bread: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return CR2's scores (C, p) and Satterthwaite's degrees of freedom (p,)."""
    X, w = rows.X, rows.weight
    residual = rows.y - X @ beta
    middle = bread @ ((w**2)[:, None] * X).T @ X @ bread
    C, p = rows.n_clusters, X.shape[1]
    scores, square = np.empty((C, p)), np.empty((C, p))
    plain, weighted = np.empty((C, p, p)), np.empty((C, p, p))  # X'a and X'Wa for each column a of A W X M
    for c, mine in enumerate(_places(rows)):
        Xc, WXc = X[mine], w[mine, None] * X[mine]
        basis, R = np.linalg.qr(np.column_stack([Xc, WXc]))
        core = np.block([[middle, -bread], [-bread, np.zeros((p, p))]])
        values, vectors = np.linalg.eigh(np.eye(len(R)) + R @ core @ R.T)
        power = np.where(values > _ROUNDING, np.maximum(values, _ROUNDING) ** -0.5, 0.0) - 1.0
        a = WXc @ bread
        a = a + basis @ (vectors * power) @ (vectors.T @ (basis.T @ a))
        scores[c], square[c] = a.T @ residual[mine], (a**2).sum(axis=0)
        plain[c], weighted[c] = Xc.T @ a, WXc.T @ a
    df = np.empty(p)
    for k in range(p):
        P, Q = plain[:, :, k], weighted[:, :, k]
        cross = P @ bread @ Q.T
        spread = np.diag(square[:, k]) - cross - cross.T + P @ middle @ P.T
        df[k] = np.trace(spread) ** 2 / (spread**2).sum()
    return scores, df


def _places(rows: LeastSquares | TwoWayRows) -> list[IntArray]:
    order = np.argsort(rows.cluster, kind="stable")
    return np.split(order, np.cumsum(np.bincount(rows.cluster))[:-1])


def _inverse(G: FloatArray, what: str) -> FloatArray:
    scale = 1 / np.sqrt(np.maximum(np.diag(G), np.finfo(np.float64).tiny))
    correlation = G * np.outer(scale, scale)
    if np.linalg.eigvalsh(correlation)[0] < _ROUNDING:
        raise EstimationError(f"{what} cannot be told apart; drop a regressor, or use CR1 with its t interval.")
    return np.linalg.inv(correlation) * np.outer(scale, scale)
