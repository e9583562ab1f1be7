"""RegionSettings: everything that decides a simulated region besides the seed, read strictly from regions.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mtvp_eval.clock import quarter
from mtvp_eval.design.rules import Cap, DrawRule, FinalRound, Misfit, Oversize, Rollover
from mtvp_eval.errors import CommandError, DesignError
from mtvp_eval.settings import Settings, load_yaml, nearest
from mtvp_eval.simulate.calibration import COST_GP, COST_HOSPITAL, COST_PHARMACY, SERIES, SURVEYS
from mtvp_eval.simulate.scenarios import SCENARIOS, Scenario

MOVEMENTS = ("new_registrations_per_1000", "leavers_per_1000", "fte_gp")
"""Outcomes about lists and staff, on which no scenario has an effect."""

COSTS = (COST_GP, COST_HOSPITAL, COST_PHARMACY)
CAN_SUPPLY = (*SERIES, *SURVEYS, *MOVEMENTS)
"""Outcomes of which the simulator can supply the columns; registered_patients it always supplies."""


MOST_PRACTICES = 9999
"""Practices for which the range of made-up codes has room."""


@dataclass(frozen=True, slots=True)
class ListSizes:
    """Lognormal list sizes: `mean` before the cut, drawn again where outside `least` to `most`."""

    mean: float
    sigma_log: float
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of practices that never apply, hold an earlier contract (and keep it, or switch), refuse monitoring."""

    never_applies: float
    earlier_contract: float
    earlier_contract_switching: float
    no_consent: float


@dataclass(frozen=True, slots=True)
class Rounds:
    """The draw: its rule, the quarter of round 1, who applies when, and what the cap is a share of.

    `application_shares` one share of the applicants a round, the open round included; `cap_base` region or applicants.
    """

    rule: DrawRule
    first_round: int
    application_shares: tuple[float, ...]
    cap_base: str
    announced_days_before: int

    @property
    def last_round(self) -> int:
        """Number of the last round, open or capped."""
        return self.rule.open_round or self.rule.capped_rounds


@dataclass(frozen=True, slots=True)
class Uptake:
    """Shares of winners that start a quarter late, never start, or end again after two to four quarters."""

    late: float
    never: float
    ended: float


@dataclass(frozen=True, slots=True)
class Bending:
    """Change of the log level per standard deviation, and of the yearly log trend per standard deviation."""

    level_by_deprivation: float
    level_by_list_size: float
    trend_by_deprivation: float
    trend_by_list_size: float


@dataclass(frozen=True, slots=True)
class Effects:
    """What the programme does: a scenario, how it builds up, on which scale it is constant, for whom it is larger.

    `build_up_quarters` linear growth to the steady effect, 1 = at once. `scale` level: the same number of units for
    every practice; log: the same share of its own level. `by_deprivation` h: the effect is multiplied by
    1 + h x deprivation score.
    """

    scenario: Scenario
    build_up_quarters: int
    scale: str
    by_deprivation: float
    hospital_elasticity: float


@dataclass(frozen=True, slots=True)
class Payments:
    """Amounts paid for the programme: fee per registered patient per quarter by year, and the regional organisation."""

    fee: Mapping[int, float]
    regional_organisation_fee: float
    transition_per_practice: float
    price_year: int
    as_of: date


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """Hold everything that decides a simulated region besides the seed; quarters are on the integer clock.

    `reference_quarter` is the one on whose first day the lists were counted for the draw; `sampling_noise` false
    leaves expected values in place of counts and surveys (deviations of practices stay), for tests by hand.
    """

    name: str
    seed: int
    practices: int
    first_quarter: int
    quarters: int
    reference_quarter: int
    lists: ListSizes
    shares: Shares
    rounds: Rounds
    uptake: Uptake
    bending: Bending
    effects: Effects
    payments: Payments
    supplied: tuple[str, ...]
    survey_first_quarter: int
    sampling_noise: bool = True

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise CommandError(f"Region {self.name} cannot be simulated: {'; '.join(problems)}.")

    @property
    def last_quarter(self) -> int:
        """The last simulated quarter."""
        return self.first_quarter + self.quarters - 1

    @property
    def supplies_costs(self) -> bool:
        """Whether the region supplies a table of costs."""
        return any(name in COSTS for name in self.supplied)


