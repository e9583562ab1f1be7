"""Who is compared with whom, and until when: decided from applications and entries, before outcomes are looked at."""

from __future__ import annotations

import numpy as np

from mtvp_eval.config import EstimationChoices
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import DesignError
from mtvp_eval.pipeline.draw import DrawEvidence


def analysis_panel(linked: Linked, choices: EstimationChoices) -> Panel:
    """Return the panel of the practices that are compared.

    A practice that never applied is not waiting: with the comparison of enrolled and waiting practices it stays out,
    with a row in the account. With a never-enrolled comparison it stays in.

    Raises
    ------
    DesignError
        If nobody applied, or nobody enrolled.
    """
    panel, history = linked.panel, linked.history
    if Comparison(choices.comparison) is Comparison.NOT_YET_ENROLLED:
        applied = history.has_applied[linked.rows]
        if not applied.any():
            raise DesignError("No practice in the extracts applied; complete applications.csv.")
        panel = panel.restrict(applied, "application", "never applied: not waiting, so no comparison")
    assert panel.entry is not None
    if not (panel.entry <= panel.clock[-1]).any():
        raise DesignError("No practice enrolled within the quarters supplied, so there is nothing to evaluate yet.")
    return panel


def compared(panel: Panel, choices: EstimationChoices) -> tuple[Panel, StaggeredDesign]:
    """Return the panel and design of the quarters in which enough practices are left to compare with.

    Later quarters are cut off: a comparison with a handful of practices that won and never started would be called an
    effect of the programme.

    Raises
    ------
    DesignError
        If there is no quarter before the first start, all enrolled at once, or too few wait in every quarter.
    """
    assert panel.entry is not None
    early = panel.entry <= panel.clock[0] + choices.anticipation
    if early.all():
        raise DesignError(
            f"All {panel.n_units} practices are enrolled from the first quarter supplied on, so there is no "
            "pre-period. Supply quarters before the first start."
        )
    first_start = int(panel.entry[~early].min())
    waiting = (panel.entry[None, :] > panel.clock[:, None] + choices.anticipation).sum(axis=1)
    usable = panel.clock[(waiting >= choices.min_comparison) & (panel.clock >= first_start)]
    if not len(usable):
        left = int(waiting[panel.clock >= first_start].max(initial=0))
        raise DesignError(
            f"When the first practices start, {left} of {panel.n_units} are left to compare with; at least "
            f"{choices.min_comparison} are needed, so nothing can be estimated. Practices that all enrol at once "
            "show no effect; lower estimation: min_comparison only if fewer are a comparison you would defend."
        )
    cut = panel.window(int(panel.clock[0]), int(usable[-1]))
    return cut, StaggeredDesign.from_panel(cut, Comparison(choices.comparison), choices.anticipation)


def lottery_design(linked: Linked, design: StaggeredDesign, draw: DrawEvidence | None = None) -> LotteryDesign:
    """Return the design with its draw: blocks of practices drawn against each other, entries as drawn.

    With `draw` the design also holds the declared rule and the chances of entry under it.
    """
    row = {practice: i for i, practice in enumerate(linked.history.practice_ids.tolist())}
    of_unit = np.array([row[unit] for unit in design.unit_ids.tolist()], dtype=np.int64)
    history = linked.history
    # Who waited in vain and then started in the open round was in a lottery; who met an open round at once was not.
    never_at_stake = history.no_lottery & (history.drawn == history.applied)
    return LotteryDesign(
        design, linked.block[of_unit], history.drawn[of_unit], None if draw is None else draw.rule,
        never_at_stake[of_unit], None if draw is None else draw.entry_probability(of_unit, design.clock),
        history.applied[of_unit],
    )  # fmt: skip


def described_cells(panel: Panel, drawn: LotteryDesign, choices: EstimationChoices) -> list[tuple[object, ...]]:
    """Return one row for each cohort and quarter at or after entry: what compares, and what identifies the effect.

    Rows are (cohort, period, event_time, practices, patients, practices comparing, patients comparing, basis, reason);
    quarters after the design's last one are there with the reason why they are not estimated. The basis is lottery
    where at least one block of the draw compares drawn with waiting practices, trends elsewhere.
    """
    by_lottery = set(drawn.identified_cells())
    whole = StaggeredDesign.from_panel(panel, Comparison(choices.comparison), choices.anticipation)
    rows: list[tuple[object, ...]] = []
    for row in whole.estimability():
        if row.period < row.cohort - choices.anticipation:
            continue
        basis, reason = ("trends", "") if row.identified_by == "parallel trends" else ("none", row.reason)
        if (row.cohort, row.period) in by_lottery:
            basis = "lottery"
        elif basis == "trends" and row.period > drawn.clock[-1]:
            basis, reason = "none", f"fewer than {choices.min_comparison} practices are left to compare with"
        rows.append(
            (row.cohort, row.period, row.event_time, row.practices, row.patients, row.practices_comparing,
             row.patients_comparing, basis, reason)
        )  # fmt: skip
    return rows
