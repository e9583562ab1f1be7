"""Callaway & Sant'Anna (2021): the effect on each cohort in each period, against units not yet or never enrolled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import aggregate, cell_weights, share_gaps, share_influence
from mtvp_eval.estimators.cohort_moments import CohortInfluence
from mtvp_eval.estimators.comparison_sets import ComparisonSet, comparison_sets
from mtvp_eval.estimators.cross_sections import section_effect
from mtvp_eval.estimators.doubly_robust import Adjustment, Units, two_group_effect
from mtvp_eval.estimators.results import EffectEstimates, EffectKey, passed_on
from mtvp_eval.estimators.sample import Sample, read_sample
from mtvp_eval.estimators.saturated import largest_size
from mtvp_eval.estimators.tidy import period_label
from mtvp_eval.estimators.unadjusted import unadjusted_effects

_ROWS_AT_ONCE = 2**11


class Missing(StrEnum):
    """What to do where outcomes are missing.

    PAIRWISE keeps, cell by cell, the units seen in both periods. COMPLETE_UNITS keeps those seen throughout, and
    CROSS_SECTIONS every row, as if the rows of two periods were different units: the two modes of R ``did``.
    """

    PAIRWISE = "pairwise"
    COMPLETE_UNITS = "complete_units"
    CROSS_SECTIONS = "cross_sections"


@dataclass(frozen=True, slots=True)
class _Cells:
    """Effects (K,), influence (n, J) of averages of cells, reasons for no standard error (K,), and why cells failed.

    `leverage` (n, J) is what HC2 adds to the influence for covariates, or None.
    """

    effect: FloatArray
    influence: FloatArray | CohortInfluence
    no_error: list[str | None]
    problems: dict[Cell, str]
    leverage: FloatArray | None = None


def callaway_santanna(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    method: Adjustment = Adjustment.DR,
    base_period: BasePeriod = BasePeriod.VARYING,
    missing: Missing = Missing.PAIRWISE,
    cells: Sequence[Cell] | None = None,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Estimate ATT(g, t) for every identified cell, with influence functions.

    .. math:: ATT(g,t) = E[Y_t - Y_b \mid G=g] - E[Y_t - Y_b \mid C], \qquad b = g - 1 - \delta

    C are the units untouched by the programme in t and b (design.comparison); covariates are adjusted for as in
    ``doubly_robust.two_group_effect``. Leads t < g - delta are measured from the period before (varying base) or from b
    (universal). Cells of one cohort with the same comparison units share their logit.

    Parameters
    ----------
    panel : outcomes (n, T) and baseline values; its clock is the design's.
    design : cohorts and comparison; its ``size`` are the patient weights.
    outcome : name in the panel.
    covariates : names of baseline values, known before the first entry; or of outcomes that change over time, of which
        a cell takes the value in the earlier of its two periods.
    weighting : practice (each unit once) or patient (weighted by ``design.size``).
    method : dr (default), reg or ipw; without covariates the three are one.
    base_period : varying (default) or universal.
    missing : pairwise (default), complete_units or cross_sections (doubly robust only).
    cells : cells to estimate; all identified ones where not given. See ``supported_cells``.
    estimands : averages of the cells asked for in their place; saves making influence values for every cell.

    Returns
    -------
    EffectEstimates
        att_gt entries. Default variance: HC2 by cohort, with covariates by their leverage, and Satterthwaite's t; with
        clusters, CR1.

    Raises
    ------
    EstimationError
        If a covariate is missing or constant, or covariates leave cells without comparable units (all named at once);
        if single rows are asked for with another method than dr.

    Source: Callaway & Sant'Anna (2021), eq. 2.6-2.8 and theorem 1; doubly robust form after Sant'Anna & Zhao (2020).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = callaway_santanna(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.period, float(v)) for k, v in zip(effects.index, effects.estimate)]
    [(2, 0.0), (3, 3.5)]
    """
    by_size = Weighting(weighting) == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True)
    sections = Missing(missing) == Missing.CROSS_SECTIONS
    if sections and Adjustment(method) != Adjustment.DR:
        raise EstimationError("Single rows are compared by the doubly robust method only; set method dr.")
    if sections and sample.varying.shape[2]:
        raise EstimationError("Single rows are compared with covariates as they were before entry; give that value.")
    if Missing(missing) == Missing.COMPLETE_UNITS:
        sample = sample.complete()
    base = BasePeriod(base_period)
    wanted = sample.design.identified_cells(base) if cells is None else tuple(cells)
    if not wanted:
        raise EstimationError("No cell is identified: StaggeredDesign.estimability() shows why.")
    # Averages are formed at once where every cell uses the same units; else from the cells, whose units differ.
    direct = bool(estimands) and not sections and bool(sample.observed.all() and np.isfinite(sample.varying).all())
    weights = cell_weights(outcome, wanted, {Weighting(weighting)}, estimands) if direct else np.eye(len(wanted))
    if sections:
        fitted = _fit_sections(sample, wanted, base)
    elif sample.observed.all() and sample.X.shape[1] + sample.varying.shape[2] == 1:
        fitted = _fit_means(sample, wanted, base, weights)
    else:
        fitted = _fit_cells(sample, wanted, base, Adjustment(method), weights)
    if fitted.problems:
        raise EstimationError(_explain(fitted.problems, len(wanted), outcome))
    influence, leveraged = fitted.influence, None
    effect = dict(zip(wanted, fitted.effect.tolist(), strict=True))
    if isinstance(influence, CohortInfluence):
        influence = influence.shifted(share_gaps(sample.design, effect, estimands)) if direct else influence
    else:
        if direct:
            influence += share_influence(sample.design, effect, estimands)
        leveraged = None if fitted.leverage is None else influence + fitted.leverage
    asked = estimands if direct else [cell_effect(cell, Weighting(weighting)) for cell in wanted]
    found = EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in asked), weights @ fitted.effect, sample.design.unit_ids, influence,
        sample.design.cohort_index, sample.cluster, correction="hc2" if sample.cluster is None else "cr1",
        method="Callaway-Sant'Anna", no_error=passed_on(fitted.no_error, weights != 0),
        member=None if sections else _members(sample, wanted, base), notes=sample.notes(), leveraged=leveraged,
    )  # fmt: skip
    return aggregate(found, sample.design, estimands) if estimands and not direct else found


