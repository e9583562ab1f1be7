"""What a report needs of an evaluation, as small frames and records; nothing here knows a practice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.dictionary.schema import Outcome
    from mtvp_eval.report.table import ReportTable

Texts = Mapping[str, str]
"""A text by language: ``{"nl": ..., "en": ...}``."""

FRAMES: dict[str, tuple[str, ...]] = {
    "lineage": ("step", "reason", "units", "lost"),
    "not_supplied": ("outcome", "reason"),
    "findings": ("table", "finding", "rows"),
    "missing": ("outcome", "cohort", "event_time", "units", "share"),
    "known_breaks": ("break", "first_period", "last_period", "outcomes", "what", "source"),
    "cohorts": ("cohort", "units", "patients"),
    "estimability": (
        *("cohort", "period", "event_time", "practices", "patients", "practices_comparing", "patients_comparing"),
        *("identified_by", "reason"),
    ),
    "trends": ("outcome", "cohort", "period", "units", "patients", "mean"),
    "effects": (
        *("outcome", "estimand", "weighting", "population", "cohort", "period", "event_time", "unit", "estimate"),
        *("std_error", "df", "ci_low", "ci_high", "ci_method", "note", "band_low", "band_high"),
    ),
    "robustness": (
        *("method", "outcome", "weighting", "estimate", "std_error", "df", "ci_low", "ci_high", "ci_method", "note"),
    ),
}
"""Columns of each frame of `ReportInputs`; more columns are allowed and ignored."""

SENSITIVITY_FRAMES: dict[str, tuple[str, ...]] = {
    "trend_sensitivity": (
        "outcome",
        "window",
        "quarters",
        "estimand",
        "restriction",
        "mbar",
        "low",
        "high",
        "open_end",
        "breakdown",
    ),
    "multiplicity": ("outcome", "estimand", "p", "p_adjusted", "family", "adjustment"),
    "intervals": (
        *("outcome", "estimand", "weighting", "treated", "comparison", "recommended", "used", "wild_low", "wild_high"),
        *("replay_low", "replay_high", "look_low", "look_high"),
    ),
    "pretrend_power": ("outcome", "power", "drift", "bias", "bias_if_passed", "quarters"),
}
"""Columns of the frames of `ReportInputs` on how far conclusions carry; empty where nothing was computed."""


def _empty(frame: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(SENSITIVITY_FRAMES[frame]))


MONEY_FRAMES: dict[str, tuple[str, ...]] = {
    "perspectives": (
        *("perspective", "total", "ci_low", "ci_high", "per_patient_year", "low_per_patient_year"),
        *("high_per_patient_year", "low_effects", "high_effects", "probability_positive"),
    ),
    "lines": ("line", "label", "payer", "receiver", "sector", "kind", "evidence", "year", "amount"),
    "party_years": ("party", "year", "amount"),
    "parties": (
        *("party", "pays", "receives", "resource_cost", "net", "low", "high", "probability_positive"),
        *("wrong_pocket", "side_payment"),
    ),
    "break_even": ("year", "break_even", "ci_low", "ci_high", "low_effects", "high_effects", "paid"),
    "assumptions": ("item", "value", "unit", "evidence", "source", "varied", "observed"),
}
"""Columns of each frame of `MoneyInputs`."""

PAGE_FRAMES: dict[str, tuple[str, ...]] = {
    "stranded": ("year", "full_value", "revenue_loss", "cost_avoided", "stranded", "not_cash"),
    "tornado": ("input", "name", "low_value", "high_value", "at_low", "at_high", "width", "origin"),
    "contract": ("rule", "minimum_rate", "paid_without_effect", "unpaid_with_effect"),
    "measure_next": ("kind", "name", "value", "check", "floor"),
    "break_even_effects": ("outcome", "estimate", "low", "high", "break_even"),
    "saving": ("saving", "ci_low", "ci_high", "benchmark", "baseline", "evidence", "source"),
    "placebo_year": (
        *("perspective", "total", "ci_low", "ci_high", "per_patient_year", "low_per_patient_year"),
        "high_per_patient_year",
    ),
    "scenarios": (*("group", "scenario", "insurer", "low", "high", "gp_practice", "society", "difference", "note"),),
    "extrapolations": ("scenario", "part", "first_year", "last_year", "insurer", "ci_low", "ci_high", "society"),
    "capacity": ("item", "value", "unit", "source"),
    "returns": (
        *("scenario", "part", "first_year", "last_year", "programme", "induced", "savings", "net_ratio", "gross_ratio"),
        *("payback", "reading", "probability"),
    ),
    "budget_impact": ("scenario", "year", "programme", "induced", "savings", "net_cost", "low", "high", "freed"),
    "funding": (
        *("group", "scenario", "form", "payment", "claims", "outlay", "gp_practice", "insurer", "fte", "minutes"),
        *("low", "high"),
    ),
    "spread": ("kind", "line", "size", "origin", "observed"),
    "plane": (
        *("outcome", "perspective", "effect", "cost", "var_effect", "var_cost", "covariance", "quadrant", "icer"),
        *("shape", "low", "high"),
    ),
    "acceptability": (
        *("perspective", "willingness_to_pay", "inb", "low", "high", "probability", "frontier", "evpi"),
        *("loss_programme", "loss_without"),
    ),
}
"""Columns of each frame of `InsurerPage`; a frame without rows is something that was not declared or not possible."""


def page_frame(name: str, rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return one frame of `InsurerPage` from its rows."""
    import pandas as pd

    return pd.DataFrame([list(row) for row in rows], columns=list(PAGE_FRAMES[name]))


