"""Effects of single cells: one cohort in one period."""

from __future__ import annotations

from mtvp_eval.design.staggered import BasePeriod, Cell, Design
from mtvp_eval.estimands.estimand import Estimand, Weighting


def att_gt(
    design: Design, weighting: Weighting = Weighting.PRACTICE, base: BasePeriod = BasePeriod.VARYING
) -> tuple[Estimand, ...]:
    """Return one estimand for every identified cell, leads included.

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([3, 4]), np.array([1, 2, 3, 4]))
    >>> [(e.cohort, e.period, e.event_time) for e in att_gt(design)]
    [(3, 2, -1), (3, 3, 0)]
    """
    return tuple(cell_effect(cell, weighting) for cell in design.identified_cells(base))


def cell_effect(cell: Cell, weighting: Weighting) -> Estimand:
    """Return the estimand of one cell.

    >>> cell_effect((3, 5), Weighting.PRACTICE).event_time
    2
    """
    g, t = cell
    return Estimand(
        "att_gt",
        weighting,
        (cell,),
        (1.0,),
        f"effect on cohort {g} in period {t}",
        cohort=g,
        period=t,
        event_time=t - g,
    )
