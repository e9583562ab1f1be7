"""Wooldridge (2023): the extended regression for counts, whose parallel trends are in ratios of rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.counts import Counts, Scale, read_counts
from mtvp_eval.estimators.etwfe import saturated_set
from mtvp_eval.estimators.poisson_regression import PoissonFit, poisson_fit
from mtvp_eval.estimators.regression import regressors
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.saturated import cell_reasons
from mtvp_eval.estimators.tidy import period_label


def etwfe_poisson(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    exposure: str | None = None,
    covariates: Sequence[str] = (),
    scale: Scale = Scale.RATIO,
    entries: Sequence[str] = (),
) -> EffectEstimates:
    r"""Compare the events of enrolled cells with those their cohort and period would have had.

    .. math:: E[Y_{it}(\infty)] = E_{it} \exp(x_i'\alpha_{g(i)} + x_i'\lambda_t), \qquad
              A = \sum_{cells} Y_{it}, \quad B = \sum_{cells} E_{it} e^{x_i'(\hat\alpha_g + \hat\lambda_t)}

    and the effect is A/B - 1 (ratio), 1000 (A - B) / sum of E (per_1000), or log(A/B) (log), for single cells and for
    averages over all enrolled cells, by event time, cohort and calendar time: averages are ratios of sums, so every
    patient counts once where exposure is list size. Enrolled cells are saturated; which rows compare is as in
    ``etwfe``. Without covariates log(A/B) of a cell is Wooldridge's coefficient.

    Parameters
    ----------
    panel : counts (n, T), not rates, or any amounts of zero or more (a quasi-likelihood needs the mean alone); any
        pattern of missing rows.
    design : cohorts and comparison.
    outcome : name of the counts.
    exposure : name of a baseline value or outcome, such as list size; one a row where not given.
    covariates : names of baseline values; their slopes differ by cohort and by period.
    scale : ratio, per_1000 (needs exposure) or log.
    entries : which of the entries below to make; all where not given.

    Returns
    -------
    EffectEstimates
        att_gt, overall, event_study, cohort and calendar entries; quasi-likelihood errors by unit or cluster, with
        hc2 or cr1; ``with_correction("fixest")`` gives fixest's factor.

    Raises
    ------
    EstimationError
        If an enrolled cell has no events, comparison rows have too few to settle, or counts or exposure are unusable.

    Source: Wooldridge (2023), eq. 3.4 and 4.4, section 5 for averages on the response scale.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[4.0, 4, 6], [4, 4, 8], [2, 1, 2], [2, 3, 2]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = etwfe_poisson(panel, StaggeredDesign.from_panel(panel), "y")
    >>> effects.select(estimand="overall").estimate.round(6).tolist()
    [0.75]
    """
    scale = Scale(scale)
    if scale == Scale.PER_1000 and exposure is None:
        raise EstimationError("Events per 1,000 need an exposure, such as list size; or ask for scale: ratio.")
    counts = read_counts(panel, design, outcome, exposure, covariates)
    cells = saturated_set(design)
    if not cells:
        raise EstimationError("No cell is identified: StaggeredDesign.estimability() shows why.")
    sample, n = counts.sample, design.n_units
    fit, rows = _untreated_fit(counts, cells)
    member = _membership(design, cells)
    seen, expected, exposed = (np.zeros(len(cells)) for _ in range(3))
    slope = np.zeros((len(cells), len(fit.coefficients)))
    own: list[tuple[IntArray, IntArray, FloatArray]] = []  # of each cohort: units, cells, residuals of those
    for j, g in enumerate(design.cohorts):
        unit = np.flatnonzero(design.cohort_index == j)
        places = np.array([k for k, (cohort, _) in enumerate(cells) if cohort == g], dtype=np.int64)
        residual = np.zeros((len(unit), len(places)))
        of_units = (np.take(values, unit, axis=0).T for values in (sample.y, counts.exposure, fit.linear))
        y_of, exposure_of, linear_of = map(np.ascontiguousarray, of_units)  # a period is one stretch of memory
        known, x = np.isfinite(y_of), sample.X[unit]
        for column, k in enumerate(places):
            now = int(np.searchsorted(design.clock, cells[k][1]))
            row = slice(None) if known[now].all() else known[now]
            E, y, X = exposure_of[now, row], y_of[now, row], x[row]
            without = E * np.exp(linear_of[now, row])
            seen[k], expected[k], exposed[k] = y.sum(), without.sum(), E.sum()
            residual[row, column] = y - _cell_mean(y, E, X)
            slope[k] = fit.path[j, now] * (without @ X)[fit.covariate]
        own.append((unit, places, residual))
    empty = [c for c, events in zip(cells, seen, strict=True) if events == 0]
    if empty:
        named = ", ".join(f"({period_label(g)}, {period_label(t)})" for g, t in empty[:6])
        raise EstimationError(f"{len(empty)} of {len(cells)} enrolled cells have no events of {outcome}: {named}.")
    lost = fit.unidentified(slope)
    if lost.any():
        raise EstimationError(
            f"{int(lost.sum())} of {len(cells)} cells of {outcome} have no comparison in their period."
        )
    index, groups = _groups(cells, outcome, counts, scale)
    if entries:
        asked = [j for j, key in enumerate(index) if key.estimand in entries]
        index, groups = tuple(index[j] for j in asked), groups[asked]
    A, B, E = groups @ seen, groups @ expected, groups @ exposed
    if scale == Scale.RATIO:
        estimate, by_events, by_expected = A / B - 1, 1 / B, A / B**2
    elif scale == Scale.LOG:
        estimate, by_events, by_expected = np.log(A / B), 1 / A, 1 / B
    else:
        estimate, by_events, by_expected = 1000 * (A - B) / E, 1000 / E, 1000 / E
    psi = fit.influence(-by_expected[:, None] * (groups @ slope))
    of_events = n * by_events * groups.T
    for unit, places, residual in own:
        psi[unit] += residual @ of_events[places]
    of_cell = cell_reasons(sample, cells, [np.where(rows, fit.score, 0.0)])
    reasons = tuple(
        next((r for r, used in zip(of_cell, row, strict=True) if used and r is not None), None) for row in groups
    )
    parameters = len(fit.coefficients) - fit.null.shape[1] + len(cells) * sample.X.shape[1]
    return EffectEstimates(
        index, estimate, design.unit_ids, psi, design.cohort_index, sample.cluster, sampling="conditional",
        correction="hc2" if sample.cluster is None else "cr1", method="Extended Poisson regression",
        no_error=reasons, notes=sample.notes(), regression=(int((rows | member).sum()), parameters),
    )  # fmt: skip


def _membership(design: StaggeredDesign, cells: Sequence[Cell]) -> BoolArray:
    """Return (n, T) whether a unit-period lies in an enrolled cell."""
    table = np.zeros((len(design.cohorts), len(design.clock)), dtype=np.bool_)
    for g, t in cells:
        table[np.searchsorted(design.cohorts, g), np.searchsorted(design.clock, t)] = True
    return table[design.cohort_index]


def _untreated_fit(counts: Counts, cells: Sequence[Cell]) -> tuple[PoissonFit, BoolArray]:
    """Fit cohort and period effects (and slopes) on the usable rows that belong to no cell of their own."""
    sample, design = counts.sample, counts.sample.design
    rows = np.asarray(sample.observed & design.usable & ~_membership(design, cells), dtype=np.bool_)
    G, T, A = len(design.cohorts), len(design.clock), sample.X.shape[1]
    events = np.bincount(design.cohort_index, np.where(rows, sample.y, 0.0).sum(axis=1), G)
    if not events.all():
        raise EstimationError(
            f"{int((events == 0).sum())} of {G} cohorts have no events in their comparison rows: their level, and so "
            "every effect on them, cannot be told."
        )
    own = np.broadcast_to(np.eye(G)[:, None, :], (G, T, G))
    path, covariate = regressors(rows, own, A, interact=True)
    fit = poisson_fit(
        sample.y, counts.exposure, rows, sample.X, design.cohort_index, path, covariate, unit_effects=False
    )
    return fit, rows


def _cell_mean(y: FloatArray, E: FloatArray, X: FloatArray) -> FloatArray:
    """Return fitted means of one enrolled cell: a Poisson regression on its covariates."""
    if X.shape[1] == 1 or not y.any():
        return np.asarray(E * (y.sum() / E.sum()), dtype=np.float64)
    one = np.ones((1, 1, X.shape[1]))
    fit = poisson_fit(
        y[:, None], E[:, None], np.ones((len(y), 1), dtype=np.bool_), X, np.zeros(len(y), dtype=np.int64), one,
        np.arange(X.shape[1]), unit_effects=False,
    )  # fmt: skip
    return np.asarray(E * np.exp(fit.linear[:, 0]), dtype=np.float64)


def _groups(
    cells: Sequence[Cell], outcome: str, counts: Counts, scale: Scale
) -> tuple[tuple[EffectKey, ...], FloatArray]:
    """Return keys and the (K, C) 0-1 matrix of the cells each of them sums over."""
    blank = EffectKey(outcome, "", counts.weighting, unit_of_measure=scale.unit_of_measure)
    keys = [replace(blank, estimand="att_gt", cohort=g, period=t, event_time=t - g) for g, t in cells]
    rows = [np.eye(len(cells))]
    table = np.array(cells)
    cohort, period = table[:, 0], table[:, 1]
    event = period - cohort
    post = event >= 0
    of_all = replace(blank, estimand="overall")
    for key_of, values, inside in (
        (lambda _: of_all, np.zeros_like(event), post),
        (lambda e: replace(blank, estimand="event_study", event_time=e), event, np.ones_like(post)),
        (lambda g: replace(blank, estimand="cohort", cohort=g), cohort, post),
        (lambda t: replace(blank, estimand="calendar", period=t), period, post),
    ):
        for value in np.unique(values[inside]).tolist():
            keys.append(key_of(value))
            rows.append((inside & (values == value)).astype(np.float64)[None, :])
    return tuple(keys), np.concatenate(rows)
