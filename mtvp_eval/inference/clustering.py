"""Standard errors clustered above the unit: region, building, care group.

Source: Liang & Zeger (1986); CR1 factor C/(C-1) as in Cameron & Miller (2015), section II.B.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtvp_eval.arrays import ObjectArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates

FEW = 10
"""Below so many clusters the t interval of CR1 is known to be too short; a note says so."""


def clustered(effects: EffectEstimates, cluster: ObjectArray, *, correction: str = "cr1") -> EffectEstimates:
    r"""Return the effects with errors from cluster sums of influence values.

    .. math:: \hat V = \frac{C}{C-1} \frac{1}{n^2} \sum_c s_c s_c', \qquad s_c = \sum_{i \in c} \psi_i

    with t intervals on C - 1 degrees of freedom (cr1), or without the factor and with the normal (none, as R ``did``).
    No working degrees of freedom are taken off for covariates: psi has none.

    Parameters
    ----------
    effects : K effects of n units.
    cluster : (n,) labels in the order of ``effects.unit_ids``.
    correction : cr1 or none; hc2 where the clusters are units of assignment within a cohort.

    Raises
    ------
    EstimationError
        If labels do not fit the units, or there are fewer than two clusters.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> effects = EffectEstimates((EffectKey("y", "overall"),), np.zeros(1), np.array(list("abc"), dtype=object),
    ...     np.array([[1.0], [1.0], [-2.0]]), np.zeros(3, dtype=int))
    >>> clustered(effects, np.array(["r", "r", "s"], dtype=object)).covariance().round(4).tolist()
    [[1.7778]]
    """
    labels = np.asarray(cluster, dtype=object)
    if labels.shape != (effects.n_units,):
        raise EstimationError(f"{labels.shape} cluster labels do not fit {effects.n_units} units.")
    count = len(set(labels.tolist()))
    if count < 2:
        raise EstimationError("All units lie in one cluster; its spread cannot be seen. Cluster at a lower level.")
    notes = effects.notes
    if count < FEW:
        notes = (*notes, f"Only {count} clusters: intervals are likely too short; prefer a test that replays the draw.")
    return replace(effects, cluster=labels, notes=notes).with_correction(correction)
