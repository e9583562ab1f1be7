"""Placebo leads: effects before anything could have happened, which should be zero."""

from __future__ import annotations

from collections.abc import Collection

from mtvp_eval.design.staggered import BasePeriod, Cell, Design
from mtvp_eval.estimands.aggregate import share_mean
from mtvp_eval.estimands.estimand import Estimand, Weighting


def placebo(
    design: Design,
    weighting: Weighting = Weighting.PRACTICE,
    base: BasePeriod = BasePeriod.VARYING,
    within: Collection[Cell] | None = None,
) -> tuple[Estimand, ...]:
    """Return one estimand for every event time before entry less anticipation; empty if the window shows none.

    With a varying base each lead is a change over one period; with the universal base it is a difference from the last
    period before enrolment, which itself is left out.

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([4, 5]), np.array([1, 2, 3, 4, 5]))
    >>> [e.event_time for e in placebo(design)], [e.event_time for e in placebo(design, base=BasePeriod.UNIVERSAL)]
    ([-2, -1], [-3, -2])
    """
    cells = [
        (g, t)
        for g, t in design.identified_cells(base)
        if t < g - design.anticipation and (within is None or (g, t) in within)
    ]
    return tuple(
        share_mean(
            design,
            "placebo",
            weighting,
            [c for c in cells if c[1] - c[0] == e],
            f"placebo, {-e} before entry",
            event_time=e,
        )
        for e in sorted({t - g for g, t in cells})
    )
