"""What the open-data report needs of its evaluation: tidy frames and the choices of the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.report.inputs import Priced, require_columns
from mtvp_eval.report.labels import term

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.report.table import ReportTable

_EFFECT = (
    *("kind", "project", "outcome", "event_time", "municipalities", "std_error", "per_cent", "ci_low", "ci_high"),
    *("p_value", "detectable", "groups", "placebo_regions", "own_regions", "size_ratio", "breaks", "gap", "gap_year"),
    "missing",
)
FRAMES: dict[str, tuple[str, ...]] = {
    "account": ("year", "what", "rows", "insured_years", "cost_eur", "count"),
    "lineage": ("step", "units", "lost"),
    "left_out": ("municipality",),
    "sectors": ("column", "first_year", "last_year", "sector", "in_total", "note", "note_nl"),
    "breaks": ("sector", "year", "kind", "what", "what_nl"),
    "projects": (
        *("project", "label", "label_nl", "insurer", "start_as_published", "first_full_year", "last_full_year"),
        *("municipalities", "insured_years", "practices_low", "practices_high", "uptake_low", "uptake_mean"),
        "uptake_high",
        *("timing_reason", "timing_reason_nl", "uptake_reason", "uptake_reason_nl"),
    ),
    "municipalities": ("project", "status", "basis", "reason", "reason_nl", "shown", "shown_nl"),
    "places": ("project", "place", "place_nl", "lon", "lat"),
    "outline": ("part", "kind", "lon", "lat"),
    "trends": ("outcome", "project", "year", "log_ratio"),
    "effects": _EFFECT,
    "placebo": ("project", "rank", "per_cent"),
    "size": ("project", "outcome", "trials", "found", "error"),
    "partial": ("outcome", "project", "log_points", "std_error", "ci_low", "ci_high", "between_sd"),
    "exposure": (
        *("project", "year", "months_low", "months_high", "practices_low", "practices_high", "share_low"),
        *("share_high", "basis", "reason", "reason_nl"),
    ),
    "exposed": (
        *("project", "outcome", "uptake_low", "uptake_mean", "uptake_high", "detectable_low", "detectable_mean"),
        *("detectable_high", "effect", "ci_low", "ci_high", "shape"),
    ),
    "euros": (
        *("project", "outcome", "cost", "expected", "saving", "saving_low", "saving_high", "fee", "needed_low"),
        *("needed_high", "needed_share", "detectable", "per_exposed", "per_exposed_low", "per_exposed_high"),
        *("net", "net_low", "net_high"),
    ),
    "robust": (
        *("project", "outcome", "window", "before", "restriction", "bound", "low", "high", "open_end", "breakdown"),
        *("few", "refused"),
    ),
    "synthetic": (
        *("project", "outcome", "first_year", "clean_years", "refused", "estimate", "p_value", "pre_rmspe"),
        *("placebo_rmspe", "largest_weight", "effective_donors", "without_low", "without_high", "in_time", "placebos"),
        *("did_estimate", "did_rmspe", "did_donors"),
    ),
    "sensitivity": ("sensitivity", *_EFFECT),
    "methods": ("project", "method", "per_cent"),
}
"""Columns of each frame of `OpenDataInputs`; more columns are allowed and ignored."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenDataInputs:
    """Hold all the report shows.

    `frames` have at least the columns of `FRAMES`: effects and their ends in per cent, `placebo` the effects of the
    untouched groups of each project on the primary outcome, in per cent at the project's size. `choices` are the
    numbers of the question that sentences name.

    Raises
    ------
    DataError
        If a frame or a column is missing.
    """

    region: str
    level: float
    first_year: int
    last_year: int
    primary: str
    secondary: tuple[str, ...]
    gp_columns: tuple[str, ...]
    pooled: Mapping[str, tuple[str, ...]]
    carry_over: tuple[str, ...]
    covariates: tuple[str, ...]
    choices: Mapping[str, float]
    frames: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False

    def __post_init__(self) -> None:
        require_columns(self.frames, FRAMES)

    @property
    def result(self) -> NetBenefit | None:
        """No net benefit of a ledger: euros here are cost per insured year, held against one fee."""
        return None

    @property
    def priced(self) -> Priced | None:
        """No priced draws: effects per exposed patient are held against a fee instead."""
        return None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes on which effects are claimed or not: the primary one first, no GP column among them."""
        return (self.primary, *self.secondary)

    def tables(self, language: str) -> tuple[ReportTable, ...]:
        """Return every table that holds at least one row, in the order of the report."""
        from mtvp_eval.report.open_data.catalogue import TABLES

        made = (build(self, language) for build in TABLES.values())
        return tuple(table for table in made if len(table.frame))

    def label(self, name: str, language: str) -> str:
        """Return the name of a project or of a pooled set."""
        projects = self.frames["projects"].set_index("project")
        if name in projects.index:
            return str(projects.loc[name, words("label", language)])
        return term("open_data_set", name, language)

    def overall(self, *outcomes: str) -> pd.DataFrame:
        """Return the effects over all full years on the given outcomes, in the order given."""
        import pandas as pd

        frame = self.frames["effects"]
        frame = frame[frame["event_time"].isna()]
        return pd.concat([frame[frame["outcome"] == outcome] for outcome in outcomes], ignore_index=True)

    def row(self, project: str, outcome: str) -> Any:
        """Return the effect over all full years of one project or set on one outcome."""
        frame = self.overall(outcome)
        return next(frame[frame["project"] == project].itertuples())


def words(name: str, language: str) -> str:
    """Return the column that holds a text of the code tables in a language.

    >>> words("reason", "nl"), words("reason", "en")
    ('reason_nl', 'reason')
    """
    return f"{name}_nl" if language == "nl" else name