def _problems(s: RegionSettings) -> list[str]:
    problems = []
    if s.practices > MOST_PRACTICES:
        problems.append(f"it has more than {MOST_PRACTICES} practices, for which there are no made-up codes")
    if unknown := [name for name in s.supplied if name not in CAN_SUPPLY]:
        problems.append(f"it cannot supply {', '.join(f'{n} ({nearest(n, CAN_SUPPLY)})' for n in unknown)}")
    if "long_consult_share" in s.supplied and "consults_per_1000" not in s.supplied:
        problems.append("the share of long consultations needs the consultations")
    if not s.first_quarter <= s.reference_quarter < s.rounds.first_round <= s.last_quarter:
        problems.append("the reference quarter must be simulated, before the first round, and that before the end")
    if len(s.rounds.application_shares) != s.rounds.last_round or abs(sum(s.rounds.application_shares) - 1) > 1e-9:
        problems.append(f"application_shares must hold {s.rounds.last_round} shares that sum to one")
    if sum((s.shares.never_applies, s.shares.earlier_contract, s.shares.earlier_contract_switching)) >= 1:
        problems.append("nobody is left to apply")
    if s.uptake.late + s.uptake.never > 1:
        problems.append("more winners start late or never than there are")
    if not 0 < s.lists.least < s.lists.mean < s.lists.most:
        problems.append("list sizes need least < mean < most")
    years = range(s.rounds.first_round // 4, s.last_quarter // 4 + 1)
    if s.supplies_costs and (missing := [str(year) for year in years if year not in s.payments.fee]):
        problems.append(f"the fee of {', '.join(missing)} has no amount")
    return problems


def embedded_regions(path: Path) -> tuple[str, ...]:
    """Return the names of the regions that regions.yaml can simulate."""
    return tuple(load_yaml(path).get("regions", {}))


def read_region(path: Path, name: str) -> RegionSettings:
    """Read one region's settings strictly from regions.yaml.

    Raises
    ------
    CommandError
        If there is no such region, or any key is unknown, missing or of the wrong kind; all problems are listed.
    """
    regions = load_yaml(path).get("regions", {})
    if name not in regions:
        raise CommandError(f"{path.name} has no region {name}; {nearest(name, regions)}.")
    top = Settings(regions[name], f"{path.name}: {name}")
    for words in ("title", "what"):
        top.text(words)
    if top.flag("simulated") is False:
        top.note("it is not marked as simulated")
    values = _take(top, name)
    top.finish()
    return RegionSettings(**values)


def _take(top: Settings, name: str) -> dict[str, Any]:
    lists, shares, uptake = top.section("lists"), top.section("shares"), top.section("uptake")
    bending, effects, payments = top.section("bending"), top.section("effects"), top.section("payments")
    return {
        "name": name,
        "seed": top.integer("seed", low=0),
        "practices": top.integer("practices", low=1),
        "first_quarter": _quarter(top, "first_quarter"),
        "quarters": top.integer("quarters", low=2),
        "reference_quarter": _quarter(top, "reference_quarter"),
        "lists": ListSizes(
            mean=lists.number("mean", low=1),
            sigma_log=lists.number("sigma_log", low=0),
            least=lists.integer("least", low=1),
            most=lists.integer("most", low=1),
        ),
        "shares": Shares(
            never_applies=shares.number("never_applies", low=0, high=1),
            earlier_contract=shares.number("earlier_contract", low=0, high=1),
            earlier_contract_switching=shares.number("earlier_contract_switching", low=0, high=1),
            no_consent=shares.number("no_consent", low=0, high=1),
        ),
        "rounds": _rounds(top.section("draw")),
        "uptake": Uptake(
            late=uptake.number("late", low=0, high=1),
            never=uptake.number("never", low=0, high=1),
            ended=uptake.number("ended", low=0, high=1),
        ),
        "bending": Bending(
            level_by_deprivation=bending.number("level_by_deprivation"),
            level_by_list_size=bending.number("level_by_list_size"),
            trend_by_deprivation=bending.number("trend_by_deprivation"),
            trend_by_list_size=bending.number("trend_by_list_size"),
        ),
        "effects": Effects(
            scenario=SCENARIOS.get(effects.text("scenario", choices=SCENARIOS), SCENARIOS["null"]),
            build_up_quarters=effects.integer("build_up_quarters", low=1),
            scale=effects.text("scale", choices=("level", "log")),
            by_deprivation=effects.number("by_deprivation"),
            hospital_elasticity=effects.number("hospital_elasticity", low=0, high=1),
        ),
        "payments": Payments(
            fee=_by_year(payments, "fee_per_patient_quarter"),
            regional_organisation_fee=payments.number("regional_organisation_fee_per_patient_quarter", low=0),
            transition_per_practice=payments.number("transition_per_practice", low=0),
            price_year=payments.integer("price_year", low=2000),
            as_of=payments.date("as_of"),
        ),
        "supplied": top.texts("supplied", choices=CAN_SUPPLY),
        "survey_first_quarter": _quarter(top, "survey_first_quarter"),
    }


def _rounds(draw: Settings) -> Rounds | None:
    oversize = draw.text("oversize", None, choices=tuple(Oversize))
    given = {
        "rollover": draw.text("rollover", choices=tuple(Rollover)),
        "misfit": draw.text("misfit", choices=tuple(Misfit)),
        "cap": draw.text("cap", choices=tuple(Cap)),
        "final_round": draw.text("final_round", choices=tuple(FinalRound)),
        "document": draw.text("document"),
        "declared_on": draw.date("dated"),
        "cap_share": draw.number("cap_share", low=0, high=1),
        "capped_rounds": draw.integer("capped_rounds", low=1),
    }
    shares = draw.raw("application_shares")
    if not isinstance(shares, list) or not all(isinstance(share, (int, float)) for share in shares):
        draw.note("application_shares must be a list of numbers, one a round")
        shares = []
    rest = {
        "first_round": _quarter(draw, "first_round"),
        "application_shares": tuple(float(share) for share in shares),
        "cap_base": draw.text("cap_base", choices=("region", "applicants")),
        "announced_days_before": draw.integer("announced_days_before", low=0),
    }
    if draw.problems():
        return None
    try:
        return Rounds(DrawRule(**given, oversize=Oversize(oversize) if oversize else None), **rest)
    except DesignError as error:
        draw.note(str(error))
        return None


def _by_year(settings: Settings, key: str) -> dict[int, float]:
    values = settings.raw(key)
    if not isinstance(values, dict) or not all(
        isinstance(year, int) and isinstance(amount, (int, float)) for year, amount in values.items()
    ):
        settings.note(f"{key} must hold one amount a year, such as 2023: 2.88")
        return {}
    return {year: float(amount) for year, amount in values.items()}


def _quarter(settings: Settings, key: str) -> int:
    text = settings.text(key)
    try:
        return quarter(text or "")
    except ValueError as error:
        if text is not None:
            settings.note(f"{key}: {error}")
        return 0