def supported_cells(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    method: Adjustment = Adjustment.DR,
    base_period: BasePeriod = BasePeriod.VARYING,
) -> tuple[tuple[Cell, ...], dict[Cell, str]]:
    """Return the identified cells whose covariates allow a comparison, and why the others do not.

    Only the covariates and the pattern of missing outcomes are used, never an outcome's value: estimands may be
    declared on the supported cells without having looked.

    Raises
    ------
    EstimationError
        If a covariate is missing or constant.

    Example
    -------
    >>> panel = Panel(np.array(list("abcdef"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.zeros((6, 3))}, baseline={"size": np.array([8.0, 9, 7, 1, 2, 3])},
    ...     entry=np.array([3, 3, 3, 9, 9, 9]))
    >>> cells, why = supported_cells(panel, StaggeredDesign.from_panel(panel), "y", covariates=["size"])
    >>> cells, len(why)
    ((), 2)
    """
    by_size = Weighting(weighting) == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True)
    wanted = design.identified_cells(BasePeriod(base_period))
    blind = sample.with_outcome(np.where(sample.observed, 0.0, np.nan))
    none = np.zeros((0, len(wanted)))
    problems = _fit_cells(blind, wanted, BasePeriod(base_period), Adjustment(method), none).problems
    return tuple(cell for cell in wanted if cell not in problems), problems


def _fit_means(sample: Sample, wanted: Sequence[Cell], base: BasePeriod, weights: FloatArray) -> _Cells:
    """Return cells without covariates and without gaps: in closed form."""
    sets = comparison_sets(sample.design, wanted, base)
    effect, influence = unadjusted_effects(sample.y, sample.w, sample.design.cohort_index, sets, weights)
    no_error: list[str | None] = [None] * len(wanted)
    largest = largest_size(sample.y)
    for part in sets:
        for k, still in zip(part.cells, part.still(sample.y, largest), strict=True):
            no_error[k] = _no_error(part, still=bool(still))
    return _Cells(effect, influence, no_error, {})


