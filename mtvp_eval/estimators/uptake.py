"""Intention to treat and what was really taken up: effects of winning on an outcome and on quarters started, jointly.

Source: Angrist, Imbens & Rubin (1996), JASA 91, for winning as an instrument; Angrist & Imbens (1995), JASA 90, for a
treatment of variable length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.aggregate import overall, share_mean
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.results import EffectEstimates

QUARTERS_STARTED = "quarters_started"
"""Name of the exposure among outcomes: quarters really taken part in, up to and with the quarter observed."""


@dataclass(frozen=True, slots=True)
class UptakeRow:
    """What became of the winners of one round: who started when won, earlier, late, never, and who stopped again."""

    drawn: int
    winners: int
    patients: float
    on_time: int
    early: int
    late: int
    never: int
    stopped: int


def uptake_table(
    drawn: IntArray, started: IntArray, ended: IntArray, patients: FloatArray, last: int
) -> tuple[UptakeRow, ...]:
    """Count by round drawn who started when; what happens after `last` counts as not happened.

    Parameters: `drawn`, `started`, `ended` (n,) on the clock, ``NEVER`` if not; `patients` (n,); `last` period seen.

    >>> from mtvp_eval.clock import NEVER
    >>> drawn, started = np.array([5, 5, 5, 6]), np.array([5, 6, NEVER, 6])
    >>> uptake_table(drawn, started, np.array([7, NEVER, NEVER, NEVER]), np.ones(4), last=8)[0]
    UptakeRow(drawn=5, winners=3, patients=3.0, on_time=1, early=0, late=1, never=1, stopped=1)
    """
    rows = []
    begun, stopped = started <= last, ended <= last
    for g in np.unique(drawn[drawn <= last]).tolist():
        won = drawn == g
        rows.append(
            UptakeRow(
                int(g), int(won.sum()), float(patients[won].sum()), int((won & (started == g)).sum()),
                int((won & (started < g)).sum()), int((won & begun & (started > g)).sum()),
                int((won & ~begun).sum()), int((won & begun & stopped).sum()),
            )
        )  # fmt: skip
    return tuple(rows)


def quarters_started(clock: IntArray, started: IntArray, ended: IntArray) -> FloatArray:
    """Return (n, T) quarters taken part in up to and with each period of `clock` (T,).

    Parameters: `started` (n,) first quarter, `ended` (n,) first quarter without, ``NEVER`` where it did not happen.

    >>> from mtvp_eval.clock import NEVER
    >>> quarters_started(np.arange(1, 6), np.array([2, 3, NEVER]), np.array([4, NEVER, NEVER])).tolist()
    [[0.0, 1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    inside = (clock[None] >= started[:, None]) & (clock[None] < ended[:, None])
    return np.asarray(inside.cumsum(axis=1), dtype=np.float64)


def uptake(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    exposure: FloatArray,
    *,
    weighting: Weighting = Weighting.PATIENT,
    cells: Sequence[Cell] | None = None,
) -> EffectEstimates:
    r"""Estimate what winning did to an outcome and to quarters started, over the same cells, with one covariance.

    .. math:: \hat\theta_Y = \sum_c a_c \hat\theta_{Y,c}, \qquad \hat\theta_D = \sum_c a_c \hat\theta_{D,c}

    both as drawn, within blocks and calendar quarters; winners who never start, start late or stop stay where the draw
    put them. Their ratio is `inference.uptake.per_quarter_of_exposure`.

    Parameters
    ----------
    panel : outcomes on the design's clock.
    design : who was drawn when.
    outcome : name in the panel.
    exposure : (n, T) quarters started, in the panel's rows (`quarters_started`).
    weighting : patients, or practices.
    cells : cells to average; those identified at or after the round drawn that have an error where not given.

    Returns
    -------
    EffectEstimates
        Two entries "overall": the outcome, and `QUARTERS_STARTED` over the units of which the outcome was observed.

    Raises
    ------
    NotIdentifiedError
        If no cell is identified by lottery with two units on each side.

    Source: see the module.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 9, 9, 9]))
    >>> from mtvp_eval.clock import NEVER
    >>> blocks, won = np.full(4, "all", dtype=object), np.array([3, 3, 9, 9])
    >>> drawn = LotteryDesign(StaggeredDesign.from_panel(panel), blocks, won)
    >>> both = uptake(panel, drawn, "y", quarters_started(panel.clock, panel.entry, np.full(4, NEVER)))
    >>> both.estimate.tolist()
    [3.5, 0.5]
    """
    y = panel.outcomes[outcome]
    seen = replace(panel, outcomes={outcome: y, QUARTERS_STARTED: np.where(np.isfinite(y), exposure, np.nan)})
    wanted = tuple(c for c in design.identified_cells() if c[1] >= c[0]) if cells is None else tuple(cells)
    if not wanted:
        raise NotIdentifiedError("The draw separates nobody at or after a start: uptake has no randomised comparison.")
    itt = lottery(seen, design, outcome, weighting=weighting, cells=wanted)
    if cells is None:
        wanted = tuple(c for c, reason in zip(wanted, itt.no_error, strict=True) if reason is None)
        if not wanted:
            raise NotIdentifiedError("No cell compares two units or more on each side: uptake has no standard error.")
    estimand = overall(design, weighting, within=wanted)
    parts = [
        aggregate(lottery(seen, design, name, weighting=weighting, cells=wanted), design, [estimand])
        for name in (outcome, QUARTERS_STARTED)
    ]
    return EffectEstimates.stack(*parts)


def placebo_after_announcement(
    panel: Panel, design: LotteryDesign, outcome: str, lead: int = 1, *, weighting: Weighting = Weighting.PRACTICE
) -> EffectEstimates:
    """Compare winners with those drawn later in the quarters between the announcement and the first start.

    The change is measured from the last quarter before the announcement. Nobody has started yet: the draw makes this a
    randomised placebo for the start itself, and an effect of winning alone (hiring, planning) where it is not zero.

    Parameters
    ----------
    panel, design, outcome : as `uptake`.
    lead : quarters from the announcement to the start; the placebo quarters are event times -lead to -1.
    weighting : practices, or patients.

    Returns
    -------
    EffectEstimates
        One "event_study" entry for each placebo quarter.

    Raises
    ------
    NotIdentifiedError
        If the announcement falls in the quarter of the start, so that there is no quarter between, or none has a
        comparison.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3", "4"), np.array([1, 2, 3, 4]),
    ...     {"y": np.array([[1.0, 2, 6, 0], [1, 2, 8, 0], [0, 1, 2, 0], [0, 1, 3, 0]])}, entry=np.array([4, 4, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> placebo_after_announcement(panel, drawn, "y").estimate.tolist()
    [3.5]
    """
    if lead < 1:
        raise NotIdentifiedError("The draw was announced in the quarter of the start: no quarter lies between.")
    whole = design.staggered
    keep = whole.entry > whole.clock[0] + lead
    whole = whole if keep.all() else whole.restrict(keep)
    early = StaggeredDesign(
        whole.unit_ids, whole.entry, whole.clock, whole.comparison, max(lead, whole.anticipation), whole.size
    )
    shifted = LotteryDesign(early, design.block[keep], design.drawn_entry[keep], design.rule, design.no_lottery[keep])
    known = shifted.identified_cells(BasePeriod.UNIVERSAL)
    cells = [(g, t) for g, t in known if -lead <= t - g < 0]
    if not cells:
        raise NotIdentifiedError("No round leaves anybody to compare with between its announcement and its start.")
    single = lottery(panel, shifted, outcome, weighting=weighting, cells=cells)
    kept = [c for c, reason in zip(cells, single.no_error, strict=True) if reason is None]
    if not kept:
        raise NotIdentifiedError("No placebo quarter compares two units or more on each side.")
    times = sorted({t - g for g, t in kept})
    declared = [
        share_mean(
            shifted, "event_study", weighting, [c for c in kept if c[1] - c[0] == e], f"placebo at event time {e}",
            event_time=e,
        )
        for e in times
    ]  # fmt: skip
    return aggregate(single, shifted, declared)
