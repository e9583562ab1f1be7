"""Effects of one project of few units with its placebo distribution, from a panel and a design with one cohort.

Source: specification section 10; the estimate is Callaway and Sant'Anna's with outcome regression, written as one
contrast of periods for each unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.inference.placebo import (
    PlaceboDraws,
    group_contrasts,
    nearest_in_size,
    noise_scale,
    placebo_groups,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """How untouched groups are found.

    region : (n,) of the panel's units; `barred` (n,) units beside a project, which stand in no group.
    groups : so many, nearest to the project in size; `candidates` subsets a region (or in all, across regions).
    """

    region: ObjectArray
    barred: BoolArray
    groups: int
    candidates: int


def contrast_weights(design: StaggeredDesign, estimand: Estimand) -> FloatArray:
    r"""Return (T,) the weights by which an estimand on one cohort compares periods within a unit.

    .. math:: a = \sum_c w_c (e_{t(c)} - e_{b(c)}), \qquad \hat\theta = \bar{(y a)}_g - \bar{(y a)}_C

    Parameters
    ----------
    design : clock and anticipation; leads are measured from the universal base.
    estimand : its cells and weights.

    Raises
    ------
    EstimationError
        If a cell has no base period.

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([3, 9]), np.array([1, 2, 3, 4]))
    >>> contrast_weights(design, overall(design)).tolist()
    [0.0, -1.0, 0.5, 0.5]
    """
    a = np.zeros(len(design.clock))
    for (g, t), w in zip(estimand.cells, estimand.weights, strict=True):
        base = design.base_period(g, t, BasePeriod.UNIVERSAL)
        if base is None:
            raise EstimationError(f"Cohort {g} has no period before its entry: {estimand.name} has no base.")
        a[np.searchsorted(design.clock, t)] += w
        a[np.searchsorted(design.clock, base)] -= w
    return a


def adjusted_changes(change: FloatArray, X: FloatArray, weight: FloatArray, untouched: BoolArray) -> FloatArray:
    r"""Return changes less what covariates predict among the untouched, (n,).

    .. math:: e = d - X\hat\beta, \qquad \hat\beta = \arg\min \sum_{i \in C} w_i (d_i - \alpha - x_i'\beta)^2

    Parameters
    ----------
    change : (n,).
    X : (n, p) without a constant; p may be zero.
    weight : (n,) positive.
    untouched : (n,) units that never enter.

    Example
    -------
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> untouched = np.array([True, True, True, False])
    >>> float(adjusted_changes(np.array([0.0, 2.0, 4.0, 7.0]), X, np.ones(4), untouched)[3].round(9))
    1.0
    """
    centre = np.average(X[untouched], axis=0, weights=weight[untouched]) if X.shape[1] else np.zeros(0)
    D = np.column_stack([np.ones(len(change)), X - centre])
    root = np.sqrt(weight[untouched])
    beta, *_ = np.linalg.lstsq(D[untouched] * root[:, None], change[untouched] * root, rcond=None)
    return np.asarray(change - D @ beta)


def placebo_effects(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    covariates: Sequence[str],
    estimands: Sequence[Estimand],
    reference: Reference,
    rng: np.random.Generator,
) -> tuple[PlaceboDraws, ...]:
    """Return each estimand's effect with the contrasts of untouched groups that play the project.

    Parameters
    ----------
    panel : outcome without gaps for the design's units; weights are insured years.
    design : one cohort that enters, and units that never do.
    outcome : name in the panel.
    covariates : baseline values of the outcome regression.
    estimands : on the one cohort.
    reference : how groups are found; its arrays follow the panel's units.
    rng : draws subsets.

    Raises
    ------
    EstimationError
        If several cohorts enter, outcomes are missing, or too few untouched groups are found.

    Example
    -------
    >>> from mtvp_eval.clock import NEVER
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> y = np.random.default_rng(1).normal(0, 0.1, (60, 3))
    >>> y[0, 2] += 5.0
    >>> ids = np.array([f"u{i}" for i in range(60)], dtype=object)
    >>> entry = np.where(np.arange(60) == 0, 3, NEVER)
    >>> panel = Panel(ids, ("1", "2", "3"), np.array([1, 2, 3]), {"y": y}, weight=np.full(60, 100.0), entry=entry)
    >>> design = StaggeredDesign.from_panel(panel)
    >>> reference = Reference(np.full(60, "", dtype=object), np.zeros(60, dtype=bool), 50, 50)
    >>> draws = placebo_effects(panel, design, "y", (), [overall(design)], reference, np.random.default_rng(1))[0]
    >>> round(draws.estimate), draws.test().p_value < 0.05
    (5, True)
    """
    rows = design.rows_in(panel.unit_ids)
    y, weight = panel.outcomes[outcome][rows], panel.weight[rows]
    enters = design.cohort_index == 0
    if len(design.cohorts) != 2:
        raise EstimationError(f"{len(design.cohorts) - 1} cohorts enter; a placebo distribution is made for one.")
    if bool(np.isnan(y).any()):
        raise EstimationError(
            f"{int(np.isnan(y).any(axis=1).sum())} units miss {outcome} in some period; leave them out."
        )
    X = panel.covariates(covariates)[rows]
    region, barred = reference.region[rows], reference.barred[rows]
    pool = np.flatnonzero(~enters & ~barred)
    k, size = int(enters.sum()), float(weight[enters].sum())
    apart = k > 1 and len(set(region[enters].tolist())) == k
    candidates = pool[
        placebo_groups(
            weight[pool], region[pool], k, within_region=not apart, limit=reference.candidates * (20 if apart else 1),
            rng=rng,
        )
    ]  # fmt: skip
    group_size = weight[candidates].sum(axis=1)
    several = k > 1 and not apart
    stratum = np.unique(region[candidates[:, 0]].astype(str), return_inverse=True)[1]
    stratum = stratum if several else np.arange(len(candidates))
    near = nearest_in_size(group_size, stratum, size, reference.groups)
    strata = len(set(stratum[near].tolist()))
    return tuple(
        _draws(
            adjusted_changes(y @ contrast_weights(design, e), X, weight, ~enters),
            weight,
            enters,
            candidates,
            group_size,
            near,
            strata,
        )
        for e in estimands
    )


def _draws(
    change: FloatArray,
    weight: FloatArray,
    enters: BoolArray,
    candidates: IntArray,
    size: FloatArray,
    near: IntArray,
    strata: int,
) -> PlaceboDraws:
    others = np.flatnonzero(~enters)
    place = np.searchsorted(others, candidates)
    contrast = group_contrasts(change[others], weight[others], place)
    estimate = np.average(change[enters], weights=weight[enters]) - np.average(change[others], weights=weight[others])
    return PlaceboDraws(
        float(estimate),
        float(weight[enters].sum()),
        contrast[near],
        size[near],
        noise_scale(contrast, size),
        strata,
    )