def _fit_cells(
    sample: Sample, wanted: Sequence[Cell], base: BasePeriod, method: Adjustment, weights: FloatArray
) -> _Cells:
    n, complete = sample.design.n_units, bool(sample.observed.all())
    if sample.X.shape[1] + sample.varying.shape[2] == 1:
        method = Adjustment.REG
    # Where cells take whole cohorts, units of a cohort stand next to each other and no cell copies its own.
    cohorts = sample.design.cohort_index
    order = np.argsort(cohorts, kind="stable") if complete and not sample.varying.shape[2] else None
    units = _in_order(sample, order)
    edges = np.concatenate([[0], np.cumsum(sample.design.cohort_size)]).tolist()
    effect, psi = np.full(len(wanted), np.nan), np.zeros((len(weights), n))
    no_error: list[str | None] = [None] * len(wanted)
    problems: dict[Cell, str] = {}
    raised: FloatArray | None = None
    start: dict[int, FloatArray] = {}
    largest = largest_size(sample.y)
    for whole in comparison_sets(sample.design, wanted, base):
        cohort = wanted[whole.cells[0]][0]
        for part, X in _with_covariates(sample, whole, complete=complete):
            rows = part.rows() if order is None else None
            try:
                _refuse_empty(part)
                if rows is None:
                    groups = cohorts[[own[0] for own in (part.treated, *part.against)]].tolist()
                    treated, *against = (slice(edges[g], edges[g + 1]) for g in groups)
                    where = units, [treated], against, part.period, part.base
                else:
                    where = _copied(part, rows, X, units)
                two = two_group_effect(*where, method, start.get(cohort))
            except EstimationError as error:
                problems.update({wanted[k]: str(error) for k in part.cells})
                continue
            if two.fit is not None:
                start[cohort] = two.fit.coefficients
            effect[part.cells] = two.effect
            own = n * weights[:, part.cells]
            takes = np.flatnonzero(own.any(axis=1))
            if len(takes):
                lines = slice(takes[0], takes[-1] + 1)  # mostly event times in a row
                for here, shares in two.influence(own[lines]):
                    at = here if rows is None else rows[here]
                    psi[lines, at] += shares
                    if two.leverage is not None:
                        raised = np.zeros_like(psi) if raised is None else raised
                        raised[lines, at] += shares * (two.leverage[here] - 1)
            for k, still in zip(part.cells, part.still(sample.y, largest), strict=True):
                no_error[k] = _no_error(part, still=bool(still))
    leverage = None if raised is None else _by_unit(raised, order)
    return _Cells(effect, _by_unit(psi, order), no_error, problems, leverage)


def _by_unit(values: FloatArray, order: IntArray | None) -> FloatArray:
    """Return ``values`` (J, n) in an order of units as (n, J) in their own."""
    found = np.empty(values.shape[::-1])
    found[slice(None) if order is None else order] = values.T
    return found


def _in_order(sample: Sample, order: IntArray | None) -> Units:
    """Return all units, each variable in one stretch of memory, in an ``order`` (n,) of rows or as they come."""
    if order is None:
        return Units(np.ascontiguousarray(sample.y.T), np.ascontiguousarray(sample.X.T), sample.w)
    y = np.empty(sample.y.shape[::-1])
    for first in range(0, len(order), _ROWS_AT_ONCE):
        here = slice(first, first + _ROWS_AT_ONCE)
        y[:, here] = np.take(sample.y, order[here], axis=0).T
    return Units(y, np.ascontiguousarray(sample.X[order].T), sample.w[order])