@dataclass(frozen=True, slots=True)
class OutcomeInfo:
    """An outcome in words: title and unit by language, desired direction, decimals shown, level before the start."""

    id: str
    title: Texts
    unit: Texts
    direction: str
    decimals: int = 2
    baseline: float | None = None

    @classmethod
    def of(cls, outcome: Outcome, decimals: int = 2, baseline: float | None = None) -> OutcomeInfo:
        """Return the words that the dictionary has for an outcome."""
        title = {"nl": outcome.title_nl, "en": outcome.title_en}
        return cls(
            outcome.name, title, {"nl": outcome.unit_nl, "en": outcome.unit_en}, outcome.direction, decimals, baseline
        )


@dataclass(frozen=True, slots=True)
class Priced:
    """The effects that were priced: names (K,), estimates (K,), covariance (K, K), and their degrees of freedom."""

    names: tuple[str, ...]
    estimate: FloatArray
    covariance: FloatArray
    df: float | None = None


@dataclass(frozen=True, slots=True)
class InsurerPage:
    """What stands beside the net benefit (see `PAGE_FRAMES`), observed horizon unless a frame says otherwise.

    Amounts of `scenarios` and `funding` are euros per patient-year. `freed` is the value of a fall in care that is no
    cash for the insurer (negative for a rise), `guards` the number of ledger lines that passed the rules against
    counting twice, `not_supplied` the lines without an effect, `detectable` the smallest net benefit per patient-year
    that a test at the report's level finds with 80 % power.
    """

    stranded: pd.DataFrame
    tornado: pd.DataFrame
    contract: pd.DataFrame
    measure_next: pd.DataFrame
    break_even_effects: pd.DataFrame
    saving: pd.DataFrame
    placebo_year: pd.DataFrame
    scenarios: pd.DataFrame
    extrapolations: pd.DataFrame
    capacity: pd.DataFrame
    returns: pd.DataFrame
    budget_impact: pd.DataFrame
    funding: pd.DataFrame
    spread: pd.DataFrame
    plane: pd.DataFrame
    acceptability: pd.DataFrame
    freed: float
    guards: int
    detectable: float
    not_supplied: tuple[str, ...] = ()
    placebo_period: str = ""

    def __post_init__(self) -> None:
        require_columns(_held(self, PAGE_FRAMES), PAGE_FRAMES)


@dataclass(frozen=True, slots=True)
class MoneyInputs:
    """Net benefit as frames (see `MONEY_FRAMES`), observed horizon only.

    Amounts are gains of the party or perspective (a loss is negative), in `currency` of `price_year`; those of `lines`
    are the payer's, undiscounted. `not_computed` names what the insurer's page should hold and this evaluation lacks.
    `low_effects` and `high_effects` are the interval of the effects alone, every other interval holds what else is
    uncertain too; `drawn_apart` says that the inputs of one kind were declared independent of each other.
    `result` is the net benefit itself, of which the ledger sheet with live formulas is made.
    An assumption is `varied` when the intervals let it vary, `observed` when the headline uses it; its `value` is a
    number or words, its `item` ``inputs.<item>.<year>``, ``line <id>`` or another key.
    """

    perspectives: pd.DataFrame
    lines: pd.DataFrame
    party_years: pd.DataFrame
    parties: pd.DataFrame
    break_even: pd.DataFrame
    assumptions: pd.DataFrame
    patient_years: float
    first_period: str
    last_period: str
    price_year: int
    currency: str = "EUR"
    discounting: str = ""
    drawn_apart: bool = False
    priced: Priced | None = None
    not_computed: tuple[str, ...] = ()
    page: InsurerPage | None = None
    result: NetBenefit | None = None

    def __post_init__(self) -> None:
        require_columns(_held(self, MONEY_FRAMES), MONEY_FRAMES)


