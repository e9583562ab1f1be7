"""Do waiting practices change when others of their group start? Exposure replayed with the draw.

Source: Aronow & Samii (2017), Ann. Appl. Stat. 11, for exposure mappings; Athey, Eckles & Imbens (2018), JASA 113, for
randomization tests of interference; recentring: Borusyak & Hull (2023), Econometrica 91.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import EstimationError

NOT_MEASURED = (
    "Effects that waiting practices share with those that started, through the care group, the hospital or the "
    "regional organisation, are not measured: the draw compares the two, and what they have in common drops out."
)
"""What every report says, whatever the test below shows."""


@dataclass(frozen=True, slots=True)
class ExposureTest:
    """How waiting practices changed with the share of their group that had started.

    `slope` is the change of a waiting practice's outcome if all other patients of its group are with practices that
    started, against none; less its mean over replays. `mean_share` and `spread` describe the share among those waiting;
    `practices` counts waiting practice-rounds with others in their group.
    """

    slope: float
    p_value: float
    mean_share: float
    spread: float
    practices: int
    replays: int


def exposure_share(cohorts: IntArray, group: IntArray, patients: FloatArray, number: int) -> FloatArray:
    """Return the share of the group's other patients whose practice started by round `number` (B, n); NaN if alone.

    Parameters: `cohorts` (B, n) rounds of entry, 0 for never; `group` (n,) numbers from 0; `patients` (n,).

    >>> cohorts, group = np.array([[1, 2, 2, 1]]), np.array([0, 0, 0, 1])
    >>> exposure_share(cohorts, group, np.array([1.0, 2.0, 3.0, 4.0]), 1).round(3).tolist()
    [[0.0, 0.25, 0.333, nan]]
    """
    started = ((cohorts > 0) & (cohorts <= number)) * patients
    member = (group[:, None] == np.arange(int(group.max()) + 1)[None]).astype(np.float64)  # (n, K)
    others = (patients @ member)[group] - patients
    enrolled = (started @ member)[:, group] - started
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(others > 0, enrolled / others, np.nan)


def exposure_test(
    changes: FloatArray, observed: IntArray, replays: IntArray, group: IntArray, block: IntArray, patients: FloatArray
) -> ExposureTest:
    r"""Test whether waiting practices change with the share of their group that started.

    .. math:: \hat\lambda = \frac{\sum_{r}\sum_{i: G_i > r} \tilde e_{ir} \tilde y_{ir}}
                                 {\sum_{r}\sum_{i: G_i > r} \tilde e_{ir}^2}, \qquad
              p = \frac{1 + \#\{b : |t_b - \bar t| \ge |t - \bar t|\}}{B + 1}

    with e the exposure and y the change since before the first round, both less their mean in the round and block.
    Exposure depends on the draw through the sizes of neighbours, so it is replayed with the draw and recentred. Under
    no effect of any kind on anybody p holds its level; where starting itself has an effect, give changes from which it
    was taken.

    Parameters
    ----------
    changes : (R, n) change of the outcome from before round 1 to the quarter of each round; NaN where not observed.
    observed : (n,) rounds drawn, 0 for those who compare nowhere; `replays` (B, n) the same under the declared draw.
    group : (n,) care group or neighbourhood, numbers from 0.
    block : (n,) application round and priority class.
    patients : (n,) frozen list sizes.

    Raises
    ------
    EstimationError
        If no waiting practice has others in its group, or exposure does not vary.

    Source: see the module.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> drawn = rng.permuted(np.tile(np.repeat([1, 2], 12), (100, 1)), axis=1)
    >>> group, block = np.tile(np.arange(6), 4), np.zeros(24, dtype=int)
    >>> change = 2 * exposure_share(drawn[:1], group, np.ones(24), 1)
    >>> found = exposure_test(change, drawn[0], drawn[1:], group, block, np.ones(24))
    >>> bool(found.p_value <= 0.05), bool(found.slope > 1)
    (True, True)
    """
    cohorts = np.concatenate([observed[None], replays])
    top, bottom, meat, shares = np.zeros(len(cohorts)), np.zeros(len(cohorts)), np.zeros(len(cohorts)), []
    parts: list[tuple[FloatArray, FloatArray]] = []
    for r, y in enumerate(changes, start=1):
        e = exposure_share(cohorts, group, patients, r)
        used = (cohorts > r) & np.isfinite(e) & np.isfinite(y)
        shares.append(e[0][used[0]])
        e, gap = (_within(np.where(used, x, 0.0), used, block) for x in (e, np.broadcast_to(y, e.shape)))
        top, bottom = top + (e * gap).sum(axis=1), bottom + (e**2).sum(axis=1)
        parts.append((e, gap))
    seen = np.concatenate(shares) if shares else np.zeros(0)
    if not len(seen) or bottom[0] < 1e-12:
        raise EstimationError(
            "No waiting practice has others in its group of whom another share started than elsewhere: interference "
            "cannot be probed. Give a grouping in which practices have neighbours."
        )
    good = bottom > 1e-12
    slope = np.where(good, top / np.where(good, bottom, 1.0), 0.0)
    for e, gap in parts:
        meat += ((e * (gap - slope[:, None] * e)) ** 2).sum(axis=1)
    error = np.sqrt(meat) / np.where(good, bottom, 1.0)
    t = np.where(error > 0, slope / np.where(error > 0, error, 1.0), np.sign(slope) * 1e9)
    distance = np.abs(t - np.median(t))
    reached = int((distance[1:] >= distance[0] * (1 - 1e-9)).sum())
    return ExposureTest(
        float(slope[0] - slope[good].mean()), (1 + reached) / len(cohorts), float(seen.mean()),
        float(seen.std()), len(seen), len(replays),
    )  # fmt: skip


def _within(x: FloatArray, used: FloatArray, block: IntArray) -> FloatArray:
    """Return (B, n) values less their mean among the used of the same block; zero for the others."""
    out = np.zeros_like(x)
    for b in np.unique(block):
        mine = used & (block == b)
        count = np.maximum(mine.sum(axis=1, keepdims=True), 1)
        out += np.where(mine, x - (x * mine).sum(axis=1, keepdims=True) / count, 0.0)
    return out
