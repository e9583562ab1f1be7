"""Regressions with one coefficient a cohort and period: shared by Sun-Abraham and the extended two-way regression.

Source: Sun & Abraham (2021), eq. 26; Wooldridge (2021), eq. 5.3 and 5.6 with unit effects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign, cell_array
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import cell_weights
from mtvp_eval.estimators.partialled import partialled_fit
from mtvp_eval.estimators.results import EffectEstimates, EffectKey, passed_on
from mtvp_eval.estimators.sample import Sample, read_sample


def saturated_cells(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    cells: Sequence[Cell],
    *,
    covariates: Sequence[str],
    weighting: Weighting,
    interact: bool,
    method: str,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Regress on unit effects, period effects (times covariates) and one indicator a cell; all usable periods.

    .. math:: Y_{it} = \alpha_i + x_i'\lambda_t + \sum_{g,t} 1\{G_i = g\} (\beta_{gt} + (x_i - \bar x_g)'\gamma_{gt})
              + e_{it}

    ``interact`` keeps the slopes gamma; without it they are zero. Rows that belong to no cell are the comparison.
    ``estimands`` asks for averages of the cells instead of the cells: influence is then made for those few alone.

    Raises
    ------
    EstimationError
        If cells cannot be told apart from unit and period effects in the rows observed.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> saturated_cells(panel, StaggeredDesign.from_panel(panel), "y", [(3, 3)], covariates=(),
    ...     weighting=Weighting.PRACTICE, interact=False, method="").estimate.round(9).tolist()
    [3.5]
    """
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=not interact).with_covariates()
    if not cells:
        raise EstimationError("No cell is identified: StaggeredDesign.estimability() shows why.")
    usable = design.usable
    y = np.compress(usable, sample.y, axis=1)  # row by row in memory, as the fit passes over units
    clock = design.clock[usable]
    effects = np.zeros((len(design.cohorts), len(clock), len(cells)))
    for k, (g, t) in enumerate(cells):
        effects[np.searchsorted(design.cohorts, g), np.searchsorted(clock, t), k] = 1.0
    whole = partialled_fit(
        y, np.isfinite(y), sample.varying[:, usable], sample.X, sample.w, design.cohort_index, effects,
        interact=interact,
    )  # fmt: skip
    fit = whole.fit
    combinations = fit.pick(_at_cohort_mean(sample, cells, interact=interact))
    lost = fit.unidentified(combinations)
    if lost.any():
        raise EstimationError(
            f"{int(lost.sum())} of {len(cells)} cells of {outcome} cannot be told apart from unit and period effects "
            "in the rows observed"
            + (": too few units vary in the covariates. Use fewer covariates." if covariates else ".")
        )
    reasons = cell_reasons(sample, cells, fit.scores())
    if estimands:
        weights = cell_weights(outcome, cells, {weighting}, estimands)
        combinations, reasons = weights @ combinations, passed_on(reasons, weights != 0)
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands or [cell_effect(cell, weighting) for cell in cells]),
        combinations @ fit.coefficients, design.unit_ids, whole.influence(combinations), design.cohort_index,
        sample.cluster, sampling="conditional", correction="hc2" if sample.cluster is None else "cr1", method=method,
        no_error=reasons, notes=sample.notes(), regression=(fit.rows, whole.parameters),
    )  # fmt: skip


def cell_reasons(sample: Sample, cells: Sequence[Cell], scores: Iterable[FloatArray]) -> tuple[str | None, ...]:
    """Return for each cell why it has no standard error, or None: too few units on a side, or no spread at all.

    ``scores`` are weighted residuals of the comparison in parts, mostly by cohort; read until one is not zero.

    >>> panel = Panel(np.array(list("abc"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 9, 9]))
    >>> cell_reasons(read_sample(panel, StaggeredDesign.from_panel(panel), "y"), [(3, 3)], [np.ones((1, 3))])
    ('cohort of one unit: its spread cannot be seen',)
    """
    design = sample.design
    if without_error(sample, scores):
        return ("the outcome fits without error: no spread is left",) * len(cells)
    count = sample.count()
    if count.min() > 1:
        return (None,) * len(cells)
    at = cell_array(cells)
    column = np.searchsorted(design.clock, at[:, 1])
    treated = count[np.searchsorted(design.cohorts, at[:, 0]), column] == 1
    against = (count[:, column].T * design.comparisons(cells, BasePeriod.UNIVERSAL)).sum(axis=1) == 1
    alone = ("cohort of one unit: its spread cannot be seen", "one comparison unit: its spread cannot be seen")
    return tuple(alone[0] if one else alone[1] if other else None for one, other in zip(treated, against, strict=True))


def without_error(sample: Sample, scores: Iterable[FloatArray]) -> bool:
    """Return whether all weighted residuals are zero but for rounding; ``scores`` come in parts, read as needed.

    >>> panel = Panel(np.array(list("ab"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.ones((2, 3))}, entry=np.array([3, 9]))
    >>> sample = read_sample(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [without_error(sample, iter([np.zeros((1, 3)), part * np.ones((1, 3))])) for part in (1e-15, 1e-9)]
    [True, False]
    """
    # The root of the sum of squares is no less than the largest outcome, and found faster; a gap makes it NaN.
    unit, parts = 1e-12 * float(sample.w.max()), iter(scores)
    first = largest_size(next(parts))
    if first > unit * np.linalg.norm(sample.y):
        return False
    zero = unit * largest_size(sample.y)
    return first <= zero and all(largest_size(part) <= zero for part in parts)


def largest_size(values: FloatArray) -> float:
    """Return the largest absolute one of ``values`` that is not missing; 0 if there is none.

    >>> largest_size(np.array([[1.0, np.nan], [-2.0, 0.5]]))
    2.0
    """
    return max(float(np.fmax.reduce(values, axis=None)), -float(np.fmin.reduce(values, axis=None)), 0.0)


def _at_cohort_mean(sample: Sample, cells: Sequence[Cell], *, interact: bool) -> FloatArray:
    """Return (K, n_effects): the coefficient of each cell, plus its slopes times the cohort's mean covariates."""
    own = np.eye(len(cells))
    if not interact:
        return own
    design = sample.design
    total = np.zeros((len(design.cohorts), sample.X.shape[1]))
    np.add.at(total, design.cohort_index, sample.w[:, None] * sample.X)
    mean = total / np.bincount(design.cohort_index, sample.w)[:, None]
    at = mean[np.searchsorted(design.cohorts, [g for g, _ in cells])]
    return np.concatenate([own * x[:, None] for x in at.T], axis=1)
