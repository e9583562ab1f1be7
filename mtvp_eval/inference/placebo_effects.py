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
    groups = untouched_groups(panel, design, outcome, reference, rng)
    return tuple(_draws(groups.change(e, covariates), groups) for e in estimands)


@dataclass(frozen=True, slots=True)
class UntouchedGroups:
    """Groups of untouched units that can play a project, beside the project itself.

    Parameters
    ----------
    panel, design, outcome, rows : the n units of the design, as rows into the panel.
    enters : (n,) units of the project.
    members : (B, k) units of each group, as rows into the n.
    size : (B,) insured years.
    stratum : (B,) region of each group as an integer; each its own where groups are single or spread over regions.
    near : rows of the groups nearest to the project in size.
    """

    panel: Panel
    design: StaggeredDesign
    outcome: str
    rows: IntArray
    enters: BoolArray
    members: IntArray
    size: FloatArray
    stratum: IntArray
    near: IntArray

    @property
    def weight(self) -> FloatArray:
        """Weights of the n units."""
        return np.asarray(self.panel.weight[self.rows])

    def change(self, estimand: Estimand, covariates: Sequence[str]) -> FloatArray:
        """Return the adjusted change of every unit by which an estimand compares, (n,)."""
        y = self.panel.outcomes[self.outcome][self.rows] @ contrast_weights(self.design, estimand)
        return adjusted_changes(y, self.panel.covariates(covariates)[self.rows], self.weight, ~self.enters)

    def contrasts(self, change: FloatArray) -> FloatArray:
        """Return the contrast of every group with all other untouched units, (B,)."""
        others = np.flatnonzero(~self.enters)
        return group_contrasts(change[others], self.weight[others], np.searchsorted(others, self.members))


def untouched_groups(
    panel: Panel, design: StaggeredDesign, outcome: str, reference: Reference, rng: np.random.Generator
) -> UntouchedGroups:
    """Find the groups for one project; parameters are those of `placebo_effects`.

    Raises
    ------
    EstimationError
        If several cohorts enter, outcomes are missing, or too few untouched groups are found.
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
    region, barred = reference.region[rows], reference.barred[rows]
    pool = np.flatnonzero(~enters & ~barred)
    k, size = int(enters.sum()), float(weight[enters].sum())
    apart = k > 1 and len(set(region[enters].tolist())) == k
    members = pool[
        placebo_groups(
            weight[pool], region[pool], k, within_region=not apart, limit=reference.candidates * (20 if apart else 1),
            rng=rng,
        )
    ]  # fmt: skip
    group_size = weight[members].sum(axis=1)
    several = k > 1 and not apart
    stratum = np.unique(region[members[:, 0]].astype(str), return_inverse=True)[1]
    stratum = stratum if several else np.arange(len(members))
    near = nearest_in_size(group_size, stratum, size, reference.groups)
    return UntouchedGroups(panel, design, outcome, rows, enters, members, group_size, stratum, near)


def _draws(change: FloatArray, groups: UntouchedGroups) -> PlaceboDraws:
    weight, enters, near = groups.weight, groups.enters, groups.near
    contrast = groups.contrasts(change)
    estimate = np.average(change[enters], weights=weight[enters]) - np.average(change[~enters], weights=weight[~enters])
    return PlaceboDraws(
        float(estimate),
        float(weight[enters].sum()),
        contrast[near],
        groups.size[near],
        noise_scale(contrast, groups.size),
        len(set(groups.stratum[near].tolist())),
    )
