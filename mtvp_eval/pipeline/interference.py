"""Whether waiting practices of a region changed with the share of their care group or neighbourhood that started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.link import Linked
from mtvp_eval.dictionary.constraints import missing
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.interference import exposure_test
from mtvp_eval.planning.region_draw import RegionDraw

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("outcome", "slope", "p_value", "mean_share", "share_spread", "practices", "replays", "note")


def region_interference(
    linked: Linked,
    draw: RegionDraw,
    grouping: ObjectArray,
    outcomes: Sequence[str],
    seed: int,
    replays: int = 999,
    own_effect: Mapping[str, FloatArray] | None = None,
) -> pd.DataFrame:
    """Return one row an outcome: the change of waiting practices per share of their group that started, and its p.

    Columns: `COLUMNS`; `note` says why an outcome could not be probed. `grouping` (N,) the care group or neighbourhood
    of every practice of the region; a practice without one has no neighbours. `own_effect` holds effects of an outcome
    by quarters since the start (E,), the last one for later quarters; they are taken out of those that started, who
    wait in other replays.
    `inference.interference.NOT_MEASURED` goes beside the table.
    """
    import pandas as pd

    story, panel = linked.history, linked.panel
    inside = np.flatnonzero(draw.unit[linked.rows] >= 0)
    rows = linked.rows[inside]
    names = np.where(missing(grouping[rows]), story.practice_ids[rows], grouping[rows]).astype(str)
    _, group = np.unique(names, return_inverse=True)
    last = draw.rule.capped_rounds
    drawn = np.where(story.drawn[rows] == NEVER, last + 1, story.drawn[rows] - draw.first_round + 1)
    withdrew = (story.drawn[rows] == NEVER) & (story.withdrawn[rows] != NEVER)
    drawn = np.where(withdrew, 0, np.minimum(drawn, last + 1)).astype(np.int64)
    replayed = draw.replay(rows, np.random.default_rng(seed), replays)
    before = int(np.searchsorted(panel.clock, draw.first_round)) - 1
    found: list[dict[str, Any]] = []
    for name in outcomes:
        y = panel.outcomes[name][inside]
        if own_effect is not None and len(own := own_effect.get(name, np.zeros(0))):
            y = y - _since_start(panel.clock, story.enrolled[rows], own)
        quarters = [t for t in range(before + 1, before + 1 + last) if t < y.shape[1]]
        changes = np.stack([y[:, t] - y[:, before] for t in quarters]) if before >= 0 else np.zeros((0, len(y)))
        row: dict[str, Any] = {"outcome": name, "note": ""}
        try:
            test = exposure_test(changes, drawn, replayed, group, draw.blocks(rows), panel.weight[inside])
            row |= {key: getattr(test, key) for key in test.__slots__}
        except EstimationError as error:
            row["note"] = str(error)
        found.append(row)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _since_start(clock: IntArray, entry: IntArray, effect: FloatArray) -> FloatArray:
    """Return (n, T) the effect `effect` (E,) of the quarters since each entry; zero before it."""
    since = clock[None] - entry[:, None]
    return np.where(since >= 0, effect[np.clip(since, 0, len(effect) - 1)], 0.0)
