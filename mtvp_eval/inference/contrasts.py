"""Contrasts of cohorts that a replay estimates: cells, how they are put together, and where they are estimable.

Source: the cells and their weights are those of Callaway & Sant'Anna (2021), sections 2 and 3, with the comparison
cohorts that the draw leaves waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, frozen
from mtvp_eval.errors import DesignError
from mtvp_eval.estimands.estimand import Estimand


@dataclass(frozen=True, slots=True, eq=False)
class ContrastPlan:
    r"""Say which cohorts are compared in which cells, and how cells make estimands.

    .. math:: \hat\theta_k = \sum_c w_{kc}\,(\bar f_{c,\,g_c} - \bar f_{c,\,>a_c})

    A cell's number f is known per unit (for example the change of an outcome since the quarter before entry); its
    effect is the mean over those who start in round :math:`g_c` less the mean over those who start after round
    :math:`a_c`. Any estimator whose cells are differences of two means of such a number has this form: without
    covariates, with a pre-period mean, or with coefficients fixed beforehand.

    Parameters
    ----------
    names : K names of the estimands.
    cohort, after : (C,) rounds.
    weights : (K, C); each row sums to one, or is proportional where `by_size`.
    by_size : whether a row's weights are multiplied by the cohort's drawn size and normalised, as cell-size-weighted
        means are; otherwise they are fixed before the draw.

    Raises
    ------
    DesignError
        If shapes disagree, a cell compares a cohort with itself, or an estimand has no weight.
    """

    names: tuple[str, ...]
    cohort: IntArray
    after: IntArray
    weights: FloatArray
    by_size: bool = True

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=np.float64)
        shape = (len(self.names), len(self.cohort))
        if weights.shape != shape or len(self.after) != shape[1]:
            raise DesignError(f"{shape[0]} estimands of {shape[1]} cells need weights of that shape.")
        if (self.after < self.cohort).any():
            raise DesignError("A cell compares with units that start no later than its own cohort.")
        if (weights == 0).all(axis=1).any():
            raise DesignError("An estimand gives no cell any weight.")
        for name, value in (("cohort", self.cohort), ("after", self.after), ("weights", weights)):
            object.__setattr__(self, name, frozen(np.asarray(value)))

    def cells_of(self, estimand: int) -> list[int]:
        """Return the cells that an estimand gives weight."""
        return np.flatnonzero(self.weights[estimand]).tolist()

    def estimable(self, sizes: IntArray) -> BoolArray:
        """Tell where estimands have an estimate and a variance (..., K), from cohort sizes (..., G) of rounds 1…G.

        Every treated cohort and every cohort in a comparison that is not empty needs two units, and each comparison
        at least one such cohort.

        >>> plan = event_study(rounds=2, leads=0)[0]
        >>> plan.names, plan.estimable(np.array([[2, 2, 2], [3, 1, 2], [2, 4, 0]])).tolist()
        (('0', '1'), [[True, True], [False, True], [False, False]])
        """
        one = sizes == 1
        good = np.ones((*sizes.shape[:-1], len(self.names)), dtype=bool)
        for k in range(len(self.names)):
            for c in self.cells_of(k):
                later = sizes[..., self.after[c] :]
                bad = (sizes[..., self.cohort[c] - 1] < 2) | (later.sum(axis=-1) == 0)
                good[..., k] &= ~(bad | one[..., self.after[c] :].any(axis=-1))
        return good


def event_study(rounds: int, leads: int, overall: bool = False) -> tuple[ContrastPlan, IntArray]:
    """Return the event study of a capped draw: leads against the last quarter before entry, then the lottery window.

    Event time e >= 0 compares those who start in round g with those who start after round g + e, so it ends where the
    capped rounds do; leads compare with all who start later. Cells of one event time are weighted by cohort size.

    Parameters: `rounds` capped rounds; `leads` quarters before the base period g - 1; `overall` adds the cell-size
    weighted mean of all post cells. Returns the plan and (C,) event times of its cells.

    >>> plan, event_time = event_study(rounds=3, leads=2, overall=True)
    >>> plan.names
    ('-3', '-2', '0', '1', '2', 'overall')
    >>> [(int(g), int(e)) for g, e in zip(plan.cohort, event_time, strict=True) if e >= 0]
    [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]
    """
    times = [*range(-leads - 1, -1), *range(rounds)]
    cells = [(g, e) for e in times for g in range(1, rounds + 1) if g + max(e, 0) <= rounds]
    cohort, event_time = np.array(cells, dtype=np.int64).T
    weights = np.array([event_time == e for e in times], dtype=np.float64)
    names = tuple(str(e) for e in times)
    if overall:
        weights, names = np.vstack([weights, (event_time >= 0).astype(np.float64)]), (*names, "overall")
    return ContrastPlan(names, cohort, cohort + np.maximum(event_time, 0), weights), event_time


def declared_plan(estimands: Sequence[Estimand], first_round: int) -> ContrastPlan:
    """Return the contrasts of estimands with their weights fixed; `first_round` is the clock of round 1.

    >>> from mtvp_eval.estimands.att import cell_effect
    >>> from mtvp_eval.estimands.estimand import Weighting
    >>> plan = declared_plan([cell_effect((8093, 8094), Weighting.PRACTICE)], 8093)
    >>> plan.cohort.tolist(), plan.after.tolist()
    ([1], [2])
    """
    cells = tuple(dict.fromkeys(cell for e in estimands for cell in e.cells))
    weights = np.zeros((len(estimands), len(cells)))
    for k, e in enumerate(estimands):
        for cell, weight in zip(e.cells, e.weights, strict=True):
            weights[k, cells.index(cell)] = weight
    cohort = np.array([g for g, _ in cells]) - first_round + 1
    after = np.array([max(g, t) for g, t in cells]) - first_round + 1
    return ContrastPlan(tuple(e.name for e in estimands), cohort, after, weights, by_size=False)


def drawn_plan(estimand: Estimand, first_round: int, cohort: IntArray) -> ContrastPlan:
    """Return the contrast of an estimand whose weights the draw decides as far as they are shares of cohorts.

    A cell-size-weighted mean weighs another draw's cohorts by their own sizes; with the weights of the observed draw,
    what a cap does through them would go unseen. Weights that are known numbers stay fixed, as do those of a cohort
    of which nobody was drawn.

    Parameters: `first_round` the clock of round 1; `cohort` (n,) rounds drawn.

    >>> from mtvp_eval.estimands.estimand import Weighting
    >>> mean = Estimand("overall", Weighting.PRACTICE, ((5, 5), (6, 6)), (0.75, 0.25), "", share_group=(0, 0))
    >>> plan = drawn_plan(mean, 5, np.array([1, 1, 1, 2, 3]))
    >>> plan.weights.tolist(), plan.by_size
    ([[0.25, 0.25]], True)
    """
    plan = declared_plan([estimand], first_round)
    size = np.array([(cohort == g).sum() for g in plan.cohort])
    if len(set(estimand.share_group)) != 1 or not size.all():
        return plan
    return replace(plan, weights=plan.weights / size, by_size=True)


def cell_changes(y: FloatArray, first_column: int, cohort: IntArray, event_time: IntArray) -> FloatArray:
    """Return the change since the quarter before entry that each cell compares (C, n), from an outcome y (n, T).

    `cohort` and `event_time` (C,) say which; `first_column` is the column of round 1. Raises ``DesignError`` if a cell
    lies outside the panel.

    >>> y = np.array([[1.0, 2.0, 4.0, 8.0]])
    >>> cell_changes(y, 2, np.array([1, 2, 1]), np.array([0, 0, -2])).ravel().tolist()
    [2.0, 4.0, -1.0]
    """
    period, base = first_column + cohort - 1 + event_time, first_column + cohort - 2
    if min(period.min(), base.min()) < 0 or period.max() >= y.shape[1]:
        raise DesignError(
            f"The panel of {y.shape[1]} quarters does not reach from {-int(min(period.min(), base.min()))} quarters "
            f"before its start to column {int(period.max())}; ask for fewer leads or lags."
        )
    path = np.ascontiguousarray(y.T)
    change = path[period]
    change -= path[base]
    return change
