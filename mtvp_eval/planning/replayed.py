"""Estimates and Neyman variances of cohort contrasts under replays of a draw, weighted, within blocks, with gaps.

Source: Roth & Sant'Anna (2023), arXiv:2102.01291, eq. 1 and section 3; degrees of freedom: Satterthwaite (1946).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    _, of_block = np.unique(block, return_inverse=True)
    columns = _Columns.of(numbers, weight)
    rounds = int(max(cohorts.max(), plan.after.max() + 1)) + 1  # 0, compares nowhere, is one of them
    strata = (int(of_block.max()) + 1) * rounds
    parts = _batches(len(cohorts), cohorts.shape[1] + strata * max(columns.pair.size, len(numbers) * len(plan.names)))
    found = [_batch(columns, cohorts[part].astype(np.int8), of_block, rounds, plan, dose) for part in parts]
    return ReplayedEffects(*(np.concatenate([getattr(f, name) for f in found]) for name in ReplayedEffects.__slots__))


def _batches(draws: int, cells: int) -> Iterator[slice]:
    """Cut the replays so that the largest array stays near four million numbers."""
    step = max(1, 4_000_000 // max(cells, 1))
    for first in range(0, draws, step):
        yield slice(first, first + step)


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What is summed over the units of a stratum, the same in every replay; C cells, m columns, P pairs of columns.

    A unit counts in an estimand as a linear combination of its m columns, so the squares it adds to the variance are
    one of their products: with those summed by matrix products, no replay is worked on by itself.
    """

    summed: FloatArray  # (n, m + C + P) the m columns, which cells are observed, and the products of two columns
    weights: IntArray  # (C,) which column holds a cell's weights: one column for cells observed in the same units
    first: int  # column of the first cell's weighted numbers; those of the other cells follow
    pair: IntArray  # (m, m) which product each two columns have

    @classmethod
    def of(cls, numbers: FloatArray, weight: FloatArray) -> _Columns:
        seen = np.isfinite(numbers).T  # (n, C)
        masks = [column.tobytes() for column in seen.T]
        place = {mask: p for p, mask in enumerate(dict.fromkeys(masks))}
        patterns = seen[:, [masks.index(mask) for mask in place]]
        weighted = weight[:, None] * np.where(seen, numbers.T, 0.0)
        columns = np.column_stack([weight[:, None] * patterns, weighted])
        i, j = np.triu_indices(columns.shape[1])
        pair = np.zeros((columns.shape[1],) * 2, dtype=np.int64)
        pair[i, j] = pair[j, i] = np.arange(len(i))
        summed = np.column_stack([columns, seen, columns[:, i] * columns[:, j]])
        return cls(summed, np.array([place[mask] for mask in masks]), len(place), pair)


def _batch(
    columns: _Columns, cohorts: NDArray[np.int8], of_block: IntArray, rounds: int, plan: ContrastPlan, dose: FloatArray
) -> ReplayedEffects:
    blocks = int(of_block.max()) + 1
    B, C, m = len(cohorts), len(dose), len(columns.pair)
    sums = np.empty((B, blocks * rounds, columns.summed.shape[1]))
    units = np.empty((B, blocks * rounds))
    for b in range(blocks):
        own, summed = cohorts[:, of_block == b], columns.summed[of_block == b]
        for h in range(rounds):
            member = (own == h).astype(np.float64)
            sums[:, b * rounds + h], units[:, b * rounds + h] = member @ summed, member.sum(axis=1)
    total, count = sums[..., columns.weights], sums[..., m : m + C]
    divisor = np.where(total > 0, total, 1.0)
    mean = sums[..., columns.first : columns.first + C] / divisor
    found = [coefficients(total, count, plan, k, rounds, dose) for k in range(len(plan.names))]
    a, doses, good = (np.stack(part, axis=-1) for part in zip(*found, strict=True))  # (B, S, C, K), (B, K), (B, K)
    # Unit i of stratum h adds sum_c per_unit_c w_ic (f_ic - mean_c).
    per_unit = a / divisor[..., None]
    worth = np.zeros((*a.shape[:2], m, a.shape[3]))
    for c, column in enumerate(columns.weights):
        worth[:, :, column] -= per_unit[:, :, c] * mean[:, :, c, None]
    worth[:, :, columns.first :] = per_unit
    v = np.einsum("bsik,bsik->bsk", worth, sums[..., m + C :][..., columns.pair] @ worth)
    v = np.maximum(v, 0.0) * (units / np.maximum(units - 1.0, 1.0))[..., None]
    spread, below = v.sum(axis=1), (v**2 / np.maximum(units - 1.0, 1.0)[..., None]).sum(axis=1)
    df = spread**2 / np.where(below > 0, below, np.nan)
    estimate = np.einsum("bsck,bsc->bk", a, mean)
    return ReplayedEffects(*(np.where(good, array, np.nan) for array in (estimate, spread, df, doses)))


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
