"""Cells of Callaway & Sant'Anna without covariates in a panel without gaps: known weights on cohort means.

Source: Callaway & Sant'Anna (2021), eq. 2.6-2.8 without covariates; algebra of weighted cohort means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.estimators.cohort_moments import CohortInfluence, CohortMoments
from mtvp_eval.estimators.comparison_sets import ComparisonSet


def unadjusted_effects(
    y: FloatArray, w: FloatArray, cohort: IntArray, sets: Sequence[ComparisonSet], weights: FloatArray
) -> tuple[FloatArray, CohortInfluence]:
    r"""Return the effects (K,) of all cells, and the influence of averages of them in closed form.

    .. math:: ATT_k = \Delta\bar Y_g - \Delta\bar Y_C, \qquad
              \psi_{ik} = n w_i \Big[\frac{1\{i \in g\}}{W_g}(\Delta Y_i - \Delta\bar Y_g)
              - \frac{1\{i \in C\}}{W_C}(\Delta Y_i - \Delta\bar Y_C)\Big]

    In a cohort the influence of any average of cells is one linear form of a unit's outcomes, less a constant.

    Parameters
    ----------
    y : (n, T) without gaps.
    w : (n,) positive weights.
    cohort : (n,) from 0.
    sets : the K cells by treated cohort and comparison.
    weights : (J, K) averages asked for.

    Example
    -------
    >>> from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
    >>> from mtvp_eval.estimators.comparison_sets import comparison_sets
    >>> design = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([2, 2, 9, 9]), np.array([1, 2]))
    >>> sets = comparison_sets(design, [(2, 2)], BasePeriod.VARYING)
    >>> y = np.array([[0.0, 3], [0, 5], [0, 1], [0, 2]])
    >>> effect, psi = unadjusted_effects(y, np.ones(4), design.cohort_index, sets, np.eye(1))
    >>> effect.tolist(), psi.values.ravel().tolist()
    ([2.5], [-2.0, 2.0, 1.0, -1.0])
    """
    moments = CohortMoments.of(y, w, cohort)
    mean, mass = moments.means, moments.total
    (G, T), (J, K) = mean.shape, weights.shape
    effect, form, shift = np.zeros(K), np.zeros((G, T, J)), np.zeros((G, J))
    for each in sets:
        treated, *against = (cohort[rows[0]] for rows in (each.treated, *each.against))
        change, own = mean[:, each.period] - mean[:, each.base], weights[:, each.cells].T
        for sign, members in ((1.0, np.array([treated])), (-1.0, np.array(against))):
            share = mass[members] / mass[members].sum()
            average = share @ change[members]
            effect[each.cells] += sign * average
            # of a unit's distance to its cohort's mean, and that mean's distance to the mean compared
            part = sign * share[:, None, None] * own
            np.add.at(form, (members[:, None], each.period), part)
            np.add.at(form, (members[:, None], each.base), -part)
            shift[members] += np.einsum("gp,gpj->gj", change[members] - average, part)
    return effect, CohortInfluence(moments, form.transpose(2, 0, 1), shift.T)
