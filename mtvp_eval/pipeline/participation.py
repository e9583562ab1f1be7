"""Who took part as drawn, who left, who merged, and whether waiting practices met the programme through others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.extracts import Extracts
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.dictionary.constraints import missing
from mtvp_eval.dictionary.schema import Programme
from mtvp_eval.errors import DesignError
from mtvp_eval.pipeline.attrition import region_bounds
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.interference import COLUMNS, region_interference
from mtvp_eval.pipeline.replayable import replayable_draw
from mtvp_eval.pipeline.uptake import region_uptake

if TYPE_CHECKING:
    import pandas as pd


def participation(
    extracts: Extracts,
    linked: Linked,
    programme: Programme,
    panel: Panel,
    drawn: LotteryDesign,
    effects: pd.DataFrame,
    config: EvaluationConfig,
    draw: DrawEvidence | None = None,
) -> Mapping[str, pd.DataFrame]:
    """Return everything a report says of uptake, leavers, lineage and interference; a part that fails says why.

    The frames are those of `report.tables.uptake`, and ``changes`` (kind, practices) where a table of lineage was
    supplied. `panel` and `drawn` are those compared, `effects` the tidy table of estimates, of which the event times
    are taken out of those that started before waiting practices are probed for interference; `draw` is replayed to
    test whether winning has to do with leaving.
    """
    outcomes = list(dict.fromkeys(effects["outcome"]))
    level = config.estimation.level
    taken = region_uptake(linked, panel, drawn, outcomes, level)
    frames = {
        "uptake_counts": taken.counts,
        "uptake": taken.effects,
        "announcement": taken.placebo,
        "bounds": region_bounds(linked, panel, config.estimation, outcomes, level, draw),
        "interference": _interference(extracts, linked, programme, effects, outcomes, config),
    }
    if "practice_lineage" in extracts.tables:
        frames["changes"] = _changes(extracts)
    return frames


def _interference(
    extracts: Extracts,
    linked: Linked,
    programme: Programme,
    effects: pd.DataFrame,
    outcomes: Sequence[str],
    config: EvaluationConfig,
) -> pd.DataFrame:
    import pandas as pd

    grouping = config.estimation.exposure_group
    own = {name: _by_event_time(effects, name) for name in outcomes}
    try:
        draw = replayable_draw(linked, programme, config)
        groups = extracts.tables["practices"].columns.get(grouping)
        if groups is None or missing(groups).all():
            raise DesignError(f"The extract of practices has no {grouping}, by which the question groups them.")
        frame = region_interference(linked, draw, groups, outcomes, config.estimation.seed, own_effect=own)
    except DesignError as error:
        frame = pd.DataFrame([{"outcome": name, "note": str(error)} for name in outcomes], columns=list(COLUMNS))
    return frame.assign(grouping=grouping)


def _by_event_time(effects: pd.DataFrame, name: str) -> FloatArray:
    """Return the estimated effects on an outcome, per practice, at event times 0, 1, ... without a gap."""
    rows = effects[(effects["outcome"] == name) & (effects["estimand"] == "event_study")]
    rows = rows[(rows["weighting"] == "practice") & (rows["event_time"] >= 0)].sort_values("event_time")
    found = rows["estimate"].to_numpy(float)
    gapless = (rows["event_time"].to_numpy(int) == np.arange(len(rows))) & np.isfinite(found)
    return found[: int(np.argmin(gapless)) if not gapless.all() else len(found)]


def _changes(extracts: Extracts) -> pd.DataFrame:
    import pandas as pd

    columns = extracts.tables["practice_lineage"].columns
    changed = sorted({(str(k), str(i)) for k, i in zip(columns["kind"], columns["practice_id"], strict=True)})
    kinds, counts = np.unique(np.array([kind for kind, _ in changed], dtype=str), return_counts=True)
    return pd.DataFrame({"kind": kinds, "practices": counts.astype(int)})
