"""Wing, Freedman & Hollingsworth (2024): one sub-experiment a cohort, stacked with corrective weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.event_path import event_path
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.sample import Sample, read_sample


@dataclass(frozen=True, slots=True)
class SubExperiment:
    """Hold a cohort's sub-experiment: its entry, rows of treated and clean comparison units, window columns."""

    cohort: int
    treated: IntArray
    against: IntArray
    columns: IntArray


def stacked(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    weighting: Weighting = Weighting.PRACTICE,
    before: int | None = None,
    after: int | None = None,
) -> EffectEstimates:
    r"""Estimate one event study over a fixed set of cohorts, each against units that stay clean through its window.

    Sub-experiment a holds cohort a and the units untouched until ``after`` periods past its entry, in the window from
    ``before`` periods ahead of entry. The stack is one regression, saturated in enrolled or not and event time e,

    .. math:: Y_{iae} = \mu_e + D_{ia}(\kappa + \theta_e) + u_{iae}, \qquad
              Q_{ia} = D_{ia} + (1 - D_{ia}) \frac{N^D_a / N^D}{N^C_a / N^C}

    whose weights Q give comparison units the shares of the treated, so that theta is the mean over cohorts weighted by
    their size (the trimmed aggregate), the same cohorts at every e. Unweighted stacks estimate no such mean.

    Parameters
    ----------
    panel : outcomes (n, T); in a sub-experiment a unit takes part if observed in the whole window.
    design : cohorts and comparison (never_enrolled: the control-only cohort alone is clean).
    outcome : name in the panel.
    weighting : practice, or patient (N are then sums of ``design.size``).
    before, after : the window; where not given the longest that keeps every cohort with an identified effect.

    Returns
    -------
    EffectEstimates
        event_study entries (not for the base, the last untouched period); their mean from entry on as overall and as
        overall_event, since the same units count at every event time. Errors sum a unit's rows over sub-experiments;
        ``with_correction("fixest")`` gives the factor of the stacked regression.

    Raises
    ------
    NotIdentifiedError
        If no cohort fits the window with clean units beside it.
    EstimationError
        If the window is not at least one period long on both sides.

    Source: Wing, Freedman & Hollingsworth (2024), eq. 5-7 and section 5.2 (weights).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = stacked(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, float(v)) for k, v in zip(effects.index, effects.estimate)]
    [(-2, 0.0), (0, 3.5), (None, 3.5), (None, 3.5)]
    """
    weighting = Weighting(weighting)
    sample = read_sample(panel, design, outcome, by_size=weighting == Weighting.PATIENT)
    first, last = _window(design, before, after)
    experiments = [e for e in (_experiment(sample, int(g), first, last) for g in design.cohorts[:-1]) if e is not None]
    if not experiments:
        raise NotIdentifiedError(
            f"No cohort is seen from {-first} periods before to {last} after entry with clean units beside it. "
            "Choose a shorter window; StaggeredDesign.estimability() shows who compares when."
        )
    base = int(np.searchsorted(np.arange(first, last + 1), -1 - design.anticipation))
    treated, against = _weights(sample, experiments)
    path: dict[int, tuple[float, FloatArray]] = {}
    y = np.ascontiguousarray(sample.y.T)  # a period is one stretch of memory
    for j, e in enumerate(range(first, last + 1)):
        if j == base:
            continue
        change = [y[x.columns[j]] - y[x.columns[base]] for x in experiments]
        mean_t = sum(float(v @ c[x.treated]) for v, c, x in zip(treated, change, experiments, strict=True))
        mean_c = sum(float(v @ c[x.against]) for v, c, x in zip(against, change, experiments, strict=True))
        psi = np.zeros(design.n_units)
        for v, q, c, x in zip(treated, against, change, experiments, strict=True):
            psi[x.treated] += design.n_units * v * (c[x.treated] - mean_t)
            psi[x.against] -= design.n_units * q * (c[x.against] - mean_c)
        path[e] = mean_t - mean_c, psi
    against_one = {int(x.against[0]) for x in experiments if len(x.against) == 1}
    alone = sum(len(x.treated) for x in experiments) == 1 or (
        len(against_one) == 1 and all(len(x.against) == 1 for x in experiments)
    )
    length = last - first + 1
    rows = length * sum(len(x.treated) + len(x.against) for x in experiments)
    return event_path(
        sample, outcome, weighting, path, [alone] * len(path), [1.0] * len(path), "Stacked, corrective weights",
        (rows, 2 * length),
    )  # fmt: skip


def _window(design: StaggeredDesign, before: int | None, after: int | None) -> tuple[int, int]:
    """Return first and last event time."""
    cohorts = design.cohorts[:-1][design.cohorts[:-1] <= design.last_period]
    if not len(cohorts):
        raise NotIdentifiedError("No cohort enrolls while somebody is still untouched.")
    first = -int((cohorts - design.clock[0]).min()) if before is None else -before
    last = int((design.last_period - cohorts).min()) if after is None else after
    if first > -1 - design.anticipation or last < 0:
        raise EstimationError(
            f"The window runs from {first} to {last}: it needs the base period before entry, "
            f"{-1 - design.anticipation}, and entry itself."
        )
    return first, last


def _experiment(sample: Sample, g: int, first: int, last: int) -> SubExperiment | None:
    """Return the sub-experiment of cohort ``g``, or None if its window or its clean units are missing."""
    design = sample.design
    periods = np.arange(g + first, g + last + 1)
    if not np.isin(periods, design.clock[design.usable]).all():
        return None
    columns = np.searchsorted(design.clock, periods)
    whole: BoolArray = np.all(sample.observed[:, columns], axis=1)
    own = np.flatnonzero(whole & (design.entry == g))
    clean = np.flatnonzero(whole & design.comparison_units(g, g + last, BasePeriod.UNIVERSAL))
    return SubExperiment(g, own, clean, columns) if len(own) and len(clean) else None


def _weights(sample: Sample, experiments: list[SubExperiment]) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the weights of treated and comparison units in each sub-experiment; each side sums to one over all."""
    size = np.array([sample.w[x.treated].sum() for x in experiments])
    treated = [sample.w[x.treated] / size.sum() for x in experiments]
    against = [
        sample.w[x.against] * (share / sample.w[x.against].sum())
        for x, share in zip(experiments, size / size.sum(), strict=True)
    ]
    return treated, against
