"""Variances of influence functions: plain, clustered, with the HC2 factor, and their degrees of freedom.

Arguments: ``influence`` (n, K); ``cluster`` (n,) labels or None; ``stratum`` (n,) integers from 0; ``member`` (n, K),
or None where every unit belongs to every column.
Source: Liang & Zeger (1986) for clusters; MacKinnon & White (1985) for HC2; Satterthwaite (1946), Welch (1947);
Bergé (2018) for the factor of fixest.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray


def cluster_sums(influence: FloatArray, cluster: ObjectArray | None) -> FloatArray:
    """Return the sums of ``influence`` within ``cluster``, (C, K); the values themselves without clusters.

    >>> cluster_sums(np.array([[1.0], [2.0], [4.0]]), np.array(["a", "b", "a"], dtype=object)).tolist()
    [[5.0], [2.0]]
    """
    if cluster is None:
        return influence
    _, code = np.unique(cluster.astype(str), return_inverse=True)
    total = np.zeros((int(code.max()) + 1, influence.shape[1]))
    np.add.at(total, code, influence)
    return total


def hc2_scale(stratum: IntArray, member: BoolArray | None, cluster: ObjectArray | None) -> FloatArray:
    r"""Return :math:`\sqrt{m_s/(m_s-1)}` for each unit's ``stratum`` s: (n, 1), or (n, K) where ``member`` is given.

    m counts the units (of ``cluster`` the labels, if given) of a stratum that belong to the column. With influence
    values centred at stratum means the scaled square is Neyman's variance, which is HC2 of the saturated regression.
    A stratum of one keeps the factor 1: an estimate that leans on it carries a reason instead of a standard error.

    >>> hc2_scale(np.array([0, 0, 1]), None, None).ravel().round(6).tolist()
    [1.414214, 1.414214, 1.0]
    """
    columns = np.ones((len(stratum), 1), dtype=np.bool_) if member is None else member
    count = _members(stratum, columns, cluster)
    factor = np.sqrt(np.where(count > 1, count / np.maximum(count - 1, 1), 1.0))
    return np.asarray(factor[stratum], dtype=np.float64)


def covariance(influence: FloatArray, cluster: ObjectArray | None) -> FloatArray:
    r"""Return :math:`\sum_c s_c s_c' / n^2` with s the sums of ``influence`` within ``cluster``, (K, K).

    >>> covariance(np.array([[3.0], [-3.0]]), None).tolist()
    [[4.5]]
    """
    sums = cluster_sums(influence, cluster)
    return sums.T @ sums / len(influence) ** 2


def variance(influence: FloatArray, cluster: ObjectArray | None) -> FloatArray:
    """Return the diagonal of ``covariance(influence, cluster)`` without forming it, (K,).

    >>> variance(np.array([[3.0], [-3.0]]), None).tolist()
    [4.5]
    """
    sums = cluster_sums(influence, cluster)
    return np.einsum("ck,ck->k", sums, sums) / len(influence) ** 2


def fixest_factor(clusters: int, rows: int, parameters: int) -> float:
    r"""Return :math:`\frac{C}{C-1}\frac{N-1}{N-K}`, the small-sample factor of a clustered regression.

    ``parameters`` K counts coefficients and period effects; unit effects lie within clusters and are not counted
    (fixest's "nonnested", Stata's areg and reghdfe alike).

    >>> fixest_factor(2, 11, 6)
    4.0
    """
    return clusters / (clusters - 1) * (rows - 1) / (rows - parameters)


def two_way_covariance(score: FloatArray, cluster: ObjectArray | None, parameters: int) -> FloatArray:
    r"""Return the covariance clustered by ``cluster`` (units where None) and by period of ``score`` (n, T, K), (K, K).

    .. math:: (V_{unit} + V_{period} - V_{row}) \frac{C_{min}}{C_{min}-1}\frac{N-1}{N-K}

    Scores sum to psi / n over periods and are zero in rows not used; ``parameters`` K counts coefficients and one
    constant, since unit and period effects both lie within clusters. Not positive definite by construction.
    Source: Cameron, Gelbach & Miller (2011), eq. 2.10, with the smaller number of clusters in the factor.

    >>> two_way_covariance(np.array([[[1.0], [-1.0]], [[1.0], [-1.0]]]), None, 2).ravel().round(6).tolist()
    [12.0]
    """
    T, K = score.shape[1:]
    by_unit = cluster_sums(score.sum(axis=1), cluster)
    by_period = score.sum(axis=0)
    if cluster is None:
        crossed = score.reshape(-1, K)
    else:
        crossed = np.concatenate([cluster_sums(score[:, t], cluster) for t in range(T)])
    smallest = min(len(by_unit), T)
    rows = int((score != 0).any(axis=2).sum())
    raw = by_unit.T @ by_unit + by_period.T @ by_period - crossed.T @ crossed
    return raw * smallest / (smallest - 1) * (rows - 1) / (rows - parameters)


def satterthwaite_df(
    influence: FloatArray, stratum: IntArray, member: BoolArray | None, cluster: ObjectArray | None
) -> FloatArray:
    r"""Return Satterthwaite's degrees of freedom of each column of ``influence``, (K,).

    .. math:: df = \frac{(\sum_s v_s)^2}{\sum_s v_s^2 / (m_s - 1)}

    with v_s the part of the variance that ``stratum`` s contributes and m_s its units (``cluster`` labels), those of
    ``member`` only. Where clusters cross strata the parts are not independent and df = C - 1.

    >>> satterthwaite_df(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([0, 0, 1, 1]), None, None).tolist()
    [2.0]
    """
    if cluster is not None:
        _, code = np.unique(cluster.astype(str), return_inverse=True)
        pairs = np.unique(np.column_stack([code, stratum]), axis=0)
        if len(pairs) > code.max() + 1:
            return np.full(influence.shape[1], float(code.max()))
        influence, stratum_of = cluster_sums(influence, cluster), pairs[:, 1]
        columns = (
            np.ones((len(influence), 1), dtype=np.bool_)
            if member is None
            else cluster_sums(member.astype(np.float64), cluster) > 0
        )
    else:
        stratum_of = stratum
        columns = np.ones((len(influence), 1), dtype=np.bool_) if member is None else member
    count = _members(stratum_of, columns, None)
    part = np.zeros((int(stratum_of.max()) + 1, influence.shape[1]))
    for s in np.unique(stratum_of):
        own = influence[stratum_of == s]
        part[s] = np.einsum("ik,ik->k", own, own)
    return satterthwaite(part, count)


def satterthwaite(part: FloatArray, count: IntArray) -> FloatArray:
    """Return (K,) degrees of freedom from the ``part`` (S, K) of each stratum and its ``count`` (S, 1 or K) of units.

    >>> satterthwaite(np.array([[1.0], [1.0]]), np.array([[2], [2]])).tolist()
    [2.0]
    """
    spread = np.where(count > 1, part**2 / np.maximum(count - 1, 1), part**2).sum(axis=0)
    total = part.sum(axis=0)
    return np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1.0), np.nan)


def _members(stratum: IntArray, columns: BoolArray, cluster: ObjectArray | None) -> IntArray:
    """Return (S, columns) the number of units, or of distinct clusters, in each stratum."""
    total = np.zeros((int(stratum.max()) + 1, columns.shape[1]), dtype=np.int64)
    if cluster is None:
        for s in np.unique(stratum):
            total[s] = columns[stratum == s].sum(axis=0)
        return total
    _, code = np.unique(cluster.astype(str), return_inverse=True)
    pairs, place = np.unique(np.column_stack([code, stratum]), axis=0, return_inverse=True)
    present = np.zeros((len(pairs), columns.shape[1]), dtype=np.bool_)
    np.logical_or.at(present, place.ravel(), columns)
    np.add.at(total, pairs[:, 1], present)
    return total
