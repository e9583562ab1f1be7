"""Which interval to use when: the default, and the cluster counts below which it changes (docs/inference.md).

Source: coverage by simulation, ``python -m tests.simulation.inference_coverage``; MacKinnon, Nielsen & Webb (2023)
for regressions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mtvp_eval.inference.wild_bootstrap import FEWEST_ON_A_SIDE


class Interval(StrEnum):
    """How an interval is made."""

    RANDOMIZATION = "randomization"
    SATTERTHWAITE = "satterthwaite"
    CR2 = "cr2"
    CR1 = "cr1"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Hold the interval to use, and why in one sentence."""

    interval: Interval
    reason: str


def recommended(treated: int, comparison: int, *, drawn: bool, crossed: bool, regression: bool) -> Recommendation:
    """Return which interval to use with so many clusters on either side of the contrast.

    Parameters
    ----------
    treated, comparison : clusters on either side.
    drawn : entry was drawn, so that the draw can be replayed.
    crossed : clusters hold units of several cohorts (regions, not practices).
    regression : the estimate has a design matrix.

    Source: statistical rules of this project, tested by its own coverage simulation.

    Example
    -------
    >>> recommended(4, 12, drawn=True, crossed=False, regression=False).interval.value
    'randomization'
    >>> recommended(12, 12, drawn=True, crossed=False, regression=False).interval.value
    'satterthwaite'
    """
    smaller = min(treated, comparison)
    if smaller < FEWEST_ON_A_SIDE and drawn:
        return Recommendation(
            Interval.RANDOMIZATION,
            f"{smaller} clusters on one side, fewer than {FEWEST_ON_A_SIDE}: the draw is replayed instead.",
        )
    if regression:
        return Recommendation(
            Interval.CR2, f"CR2 with Satterthwaite's t: {treated} clusters against {comparison}, a design matrix."
        )
    if crossed:
        return Recommendation(
            Interval.CR1, f"CR1 with t on clusters less one: {treated} clusters against {comparison} cross cohorts."
        )
    return Recommendation(
        Interval.SATTERTHWAITE, f"HC2 by cohort with Satterthwaite's t: {treated} clusters against {comparison}."
    )
