"""Extracts: a simulated region as the tables of the data dictionary, typed as a reader would give them.

Typed means: numbers and quarters (integer clock) as float, yes and no as 1 and 0, dates as datetime64, texts as
objects; NaN, NaT or None where nothing is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.simulate.outcomes import Outcomes
from mtvp_eval.simulate.population import Population
from mtvp_eval.simulate.settings import RegionSettings

if TYPE_CHECKING:
    import pandas as pd

_ALL_INSURERS = "all"


def region_extracts(settings: RegionSettings, population: Population, outcomes: Outcomes) -> dict[str, pd.DataFrame]:
    """Return the tables of a region, by name."""
    import pandas as pd

    columns = {
        "practices": _practices(settings, population),
        "applications": _applications(population),
        "lottery_rounds": _lottery_rounds(settings, population),
        "enrolment": _enrolment(population),
        "interventions": _interventions(settings, population),
        "activity": _activity(settings, population, outcomes),
        "costs": _costs(settings, population, outcomes),
        "surveys": _surveys(settings, population, outcomes),
        "programme_costs": _programme_costs(settings, population),
    }
    return {name: pd.DataFrame(table) for name, table in columns.items() if len(next(iter(table.values())))}


def _practices(settings: RegionSettings, population: Population) -> dict[str, Any]:
    n, deprivation = population.n, population.deprivation
    return {
        "practice_id": population.unit_ids,
        "region": _repeat(settings.name, n),
        "registered_reference": population.patients.astype(float),
        "reference_date": np.full(n, _first_day(settings.reference_quarter)),
        "deprivation": deprivation,
        # Few patients in a deprivation postcode at the mean score, a quarter of them two deviations above it.
        "opslag_share": np.round(1 / (1 + np.exp(3.5 - 1.2 * deprivation)), 3),
        "urbanicity": np.clip(np.round(3 - deprivation), 1, 5),
        "care_group": np.array([("north", "south", "west")[i % 3] for i in range(n)], dtype=object),
        "neighbourhood": np.array([f"wijk {1 + i // 4}" for i in range(n)], dtype=object),
        "assignment_unit": _repeat(None, n),
        "kb_status": population.earlier_contract,
        "monitoring_consent": population.consent.astype(float),
    }


def _applications(population: Population) -> dict[str, Any]:
    rows = population.applied != NEVER
    return {
        "practice_id": population.unit_ids[rows],
        "applied_quarter": population.applied[rows].astype(float),
        "priority_class": _repeat(None, int(rows.sum())),
        "withdrawn_quarter": np.full(int(rows.sum()), np.nan),
    }


def _lottery_rounds(settings: RegionSettings, population: Population) -> dict[str, Any]:
    before = np.timedelta64(settings.rounds.announced_days_before, "D")
    sizes = [len(entry.members) for entry in population.rounds]
    position = np.concatenate([entry.position for entry in population.rounds]).astype(float)
    quarters = np.repeat([entry.quarter for entry in population.rounds], sizes)
    return {
        "practice_id": population.unit_ids[np.concatenate([entry.members for entry in population.rounds])],
        "lottery_round": quarters.astype(float),
        "drawn": np.concatenate([entry.started for entry in population.rounds]).astype(float),
        "no_lottery": (position == 0).astype(float),
        "draw_position": np.where(position == 0, np.nan, position),
        "draw_announced_on": np.array([_first_day(int(q)) - before for q in quarters], dtype="datetime64[D]"),
    }


def _enrolment(population: Population) -> dict[str, Any]:
    rows = population.entry != NEVER
    ended = population.ended[rows]
    return {
        "practice_id": population.unit_ids[rows],
        "enrolled_quarter": population.entry[rows].astype(float),
        "ended_quarter": np.where(ended == NEVER, np.nan, ended),
    }


def _interventions(settings: RegionSettings, population: Population) -> dict[str, Any]:
    """List the plan of each enrolled practice: two elements in the first year, the network after a year."""
    plan = (("flexible_consults", 0), ("positive_health", 0), ("triage_training", 1), ("social_prescribing", 4))
    rows = np.flatnonzero(population.entry != NEVER)
    found = [
        (population.unit_ids[i], name, float(population.entry[i] + wait))
        for i in rows
        for name, wait in plan
        if population.entry[i] + wait <= min(settings.last_quarter, population.ended[i] - 1)
    ]
    ids, names, starts = zip(*found, strict=True) if found else ((), (), ())
    return {
        "practice_id": np.array(ids, dtype=object),
        "intervention": np.array(names, dtype=object),
        "start_quarter": np.array(starts, dtype=float),
    }


def _activity(settings: RegionSettings, population: Population, outcomes: Outcomes) -> dict[str, Any]:
    table = {**_cells(population), "registered_patients": population.registered.ravel().astype(float)}
    movements = {
        "new_registrations_per_1000": ("new_registrations", population.joined),
        "leavers_per_1000": ("leavers", population.left),
        "fte_gp": ("fte_gp", outcomes.fte),
    }
    for outcome, (column, values) in movements.items():
        if outcome in settings.supplied:
            table[column] = values.ravel().astype(float)
    return table | {column: values.ravel() for column, values in outcomes.counts.items()}


def _costs(settings: RegionSettings, population: Population, outcomes: Outcomes) -> dict[str, Any]:
    """List amounts to the cent; the programme's fee only where one was paid."""
    cells = _cells(population)
    insured_years = (population.registered / 4).ravel()
    kept = {
        sector: (amount.ravel() > 0) if sector == "mtvp_fee" else np.ones(insured_years.size, dtype=bool)
        for sector, amount in outcomes.amounts.items()
    }
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(np.flatnonzero(row) for row in kept.values())])
    return {
        "practice_id": cells["practice_id"][rows],
        "quarter": cells["quarter"][rows],
        "sector": np.repeat(np.array(list(kept), dtype=object), [int(row.sum()) for row in kept.values()]),
        "insurer": _repeat(_ALL_INSURERS, len(rows)),
        "insured_years": insured_years[rows],
        "amount_eur": np.round(
            np.concatenate([np.zeros(0), *(outcomes.amounts[sector].ravel()[row] for sector, row in kept.items())]), 2
        ),
        "as_of": np.full(len(rows), np.datetime64(settings.payments.as_of, "D")),
    }


