"""What the page on many regions shows, as small frames; it is made from published results and knows no practice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.estimators.lottery_default import CONTRASTS
from mtvp_eval.report.inputs import OutcomeInfo, Priced, require_columns

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.report.table import ReportTable

_MEANS = (
    *("regions", "fixed", "fixed_error", "fixed_low", "fixed_high", "random", "random_low", "random_high", "between"),
    *("prediction_low", "prediction_high"),
)
FRAMES: dict[str, tuple[str, ...]] = {
    "pooled": ("outcome", *_MEANS),
    "regions": ("outcome", "region", "practices", "own", "own_low", "own_high", "recentred", "shrunken", "low", "high"),
    "shares": ("outcome", "kind", "apart", "practices", *CONTRASTS[1:]),
    "slopes": ("outcome", "moderator", *_MEANS),
    "not_brought": ("region", "outcome"),
}
"""Columns of each frame of `PooledInputs`."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledInputs:
    """Hold the pooled effects of k regions (see `FRAMES`); `names` in alphabetical order, `outcomes` in words.

    Raises
    ------
    DataError
        If a frame or a column is missing.
    """

    region: str
    names: tuple[str, ...]
    simulated: bool
    level: float
    primary_outcome: str
    outcomes: tuple[OutcomeInfo, ...]
    frames: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_columns(self.frames, FRAMES)

    @property
    def priced(self) -> Priced | None:
        """Nothing is priced over regions."""
        return None

    @property
    def result(self) -> NetBenefit | None:
        """Nothing is priced over regions."""
        return None

    def tables(self, language: str) -> tuple[ReportTable, ...]:
        """Return every table that holds at least one row, in the order of the page."""
        from mtvp_eval.report.tables.pooled import TABLES

        made = (table(self, language) for table in TABLES.values())
        return tuple(table for table in made if len(table.frame))

    def outcome(self, id_: str) -> OutcomeInfo:
        """Return the words of one outcome."""
        return next(outcome for outcome in self.outcomes if outcome.id == id_)

    def decimals(self, id_: str) -> int:
        """Return the decimals that show the standard error of the mean in two digits."""
        rows = self.frames["pooled"]
        error = rows.loc[rows["outcome"] == id_, "fixed_error"].astype(float)
        if not len(error) or not 0 < error.iloc[0] < np.inf:
            return self.outcome(id_).decimals
        return int(np.clip(1 - np.floor(np.log10(error.iloc[0])), 0, 4))
