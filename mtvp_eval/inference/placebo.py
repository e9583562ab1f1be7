"""Placebo distribution for projects of few units: the same estimate for untouched groups as if they had started then.

Source: specification section 10; rank tests after Abadie, Diamond & Hainmueller (2010), JASA 105, with the +1 rule;
scale a + b/n as in Ferman & Pinto (2019), Rev. Econ. Stat. 101 (groups of unequal size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.errors import EstimationError


def placebo_groups(
    size: FloatArray, region: ObjectArray, members: int, *, within_region: bool, limit: int, rng: np.random.Generator
) -> IntArray:
    """Return candidate groups of untouched units, (B, members) rows into the units.

    Parameters
    ----------
    size : (m,) insured years.
    region : (m,) region names. With `within_region` all members share one (our stand-in for lying next to each other);
        without it they all lie in different ones.
    members : units in a group, as many as the project has.
    limit : at most so many groups in a region (or in all, across regions); more are drawn at random without repeats.
    rng : draws them.

    Raises
    ------
    EstimationError
        If no region holds enough units.

    Example
    -------
    >>> rng = np.random.default_rng(1)
    >>> region = np.array(["x", "x", "x", "y"], dtype=object)
    >>> placebo_groups(np.ones(4), region, 2, within_region=True, limit=10, rng=rng).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if members == 1:
        return np.arange(len(size), dtype=np.int64)[:, None]
    if within_region:
        parts = [
            _subsets(np.flatnonzero(region == name), members, limit, rng)
            for name in sorted(set(region.tolist()))
            if int((region == name).sum()) >= members
        ]
    else:
        parts = [_across(region, members, limit, rng)]
    if not parts or not sum(len(part) for part in parts):
        raise EstimationError(f"No {'region holds' if within_region else 'set of regions gives'} {members} units.")
    return np.concatenate(parts)


def _subsets(pool: IntArray, k: int, limit: int, rng: np.random.Generator) -> IntArray:
    if comb(len(pool), k) <= limit:
        return np.array(list(combinations(pool.tolist(), k)), dtype=np.int64)
    return np.unique(np.sort(pool[_without_repeat(limit, len(pool), k, rng)], axis=1), axis=0)


def _across(region: ObjectArray, k: int, limit: int, rng: np.random.Generator) -> IntArray:
    """Draw groups whose members all lie in different regions: k regions, then one unit of each."""
    name, home, count = np.unique(region.astype(str), return_inverse=True, return_counts=True)
    if len(name) < k:
        return np.empty((0, k), dtype=np.int64)
    by_region = np.argsort(home, kind="stable")
    start = np.cumsum(count) - count
    chosen = _without_repeat(limit, len(name), k, rng)
    member = start[chosen] + rng.integers(count[chosen])
    return np.unique(np.sort(by_region[member], axis=1), axis=0)


def _without_repeat(rows: int, pool: int, k: int, rng: np.random.Generator) -> IntArray:
    """Draw (rows, k) places out of `pool`, each row without repeats."""
    return np.argsort(rng.random((rows, pool)), axis=1)[:, :k]


def group_contrasts(change: FloatArray, weight: FloatArray, groups: IntArray) -> FloatArray:
    r"""Return each group's mean change less that of all other units, (B,).

    .. math:: \hat\tau_S = \frac{\sum_{i \in S} w_i d_i}{\sum_{i \in S} w_i}
        - \frac{\sum_{i \notin S} w_i d_i}{\sum_{i \notin S} w_i}

    Parameters
    ----------
    change : (m,) change of the outcome from base to after, of each unit.
    weight : (m,) positive.
    groups : (B, k) rows into the units.

    Example
    -------
    >>> group_contrasts(np.array([3.0, 0.0, 1.0]), np.ones(3), np.array([[0], [1]])).tolist()
    [2.5, -2.0]
    """
    inside = weight[groups].sum(axis=1)
    sum_inside = (weight * change)[groups].sum(axis=1)
    return sum_inside / inside - ((weight * change).sum() - sum_inside) / (weight.sum() - inside)


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """Variance of a group's contrast by its size: a + b / n."""

    a: float
    b: float

    def at(self, size: FloatArray) -> FloatArray:
        """Return the standard deviation of the contrast of groups of `size`."""
        return np.asarray(np.sqrt(self.a + self.b / np.asarray(size, dtype=np.float64)))