def _surveys(settings: RegionSettings, population: Population, outcomes: Outcomes) -> dict[str, Any]:
    cells = _cells(population)
    rows = np.flatnonzero(cells["quarter"] >= settings.survey_first_quarter)
    names = list(outcomes.scores)
    scores = [values.ravel()[rows] for values in outcomes.scores.values()]
    answered = [values.ravel()[rows] for values in outcomes.respondents.values()]
    return {
        "practice_id": np.tile(cells["practice_id"][rows], len(names)),
        "quarter": np.tile(cells["quarter"][rows], len(names)),
        "indicator": np.repeat(np.array(names, dtype=object), len(rows)),
        "respondents": np.concatenate([np.zeros(0), *answered]),
        "score": np.round(np.concatenate([np.zeros(0), *scores]), 2),
    }


def _programme_costs(settings: RegionSettings, population: Population) -> dict[str, Any]:
    """List what the regional organisation gets each quarter for all lists, and the one-off cost of each start."""
    payments, found = settings.payments, []
    for column, clock in enumerate(population.clock.tolist()):
        if clock < settings.rounds.first_round:
            continue
        patients, starts = int(population.registered[:, column].sum()), int((population.entry == clock).sum())
        if payments.regional_organisation_fee:
            amount = payments.regional_organisation_fee * patients
            words = "Support and organisation by the regional organisation (assumed amount)"
            found.append((clock, words, "structural", "insurer", "rho", amount))
        if payments.transition_per_practice and starts:
            amount = payments.transition_per_practice * starts
            words = "Training and guidance of starting practices (assumed amount)"
            found.append((clock, words, "transition", "rho", "suppliers", amount))
    return {
        "cost_id": np.array([f"S{i:03d}" for i in range(1, len(found) + 1)], dtype=object),
        "quarter": np.array([row[0] for row in found], dtype=float),
        "description": np.array([row[1] for row in found], dtype=object),
        "kind": np.array([row[2] for row in found], dtype=object),
        "payer": np.array([row[3] for row in found], dtype=object),
        "receiver": np.array([row[4] for row in found], dtype=object),
        "amount_eur": np.round(np.array([row[5] for row in found], dtype=float), 2),
        "price_year": np.full(len(found), float(payments.price_year)),
    }


def _cells(population: Population) -> dict[str, Any]:
    """Return the two key columns of a table with one row a practice and quarter."""
    return {
        "practice_id": np.repeat(population.unit_ids, len(population.clock)),
        "quarter": np.tile(population.clock.astype(float), population.n),
    }


def _repeat(value: str | None, times: int) -> ObjectArray:
    return np.array([value] * times, dtype=object)


def _first_day(quarter: int) -> np.datetime64:
    return np.datetime64(f"{quarter // 4}-{3 * (quarter % 4) + 1:02d}-01", "D")
