"""Poisson regression with unit and period effects: one static rate ratio, or a path since entry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.counts import Scale, read_counts
from mtvp_eval.estimators.poisson_regression import poisson_fit
from mtvp_eval.estimators.regression import regressors
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.twfe import Shape, enrolment_paths


def poisson_fe(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    exposure: str | None = None,
    covariates: Sequence[str] = (),
    scale: Scale = Scale.RATIO,
    shape: Shape = Shape.STATIC,
) -> EffectEstimates:
    r"""Regress counts on enrolment with unit and period effects, conditional on each unit's total.

    .. math:: E[Y_{it}] = E_{it} \exp(\alpha_i + \lambda_t + \beta D_{it}), \qquad
              Y_i \mid Y_{i+} \sim \text{shares } p_{it} = E_{it} e^{\lambda_t + \beta D_{it}} / \textstyle\sum_s \cdot

    The counterpart of ``twfe`` for counts, with the same weakness: units already enrolled serve as comparisons.
    Exposure that does not change over time cancels. Units without any events say nothing and are not counted.

    Parameters
    ----------
    panel : counts (n, T); any pattern of missing rows.
    design : entries; its comparison plays no part.
    outcome : name of the counts.
    exposure : name of a baseline value or outcome; one a row where not given.
    covariates : names of baseline values; each gets its own slope a period.
    scale : ratio (exp(beta) - 1, delta method) or log.
    shape : static (one ``overall`` entry) or event_study.

    Returns
    -------
    EffectEstimates
        Quasi-likelihood errors by unit or cluster; ``with_correction("fixest")`` gives fixest's factor.

    Raises
    ------
    EstimationError
        If coefficients cannot be told apart or do not settle, counts or exposure are unusable, or per_1000 is asked.

    Source: Hausman, Hall & Griliches (1984), eq. 2.7; Wooldridge (1999) for robustness to anything but the mean.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[4.0, 4, 6], [4, 4, 8], [2, 1, 2], [2, 3, 2]])}, entry=np.array([3, 3, 9, 9]))
    >>> poisson_fe(panel, StaggeredDesign.from_panel(panel), "y").estimate.round(6).tolist()
    [0.75]
    """
    scale = Scale(scale)
    if scale == Scale.PER_1000:
        raise EstimationError(
            "A regression that conditions on unit totals has no level, so no events per 1,000: use etwfe_poisson."
        )
    counts = read_counts(panel, design, outcome, exposure, covariates)
    sample = counts.sample
    times, effects = enrolment_paths(design, Shape(shape))
    informative = np.where(sample.observed, sample.y, 0.0).sum(axis=1) > 0
    used = np.asarray(sample.observed & informative[:, None], dtype=np.bool_)
    if not used.any():
        raise EstimationError(f"{outcome} has no events at all.")
    path, covariate = regressors(used, effects, sample.X.shape[1])
    fit = poisson_fit(
        sample.y, counts.exposure, used, sample.X, design.cohort_index, path, covariate, unit_effects=True
    )
    K = len(times)
    picked = np.eye(len(fit.coefficients))[-K:]
    lost = fit.unidentified(picked)
    if lost.any():
        raise EstimationError(
            f"{int(lost.sum())} of {K} coefficients of {outcome} cannot be told apart from unit and period effects."
        )
    beta, psi = fit.coefficients[-K:], fit.influence(picked)
    if scale == Scale.RATIO:
        beta, psi = np.expm1(beta), psi * np.exp(beta)
    alone = [_rests_on_one(design, informative, e) for e in times]
    notes = ["Units already enrolled serve as comparisons: weights on single effects may be negative.", *sample.notes()]
    if not informative.all():
        notes.append(f"{int((~informative).sum())} units without any events say nothing and are not counted.")
    return EffectEstimates(
        tuple(
            EffectKey(
                outcome, "overall" if e is None else "event_study", counts.weighting, event_time=e,
                unit_of_measure=scale.unit_of_measure,
            )
            for e in times
        ),
        beta, design.unit_ids, psi, design.cohort_index, sample.cluster, sampling="conditional",
        correction="hc2" if sample.cluster is None else "cr1", method="Poisson with unit effects",
        no_error=tuple("rests on one unit: its spread cannot be seen" if one else None for one in alone),
        notes=tuple(notes), regression=(int(used.sum()), len(fit.coefficients) - fit.null.shape[1] + 1),
    )  # fmt: skip


def _rests_on_one(design: StaggeredDesign, informative: np.ndarray, event_time: int | None) -> bool:
    """Say whether a single unit with events was seen enrolled (at that event time)."""
    enrolled = design.entry <= design.clock[-1]
    if event_time is not None:
        enrolled = np.isin(design.entry + event_time, design.clock) & enrolled
    return int((enrolled & informative).sum()) == 1
