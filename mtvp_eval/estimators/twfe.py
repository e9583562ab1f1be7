"""Two-way fixed effects: one static coefficient, or one a period relative to entry (misleads if effects differ)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.partialled import partialled_fit
from mtvp_eval.estimators.regression import two_way_fit
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import Sample, read_sample
from mtvp_eval.estimators.saturated import without_error
from mtvp_eval.estimators.variance import two_way_covariance


class Shape(StrEnum):
    """What the regression lets the effect do: be one number, or a path since entry."""

    STATIC = "static"
    EVENT_STUDY = "event_study"


def twfe(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    shape: Shape = Shape.STATIC,
) -> EffectEstimates:
    r"""Regress the outcome on enrolment with unit and period effects.

    .. math:: Y_{it} = \alpha_i + \lambda_t + \beta 1\{t \ge G_i - \delta\} + e_{it} \quad \text{(static)}
    .. math:: Y_{it} = \alpha_i + \lambda_t + \textstyle\sum_e \beta_e 1\{t - G_i = e\} + e_{it}, \quad
              e \ne -1-\delta \quad \text{(event study)}

    Here for comparison only: units already enrolled serve as comparisons, so that effects which grow or differ between
    cohorts enter with weights that may be negative; ``bacon`` shows them. Where everybody enrolls, the event study
    leaves out the earliest event time as well, without which calendar and event time cannot be told apart.

    Parameters
    ----------
    panel : outcomes (n, T); any pattern of missing rows.
    design : entries; its comparison plays no part. All periods are used.
    outcome : name in the panel.
    covariates : names of baseline values, each with its own slope a period; or of outcomes that change over time,
        each with one slope.
    weighting : practice or patient (weighted least squares with ``design.size``).
    shape : static (one ``overall`` entry) or event_study (one entry an event time).

    Returns
    -------
    EffectEstimates
        With correction hc2, or cr1 where clusters are given; ``with_correction("fixest")`` gives fixest's own.

    Raises
    ------
    EstimationError
        If a coefficient cannot be told apart from the effects of units and periods.

    Source: Goodman-Bacon (2021), eq. 2; Sun & Abraham (2021), eq. 3.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> twfe(panel, StaggeredDesign.from_panel(panel), "y").estimate.round(9).tolist()
    [3.5]
    """
    weighting = Weighting(weighting)
    times, effects = enrolment_paths(design, Shape(shape))
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size, varying=True).with_covariates()
    whole = partialled_fit(sample.y, sample.observed, sample.varying, sample.X, sample.w, design.cohort_index, effects)
    fit = whole.fit
    picked = fit.pick(np.eye(fit.n_effects))
    lost = fit.unidentified(picked)
    if lost.any():
        raise EstimationError(
            f"{int(lost.sum())} of {len(times)} coefficients of {outcome} cannot be told apart from unit and period "
            "effects in the rows observed. Shorten the window, or use a method that estimates cell by cell."
        )
    still = without_error(sample, fit.scores())
    reasons = [
        "rests on a cohort of one unit: its spread cannot be seen" if one
        else "the outcome fits without error: no spread is left" if still else None
        for one in fit.leans_on_one(picked)
    ]  # fmt: skip
    return EffectEstimates(
        tuple(
            EffectKey(outcome, "overall" if e is None else "event_study", weighting, event_time=e) for e in times
        ),
        fit.coefficients[-fit.n_effects :], design.unit_ids, whole.influence(picked), design.cohort_index,
        sample.cluster, sampling="conditional", correction="hc2" if sample.cluster is None else "cr1",
        method="Two-way fixed effects", no_error=tuple(reasons), notes=_notes(sample, design, times),
        regression=(fit.rows, whole.parameters),
    )  # fmt: skip


def twfe_two_way_covariance(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    shape: Shape = Shape.STATIC,
) -> FloatArray:
    """Return the covariance of ``twfe`` clustered by unit (or the panel's cluster) and by period, (K, K).

    With few periods it is unreliable, and may not be positive; a separate matrix for that reason.

    Source: Cameron, Gelbach & Miller (2011), eq. 2.10.
    """
    by_size = Weighting(weighting) == Weighting.PATIENT
    sample = read_sample(panel, design, outcome, covariates, by_size=by_size)
    effects = enrolment_paths(design, Shape(shape))[1]
    fit = two_way_fit(sample.y, sample.observed, sample.X, sample.w, design.cohort_index, effects)
    scores = fit.row_scores(fit.pick(np.eye(fit.n_effects)))
    periods = int(sample.observed.any(axis=0).sum())
    return two_way_covariance(scores, sample.cluster, fit.parameters - periods + 1)


def enrolment_paths(design: StaggeredDesign, shape: Shape) -> tuple[tuple[int | None, ...], FloatArray]:
    """Return event times (None for static) and the (G, T, K) indicators of enrolment that the regression uses."""
    since = design.clock[None, :] - design.cohorts[:, None]
    enrolls = design.cohorts[:, None] <= design.clock[-1]
    if shape == Shape.STATIC:
        return (None,), (enrolls & (since >= -design.anticipation))[:, :, None].astype(np.float64)
    found = np.unique(since[np.broadcast_to(enrolls, since.shape)])
    left_out = {-1 - design.anticipation} | ({int(found[0])} if enrolls.all() else set())
    times = tuple(int(e) for e in found if e not in left_out)
    return times, np.stack([(enrolls & (since == e)).astype(np.float64) for e in times], axis=2)


def _notes(sample: Sample, design: StaggeredDesign, times: tuple[int | None, ...]) -> tuple[str, ...]:
    warned = "Units already enrolled serve as comparisons: weights on single effects may be negative."
    notes = [warned, *sample.about_units()]
    if design.control_only in design.clock and len(times) > 1:
        notes.append("Everybody enrolls: the earliest event time is set to zero beside the one before entry.")
    gaps = ~sample.observed
    if gaps.any():
        notes.append(f"{gaps.mean():.1%} of unit-periods are missing; the regression uses the rows there are.")
    return tuple(notes)
