"""Scenarios: what the programme is made to do in a simulated region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtvp_eval.errors import CommandError
from mtvp_eval.settings import nearest
from mtvp_eval.simulate.calibration import (
    CONSULTS,
    COST_GP,
    COST_HOSPITAL,
    GP_SECTORS,
    LONG_SHARE,
    SERIES,
    SURVEYS,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Effects in the steady state: `relative` as a share of the level, `points` in the unit of the outcome."""

    name: str
    relative: Mapping[str, float] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.relative, *self.points) if name not in SERIES and name not in SURVEYS]
        if unknown:
            raise CommandError(
                f"Scenario {self.name} names outcomes the simulator does not make: "
                f"{'; '.join(f'{name} ({nearest(name, (*SERIES, *SURVEYS))})' for name in unknown)}."
            )

    def steady(self, hospital_elasticity: float) -> dict[str, float]:
        """Return the steady effect of every outcome, in its own unit at the level of the reference year.

        Hospital cost follows referrals by `hospital_elasticity` (0 to 1; no source gives it: an avoided referral is
        cheaper than the average one). The cost of GP consultations follows their number and the share of long ones,
        which are paid double (NZa tariffs 12001 and 12011).

        >>> effects = SCENARIOS["base"].steady(hospital_elasticity=0.5)
        >>> round(effects["referrals_per_1000"], 3), round(effects["cost_hospital"], 2)
        (-4.908, -49.65)
        """
        effects = dict.fromkeys((*SERIES, *SURVEYS), 0.0)
        effects.update({name: share * SERIES[name].reference for name, share in self.relative.items()})
        effects.update(self.points)
        if COST_HOSPITAL not in self.relative:
            share = hospital_elasticity * self.relative.get("referrals_per_1000", 0.0)
            effects[COST_HOSPITAL] = share * SERIES[COST_HOSPITAL].reference
        if COST_GP not in self.relative:
            long_before = SERIES[LONG_SHARE].reference / 100
            long_paid = 1 + effects[LONG_SHARE] / 100 / (1 + long_before)
            consults = SERIES[COST_GP].reference * GP_SECTORS["gp_consult"][1]
            effects[COST_GP] = consults * ((1 + self.relative.get(CONSULTS, 0.0)) * long_paid - 1)
        return effects


# Published effects shrink with the quality of the design: an insurer's press figures (optimistic, 2018), the contrast
# with a comparison group in West-Friesland (base, 2019), the national measurement of July 2025 (LHV, InEen, ZN), whose
# signs are published and whose sizes are assumed. The points of long consultations are assumed throughout.
SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("null"),
        Scenario(
            "national-2025-like",
            {"referrals_per_1000": -0.02, "diagnostics_per_1000": 0.02, CONSULTS: 0.01, "cost_pharmacy": 0.01},
            {"patient_satisfaction": 0.05, "work_pleasure": 0.2, LONG_SHARE: 3.0},
        ),
        Scenario(
            "base",
            {"referrals_per_1000": -0.06, "diagnostics_per_1000": -0.03, CONSULTS: -0.02},
            {"patient_satisfaction": 0.10, "work_pleasure": 0.4, LONG_SHARE: 4.0},
        ),
        Scenario(
            "optimistic",
            {"referrals_per_1000": -0.20, "diagnostics_per_1000": -0.09, CONSULTS: -0.05, "cost_pharmacy": -0.03},
            {"patient_satisfaction": 0.20, "work_pleasure": 0.6, LONG_SHARE: 6.0},
        ),
    )
}