def noise_scale(contrast: FloatArray, size: FloatArray) -> NoiseScale:
    r"""Fit the variance of untouched groups' contrasts by their size, both parts at least zero.

    .. math:: E[\hat\tau_S^2] = a + b / n_S

    Parameters
    ----------
    contrast, size : (B,) of untouched groups. The fit weighs each squared contrast by the inverse square of a first
        fit, since the variance of a square grows with its mean squared.

    Raises
    ------
    EstimationError
        If fewer than ten groups are given, or all contrasts are zero.

    Example
    -------
    >>> size = np.repeat([100.0, 400.0], 50)
    >>> scale = noise_scale(np.sqrt(0.01 + 4 / size), size)
    >>> round(scale.a, 6), round(scale.b, 6)
    (0.01, 4.0)
    """
    if len(contrast) < 10 or not (np.asarray(contrast) != 0).any():
        raise EstimationError(f"{len(contrast)} untouched groups are too few to learn the noise of a contrast from.")
    square = np.asarray(contrast, dtype=np.float64) ** 2
    unit = float(np.median(size))
    design = np.column_stack([np.ones(len(square)), unit / np.asarray(size, dtype=np.float64)])
    spread = np.full(len(square), square.mean())
    for _ in range(5):
        coefficient = _least_squares_not_negative(design / spread[:, None], square / spread)
        spread = np.maximum(design @ coefficient, 1e-3 * square.mean())
    return NoiseScale(float(coefficient[0]), float(coefficient[1] * unit))


def _least_squares_not_negative(D: FloatArray, y: FloatArray) -> FloatArray:
    """Return the two coefficients, none below zero, that fit best: both, or the better of each alone."""
    both, *_ = np.linalg.lstsq(D, y, rcond=None)
    if (both >= 0).all():
        return np.asarray(both)
    alone = np.diag(np.maximum(D.T @ y, 0.0) / (D**2).sum(axis=0))
    loss = ((y - alone @ D.T) ** 2).sum(axis=1)
    return np.asarray(alone[np.argmin(loss)])


@dataclass(frozen=True, slots=True)
class PlaceboTest:
    """A project's estimate against the studentised contrasts of untouched groups.

    `scale` is the standard deviation of an untouched group of the project's size; `studentised` (B,) the contrasts over
    their own scale; the interval inverts the rank test for one constant effect.
    """

    estimate: float
    scale: float
    p_value: float
    low: float
    high: float
    level: float
    detectable: float
    studentised: FloatArray

    @property
    def n_groups(self) -> int:
        """Number of untouched groups."""
        return len(self.studentised)


@dataclass(frozen=True, slots=True)
class PlaceboDraws:
    """A project's contrast and those of untouched groups: (B,) contrasts, (B,) their sizes, and the noise by size.

    `strata` is how many regions (or single units) the groups come from: groups of one region overlap.
    """

    estimate: float
    size: float
    contrast: FloatArray
    group_size: FloatArray
    noise: NoiseScale
    strata: int

    @property
    def size_ratio(self) -> float:
        """Median size of the untouched groups over that of the project."""
        return float(np.median(self.group_size) / self.size)

    def test(self, level: float = 0.95) -> PlaceboTest:
        """Rank the project's studentised contrast; see `rank_test`."""
        own = float(self.noise.at(np.array([self.size]))[0])
        return rank_test(self.estimate, own, self.contrast / self.noise.at(self.group_size), level)