@dataclass(frozen=True, slots=True)
class NoMoney:
    """Say why there is no net benefit: `why` is ``no_section``, ``no_cost``, ``no_error`` or ``fee``.

    `without_error` names the cost outcomes that have no standard error, each with the reason (``no_error``).
    """

    why: str
    without_error: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ReportInputs:
    """Hold all a report shows of one region's evaluation.

    Frames have at least the columns of `FRAMES`. Cohorts and periods are labels (``2023Q2``); the cohort that never
    enters is ``never``. `identified_by` of a cell is ``lottery``, ``trends`` or ``none`` (with `reason`). `effects`
    holds every estimand of every outcome in both weightings; `band_low`, `band_high` are simultaneous over the event
    times of one outcome. `looks` are those taken, this one included, and those planned; `look_level` is the level that
    they leave this one. `draw` declares the rules of the draw, term -> value; `lottery` holds the frames of
    `tables.lottery`, none where no draw was recorded; `participation` those of `tables.uptake`; `manifest` is the
    byte-stable part of the provenance; `money` is None when `no_money` says why. `pooling` holds the frames of
    `tables.brought`. `checklist` holds the reporting checklist for economic evaluations: number, topic, ask, topic_nl,
    ask_nl, place (a heading of the report, or empty: not reported).

    Raises
    ------
    DataError
        If a frame lacks columns, or an effect names an unknown outcome.
    """

    region: str
    title: Texts
    simulated: bool
    primary_outcome: str
    outcomes: tuple[OutcomeInfo, ...]
    lineage: pd.DataFrame
    not_supplied: pd.DataFrame
    findings: pd.DataFrame
    missing: pd.DataFrame
    known_breaks: pd.DataFrame
    cohorts: pd.DataFrame
    estimability: pd.DataFrame
    trends: pd.DataFrame
    effects: pd.DataFrame
    robustness: pd.DataFrame
    trend_sensitivity: pd.DataFrame = field(default_factory=lambda: _empty("trend_sensitivity"))
    multiplicity: pd.DataFrame = field(default_factory=lambda: _empty("multiplicity"))
    intervals: pd.DataFrame = field(default_factory=lambda: _empty("intervals"))
    pretrend_power: pd.DataFrame = field(default_factory=lambda: _empty("pretrend_power"))
    looks: tuple[int | None, int | None] = (None, None)
    look_level: float = 0.95
    sensitivity_refused: str = ""
    few_clusters: int = 0
    draw: Mapping[str, str] = field(default_factory=dict)
    lottery: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    participation: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pooling: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    money: MoneyInputs | None = None
    no_money: NoMoney | None = None
    headline_method: str = "callaway_santanna"
    headline_weighting: str = "practice"
    headline_covariates: tuple[str, ...] = ()
    level: float = 0.95
    min_patients: int = 10
    min_units: int = 5
    manifest: Mapping[str, Any] = field(default_factory=dict)
    detectable: pd.DataFrame | None = None
    checklist: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        wanted = FRAMES | SENSITIVITY_FRAMES
        require_columns(_held(self, wanted), wanted)
        known = {outcome.id for outcome in self.outcomes}
        named = {self.primary_outcome, *self.effects["outcome"], *self.trends["outcome"]}
        if named - known:
            raise DataError(f"The report has no title for outcome {', '.join(sorted(named - known))}.")

    @property
    def priced(self) -> Priced | None:
        """What was priced, if a net benefit was computed."""
        return None if self.money is None else self.money.priced

    @property
    def result(self) -> NetBenefit | None:
        """The net benefit of which the ledger with live formulas is made, if one was computed."""
        return None if self.money is None else self.money.result

    def tables(self, language: str) -> tuple[ReportTable, ...]:
        """Return every table that holds at least one row, in the order of the report."""
        from mtvp_eval.report.catalogue import all_tables

        return all_tables(self, language)

    def outcome(self, id_: str) -> OutcomeInfo:
        """Return the words of one outcome."""
        return next(outcome for outcome in self.outcomes if outcome.id == id_)


def _held(record: object, frames: Mapping[str, tuple[str, ...]]) -> dict[str, pd.DataFrame]:
    return {name: getattr(record, name) for name in frames}


def require_columns(held: Mapping[str, pd.DataFrame], frames: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ``DataError`` if a frame, or a column of one, is missing; all that lack are named."""
    lacking = [
        f"{name}: {', '.join(c for c in columns if name not in held or c not in held[name].columns)}"
        for name, columns in frames.items()
        if name not in held or not set(columns) <= set(held[name].columns)
    ]
    if lacking:
        raise DataError("The report cannot be made; columns are missing: " + "; ".join(lacking) + ".")
