"""What the effect a region brings is made of: contrasts by the draw, what replays show of them, and who is in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import BoolArray, IntArray
from mtvp_eval.clock import cohort_label
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.lottery_default import CONTRASTS, default_contrasts
from mtvp_eval.inference.shared_shares import RegionContrasts
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.lottery_headline import replayed_contrasts

CONTRASTED = (
    *("outcome", "contrast", "estimate", *(f"covariance_{name}" for name in CONTRASTS)),
    *("replayed_outcome", "replayed_exposure", "enrolled", "fewest"),
)
COHORTS = ("outcome", "cohort", "members", "analysed", "alike")


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Hold the contrasts of one outcome, and (n,) which units of the design are in them."""

    numbers: RegionContrasts
    analysed: BoolArray


def region_contrasts(
    panel: Panel, drawn: LotteryDesign, draw: DrawEvidence | None, name: str, estimand: Estimand, seed: int
) -> Contrasts | None:
    """Return what the effect is made of and what replays show of it; None where the draw cannot be replayed.

    Raises
    ------
    EstimationError, NotIdentifiedError
        As `default_contrasts`.
    """
    found = default_contrasts(panel, drawn, name, estimand)
    if draw is None or draw.reacted:
        return None
    try:
        means = replayed_contrasts(panel, name, estimand, found.unit_ids, draw, seed)
    except MtvpError:
        return None
    in_draw = np.logical_or.reduce([b.mask for b in drawn.drawn])
    compared = in_draw & (drawn.drawn_entry >= min(g for g, _ in estimand.cells))
    whole = np.isin(drawn.staggered.unit_ids.astype(str), found.unit_ids.astype(str))
    return Contrasts(RegionContrasts(found.estimate, found.covariance(), *means), compared & whole)


def contrast_rows(name: str, enrolled: int, drawn: LotteryDesign, parts: Contrasts) -> list[dict[str, Any]]:
    """Return one row a contrast (`CONTRASTED`); `fewest` are the practices of the smallest cohort among the `analysed`.

    `enrolled` are those who won in the cells compared.
    """
    numbers = parts.numbers
    counts = np.unique(_entry(drawn.drawn_entry, drawn)[parts.analysed], return_counts=True)[1]
    return [
        {
            "outcome": name, "contrast": contrast, "estimate": numbers.estimate[i],
            **{f"covariance_{other}": numbers.covariance[i, j] for j, other in enumerate(CONTRASTS)},
            "replayed_outcome": numbers.replayed_outcome[i], "replayed_exposure": numbers.replayed_exposure[i],
            "enrolled": enrolled, "fewest": int(counts.min()),
        }
        for i, contrast in enumerate(CONTRASTS)
    ]  # fmt: skip


def cohort_rows(name: str, panel: Panel, drawn: LotteryDesign, parts: Contrasts, last: int) -> list[dict[str, Any]]:
    """Return for each cohort of the panel (`COHORTS`) its members, those analysed, and those in the very same cohort.

    `last` is the last quarter of the data; entry after it is called never. The mean of a cohort may be shown elsewhere;
    where a few practices make the difference between it and a cohort of the contrasts, the two would betray them.
    """
    assert panel.entry is not None
    place = {unit: row for row, unit in enumerate(panel.unit_ids.tolist())}
    entry = panel.entry[[place[unit] for unit in drawn.staggered.unit_ids.tolist()]]
    alike = parts.analysed & (_entry(entry, drawn) == _entry(drawn.drawn_entry, drawn))
    members, analysed, same = (
        Counter(cohort_label(int(g), last) for g in found)
        for found in (panel.entry, entry[parts.analysed], entry[alike])
    )
    return [
        {"outcome": name, "cohort": c, "members": members[c], "analysed": analysed[c], "alike": same[c]}
        for c in sorted(members)
    ]


def _entry(entry: IntArray, drawn: LotteryDesign) -> IntArray:
    """Put those who enter after the quarters compared together: they are compared as one cohort."""
    return np.minimum(entry, drawn.clock[-1] + 1)