def rank_test(estimate: float, scale: float, studentised: FloatArray, level: float = 0.95) -> PlaceboTest:
    r"""Rank a studentised estimate among those of untouched groups.

    .. math:: t = \hat\tau / \sqrt{a + b/n}, \qquad p = \min(1, 2 \min(\#\{t_b \ge t\} + 1, \#\{t_b \le t\} + 1)/(B+1))

    Parameters
    ----------
    estimate, scale : of the project: effect, and standard deviation of an untouched contrast of its size.
    studentised : (B,) contrasts of untouched groups, each over its own scale.
    level : of the interval, whose ends are the placebo ranks that the test just does not reject.

    Returns
    -------
    PlaceboTest
        `detectable` is the effect that a two-sided test finds in four of five cases: scale × (q + 0.8416 s), with q the
        quantile of |t_b| at `level`, s the robust spread of t_b and 0.8416 the normal quantile of 0.8.

    Raises
    ------
    EstimationError
        If the groups are too few for the level: no rank could reject.

    Example
    -------
    >>> test = rank_test(3.0, 1.0, np.linspace(-2, 2, 99))
    >>> round(test.p_value, 3), round(test.low, 2), round(test.high, 2)
    (0.02, 1.04, 4.96)
    """
    t_groups = np.sort(np.asarray(studentised, dtype=np.float64))
    B = len(t_groups)
    drop = int(np.floor((1 - level) / 2 * (B + 1) + 1e-9))
    if drop < 1:
        raise EstimationError(
            f"{B} untouched groups cannot carry a {level:.0%} interval: at least {round(2 / (1 - level)) - 1} are "
            "needed. Widen the range of sizes."
        )
    t = estimate / scale
    spread = float(np.median(np.abs(t_groups - np.median(t_groups)))) / 0.6745
    reject = float(np.quantile(np.abs(t_groups), level))
    return PlaceboTest(
        estimate=estimate,
        scale=scale,
        p_value=rank_p_value(t, t_groups),
        low=estimate - scale * float(t_groups[B - drop]),
        high=estimate - scale * float(t_groups[drop - 1]),
        level=level,
        detectable=scale * (reject + 0.8416 * spread),
        studentised=frozen(t_groups),
    )


def rank_p_value(t: float, studentised: FloatArray) -> float:
    r"""Return the two-sided rank of a studentised estimate among those of B untouched groups, itself counted.

    .. math:: p = \min(1, 2 \min(\#\{t_b \ge t\} + 1, \#\{t_b \le t\} + 1)/(B+1))

    >>> rank_p_value(3.0, np.linspace(-2, 2, 99)), rank_p_value(0.01, np.linspace(-2, 2, 99))
    (0.02, 1.0)
    """
    above, below = int((studentised >= t).sum()) + 1, int((studentised <= t).sum()) + 1
    return min(1.0, 2 * min(above, below) / (len(studentised) + 1))


def pooled_test(
    parts: Sequence[PlaceboDraws], weights: FloatArray, replicates: int, rng: np.random.Generator, level: float = 0.95
) -> PlaceboTest:
    r"""Rank a weighted sum of several projects' effects, each project replaced by one of its untouched groups.

    .. math:: \hat\tau = \sum_p \omega_p \hat\tau_p, \qquad s^2 = \sum_p \omega_p^2 (a_p + b_p/n_p)

    Parameters
    ----------
    parts : one for each project.
    weights : (P,) known weights.
    replicates : joint draws of one untouched group for every project.
    rng : draws them.

    Example
    -------
    >>> part = PlaceboDraws(1.0, 10.0, np.linspace(-1, 1, 99), np.full(99, 10.0), NoiseScale(1.0, 0.0), 99)
    >>> test = pooled_test([part, part], np.array([0.5, 0.5]), 999, np.random.default_rng(1))
    >>> test.estimate, round(test.scale, 4), test.p_value < 0.05
    (1.0, 0.7071, True)
    """
    omega = np.asarray(weights, dtype=np.float64)
    contrast = np.zeros(replicates)
    variance = np.zeros(replicates)
    own = 0.0
    for part, w in zip(parts, omega, strict=True):
        pick = rng.integers(len(part.contrast), size=replicates)
        contrast += w * part.contrast[pick]
        variance += (w * part.noise.at(part.group_size[pick])) ** 2
        own += float(w * part.noise.at(np.array([part.size]))[0]) ** 2
    estimate = float(sum(w * part.estimate for part, w in zip(parts, omega, strict=True)))
    return rank_test(estimate, float(np.sqrt(own)), contrast / np.sqrt(variance), level)


def nearest_in_size(group_size: FloatArray, stratum: IntArray, target: float, keep: int) -> IntArray:
    """Return the rows of about `keep` groups nearest the `target` in size, as evenly over strata as they allow.

    Groups of one region share its fortunes: without the strata a few regions would make the whole distribution.

    Parameters
    ----------
    group_size : (B,) insured years.
    stratum : (B,) region of each group as an integer; each its own where groups are single units.
    target : insured years of the project; distance is on the log scale.
    keep : groups wanted in all.

    Example
    -------
    >>> nearest_in_size(np.array([10.0, 90.0, 200.0, 101.0]), np.array([0, 1, 1, 1]), 100.0, 3).tolist()
    [0, 1, 3]
    """
    distance = np.abs(np.log(group_size / target))
    order = np.lexsort((distance, stratum))
    within = stratum[order]
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order)) - np.searchsorted(within, within)
    return np.sort(np.lexsort((distance, turn))[:keep])
