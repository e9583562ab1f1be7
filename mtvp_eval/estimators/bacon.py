"""Goodman-Bacon decomposition: which two-by-two comparisons a static two-way fixed effects coefficient is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import DesignError, EstimationError

if TYPE_CHECKING:
    import pandas as pd

EARLIER_LATER = "earlier vs later enrolled"
LATER_EARLIER = "later vs earlier enrolled"
NEVER_ENROLLED = "enrolled vs never enrolled"
ALWAYS_ENROLLED = "later vs always enrolled"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One two-by-two comparison: entries of the cohort that enrolls and of the one it is held against."""

    cohort: int
    against: int
    kind: str
    estimate: float
    weight: float


@dataclass(frozen=True, slots=True)
class BaconDecomposition:
    """Hold all two-by-two comparisons; weights sum to one, and the weighted sum is the TWFE coefficient."""

    comparisons: tuple[Comparison, ...]

    @property
    def coefficient(self) -> float:
        """The static TWFE coefficient."""
        return sum(c.weight * c.estimate for c in self.comparisons)

    def weight_of(self, kind: str) -> float:
        """Return the weight of one kind of comparison; later vs earlier is the one that misleads."""
        return sum(c.weight for c in self.comparisons if c.kind == kind)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a comparison: cohort, against, kind, estimate, weight."""
        import pandas as pd

        return pd.DataFrame([{name: getattr(c, name) for name in Comparison.__slots__} for c in self.comparisons])


def bacon(panel: Panel, outcome: str) -> BaconDecomposition:
    r"""Decompose the static TWFE coefficient of a balanced panel.

    With n the share of units and :math:`\bar D` the share of periods enrolled, weights before normalisation are

    .. math:: s_{kU} = n_k n_U \bar D_k (1 - \bar D_k), \qquad s_{kl}^{k} = n_k n_l (\bar D_k - \bar D_l)(1 - \bar D_k),
              \qquad s_{kl}^{l} = n_k n_l (\bar D_k - \bar D_l) \bar D_l

    for k enrolled before l; always-enrolled units are an early cohort with :math:`\bar D = 1`. Later-versus-earlier
    comparisons take the change of already enrolled units as what would have happened.

    Parameters
    ----------
    panel : outcome without gaps, and recorded entries; units enrolled from the first period on take part.
    outcome : name in the panel.

    Raises
    ------
    DesignError
        If the panel records no entries, or no two groups differ in enrolment.
    EstimationError
        If outcomes are missing: the weights hold for balanced panels only.

    Source: Goodman-Bacon (2021), theorem 1 (eq. 7-10).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> [(c.kind, c.estimate, c.weight) for c in bacon(panel, "y").comparisons]
    [('enrolled vs never enrolled', 3.5, 1.0)]
    """
    if panel.entry is None:
        raise DesignError("The panel records no entry periods; give `entry`, with clock.NEVER for not enrolled.")
    y = panel.outcomes[outcome]
    if not np.isfinite(y).all():
        raise EstimationError(
            f"{panel.missing_share(outcome):.1%} of unit-periods of {outcome} are missing; the decomposition holds for "
            "balanced panels. Restrict the panel to units seen in every period."
        )
    clock = panel.clock
    entry = np.where(panel.entry > clock[-1], NEVER, np.maximum(panel.entry, clock[0]))
    cohorts, index, count = np.unique(entry, return_inverse=True, return_counts=True)
    mean = np.stack([y[index == j].mean(axis=0) for j in range(len(cohorts))])
    found = _comparisons(mean, cohorts, count / len(y), clock)
    total = sum(c.weight for c in found)
    if not total:
        raise DesignError("No two groups of units differ in enrolment: there is nothing to decompose.")
    return BaconDecomposition(tuple(replace(c, weight=float(c.weight / total)) for c in found))


def _comparisons(mean: FloatArray, cohorts: IntArray, share: FloatArray, clock: IntArray) -> list[Comparison]:
    exposed = np.array([(clock >= g).mean() for g in cohorts])
    found = []
    for k in range(len(cohorts)):
        for later in range(k + 1, len(cohorts)):
            before_k, enrolled_later = clock < cohorts[k], clock >= cohorts[later]
            gap = share[k] * share[later] * (exposed[k] - exposed[later])
            if before_k.any():
                until = ~before_k & ~enrolled_later
                kind = NEVER_ENROLLED if cohorts[later] == NEVER else EARLIER_LATER
                effect = _difference(mean[k] - mean[later], until, before_k)
                found.append(Comparison(int(cohorts[k]), int(cohorts[later]), kind, effect, gap * (1 - exposed[k])))
            if enrolled_later.any():
                since = ~before_k & ~enrolled_later
                kind = LATER_EARLIER if before_k.any() else ALWAYS_ENROLLED
                effect = _difference(mean[later] - mean[k], enrolled_later, since)
                found.append(Comparison(int(cohorts[later]), int(cohorts[k]), kind, effect, gap * exposed[later]))
    return found


def _difference(gap: FloatArray, after: BoolArray, before: BoolArray) -> float:
    return float(gap[after].mean() - gap[before].mean())
