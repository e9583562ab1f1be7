"""EvaluationConfig: one region's question, read strictly from `reports/REGION/evaluation.yaml` before outcomes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtvp_eval.clock import quarter
from mtvp_eval.costbenefit.effects import ALL_INSURERS
from mtvp_eval.data.cells import ReadingSettings
from mtvp_eval.errors import CommandError, EstimationError
from mtvp_eval.estimands.heterogeneity import MODERATORS
from mtvp_eval.estimators.registry import METHODS, averages
from mtvp_eval.settings import Settings, load_yaml

COVARIATES = ("log_list_size", "deprivation", "opslag_share", "urbanicity")
GROUPINGS = ("care_group", "neighbourhood")
"""Columns of the practices by which others are those whose start may touch a waiting practice."""


@dataclass(frozen=True, slots=True)
class DrawChoices:
    """The declared rule of the draw, with the document that says so; nothing of it is guessed.

    `reacted` says that applications or withdrawals reacted to earlier draws, so that rounds are tested one by one.
    """

    rollover: str
    misfit: str
    cap: str
    oversize: str | None
    document: str
    dated: str
    reacted: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeChoices:
    """One primary outcome; its secondary outcomes form family 1; all others are exploratory."""

    primary: str
    secondary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EstimationChoices:
    """How effects are estimated, and by which properties they may differ: fixed before outcomes are read."""

    estimator: str
    method: str
    comparison: str
    covariates: tuple[str, ...]
    anticipation: int
    min_comparison: int
    sensitivity: tuple[str, ...]
    event_first: int
    event_last: int
    window_first: int | None
    level: float
    seed: int
    moderators: tuple[str, ...] = ()
    exposure_group: str = GROUPINGS[0]


@dataclass(frozen=True, slots=True)
class BaselineCost:
    """Total cost of care in euro per patient-year without the programme, of which a saving is a share."""

    value: float
    price_year: int
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """A declared reading of the years after the observed ones: patient-years of each, and how the effects persist."""

    name: str
    patient_years: tuple[float, ...]
    persistence: Any


@dataclass(frozen=True, slots=True)
class CapacityChoices:
    """What a full-time practitioner stands for, to say what the fee buys; all of it is declared, nothing assumed."""

    patients_per_fte: float
    cost_per_fte: float
    consults: float
    hours: float
    source: str


@dataclass(frozen=True, slots=True)
class EffectivenessChoices:
    """An outcome that cost is set against, and what one unit of gain in it may be worth, in euro per patient-year."""

    outcome: str
    willingness_to_pay: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class MoneyChoices:
    """What turns effects into euros; `inputs` are amounts that no published table gives.

    `insured_of` is `all`, or the UZOVI number of the one insurer whose insured are counted. `spread` (see
    `read_spread`) is what is uncertain beside the effects, `funding` (see `read_funding`) forms of payment with the
    region's own amounts. Extrapolations never enter the headline.
    """

    ledger: str
    price_year: int
    discount_profile: str
    run_out_quarters: int
    inputs: Mapping[str, Mapping[str, Any]]
    insured_of: str
    spread: Mapping[str, Any]
    baseline: BaselineCost | None
    extrapolations: tuple[Extrapolation, ...]
    capacity: CapacityChoices | None
    funding: Mapping[str, Any]
    effectiveness: EffectivenessChoices | None


@dataclass(frozen=True, slots=True)
class LookChoices:
    """How many looks at this region's data were taken, this one included, and how many were planned before the first.

    Where a number was planned, intervals for all looks together are printed beside the others; otherwise the report
    says that nothing is adjusted.
    """

    taken: int | None
    planned: int | None


@dataclass(frozen=True, slots=True)
class DisclosureChoices:
    """Smallest count and smallest group of practices that may be published."""

    min_count: int
    min_group: int


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """One region's question: programme, draw, outcomes, estimation, looks, money and disclosure."""

    region: str
    programme: str
    title: str
    simulated: bool
    reading: ReadingSettings
    draw: DrawChoices
    outcomes: OutcomeChoices
    estimation: EstimationChoices
    money: MoneyChoices | None
    disclosure: DisclosureChoices
    looks: LookChoices

    @classmethod
    def read(cls, path: Path) -> EvaluationConfig:
        """Read `evaluation.yaml` strictly.

        Raises
        ------
        CommandError
            If the file is missing or any key is unknown, missing or of the wrong kind; all problems are listed.
        """
        settings = Settings(load_yaml(path), f"{path.parent.name}/{path.name}")
        config = cls.take(settings)
        if config.region != path.parent.name:
            settings.note(f"region is {config.region}, but the file lies in the folder {path.parent.name}")
        settings.finish()
        return config

    @classmethod
    def take(cls, settings: Settings) -> EvaluationConfig:
        """Take the configuration out of `settings`; the caller calls `settings.finish()`."""
        return cls(
            region=settings.text("region"),
            programme=settings.text("programme"),
            title=settings.text("title"),
            simulated=settings.flag("simulated", False),
            reading=_reading(settings.section("reading")),
            draw=_draw(settings.section("draw")),
            outcomes=_outcomes(settings.section("outcomes")),
            estimation=_estimation(settings.section("estimation")),
            money=_money(settings.section("cost_benefit")) if settings.has("cost_benefit") else None,
            disclosure=_disclosure(settings.section("disclosure")),
            looks=_looks(settings.section("looks")),
        )


