"""OpenDataConfig: the question to the open claims data, read strictly from `reports/open_data/evaluation.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtvp_eval.data.open_data.codes import SECTORS
from mtvp_eval.data.open_data.municipal_panel import BASELINE, PanelChoices
from mtvp_eval.settings import Settings, load_yaml


@dataclass(frozen=True, slots=True)
class OpenDataEstimation:
    """How effects are estimated: fixed before outcomes are read."""

    anticipation: int
    covariates: tuple[str, ...]
    carry_over: tuple[str, ...]
    level: float
    seed: int


@dataclass(frozen=True, slots=True)
class PlaceboChoices:
    """Which untouched groups stand in for a project: region kind (or none), how many, and for which projects."""

    region: str
    groups: int
    candidates: int
    fewer_than: int


@dataclass(frozen=True, slots=True)
class ExposureChoices:
    """Largest detectable effect per exposed patient that is still rescaled, and the fee an effect is held against.

    The fee is in euros of `fee_year`; euros are shown in those of `price_year`.
    """

    largest_detectable: float
    yardstick_fee: float
    fee_year: int
    price_year: int


@dataclass(frozen=True, slots=True)
class TrendChoices:
    """Bounds on how trends may differ: relative magnitudes, and changes of slope in standard errors of the effect."""

    bounds: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One choice changed for a sensitivity; None keeps the declared one."""

    covariates: tuple[str, ...] | None
    direct: bool
    alternative_start: bool
    last_year: int | None


@dataclass(frozen=True, slots=True)
class OpenDataConfig:
    """The question to the open claims data: window, outcomes, estimation, pooled sets, placebo, exposure, trends."""

    title: str
    window: PanelChoices
    primary: str
    secondary: tuple[str, ...]
    published_gp_columns: tuple[str, ...]
    estimation: OpenDataEstimation
    pooled: Mapping[str, tuple[str, ...]]
    placebo: PlaceboChoices
    exposure: ExposureChoices
    trends: TrendChoices
    sensitivity: Mapping[str, Change]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes in the order of the report."""
        return (self.primary, *self.secondary, *self.published_gp_columns)

    @property
    def asked_covariates(self) -> frozenset[str]:
        """Every covariate of the headline or of a sensitivity."""
        others = (name for change in self.sensitivity.values() for name in change.covariates or ())
        return frozenset({*self.estimation.covariates, *others})

    @property
    def years(self) -> range:
        """Calendar years of the window."""
        return range(self.window.first_year, self.window.last_year + 1)

    @classmethod
    def read(cls, path: Path) -> OpenDataConfig:
        """Read `evaluation.yaml` strictly.

        Raises
        ------
        CommandError
            If the file is missing or any key is unknown, missing or of the wrong kind; all problems are listed.
        """
        settings = Settings(load_yaml(path), f"{path.parent.name}/{path.name}")
        config = _take(settings)
        settings.finish()
        return config


def _take(settings: Settings) -> OpenDataConfig:
    outcomes = settings.section("outcomes")
    primary = outcomes.text("primary", choices=SECTORS)
    secondary = outcomes.texts("secondary", (), choices=SECTORS)
    columns = outcomes.texts("published_gp_columns", (), choices=SECTORS)
    pooled = settings.section("pooled")
    names = _names(settings, "pooled")
    return OpenDataConfig(
        title=settings.text("title"),
        window=_window(settings.section("window"), (primary, *(secondary or ()), *(columns or ()))),
        primary=primary,
        secondary=secondary,
        published_gp_columns=columns,
        estimation=_estimation(settings.section("estimation")),
        pooled={name: pooled.texts(name) for name in names},
        placebo=_placebo(settings.section("placebo")),
        exposure=_exposure(settings.section("exposure")),
        trends=_trends(settings.section("trends")),
        sensitivity=_sensitivity(settings),
    )


def _names(settings: Settings, section: str) -> list[str]:
    """Return the keys of a section whose names the reader of the question chooses."""
    value = settings.raw(section, {})
    return [str(name) for name in value] if isinstance(value, dict) else []


def _exposure(settings: Settings) -> ExposureChoices:
    return ExposureChoices(
        largest_detectable=settings.number("largest_detectable", 0.20, low=0.0),
        yardstick_fee=settings.number("yardstick_fee", low=0.0),
        fee_year=settings.integer("fee_year", low=2012),
        price_year=settings.integer("price_year", low=2012),
    )


def _trends(settings: Settings) -> TrendChoices:
    return TrendChoices(
        bounds=settings.numbers("bounds", (0.0, 0.5, 1.0, 2.0), low=0.0),
        slopes=settings.numbers("slopes", (0.0, 0.5, 1.0), low=0.0),
    )


def _sensitivity(settings: Settings) -> dict[str, Change]:
    section = settings.section("sensitivity")
    changes = {}
    for name in _names(settings, "sensitivity"):
        inner = section.section(name)
        changes[name] = Change(
            covariates=inner.texts("covariates", None, choices=BASELINE),
            direct=inner.flag("direct", False),
            alternative_start=inner.flag("alternative_start", False),
            last_year=inner.integer("last_year", None, low=2012),
        )
    return changes


def _window(settings: Settings, sectors: tuple[str, ...]) -> PanelChoices:
    choices = PanelChoices(
        sectors=sectors,
        first_year=settings.integer("first_year", low=2011),
        last_year=settings.integer("last_year"),
        weight_year=settings.integer("weight_year"),
        jump_limit=settings.number("jump_limit", low=0.0),
        payment_limit=settings.number("payment_limit", low=0.0),
    )
    first, last, weight = choices.first_year, choices.last_year, choices.weight_year
    if None not in (first, last, weight):
        if last > 2022:
            settings.note("last_year is after 2022: in 2023 nearly every practice starts, so no comparison is left")
        if not first <= weight < last:
            settings.note("weight_year must lie within the window and before its last year")
    return choices


def _estimation(settings: Settings) -> OpenDataEstimation:
    settings.text("comparison", choices=("never_enrolled",))
    settings.text("weighting", choices=("patient",))
    return OpenDataEstimation(
        anticipation=settings.integer("anticipation", low=0),
        covariates=settings.texts("covariates", (), choices=BASELINE),
        carry_over=settings.texts("carry_over", ()),
        level=settings.number("level", 0.95, low=0.5, high=0.999),
        seed=settings.integer("seed"),
    )


def _placebo(settings: Settings) -> PlaceboChoices:
    return PlaceboChoices(
        region=settings.text("region", choices=("corop", "care_office", "province", "none")),
        groups=settings.integer("groups", low=39),
        candidates=settings.integer("candidates", low=39),
        fewer_than=settings.integer("fewer_than", low=2),
    )
