r"""Stepped wedge by generalised estimating equations, with a covariance for few clusters.

Source: Liang & Zeger (1986), Biometrika 73, eq. 6; Mancl & DeRouen (2001), Biometrics 57, eq. 5, for the covariance;
Li, Turner & Preisser (2018), Biometrics 74, for t with C - 2 degrees of freedom in stepped wedges.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.stepped_wedge_rows import EffectShape, WedgeRows, wedge_rows

FEWEST_CLUSTERS = 5


class WorkingCorrelation(StrEnum):
    """Correlation within a cluster with which rows are weighted; the covariance does not rely on it."""

    INDEPENDENCE = "independence"
    EXCHANGEABLE = "exchangeable"


def stepped_wedge_gee(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    working: WorkingCorrelation = WorkingCorrelation.EXCHANGEABLE,
    exposure: str | None = None,
    window: tuple[int, int] | None = None,
    shape: EffectShape = EffectShape.BY_EXPOSURE,
    covariates: Sequence[str] = (),
) -> Replicates:
    r"""Estimate effects by time since entry with estimating equations and Mancl-DeRouen's covariance.

    .. math:: \sum_c D_c' V_c^{-1} (Y_c - \mu_c) = 0, \qquad V_{MD} = B^{-1} \Big\{ \sum_c D_c' V_c^{-1}
        (I - H_c)^{-1} r_c r_c' (I - H_c')^{-1} V_c^{-1} D_c \Big\} B^{-1}, \quad H_c = D_c B^{-1} D_c' V_c^{-1}

    The clusters are those of the panel, or the units where none are declared; t with C - 2 degrees of freedom. The mean
    is linear; with an ``exposure`` the outcome is a count with a log mean and estimates are logs of rate ratios. The
    working correlation and scale divide by the number of pairs and of rows. Every unit counts once.

    Parameters
    ----------
    panel : outcomes (n, T); its clock is the design's.
    design : entries; periods of all units are used.
    outcome : name in the panel.
    working : exchangeable (default) or independence.
    exposure : name of the outcome that counts the persons at risk, for counts.
    window, shape, covariates : as in ``stepped_wedge``.

    Returns
    -------
    Replicates
        event_study entries and overall (overall alone for a constant effect), with t intervals.

    Raises
    ------
    EstimationError
        If there are fewer than five clusters, the data are too large, counts are negative or without exposure, or the
        equations do not converge.
    NotIdentifiedError
        If exposure time cannot be told apart from period, or the window is not seen.

    Example
    -------
    >>> rng = np.random.default_rng(1)
    >>> entry = np.repeat([3, 4, 5, 6], 5)
    >>> y = rng.normal(size=(20, 1)) + rng.normal(scale=0.1, size=(20, 6)) - 2.0 * (entry[:, None] <= np.arange(1, 7))
    >>> panel = Panel(np.arange(20).astype(object), tuple("123456"), np.arange(1, 7), {"y": y}, entry=entry)
    >>> found = stepped_wedge_gee(panel, StaggeredDesign.from_panel(panel), "y", window=(0, 1))
    >>> found.df().tolist()[-1], bool(abs(found.estimate[-1] + 2) < 0.2)
    (18.0, True)
    """
    rows = wedge_rows(panel, design, outcome, shape, window, covariates)
    clusters = len(np.unique(rows.block))
    if clusters < FEWEST_CLUSTERS:
        raise EstimationError(
            f"{clusters} clusters: the covariance needs at least {FEWEST_CLUSTERS}. Use the draw itself (replays), or "
            "a mixed model."
        )
    offset = None if exposure is None else _log_exposure(panel, design, rows, exposure)
    spread = 1.0 if exposure is not None else float(rows.y.std())
    if spread <= 1e-12 * float(np.abs(rows.y).max()):
        raise EstimationError(f"Outcome {outcome} does not move.")
    found = _solve(rows, rows.y / spread, WorkingCorrelation(working), offset)
    L = rows.contrasts
    constant = EffectShape(shape) == EffectShape.CONSTANT
    unit = "" if exposure is None else "log of a rate ratio"
    few = (f"{clusters} clusters are few for any covariance of clusters.",) if clusters < 20 else ()
    return Replicates(
        tuple(replace(key, unit_of_measure=unit) for key in rows.index),
        spread * L @ np.asarray(found.params), np.empty((0, len(L))),
        spread**2 * L @ np.asarray(found.cov_robust_bc) @ L.T, np.full(len(L), clusters - 2.0),
        method=f"Stepped wedge, GEE {working}" + (", biased under build-up" if constant else ""),
        spread_method="Mancl-DeRouen",
        notes=(*rows.notes, *few),
    )  # fmt: skip


def _log_exposure(panel: Panel, design: StaggeredDesign, rows: WedgeRows, exposure: str) -> FloatArray:
    if exposure not in panel.outcomes:
        raise EstimationError(f"Unknown exposure {exposure}; the panel has {', '.join(panel.outcomes)}.")
    persons = panel.outcomes[exposure][design.rows_in(panel.unit_ids)].ravel()[rows.place]
    bad = int((~(persons > 0)).sum())
    negative = int((rows.y < 0).sum())
    if bad or negative:
        raise EstimationError(
            f"{negative} negative counts, and {bad} counts without a positive exposure: correct the record, or leave "
            "those periods out."
        )
    return np.asarray(np.log(persons), dtype=np.float64)


def _solve(rows: WedgeRows, y: FloatArray, working: WorkingCorrelation, offset: FloatArray | None) -> Any:
    """Solve the equations with statsmodels; moments divide by numbers of rows and pairs (no degrees of freedom off)."""
    import statsmodels.api as sm
    from statsmodels.genmod import cov_struct

    structure = cov_struct.Exchangeable() if working == WorkingCorrelation.EXCHANGEABLE else cov_struct.Independence()
    family = sm.families.Gaussian() if offset is None else sm.families.Poisson()
    model = sm.GEE(y, rows.X, groups=rows.block, family=family, cov_struct=structure, offset=offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the limit on iterations is judged below
        found = model.fit(maxiter=200, ctol=1e-8, cov_type="bias_reduced", ddof_scale=0)
    if not found.converged or not np.isfinite(found.params).all():
        raise EstimationError(
            "The estimating equations did not converge. Use an independence working correlation, or a constant effect."
        )
    return found
