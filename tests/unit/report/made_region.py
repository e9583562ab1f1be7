"""A region made by hand for the report's tests: every number is invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mtvp_eval.clock import quarter, quarter_label
from mtvp_eval.report.inputs import (
    MONEY_FRAMES,
    PAGE_FRAMES,
    InsurerPage,
    MoneyInputs,
    OutcomeInfo,
    Priced,
    ReportInputs,
)

COHORTS = {
    "2023Q2": (14, 45_210),
    "2023Q3": (12, 39_480),
    "2023Q4": (9, 30_115),
    "2024Q1": (16, 51_902),
    "never": (7, 20_044),
}
PERIODS = tuple(quarter_label(t) for t in range(quarter("2021Q2"), quarter("2024Q4") + 1))
OUTCOMES = (
    OutcomeInfo(
        "consults_per_1000",
        {"nl": "Consulten", "en": "Consultations"},
        {"nl": "per 1.000 ingeschreven patiënten per kwartaal", "en": "per 1,000 registered patients per quarter"},
        "down",
        1,
        1150.0,
    ),
    OutcomeInfo(
        "referrals_per_1000",
        {"nl": "Verwijzingen naar medisch-specialistische zorg", "en": "Referrals to medical specialists"},
        {"nl": "per 1.000 ingeschreven patiënten per kwartaal", "en": "per 1,000 registered patients per quarter"},
        "down",
        1,
        62.0,
    ),
    OutcomeInfo(
        "cost_hospital",
        {"nl": "Kosten medisch-specialistische zorg", "en": "Hospital cost"},
        {"nl": "euro per verzekerdenjaar", "en": "euro per insured year"},
        "down",
        2,
        1410.0,
    ),
    OutcomeInfo(
        "work_pleasure",
        {"nl": "Werkplezier", "en": "Work pleasure"},
        {"nl": "punten (1–10)", "en": "points (1–10)"},
        "up",
        2,
        7.6,
    ),
)
EFFECT = {"consults_per_1000": 9.4, "referrals_per_1000": -3.6, "cost_hospital": -12.5, "work_pleasure": 0.21}
ERROR = {"consults_per_1000": 6.1, "referrals_per_1000": 1.2, "cost_hospital": 16.0, "work_pleasure": 0.08}


def effect_row(outcome: str, estimand: str, weighting: str, scale: float, error: float, **where: object) -> dict:
    row = {
        "outcome": outcome,
        "estimand": estimand,
        "weighting": weighting,
        "population": "treated",
        "cohort": "",
        "period": "",
        "event_time": np.nan,
        "unit": "",
        "df": 24.0,
        "ci_method": "HC2 by cohort, t",
        "note": "",
        "band_low": np.nan,
        "band_high": np.nan,
        **where,
    }
    row["estimate"] = EFFECT[outcome] * scale
    row["std_error"] = ERROR[outcome] * error
    row["ci_low"] = row["estimate"] - 2.06 * row["std_error"]
    row["ci_high"] = row["estimate"] + 2.06 * row["std_error"]
    return row


def made_effects() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    entering = [c for c in COHORTS if c != "never"]
    rows = []
    for outcome in EFFECT:
        for weighting, shift in (("practice", 1.0), ("patient", 1.08)):
            rows.append(effect_row(outcome, "overall", weighting, shift, 1.0))
            for e in range(-8, 3):
                scale = 0.6 + 0.3 * e if e >= 0 else float(rng.normal(0, 0.15))
                row = effect_row(
                    outcome, "event_study" if e >= 0 else "placebo", weighting, scale * shift, 1.1, event_time=e
                )
                row["band_low"] = row["estimate"] - 2.9 * row["std_error"]
                row["band_high"] = row["estimate"] + 2.9 * row["std_error"]
                rows.append(row)
            for cohort in entering[:-1]:
                rows.append(effect_row(outcome, "cohort", weighting, shift * rng.uniform(0.7, 1.2), 1.4, cohort=cohort))
            for t in range(quarter("2023Q2"), quarter("2023Q4") + 1):
                period = quarter_label(t)
                rows.append(
                    effect_row(outcome, "calendar", weighting, shift * rng.uniform(0.7, 1.2), 1.3, period=period)
                )
                for cohort in entering:
                    if quarter(cohort) <= t:
                        scale = shift * rng.uniform(0.5, 1.3)
                        where = {"cohort": cohort, "period": period, "event_time": t - quarter(cohort)}
                        rows.append(effect_row(outcome, "att_gt", weighting, scale, 1.6, **where))
    return pd.DataFrame(rows)


def made_estimability() -> pd.DataFrame:
    entering = [c for c in COHORTS if c != "never"]
    rows = []
    for cohort in entering:
        for period in PERIODS[1:]:
            t = quarter(period)
            against = [c for c in entering if quarter(c) > t and c != cohort]
            rows.append(
                {
                    "cohort": cohort,
                    "period": period,
                    "event_time": t - quarter(cohort),
                    "practices": COHORTS[cohort][0],
                    "patients": float(COHORTS[cohort][1]),
                    "practices_comparing": sum(COHORTS[c][0] for c in against),
                    "patients_comparing": float(sum(COHORTS[c][1] for c in against)),
                    "identified_by": "trends" if against else "none",
                    "reason": "" if against else "every unit is enrolled or about to enroll",
                }
            )
    return pd.DataFrame(rows)


def made_trends() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for info in OUTCOMES:
        for i, (cohort, (units, patients)) in enumerate(COHORTS.items()):
            for t, period in enumerate(PERIODS):
                started = cohort != "never" and quarter(period) >= quarter(cohort)
                mean = (info.baseline or 0) * (1 + 0.01 * i + 0.02 * np.sin(t * np.pi / 2) + rng.normal(0, 0.003))
                rows.append(
                    {
                        "outcome": info.id,
                        "cohort": cohort,
                        "period": period,
                        "units": units,
                        "patients": patients,
                        "mean": mean + EFFECT[info.id] * started,
                    }
                )
    return pd.DataFrame(rows)


def made_page(**changes: object) -> InsurerPage:
    def frame(name: str, *rows: tuple) -> pd.DataFrame:
        return pd.DataFrame(list(rows), columns=list(PAGE_FRAMES[name]))

    page = InsurerPage(
        stranded=frame("stranded", ("2023", 602_400.0, 301_200.0, 210_840.0, 90_360.0, 301_200.0)),
        tornado=frame(
            "tornado",
            ("effect", "cost_hospital 2023", -9e5, 3e5, 3e5, -1e6, 1.3e6, "interval"),
            ("cashable", "hospital", 0.0, 1.0, -713_500.0, -111_100.0, 602_400.0, "whole"),
            ("price", "organisation", 0.5, 1.5, -361_550.0, -463_050.0, 101_500.0, "half"),
        ),
        contract=frame("contract", ("own_10", 1.73, 10.0, 42.0), ("agreed_2", 2.0, 7.0, 50.0)),
        measure_next=frame(
            "measure_next",
            ("all", "everything", 90_000.0, np.nan, np.nan),
            ("data", "one_more_year", 45_000.0, np.nan, np.nan),
            ("data", "one_more_region", 41_000.0, np.nan, np.nan),
            ("effect", "cost_hospital 2023", 88_000.0, 87_100.0, 120.0),
            ("cashable", "hospital", 2_000.0, 1_900.0, 110.0),
        ),
        break_even_effects=frame("break_even_effects", ("cost_hospital", -12.5, -45.46, 20.46, -17.62)),
        saving=frame("saving", (0.4, -2.5, 3.3, 2.0, 2_196.0, "observed", "extract costs, 3 sectors")),
        placebo_year=made_placebo(-1.90),
        scenarios=frame(
            "scenarios",
            ("base", "base", -5.12, -19.4, 9.2, 0.73, -8.13, 0.0, ""),
            ("method", "lottery", *[np.nan] * 6, "no block was drawn"),
            ("funding", "surcharge_only", -4.80, -19.0, 9.4, 0.41, -8.13, 0.32, ""),
        ),
        extrapolations=frame(
            "extrapolations",
            ("three", "observed", "2023", "2023", -412_300.0, -1_562_900.0, 741_200.0, -655_020.0),
            ("three", "extrapolated", "2024", "2026", 206_150.0, -900_000.0, 1_300_000.0, 100_000.0),
            ("three", "both", "2023", "2026", -206_150.0, -2_300_000.0, 1_900_000.0, -555_020.0),
        ),
        capacity=frame("capacity", ("minutes", 1.2, "minutes", "invented")),
        returns=frame(
            "returns",
            ("observed", "observed", "2023", "2023", 713_500.0, 0.0, 301_200.0, 0.42, 0.42, np.nan, "not_yet", 23.5),
            ("three", "both", "2023", "2026", 2.9e6, 0.0, 3.1e6, 1.07, 1.07, 2.6, "stays", 55.0),
        ),
        budget_impact=frame(
            "budget_impact",
            ("observed", "2023", 713_500.0, 0.0, 301_200.0, 412_300.0, -741_200.0, 1_562_900.0, 301_200.0),
            ("three", "2024", 950_000.0, 0.0, 400_000.0, 550_000.0, -9e5, 2e6, 4e5),
        ),
        funding=frame(
            "funding",
            ("base", "base", "fee_s3", 11.91, -1.30, -9.88, 0.73, -5.12, 0.2, 1.2, -1.8, 3.2),
            ("funding", "fixed_revenue", "fixed_revenue", 11.91, 0.0, -9.88, 2.03, -6.42, 0.2, 1.2, -1.8, 3.2),
            ("funding_own", "offer", "staff_grant", 8.0, -1.30, -9.88, -3.18, -1.21, 0.13, 0.8, -1.8, 3.2),
        ),
        plane=frame(
            "plane",
            ("work_pleasure", "insurer", 0.4, 5.12, 0.04, 49.0, -0.3, "NE", 12.8, "interval", -30.0, 90.0),
            ("work_pleasure", "society", 0.4, 8.13, 0.04, 60.0, -0.2, "NE", 20.3, "complement", -12.0, 400.0),
        ),
        acceptability=frame(
            "acceptability",
            ("insurer", 0.0, -5.12, -19.4, 9.2, 23.5, 76.5, 1.1, 6.2, 1.1),
            ("insurer", 20.0, 2.88, -12.0, 17.9, 65.0, 65.0, 1.9, 1.9, 4.8),
        ),
        spread=frame(
            "spread",
            ("price", "practice_outlay", 0.25, "question", True),
            ("cashable", "hospital_cost", 0.15, "ledger", True),
        ),
        freed=301_200.0,
        guards=7,
        detectable=14.6,
        not_supplied=("diagnostics_cost",),
        placebo_period="2022Q2-2022Q4",
    )
    return replace(page, **changes)


def made_placebo(per_patient_year: float) -> pd.DataFrame:
    row = ("insurer", 8e4 * per_patient_year, -4e6, 4e6, per_patient_year, -53.14, 49.33)
    return pd.DataFrame([row], columns=list(PAGE_FRAMES["placebo_year"]))


def made_money() -> MoneyInputs:
    perspectives = pd.DataFrame(
        {
            "perspective": ["insurer", "society"],
            "total": [-412_300.0, -655_020.0],
            "ci_low": [-1_562_900.0, -1_933_000.0],
            "ci_high": [741_200.0, 620_300.0],
            "per_patient_year": [-5.12, -8.13],
            "low_per_patient_year": [-19.4, -24.0],
            "high_per_patient_year": [9.2, 7.7],
            "low_effects": [-19.1, -23.2],
            "high_effects": [8.9, 6.9],
            "probability_positive": [0.235, 0.155],
        }
    )
    lines = pd.DataFrame(
        [
            ("fee", "Programme fee", "insurer", "practice", "gp", "structural", "contract", 2023, -612_000.0),
            ("hospital", "Hospital cost", "hospital", "insurer", "hospital", "structural", "observed", 2023, 301_200.0),
            (
                "organisation",
                "Regional organisation",
                "insurer",
                "rho",
                "gp",
                "structural",
                "assumed",
                2023,
                -101_500.0,
            ),
        ],
        columns=["line", "label", "payer", "receiver", "sector", "kind", "evidence", "year", "amount"],
    )
    parties = pd.DataFrame(
        [
            ("insurer", 713_500.0, 301_200.0, 0.0, -412_300.0, -1_562_900.0, 741_200.0, 0.235, True, np.nan),
            ("practice", 0.0, 612_000.0, 553_520.0, 58_480.0, -141_000.0, 258_000.0, 0.71, False, np.nan),
            ("rho", 0.0, 101_500.0, 101_500.0, 0.0, 0.0, 0.0, np.nan, False, np.nan),
            ("hospital", 301_200.0, 0.0, 0.0, -301_200.0, -1_002_000.0, 399_600.0, 0.2, True, np.nan),
        ],
        columns=list(MONEY_FRAMES["parties"]),
    )
    assumptions = pd.DataFrame(
        [
            (
                "Fee per registered patient",
                2.88,
                "EUR per quarter",
                "contract",
                "Menzis, 28 February 2023",
                False,
                True,
            ),
            (
                "Fee of the regional organisation",
                0.50,
                "EUR per patient per quarter",
                "assumed",
                "invented",
                False,
                True,
            ),
        ],
        columns=list(MONEY_FRAMES["assumptions"]),
    )
    return MoneyInputs(
        perspectives=perspectives,
        lines=lines,
        party_years=pd.DataFrame(
            {"party": parties["party"], "year": 2023, "amount": parties["net"]},
        ),
        parties=parties,
        break_even=pd.DataFrame([(2023, 6.4, -7.9, 20.7, -7.5, 20.3, 11.52)], columns=list(MONEY_FRAMES["break_even"])),
        assumptions=assumptions,
        patient_years=80_560.0,
        first_period="2023Q2",
        last_period="2023Q4",
        price_year=2024,
        discounting="zin2024",
        not_computed=("capacity",),
        page=made_page(),
        priced=Priced(("consults", "hospital"), np.array([9.4, -12.5]), np.array([[37.2, 10.0], [10.0, 256.0]]), 24.0),
    )


def made_inputs(**changes: object) -> ReportInputs:
    cohorts = pd.DataFrame([(c, *n) for c, n in COHORTS.items()], columns=["cohort", "units", "patients"])
    missing = pd.DataFrame(
        [
            (info.id, c, e, COHORTS[c][0], 0.02 if e < -4 else 0.0)
            for info in OUTCOMES
            for c in COHORTS
            if c != "never"
            for e in range(-8, 3)
        ],
        columns=["outcome", "cohort", "event_time", "units", "share"],
    )
    robustness = pd.DataFrame(
        [
            {"method": method, **effect_row(info.id, "overall", weighting, scale, 1.0)}
            for info in OUTCOMES
            for method, scale in (("callaway_santanna", 1.0), ("cohort_means", 0.9))
            for weighting in ("practice", "patient")
        ]
    )
    inputs = ReportInputs(
        region="made",
        title={"nl": "Bedachte regio", "en": "Made-up region"},
        simulated=True,
        primary_outcome="referrals_per_1000",
        outcomes=OUTCOMES,
        lineage=pd.DataFrame(
            [("linked", "all practices in the extract", 62, 0), ("consent", "no monitoring consent", 58, 4)],
            columns=["step", "reason", "units", "lost"],
        ),
        not_supplied=pd.DataFrame([("access_days", "column empty")], columns=["outcome", "reason"]),
        findings=pd.DataFrame([("activity", "quarter missing", 12)], columns=["table", "finding", "rows"]),
        missing=missing,
        known_breaks=pd.DataFrame(
            [("covid", "2020Q2", "2021Q4", "all", "Fewer contacts in the pandemic", "NZa")],
            columns=["break", "first_period", "last_period", "outcomes", "what", "source"],
        ),
        cohorts=cohorts,
        estimability=made_estimability(),
        trends=made_trends(),
        effects=made_effects(),
        robustness=robustness,
        draw={"variant": "queue", "misfit": "skip", "cap_share": "0.25", "seed": "1"},
        money=made_money(),
        headline_covariates=("log_list_size",),
        manifest={"inputs": {"activity.csv": "ab12"}, "parameters": {"region": "made"}},
    )
    return replace(inputs, **changes)
