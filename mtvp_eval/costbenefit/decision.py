"""Decide between options from draws: expected net benefit, acceptability, value of perfect information, frontier.

Every draw's best option is an upper envelope of lines in the willingness to pay, so that all thresholds are answered
from at most D - 1 switches a draw instead of one comparison a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import DataError


@dataclass(frozen=True, slots=True)
class Acceptability:
    """Answers on a grid of J thresholds for D options.

    `expected` (D, J) mean net benefit, `ceac` (D, J) probability of being best, `optimal` (J,) option with the highest
    mean, `ceaf` (J,) its probability of being best, `evpi` (J,) value of perfect information.
    """

    willingness_to_pay: FloatArray
    expected: FloatArray
    ceac: FloatArray
    optimal: IntArray
    ceaf: FloatArray
    evpi: FloatArray

    @property
    def expected_loss(self) -> FloatArray:
        r"""What choosing an option now loses on average against knowing everything (D, J).

        .. math:: EL_d = E \max_j NB_j - E\,NB_d

        Its smallest value over options is the value of perfect information, at the option with the highest mean.
        Source: Alarid-Escudero, Enns, Kuntz, Michaud & Jalal, Value in Health 2019;22:611.
        """
        return self.evpi + self.expected.max(axis=0) - self.expected


class FrontierStatus(StrEnum):
    """On the frontier, strictly dominated by one option, or by a mixture of two (extended)."""

    EFFICIENT = "efficient"
    DOMINATED = "dominated"
    EXTENDEDLY_DOMINATED = "extendedly dominated"


@dataclass(frozen=True, slots=True)
class Frontier:
    """Status of D options and, for efficient ones, the step from the next cheaper efficient one (NaN otherwise)."""

    status: tuple[FrontierStatus, ...]
    incremental_cost: FloatArray
    incremental_effect: FloatArray
    icer: FloatArray


def acceptability(effects: FloatArray, costs: FloatArray, willingness_to_pay: FloatArray) -> Acceptability:
    r"""Return expected net benefit, CEAC, CEAF and EVPI of D options at J thresholds.

    .. math:: NB_d(k) = k E_d - C_d, \quad CEAC_d = P(NB_d = \max_j NB_j), \quad
              EVPI = E \max_d NB_d - \max_d E\,NB_d

    CEAF is the CEAC of the option with the highest *mean*, not the highest CEAC. When options tie in a draw the one
    with the larger effect is counted as best.

    Parameters: `effects` and `costs` (S, D) draws, `willingness_to_pay` (J,). Raises ``DataError`` on other shapes or
    values that are not finite. Source: Fenwick, Claxton & Sculpher, Health Econ 2001;10:779 (CEAF); Stinnett & Mullahy,
    Med Decis Making 1998;18:S68 (net benefit).

    >>> e, c = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 10.0], [0.0, 30.0]])
    >>> result = acceptability(e, c, np.array([5.0, 20.0, 40.0]))
    >>> result.ceac[1].tolist(), result.evpi.tolist()
    ([0.0, 0.5, 1.0], [0.0, 5.0, 0.0])
    >>> result.expected_loss[1].tolist()
    [15.0, 5.0, 0.0]
    """
    _check(effects, costs)
    order = np.argsort(willingness_to_pay, kind="stable")
    grid = np.asarray(willingness_to_pay, dtype=float)[order]
    n, columns = len(effects), np.arange(len(grid))
    expected = np.outer(effects.mean(axis=0), grid) - costs.mean(axis=0)[:, None]
    optimal = np.argmax(expected, axis=0)
    # differences from the first option: the value of information is then not a small difference of large sums
    de, dc = incremental(effects, 0), incremental(costs, 0)
    count, slope, intercept = _envelope_sums(de, dc, grid)
    ceac = count / n
    gain = grid * de.mean(axis=0)[optimal] - dc.mean(axis=0)[optimal]
    # the mean of a maximum is never below the maximum of means; what lies below is rounding
    evpi = np.maximum((grid * slope - intercept) / n - gain, 0.0)
    back = np.argsort(order, kind="stable")
    ceaf = ceac[optimal, columns]
    return Acceptability(
        np.asarray(willingness_to_pay, dtype=float),
        expected[:, back],
        ceac[:, back],
        optimal[back],
        ceaf[back],
        evpi[back],
    )


def _envelope_sums(
    effects: FloatArray, costs: FloatArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Count of draws in which each option is best (D, J), and the sums of effect and cost of the best option (J,)."""
    n, options = effects.shape
    n_grid, rows = len(grid), np.arange(n)
    value = grid[0] * effects - costs
    tied = np.where(value == value.max(axis=1, keepdims=True), effects, -np.inf)
    current = np.argmax(tied, axis=1)
    change = np.zeros((options, n_grid + 1))
    change[:, 0] = np.bincount(current, minlength=options)
    slope, intercept = np.zeros(n_grid + 1), np.zeros(n_grid + 1)
    slope[0], intercept[0] = effects[rows, current].sum(), costs[rows, current].sum()
    for _ in range(options - 1):
        e, c = effects[rows, current], costs[rows, current]
        rise = effects[rows] - e[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = np.where(rise > 0.0, (costs[rows] - c[:, None]) / rise, np.inf)
        first = crossing.min(axis=1)
        switching = first <= grid[-1]
        if not switching.any():
            break
        rows, first, crossing, rise = rows[switching], first[switching], crossing[switching], rise[switching]
        e, c, previous = e[switching], c[switching], current[switching]
        current = np.argmax(np.where(crossing == first[:, None], rise, -np.inf), axis=1)
        position = np.searchsorted(grid, first, side="left")
        np.add.at(change, (current, position), 1.0)
        np.add.at(change, (previous, position), -1.0)
        slope += np.bincount(position, effects[rows, current] - e, minlength=n_grid + 1)
        intercept += np.bincount(position, costs[rows, current] - c, minlength=n_grid + 1)
    return change.cumsum(axis=1)[:, :-1], slope.cumsum()[:-1], intercept.cumsum()[:-1]


def incremental(draws: FloatArray, reference: int) -> FloatArray:
    """Return every option of `draws` (S, D) minus the reference; the reference's column is zero.

    >>> incremental(np.array([[1.0, 3.0]]), 0).tolist()
    [[0.0, 2.0]]
    """
    return draws - draws[:, [reference]]


def frontier(cost: FloatArray, effect: FloatArray) -> Frontier:
    """Return which of D options are efficient, and the steps between them.

    Strictly dominated: another option costs no more and does no less (and differs). Extendedly dominated: the step to
    it has an ICER no lower than the next one's. The result does not depend on the order of the options; of identical
    options the first is kept. Parameters: `cost` and `effect` (D,) means. Source: Johannesson & Weinstein, J Health
    Econ 1993;12:459.

    >>> [s.value for s in frontier(np.array([0.0, 10.0, 30.0]), np.array([0.0, 1.0, 4.0])).status]
    ['efficient', 'extendedly dominated', 'efficient']
    """
    options = len(cost)
    status = [FrontierStatus.EFFICIENT] * options
    kept: list[int] = []
    for option in np.lexsort((np.arange(options), -effect, cost)):
        if kept and effect[option] <= effect[kept[-1]]:
            status[option] = FrontierStatus.DOMINATED
            continue
        while len(kept) > 1 and _step(cost, effect, kept[-1], option) <= _step(cost, effect, kept[-2], kept[-1]):
            status[kept.pop()] = FrontierStatus.EXTENDEDLY_DOMINATED
        kept.append(int(option))
    steps = np.full((3, options), np.nan)
    for lower, upper in pairwise(kept):
        steps[:, upper] = (
            cost[upper] - cost[lower],
            effect[upper] - effect[lower],
            _step(cost, effect, lower, upper),
        )
    return Frontier(tuple(status), steps[0], steps[1], steps[2])


def _step(cost: FloatArray, effect: FloatArray, lower: int, upper: int) -> float:
    """ICER of the step from one option to another with a larger effect."""
    return float((cost[upper] - cost[lower]) / (effect[upper] - effect[lower]))


def _check(effects: FloatArray, costs: FloatArray) -> None:
    if effects.ndim != 2 or effects.shape != costs.shape or effects.shape[1] < 2:
        raise DataError(
            f"Effects {effects.shape} and costs {costs.shape} must be draws of the same options, at least two: one row "
            "a draw, one column an option, the same rows in both."
        )
    bad = int((~np.isfinite(effects) | ~np.isfinite(costs)).any(axis=1).sum())
    if bad:
        raise DataError(f"{bad} of {len(effects)} draws are not finite. Leave no empty cell in effects or costs.")
