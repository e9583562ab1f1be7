"""Sun & Abraham (2021): interaction-weighted event study against the never-enrolled, or the last cohort to enroll."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.results import EffectEstimates


def sun_abraham(panel: Panel, design: StaggeredDesign, outcome: str, estimands: Sequence[Estimand]) -> EffectEstimates:
    r"""Estimate the estimands from a regression saturated in cohort and period.

    .. math:: \delta_{gt} = (\bar Y_{gt} - \bar Y_{g,g-1}) - (\bar Y_{Ct} - \bar Y_{C,g-1}), \qquad
              \theta = \sum a_{gt} \delta_{gt}

    In a balanced panel the regression's cells and scores are those of Callaway-Sant'Anna with the universal base and
    the control cohort as comparison. What differs: weights a are taken as known, and errors are CR1 with the
    regression's factor (N - 1)/(N - K), K = cells + periods, N = rows.

    Parameters
    ----------
    panel : outcomes observed throughout.
    design : its last cohort is the control; where everybody enrolls, periods from its entry on leave the sample.
    outcome : name in the panel.
    estimands : estimands of one weighting, made from ``design`` with the universal base where they hold leads.

    Raises
    ------
    EstimationError
        If outcomes are missing, or estimands differ in weighting.
    NotIdentifiedError
        If a cell is not identified.

    Source: Sun & Abraham (2021), eq. 26-28; small-sample factor as R fixest (unit effects nested in clusters).

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> sun_abraham(panel, design, "y", [overall(design)]).estimate.tolist()
    [3.5]
    """
    if len({e.weighting for e in estimands}) != 1:
        raise EstimationError("Estimands of one call must share their weighting: practice or patient.")
    control = _against_controls(design)
    cells = callaway_santanna(
        panel, control, outcome, weighting=estimands[0].weighting, base_period=BasePeriod.UNIVERSAL
    )
    if cells.member is not None:
        raise EstimationError(
            f"{outcome} has missing periods; Sun-Abraham's cells are closed forms of a balanced panel. "
            "Restrict the panel to complete units, or use callaway_santanna, which compares pairwise."
        )
    known = [replace(e, share_group=()) for e in estimands]
    N, K = control.n_units * int(control.usable.sum()), len(cells) + int(control.usable.sum())
    return replace(aggregate(cells, control, known), method="Sun-Abraham", correction="cr1", factor=(N - 1) / (N - K))


def _against_controls(design: StaggeredDesign) -> StaggeredDesign:
    return StaggeredDesign(
        design.unit_ids, design.entry, design.clock, Comparison.NEVER_ENROLLED, design.anticipation, design.size,
        design.always_enrolled,
    )  # fmt: skip
