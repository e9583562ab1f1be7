"""Gardner (2022): first the path without enrolment, then averages of what is left; GMM standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import cell_weights, share_gaps, share_influence
from mtvp_eval.estimators.cohort_moments import CohortInfluence
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.estimators.untreated_path import cell_averages


def two_stage(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    cells: Sequence[Cell] | None = None,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Estimate every cell by regressing what the first stage leaves on one indicator a cell.

    .. math:: \hat\tau_{it} = Y_{it} - \hat\alpha_i - x_i'\hat\lambda_t, \qquad
              \hat\theta = (D'D)^{-1} D'\hat\tau, \qquad
              \psi_i = n (D'D)^{-1}\big(D_i'(\hat\tau_i - D_i\hat\theta) - D'X_1 (X_1'X_1)^{-1} X_{1i}'e_i\big)

    Point estimates are those of ``imputation``. A second stage with one coefficient for many cells (static, event
    study) centres residuals at that coefficient; that is the same as averaging cells with estimated shares, which is
    what ``aggregate`` does with these entries. Leads average first-stage residuals, which are fitted to the same rows:
    they are pulled towards zero, and the first lead before entry is left out as in the original's event study.

    Parameters
    ----------
    panel : outcomes (n, T); any pattern of missing rows.
    design : cohorts; the comparison is every untreated row.
    outcome : name in the panel.
    covariates : names of baseline values, each with its own slope a period in the first stage; or of outcomes that
        change over time, each with one slope.
    weighting : practice, or patient (weights ``design.size`` in both stages).
    cells : cells; all identified ones where not given. Leads of the last cohort may be asked for as well.
    estimands : averages of the cells asked for in their place; saves making influence values for every cell.

    Returns
    -------
    EffectEstimates
        att_gt entries; hc2 without clusters, cr1 with. The original applies no factor: ``with_correction("none")``.

    Raises
    ------
    EstimationError
        If the comparison is the never-enrolled only, or cells have no untreated path.

    Source: Gardner (2022), eq. 8-9 and section 4.3 (GMM variance after Newey & McFadden 1994, theorem 6.1).

    Example
    -------
    >>> import numpy as np
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = two_stage(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, abs(round(float(v), 9))) for k, v in zip(effects.index, effects.estimate)]
    [(-2, 0.0), (0, 3.5)]
    """
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True).with_covariates()
    wanted = design.identified_cells(BasePeriod.UNIVERSAL) if cells is None else tuple(cells)
    if not wanted:
        raise EstimationError("No cell is identified: StaggeredDesign.estimability() shows why.")
    weights = cell_weights(outcome, wanted, {weighting}, estimands) if estimands else np.eye(len(wanted))
    found = cell_averages(sample, wanted, 1, weights)
    psi = found.influence
    if estimands:
        effect = dict(zip(wanted, found.cells.tolist(), strict=True))
        if isinstance(psi, CohortInfluence):
            psi = psi.shifted(share_gaps(design, effect, estimands))
        else:
            psi += share_influence(design, effect, estimands)
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands or [cell_effect(cell, weighting) for cell in wanted]),
        weights @ found.cells, design.unit_ids, psi, design.cohort_index, sample.cluster,
        correction="hc2" if sample.cluster is None else "cr1", method="Two-stage (Gardner)",
        no_error=found.no_error, notes=sample.notes(),
    )  # fmt: skip