def _copied(
    part: ComparisonSet, rows: IntArray, X: FloatArray, whole: Units
) -> tuple[Units, list[slice], list[slice], IntArray, IntArray]:
    """Return a copy of the units at ``rows``, which groups they are, and where it holds each period and base."""
    P, first = len(part.cells), len(part.treated)
    y = whole.y[np.concatenate([part.period, part.base])[:, None], rows]
    units = Units(y, np.ascontiguousarray(X[rows].T), whole.w[rows])
    return units, [slice(0, first)], [slice(first, len(rows))], np.arange(P), np.arange(P, 2 * P)


def _with_covariates(
    sample: Sample, whole: ComparisonSet, *, complete: bool
) -> Iterator[tuple[ComparisonSet, FloatArray]]:
    """Yield cells that share units and covariates, with X (n, p); those that change come from the earlier period."""
    for part in [whole] if complete else whole.observed_parts(sample.observed):
        if not sample.varying.shape[2]:
            yield part, sample.X
            continue
        earlier = np.minimum(part.period, part.base)
        for column in np.unique(earlier):
            here, value = earlier == column, sample.varying[:, column]
            known: BoolArray = np.all(np.isfinite(value), axis=1)
            yield part.among(known, here), np.column_stack([sample.X, value])


def _fit_sections(sample: Sample, wanted: Sequence[Cell], base: BasePeriod) -> _Cells:
    n, observed = sample.design.n_units, sample.observed
    psi = np.zeros((n, len(wanted)))
    out = _Cells(np.full(len(wanted), np.nan), psi, [None] * len(wanted), {})
    for whole in comparison_sets(sample.design, wanted, base):
        units, treated = whole.rows(), np.arange(len(whole.rows())) < len(whole.treated)
        for k, now, before in zip(whole.cells, whole.period, whole.base, strict=True):
            seen = np.concatenate([observed[units, now], observed[units, before]])
            rows = np.concatenate([units, units])[seen]
            later = (np.arange(2 * len(units)) < len(units))[seen]
            y = sample.y[rows, np.where(later, now, before)]
            try:
                found = section_effect(
                    y, sample.X[rows], sample.w[rows], np.concatenate([treated, treated])[seen], later
                )
            except EstimationError as error:
                out.problems[wanted[k]] = str(error)
                continue
            out.effect[k] = found.effect
            np.add.at(psi[:, k], rows, n * found.influence)
            out.no_error[k] = _no_error(whole, still=not np.ptp(y))
    return out


def _refuse_empty(part: ComparisonSet) -> None:
    for units, words in ((len(part.treated), "treated"), (part.n_against, "comparison")):
        if not units:
            raise EstimationError(f"no {words} unit is observed in both periods")


def _no_error(part: ComparisonSet, *, still: bool) -> str | None:
    if len(part.treated) == 1:
        return "cohort of one unit: its spread cannot be seen"
    if part.n_against == 1:
        return "one comparison unit: its spread cannot be seen"
    return "the outcome does not move in this cell" if still else None


def _members(sample: Sample, wanted: Sequence[Cell], base: BasePeriod) -> BoolArray | None:
    known: BoolArray = np.all(np.isfinite(sample.varying), axis=2)
    if sample.observed.all() and known.all():
        return None
    clock = sample.design.clock
    pairs = [(t, sample.design.base_period(g, t, base)) for g, t in wanted]
    columns = np.searchsorted(clock, np.array(pairs, dtype=np.int64))
    seen = sample.observed[:, columns[:, 0]] & sample.observed[:, columns[:, 1]]
    return np.asarray(seen & known[:, columns.min(axis=1)], dtype=np.bool_)


def _explain(problems: dict[Cell, str], asked: int, outcome: str) -> str:
    shown = [f"  ATT({period_label(g)}, {period_label(t)}): {why}" for (g, t), why in list(problems.items())[:8]]
    advice = "Use fewer covariates, or declare the estimands on the cells that supported_cells() returns."
    more = [f"  and {len(problems) - 8} more"] if len(problems) > 8 else []
    return "\n".join(
        [f"{len(problems)} of {asked} cells of {outcome} have no trustworthy comparison:", *shown, *more, advice]
    )