def _reading(settings: Settings) -> ReadingSettings:
    return ReadingSettings(
        decimal=settings.text("decimal", None, choices=(",", ".")),
        thousands=settings.text("thousands", None, choices=(",", ".", " ", "none")),
        date_order=settings.text("date_order", None, choices=("day_first", "iso")),
    )


def _draw(settings: Settings) -> DrawChoices:
    return DrawChoices(
        rollover=settings.text("rollover", choices=("queue", "redraw", "class", "permanent_number")),
        misfit=settings.text("misfit", choices=("skip", "close", "admit", "nearest")),
        cap=settings.text("cap", "quarter", choices=("quarter", "cumulative", "practices")),
        oversize=settings.text("oversize", None, choices=("waits", "alone", "outside")),
        document=settings.text("document"),
        dated=str(settings.date("dated")),
        reacted=settings.flag("reacted", False),
    )


def _outcomes(settings: Settings) -> OutcomeChoices:
    chosen = OutcomeChoices(primary=settings.text("primary"), secondary=settings.texts("secondary", ()))
    if chosen.primary in (chosen.secondary or ()):
        settings.note("the primary outcome also stands among the secondary ones")
    return chosen


def _estimation(settings: Settings) -> EstimationChoices:
    first = settings.integer("event_first", -8)
    last = settings.integer("event_last", 2)
    if first is not None and last is not None and not first < 0 <= last:
        settings.note("event_first must be negative and event_last zero or more")
    return EstimationChoices(
        estimator=_headline(settings),
        method=settings.text("method", "dr", choices=("dr", "reg", "ipw")),
        comparison=settings.text("comparison", "not_yet_enrolled", choices=("not_yet_enrolled", "never_enrolled")),
        covariates=settings.texts("covariates", ("log_list_size",), choices=COVARIATES),
        anticipation=settings.integer("anticipation", 0, low=0),
        min_comparison=settings.integer("min_comparison", 5, low=2),
        sensitivity=settings.texts("sensitivity", (), choices=METHODS),
        event_first=first,
        event_last=last,
        window_first=_quarter(settings, "first_quarter"),
        level=settings.number("level", 0.95, 0.5, 0.999),
        seed=settings.integer("seed", 1, low=0),
        moderators=settings.texts("moderators", (), choices=tuple(MODERATORS)),
        exposure_group=settings.text("exposure_group", GROUPINGS[0], choices=GROUPINGS),
    )


def _headline(settings: Settings) -> str:
    """Take a method that gives effects by cohort and quarter; totals in euro and averages follow from them."""
    name = settings.text("estimator", "callaway_santanna", choices=METHODS)
    if name in METHODS:
        try:
            averages(name)
        except EstimationError as error:
            settings.note(f"estimator {name} cannot be the headline: {error} Name it under sensitivity")
    return name


def _looks(settings: Settings) -> LookChoices:
    taken, planned = settings.integer("taken", None, low=1), settings.integer("planned", None, low=1)
    if planned is not None and taken is None:
        settings.note("planned needs taken: which of the planned looks this is")
    elif planned is not None and taken is not None and taken > planned:
        settings.note(f"this is look {taken}, but {planned} were planned; leave planned out, then nothing is adjusted")
    return LookChoices(taken, planned)


