"""Wild cluster bootstrap of one coefficient of a regression: the null imposed, every draw studentised.

Each draw flips (or rescales) the restricted residuals of whole clusters. Estimate, cluster scores and deletions of a
draw are linear in the C multipliers: each cluster's own multiplier times a number, less what the p refitted
coefficients carry over, so all draws together are a few products of p x C with C x B matrices.
Source: Cameron, Gelbach & Miller (2008); MacKinnon, Nielsen & Webb (2023) for the leverage-scaled versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.cluster_robust import LeastSquares, TwoWayRows

FEWEST_ON_A_SIDE = 5
"""Below so many clusters with, or without, the programme the bootstrap is refused: its size is not kept."""
_TIE = 1e-9
_AT_ONCE = 250
"""Draws worked on at once: few enough for the cache."""
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))


class Multiplier(StrEnum):
    """Law of the cluster multipliers: two points (all enumerated when few), or Webb's six for very few clusters."""

    RADEMACHER = "rademacher"
    WEBB = "webb"


class Version(StrEnum):
    """Studentised by CR1 or CR3, and residuals plain (first digit 1) or scaled by leverage (first digit 3)."""

    WCR11 = "11"
    WCR13 = "13"
    WCR31 = "31"
    WCR33 = "33"


@dataclass(frozen=True, slots=True)
class WildTest:
    """Hold the estimate, its standard error, the p-value of the null, the interval, and how many draws it rests on."""

    estimate: float
    std_error: float
    p_value: float
    low: float
    high: float
    draws: int
    enumerated: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Hold R = diag(own) - left right: own (C,), left (C, q), right (q, C)."""

    own: FloatArray
    left: FloatArray
    right: FloatArray

    def times(self, v: FloatArray) -> FloatArray:
        """Return R v (C, B) of multipliers v (C, B)."""
        found = self.left @ (self.right @ v)
        return np.subtract(self.own[:, None] * v, found, out=found)


@dataclass(frozen=True, slots=True, eq=False)
class _Statistic:
    """Numerator and rows whose squares are summed, per multiplier, as a constant less null times a slope."""

    lead: FloatArray  # (2, C)
    spread: tuple[_Rows, _Rows]
    estimate: float
    error: float  # without scalar factors: they cancel


def wild_cluster_bootstrap(
    rows: LeastSquares | TwoWayRows,
    treated: BoolArray,
    rng: np.random.Generator,
    *,
    null: float = 0.0,
    version: Version = Version.WCR31,
    multiplier: Multiplier = Multiplier.RADEMACHER,
    draws: int = 9_999,
    level: float = 0.95,
) -> WildTest:
    r"""Test the first coefficient of a regression, and invert the test into an interval.

    .. math:: y^*_c = X_c\tilde\beta + v_c\tilde u_c, \qquad t^* = (\hat\beta^*_1 - b_0)/\widehat{se}^*, \qquad
              p = \Pr\nolimits^*(|t^*| \ge |t|)

    with tilde for the fit under the null b0. Ties count against rejection. With two-point multipliers all 2^C draws
    are made where that is no more than ``draws`` + 1. The interval holds the nulls that are not rejected at 1 - level;
    its ends are found by bisection with the same multipliers.

    Parameters
    ----------
    rows : the regression; the tested coefficient is its first.
    treated : (N,) rows under the programme; both sides must hold at least five clusters.
    rng : generator.
    null : b0.
    version : 31 (default: residuals scaled by leverage, CR1), 11, 13 or 33.
    multiplier : rademacher, or webb where fewer than ten clusters leave few different draws.
    draws : B.
    level : of the interval.

    Raises
    ------
    EstimationError
        If fewer than five clusters hold treated or untreated rows, or the coefficient is not identified.

    Source: Cameron, Gelbach & Miller (2008), null imposed; MacKinnon, Nielsen & Webb (2023), 13 to 33; Webb (2023).

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> cluster, D = np.repeat(np.arange(12), 4), np.repeat(np.arange(12) % 2, 4)
    >>> rows = LeastSquares(np.column_stack([D, np.ones(48)]), rng.normal(size=48) + 9 * D, cluster, np.ones(48))
    >>> found = wild_cluster_bootstrap(rows, D == 1, rng)
    >>> found.p_value < 0.01, found.low < found.estimate < found.high, found.draws
    (True, True, 4096)
    """
    refuse_few_clusters(rows.cluster, treated, ~treated)
    v, enumerated = multipliers(rows.n_clusters, rng, Multiplier(multiplier), draws)
    s = _statistic(rows, Version(version))
    lead, squares = np.empty((2, v.shape[1])), np.empty((3, v.shape[1]))
    for first in range(0, v.shape[1], _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        here = v[:, part].astype(np.float64)
        lead[:, part] = s.lead @ here
        a, b = (rows.times(here) for rows in s.spread)
        for k, (one, other) in enumerate(((a, a), (a, b), (b, b))):
            squares[k, part] = np.einsum("cb,cb->b", one, other)

    def p_value(b0: float) -> float:
        error = np.sqrt(np.maximum(squares[0] - 2 * b0 * squares[1] + b0**2 * squares[2], np.finfo(np.float64).tiny))
        return share_as_large(np.abs(lead[0] - b0 * lead[1]) / error, abs(s.estimate - b0) / s.error)

    low, high = invert(p_value, s.estimate, s.error, 1 - level)
    C = rows.n_clusters
    factor = np.sqrt(C / (C - 1)) if Version(version) in (Version.WCR11, Version.WCR31) else 1.0
    return WildTest(s.estimate, factor * s.error, p_value(null), low, high, v.shape[1], enumerated)


def multipliers(C: int, rng: np.random.Generator, law: Multiplier, draws: int) -> tuple[NDArray[Any], bool]:
    """Return multipliers of C clusters, (C, B), and whether they are all there are; signs take a byte each.

    >>> every, enumerated = multipliers(3, np.random.default_rng(0), Multiplier.RADEMACHER, 99)
    >>> every.shape, enumerated, float(every.sum())
    ((3, 8), True, 0.0)
    """
    if law == Multiplier.WEBB:
        return np.concatenate([-_WEBB, _WEBB])[rng.integers(0, 6, size=(C, draws))], False
    if draws + 1 >= 2**C:
        bits = (np.arange(2**C)[None, :] >> np.arange(C)[:, None]) & 1
        return (2 * bits - 1).astype(np.int8), True
    random = np.frombuffer(rng.bytes(C * -(-draws // 8)), dtype=np.uint8).reshape(C, -1)
    v = np.unpackbits(random, axis=1, count=draws).view(np.int8)
    v *= 2
    v -= 1
    return v, False


def refuse_few_clusters(cluster: IntArray | ObjectArray, treated: BoolArray, comparison: BoolArray) -> None:
    """Refuse a contrast of rows ``treated`` (N,) with ``comparison`` (N,) if either lies in under five of ``cluster``.

    Raises
    ------
    EstimationError
        If it does; ``cluster`` (N,) holds the labels.

    >>> refuse_few_clusters(np.arange(10), np.arange(10) < 5, np.arange(10) >= 5)
    """
    labels = [cluster[side] for side in (treated, comparison)]
    sides = [len(np.unique(own) if own.dtype.kind == "i" else set(own.tolist())) for own in labels]
    if min(sides) < FEWEST_ON_A_SIDE:
        raise EstimationError(
            f"The contrast rests on {sides[0]} clusters with and {sides[1]} without the programme; a wild bootstrap "
            f"needs {FEWEST_ON_A_SIDE} on either side. Replay the draw instead, or use t with Satterthwaite's df."
        )


def invert(
    p_value: Callable[[float], float], estimate: float, error: float, alpha: float, steps: int = 60
) -> tuple[float, float]:
    """Return the ends of the nulls with p above alpha on either side of an estimate, by bisection.

    An end beyond a million standard errors is infinite. Source: Davidson & MacKinnon (2010).

    >>> low, high = invert(lambda b: 1.0 if abs(b - 2) < 3 else 0.0, 2.0, 1.0, 0.05)
    >>> round(low, 6), round(high, 6)
    (-1.0, 5.0)
    """
    ends = []
    for sign in (-1.0, 1.0):
        inside, outside = 0.0, 4.0
        while p_value(estimate + sign * outside * error) > alpha and outside < 1e6:
            inside, outside = outside, 2 * outside
        if outside >= 1e6:
            ends.append(sign * np.inf)
            continue
        for _ in range(steps):
            middle = (inside + outside) / 2
            if p_value(estimate + sign * middle * error) > alpha:
                inside = middle
            else:
                outside = middle
        ends.append(estimate + sign * inside * error)
    return ends[0], ends[1]


def share_as_large(drawn: FloatArray, seen: float) -> float:
    """Return the share of ``drawn`` (B,) at least as large as ``seen``; ties by rounding count.

    >>> share_as_large(np.array([1.0, 2.0, 3.0, 4.0]), 3.0)
    0.5
    """
    return float(np.mean(drawn >= seen * (1 - _TIE)))


def _statistic(rows: LeastSquares | TwoWayRows, version: Version) -> _Statistic:
    """Reduce a regression to what a draw of multipliers is multiplied with."""
    gram, moment = rows.moments()
    G = gram.sum(axis=0)
    bread = np.linalg.pinv(G, hermitian=True)
    beta = bread @ moment.sum(axis=0)
    others = G[1:, 1:]
    tested = G[0, 0] - G[0, 1:] @ np.linalg.pinv(others, hermitian=True) @ G[1:, 0]
    if tested <= 1e-10 * G[0, 0]:
        raise EstimationError("The tested coefficient cannot be told apart from the other regressors.")
    by_leverage = version in (Version.WCR31, Version.WCR33)
    outcome = _restricted_scores(gram, moment, by_leverage)
    regressor = _restricted_scores(gram, gram[:, :, 0], by_leverage)
    lead = np.stack([outcome @ bread[0], regressor @ bread[0]])
    if version in (Version.WCR11, Version.WCR31):
        spread = [_score_rows(gram, bread, g) for g in (outcome, regressor)]
        error = np.linalg.norm((moment - gram @ beta) @ bread[0])
    else:
        rest = np.linalg.pinv(G - gram, hermitian=True)[:, 0]  # (C, p): first rows without a cluster
        spread = [_deletion_rows(rest, bread, g) for g in (outcome, regressor)]
        error = np.linalg.norm(np.einsum("cp,cp->c", rest, moment.sum(axis=0) - moment) - beta[0])
    return _Statistic(lead, (spread[0], spread[1]), float(beta[0]), float(error))


def _restricted_scores(gram: FloatArray, moment: FloatArray, by_leverage: bool) -> FloatArray:
    """Return X'Wu of each cluster (C, p), u the residuals of a variable on all regressors but the first."""
    G, m = gram.sum(axis=0)[1:, 1:], moment.sum(axis=0)[1:]
    if by_leverage:  # residuals from the fit without the cluster are those scaled by leverage
        coefficient = np.einsum("cij,cj->ci", np.linalg.pinv(G - gram[:, 1:, 1:], hermitian=True), m - moment[:, 1:])
    else:
        coefficient = np.broadcast_to(np.linalg.pinv(G, hermitian=True) @ m, (len(gram), len(m)))
    return np.asarray(moment - np.einsum("cij,cj->ci", gram[:, :, 1:], coefficient), dtype=np.float64)


def _score_rows(gram: FloatArray, bread: FloatArray, scores: FloatArray) -> _Rows:
    """Return R: R v are the cluster scores of the refitted draw v, in the direction of the coefficient."""
    return _Rows(scores @ bread[0], np.einsum("p,cpq->cq", bread[0], gram), bread @ scores.T)


def _deletion_rows(rest: FloatArray, bread: FloatArray, scores: FloatArray) -> _Rows:
    """Return R: R v are the changes of the coefficient when a cluster is left out of the draw v."""
    own = np.einsum("cp,cp->c", rest, scores)  # what a cluster would add to the fit without it
    return _Rows(-own, bread[0] - rest, scores.T)
