"""Estimates and Neyman variances of cohort contrasts under replays of a draw, weighted, within blocks, with gaps.

Source: Roth & Sant'Anna (2023), arXiv:2102.01291, eq. 1 and section 3; degrees of freedom: Satterthwaite (1946).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.inference.contrasts import ContrastPlan


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedEffects:
    """Hold K effects under B replays.

    Parameters
    ----------
    estimate, variance, df : (B, K); NaN where a replay leaves nothing to compare.
    dose : (B, K) mean over an estimand's cells of a number given for each cell, with the weights the cells had.
    """

    estimate: FloatArray
    variance: FloatArray
    df: FloatArray
    dose: FloatArray


def replayed_effects(
    numbers: FloatArray, cohorts: IntArray, block: IntArray, weight: FloatArray, plan: ContrastPlan, dose: FloatArray
) -> ReplayedEffects:
    r"""Estimate every contrast in every replay, as the mean over blocks of differences of weighted cohort means.

    .. math:: \hat\theta_k = \sum_{c,b} s_{kcb} (\bar f_{c,\,b,\,g_c} - \bar f_{c,\,b,\,>a_c}), \qquad
              \hat V_k = \sum_h \tfrac{m_h}{m_h - 1} \sum_{i \in h} u_{ki}^2

    with s the cell's share of treated weight, h the cohorts of a block, m_h their units and u_ki what unit i adds to
    the estimate. A cohort of one unit has no spread of its own: it is neither treated nor compared with. An estimand is
    the mean over those of its cells that the replay identifies.

    Parameters
    ----------
    numbers : (C, n) what each cell compares; NaN where a unit is not observed.
    cohorts : (B, n) rounds from 1 up under each replay; 0 for units that compare nowhere.
    block : (n,) only units of one block are compared.
    weight : (n,) ones, or frozen list sizes.
    plan : cells and how estimands are made of them.
    dose : (C,) a number of each cell, such as the share of the full effect that it holds.

    Example
    -------
    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> seen = replayed_effects(np.array([[5.0, 7.0, 1.0, 3.0]]), np.array([[1, 1, 2, 2]]), np.zeros(4, dtype=int),
    ...     np.ones(4), plan, np.array([0.2]))
    >>> seen.estimate.tolist(), seen.variance.tolist(), seen.df.tolist(), seen.dose.tolist()
    ([[4.0]], [[2.0]], [[2.0]], [[0.2]])
    """
    parts = list(_batches(len(cohorts), cohorts.shape[1] * len(numbers) * len(plan.names)))
    found = [_batch(numbers, cohorts[part], block, weight, plan, dose) for part in parts]
    columns = (np.concatenate([getattr(f, name) for f in found]) for name in ReplayedEffects.__slots__)
    return ReplayedEffects(*columns)


def _batches(draws: int, cells: int) -> Iterator[slice]:
    """Cut the replays so that the largest array stays near four million numbers."""
    step = max(1, 4_000_000 // max(cells, 1))
    for first in range(0, draws, step):
        yield slice(first, first + step)


def _batch(
    numbers: FloatArray, cohorts: IntArray, block: IntArray, weight: FloatArray, plan: ContrastPlan, dose: FloatArray
) -> ReplayedEffects:
    labels, of_block = np.unique(block, return_inverse=True)
    rounds = int(max(cohorts.max(), plan.after.max() + 1)) + 1
    B, n, S = len(cohorts), cohorts.shape[1], len(labels) * rounds
    stratum = of_block[None] * rounds + cohorts  # (B, n)
    seen = np.isfinite(numbers).T  # (n, C)
    f, w = np.where(seen, numbers.T, 0.0), weight[:, None] * seen
    member = np.zeros((B, S, n))
    np.put_along_axis(member, stratum[:, None, :], 1.0, axis=1)
    total = member @ w  # (B, S, C)
    count = member @ seen.astype(np.float64)
    mean = (member @ (w * f)) / np.where(total > 0, total, 1.0)
    units = member.sum(axis=2)  # (B, S)
    scale = units / np.maximum(units - 1.0, 1.0)
    K = len(plan.names)
    estimate, variance, df, doses = (np.full((B, K), np.nan) for _ in range(4))
    for k in range(K):
        a, mean_dose, good = coefficients(total, count, plan, k, rounds, dose)
        per_unit = a / np.where(total > 0, total, 1.0)
        rows = np.arange(B)[:, None]
        u = (per_unit[rows, stratum] * w * (f - mean[rows, stratum])).sum(axis=2)  # (B, n)
        v = (member @ (u**2)[..., None])[..., 0] * scale
        spread = v.sum(axis=1)
        below = (v**2 / np.maximum(units - 1.0, 1.0)).sum(axis=1)
        estimate[good, k] = (a * mean).sum(axis=(1, 2))[good]
        variance[good, k] = spread[good]
        df[good, k] = (spread**2 / np.where(below > 0, below, np.nan))[good]
        doses[good, k] = mean_dose[good]
    return ReplayedEffects(estimate, variance, df, doses)


def coefficients(
    total: FloatArray, count: FloatArray, plan: ContrastPlan, estimand: int, rounds: int, dose: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return what the mean of each stratum counts for in one estimand (B, S, C), its mean dose (B,), and where it is.

    Parameters: `total`, `count` (B, S, C) summed weights and units of stratum = block x `rounds` + round; `dose` (C,).

    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> total = np.array([[[0.0], [2.0], [6.0], [2.0]]])
    >>> coefficients(total, total, plan, 0, 4, np.array([0.5]))[0].ravel().tolist()
    [0.0, 1.0, -0.75, -0.25]
    """
    B, S, C = total.shape
    blocks, enough = S // rounds, count >= 2
    a, treated = np.zeros((B, S, C)), np.zeros((B, blocks, C))
    for c in plan.cells_of(estimand):
        g, after = int(plan.cohort[c]), int(plan.after[c])
        for b in range(blocks):
            own, later = b * rounds + g, slice(b * rounds + after + 1, (b + 1) * rounds)
            against = np.where(enough[:, later, c], total[:, later, c], 0.0)
            room = against.sum(axis=1)
            size = np.where(enough[:, own, c] & (room > 0), total[:, own, c], 0.0) * plan.weights[estimand, c]
            treated[:, b, c] = size
            a[:, own, c] += size
            a[:, later, c] -= size[:, None] * against / np.where(room > 0, room, 1.0)[:, None]
    whole = treated.sum(axis=(1, 2))
    divisor = np.where(whole > 0, whole, 1.0)
    mean_dose = (treated.sum(axis=1) @ dose) / divisor
    return a / divisor[:, None, None], mean_dose, whole > 0


def cell_chances(cohorts: IntArray, block: IntArray, plan: ContrastPlan) -> FloatArray:
    """Return (C,) the share of replays in which some block compares two units or more on both sides of a cell.

    Parameters: `cohorts` (B, n) replayed rounds; `block` (n,).

    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> cell_chances(np.array([[1, 1, 2, 2], [1, 2, 2, 2]]), np.zeros(4, dtype=int), plan).tolist()
    [0.5]
    """
    found = np.zeros((len(cohorts), len(plan.cohort)), dtype=np.bool_)
    for b in np.unique(block):
        mine = cohorts[:, block == b]
        counts = np.stack([(mine == g).sum(axis=1) for g in range(int(max(mine.max(), plan.after.max() + 1)) + 1)], 1)
        for c, (g, after) in enumerate(zip(plan.cohort.tolist(), plan.after.tolist(), strict=True)):
            found[:, c] |= (counts[:, g] >= 2) & (counts[:, after + 1 :] >= 2).any(axis=1)
    return np.asarray(found.mean(axis=0))
