"""Placebo distribution for projects of few units: the same estimate for untouched groups as if they had started then.

Source: specification section 10; rank tests after Abadie, Diamond & Hainmueller (2010), JASA 105, with the +1 rule;
scale a + b/n as in Ferman & Pinto (2019), Rev. Econ. Stat. 101 (groups of unequal size).
"""

from __future__ import annotations

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
    drawn = {tuple(sorted(rng.choice(pool, k, replace=False).tolist())) for _ in range(limit)}
    return np.array(sorted(drawn), dtype=np.int64)


def _across(region: ObjectArray, k: int, limit: int, rng: np.random.Generator) -> IntArray:
    names = np.array(sorted(set(region.tolist())), dtype=object)
    if len(names) < k:
        return np.empty((0, k), dtype=np.int64)
    places = {name: np.flatnonzero(region == name) for name in names}
    drawn = set()
    for _ in range(limit):
        chosen = rng.choice(len(names), k, replace=False)
        drawn.add(tuple(sorted(int(rng.choice(places[names[j]])) for j in chosen)))
    return np.array(sorted(drawn), dtype=np.int64)


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
    from scipy.optimize import nnls

    if len(contrast) < 10 or not (np.asarray(contrast) != 0).any():
        raise EstimationError(f"{len(contrast)} untouched groups are too few to learn the noise of a contrast from.")
    square = np.asarray(contrast, dtype=np.float64) ** 2
    unit = float(np.median(size))
    design = np.column_stack([np.ones(len(square)), unit / np.asarray(size, dtype=np.float64)])
    spread = np.full(len(square), square.mean())
    for _ in range(5):
        coefficient, _ = nnls(design / spread[:, None], square / spread)
        spread = np.maximum(design @ coefficient, 1e-3 * square.mean())
    return NoiseScale(float(coefficient[0]), float(coefficient[1] * unit))


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


def placebo_test(
    estimate: float, size: float, contrast: FloatArray, group_size: FloatArray, scale: NoiseScale, level: float = 0.95
) -> PlaceboTest:
    r"""Rank a project's studentised estimate among those of untouched groups.

    .. math:: t = \hat\tau / \sqrt{a + b/n}, \qquad p = \min(1, 2 \min(\#\{t_b \ge t\} + 1, \#\{t_b \le t\} + 1)/(B+1))

    Parameters
    ----------
    estimate, size : of the project: effect, and insured years.
    contrast, group_size : (B,) of the untouched groups.
    scale : noise by size (`noise_scale`).
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
    >>> draws = np.linspace(-2, 2, 99)
    >>> test = placebo_test(3.0, 100.0, draws, np.full(99, 100.0), NoiseScale(1.0, 0.0))
    >>> round(test.p_value, 3), round(test.low, 2), round(test.high, 2)
    (0.02, 1.04, 4.96)
    """
    t_groups = np.sort(np.asarray(contrast, dtype=np.float64) / scale.at(group_size))
    B = len(t_groups)
    own = float(scale.at(np.array([size]))[0])
    drop = int(np.floor((1 - level) / 2 * (B + 1) + 1e-9))
    if drop < 1:
        raise EstimationError(
            f"{B} untouched groups cannot carry a {level:.0%} interval: at least {round(2 / (1 - level)) - 1} are needed. "
            "Widen the range of sizes."
        )
    t = estimate / own
    p = 2 * min(int((t_groups >= t).sum()) + 1, int((t_groups <= t).sum()) + 1) / (B + 1)
    spread = float(np.median(np.abs(t_groups - np.median(t_groups)))) / 0.6745
    reject = float(np.quantile(np.abs(t_groups), level))
    return PlaceboTest(
        estimate=estimate,
        scale=own,
        p_value=min(1.0, p),
        low=estimate - own * float(t_groups[B - drop]),
        high=estimate - own * float(t_groups[drop - 1]),
        level=level,
        detectable=own * (reject + 0.8416 * spread),
        studentised=frozen(t_groups),
    )


def nearest_in_size(group_size: FloatArray, target: float, keep: int) -> IntArray:
    """Return the rows of the `keep` groups whose `group_size` (B,) lies nearest the `target`, on the log scale.

    Example
    -------
    >>> nearest_in_size(np.array([10.0, 90.0, 200.0]), 100.0, 2).tolist()
    [1, 2]
    """
    order = np.argsort(np.abs(np.log(group_size / target)), kind="stable")
    return np.sort(order[:keep])