def _quarter(settings: Settings, key: str) -> int | None:
    text = settings.text(key, None)
    if text is None:
        return None
    try:
        return quarter(text)
    except ValueError as error:
        settings.note(f"{key}: {error}")
        return None


def _money(settings: Settings) -> MoneyChoices:
    inputs = settings.raw("inputs", {})
    if not isinstance(inputs, dict) or not all(isinstance(value, dict) for value in inputs.values()):
        settings.note("inputs must hold one section an amount (value, price_year, evidence, source)")
        inputs = {}
    return MoneyChoices(
        ledger=settings.text("ledger"),
        price_year=settings.integer("price_year", low=2000),
        discount_profile=settings.text("discount_profile", "zin2024"),
        run_out_quarters=settings.integer("run_out_quarters", 2, low=0),
        inputs=inputs,
        insured_of=_insurer(settings),
        spread=_mapping(settings, "spread"),
        baseline=_baseline(settings.section("baseline_total_cost")) if settings.has("baseline_total_cost") else None,
        extrapolations=_extrapolations(settings),
        capacity=_capacity(settings.section("capacity")) if settings.has("capacity") else None,
        funding=_mapping(settings, "funding"),
        effectiveness=_effectiveness(settings.section("effectiveness")) if settings.has("effectiveness") else None,
    )


def _insurer(settings: Settings) -> str:
    given = settings.raw("insured_of", ALL_INSURERS)
    if given != ALL_INSURERS and not (isinstance(given, str) and len(given) == 4 and given.isdigit()):
        settings.note("insured_of must be all, or a UZOVI number of four digits between quotes")
    return str(given)


def _mapping(settings: Settings, key: str) -> Mapping[str, Any]:
    given = settings.raw(key, {})
    if not isinstance(given, dict):
        settings.note(f"{key} must be a section of `key: value` lines")
        return {}
    return given


def _baseline(settings: Settings) -> BaselineCost:
    return BaselineCost(
        value=settings.number("value", low=1e-9),
        price_year=settings.integer("price_year", low=2000),
        evidence=settings.text("evidence", choices=("assumed", "observed", "published")),
        source=settings.text("source"),
    )


def _extrapolations(settings: Settings) -> tuple[Extrapolation, ...]:
    made = []
    section = settings.section("extrapolations")
    for name in _mapping(settings, "extrapolations"):
        one = section.section(str(name))
        years = one.raw("patient_years")
        numbers = years if isinstance(years, list) else []
        if not numbers or not all(isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in numbers):
            one.note("patient_years must be a list of positive numbers, one for each year after the observed ones")
        made.append(Extrapolation(str(name), tuple(float(v) for v in numbers), one.raw("persistence")))
        if made[-1].persistence is None:
            one.note("persistence is required: {geometric: d}, {linear_to_zero: T}, {half_life: h} or a list of shares")
    return tuple(made)


def _capacity(settings: Settings) -> CapacityChoices:
    patients, cost, consults, hours = (
        settings.number(name, low=1e-9) for name in ("patients_per_fte", "cost_per_fte", "consults", "hours")
    )
    return CapacityChoices(patients, cost, consults, hours, settings.text("source"))


def _effectiveness(settings: Settings) -> EffectivenessChoices:
    given = settings.raw("willingness_to_pay")
    numbers = given if isinstance(given, list) else []
    if not numbers or not all(isinstance(v, (int, float)) and not isinstance(v, bool) and v >= 0 for v in numbers):
        settings.note("willingness_to_pay must be a list of numbers, none negative")
        numbers = []
    worth = tuple(float(v) for v in numbers)
    return EffectivenessChoices(settings.text("outcome"), worth, settings.text("source"))


def _disclosure(settings: Settings) -> DisclosureChoices:
    return DisclosureChoices(
        min_count=settings.integer("min_count", 10, low=1), min_group=settings.integer("min_group", 5, low=1)
    )


def config_path(root: Path, region: str) -> Path:
    """Return where a region's question is kept; refuse names that are no plain folder name.

    Raises
    ------
    CommandError
        If the region's name is not letters, digits, `-` or `_`.
    """
    if not region or not all(letter.isalnum() or letter in "-_" for letter in region):
        raise CommandError(f"A region's name holds letters, digits, - and _ only; {region!r} does not.")
    return root / "reports" / region / "evaluation.yaml"
