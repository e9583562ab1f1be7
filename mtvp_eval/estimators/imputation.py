"""Borusyak, Jaravel & Spiess (2024): impute the path without enrolment from all untreated rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import cell_weights
from mtvp_eval.estimators.partialled import partialled_fit
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.estimators.untreated_path import cell_averages, untreated_rows


def imputation(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    cells: Sequence[Cell] | None = None,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Estimate every enrolled cell as the mean of outcome less imputed path.

    .. math:: \hat\tau_{gt} = \sum_{i \in g} \tfrac{w_i}{W_{gt}} (Y_{it} - \hat\alpha_i - x_i'\hat\lambda_t)

    The variance is the paper's conservative one: residuals of enrolled rows are centred at the mean of their cohort and
    event time weighted by squared weights, so that what differs between units counts as noise. Efficient under equal,
    uncorrelated errors; leads are another regression, ``pretrends``.

    Parameters
    ----------
    panel : outcomes (n, T); any pattern of missing rows.
    design : cohorts; the comparison is every untreated row.
    outcome : name in the panel.
    covariates : names of baseline values, each with its own slope a period; or of outcomes that change over time,
        each with one slope, learned from untreated rows.
    weighting : practice, or patient (weights ``design.size`` in the path and in the averages).
    cells : cells at or after entry; all identified ones where not given.
    estimands : averages of the cells asked for in their place; saves making influence values for every cell.

    Returns
    -------
    EffectEstimates
        att_gt entries conditional on the cohorts; hc2 without clusters, cr1 with. The original applies no factor:
        ``with_correction("none")``.

    Raises
    ------
    EstimationError
        If the comparison is the never-enrolled only, or cells have no untreated path.

    Source: Borusyak, Jaravel & Spiess (2024), theorem 2 and eq. 8 (variance with proper weights; R's didimputation
    solves with squared weights, which is registered as an error of the original).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = imputation(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, round(float(v), 9)) for k, v in zip(effects.index, effects.estimate)]
    [(0, 3.5)]
    """
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True).with_covariates()
    wanted = enrolled_cells(design) if cells is None else tuple(cells)
    weights = cell_weights(outcome, wanted, {weighting}, estimands) if estimands else np.eye(len(wanted))
    found = cell_averages(sample, wanted, 2, weights)
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands or [cell_effect(cell, weighting) for cell in wanted]),
        weights @ found.cells, design.unit_ids, found.influence, design.cohort_index, sample.cluster,
        sampling="conditional",
        correction="hc2" if sample.cluster is None else "cr1", method="Imputation (Borusyak-Jaravel-Spiess)",
        no_error=found.no_error, notes=sample.notes(),
    )  # fmt: skip


def pretrends(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    leads: int = 3,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
) -> EffectEstimates:
    r"""Test the path on untreated rows alone: one coefficient for each of the last ``leads`` periods before entry.

    .. math:: Y_{it} = \alpha_i + x_i'\lambda_t + \sum_{e=-L}^{-1} \gamma_e 1\{t - G_i + \delta = e\} + e_{it}
              \quad (t < G_i - \delta)

    Earlier untreated periods are the base. Cohorts that serve only as comparison have no event time.

    Returns
    -------
    EffectEstimates
        placebo entries by event time.

    Raises
    ------
    EstimationError
        If the rows before entry are too few for that many leads.

    Source: Borusyak, Jaravel & Spiess (2024), section 4.4, eq. 12.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> found = pretrends(panel, StaggeredDesign.from_panel(panel), "y", leads=1)
    >>> [(k.event_time, round(float(v), 9)) for k, v in zip(found.index, found.estimate)]
    [(-1, 0.0)]
    """
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True).with_covariates()
    since = design.clock[None, :] - design.cohorts[:, None]
    tested = (design.cohorts != design.control_only)[:, None]
    times = [-j - design.anticipation for j in range(leads, 0, -1)]
    effects = np.stack([(tested & (since == e)).astype(np.float64) for e in times], axis=2)
    whole = partialled_fit(
        sample.y, untreated_rows(sample), sample.varying, sample.X, sample.w, design.cohort_index, effects
    )
    fit = whole.fit
    picked = fit.pick(np.eye(leads))
    lost = int(fit.unidentified(picked).sum())
    if lost:
        raise EstimationError(
            f"{lost} of {leads} leads of {outcome} cannot be told apart from unit and period effects: there are too "
            "few untreated periods before them. Ask for fewer leads."
        )
    lean = fit.leans_on_one(picked)
    return EffectEstimates(
        tuple(EffectKey(outcome, "placebo", weighting, event_time=e) for e in times), fit.coefficients[-leads:],
        design.unit_ids, whole.influence(picked), design.cohort_index, sample.cluster, sampling="conditional",
        correction="hc2" if sample.cluster is None else "cr1", method="Pretrends on untreated rows",
        no_error=tuple("rests on a cohort of one unit: its spread cannot be seen" if one else None for one in lean),
        notes=sample.notes(), regression=(fit.rows, whole.parameters),
    )  # fmt: skip


def enrolled_cells(design: StaggeredDesign) -> tuple[Cell, ...]:
    """Return the identified cells in which the programme may act: from entry less anticipation on.

    Raises
    ------
    NotIdentifiedError
        If there is none.
    """
    cells = tuple((g, t) for g, t in design.identified_cells(BasePeriod.UNIVERSAL) if t >= g - design.anticipation)
    if not cells:
        raise NotIdentifiedError("No enrolled cell is identified: StaggeredDesign.estimability() shows why.")
    return cells
