"""A simulated region: settings and a seed in, raw extracts and their truth out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.clock import NEVER, quarter_label
from mtvp_eval.dictionary.schema import Table
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.simulate.calibration import SERIES, SURVEYS, YEARLY_MOBILITY
from mtvp_eval.simulate.defects import Defect, with_defect
from mtvp_eval.simulate.extracts import region_extracts
from mtvp_eval.simulate.files import TRUTH_FILE, as_written, csv_bytes, write_files
from mtvp_eval.simulate.outcomes import gp_fte, observe, untreated_levels, untreated_scores
from mtvp_eval.simulate.population import Population, draw_population
from mtvp_eval.simulate.settings import RegionSettings
from mtvp_eval.simulate.truth import Truth

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.arrays import FloatArray

_UNTOUCHED = ("registered_patients", "new_registrations_per_1000", "leavers_per_1000", "fte_gp", "patients_per_fte")


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRegion:
    """Hold the extracts of a region by table, typed as a reader gives them, and the truth about it."""

    settings: RegionSettings
    seed: int
    extracts: Mapping[str, pd.DataFrame]
    truth: Truth


def simulate_region(settings: RegionSettings, seed: int | None = None) -> SimulatedRegion:
    """Simulate a region; the same settings and seed give the same region, whatever was simulated before.

    Parts of a region have random numbers of their own: another scenario under the same seed leaves the practices, the
    draw and all deviations as they are.

    Raises
    ------
    DesignError
        If the declared draw does not cover the practices drawn.
    CommandError
        If an effect is larger than the level it works on.
    """
    seed = settings.seed if seed is None else seed
    people, levels, scores, staff, chance = np.random.default_rng(seed).spawn(5)
    population = draw_population(settings, YEARLY_MOBILITY, people)
    untreated = untreated_levels(settings, population, levels) | untreated_scores(settings, population, scores)
    fte = gp_fte(population, staff)
    truth = _truth(settings, population, untreated, fte)
    outcomes = observe(settings, population, truth, fte, chance)
    return SimulatedRegion(settings, seed, region_extracts(settings, population, outcomes), truth)


def write_region(
    region: SimulatedRegion, folder: Path, tables: Mapping[str, Table], defect: Defect | None = None
) -> None:
    """Write the extracts as CSV files into `folder` (raw/REGION), and the truth beside them; whole or not at all.

    Parameters: `tables` of the data dictionary, whose types say how cells are written; `defect` one mistake to make.

    Raises
    ------
    CommandError
        If the folder holds data that were not simulated, or cannot be written.
    """
    written = as_written(region.extracts, tables)
    if defect is not None:
        written = with_defect(written, defect)
    contents = {f"{name}.csv": csv_bytes(frame) for name, frame in written.items()}
    record = json.dumps(truth_record(region), indent=1, sort_keys=True, default=str) + "\n"
    write_files({**contents, TRUTH_FILE: record.encode("utf-8")}, folder)


def truth_record(region: SimulatedRegion) -> dict[str, Any]:
    """Return seed, settings and the true effect of every cohort, quarter and outcome, by practice and by patient.

    The cohorts are all that enrolled; a report's estimand covers those that linking leaves.
    """
    truth, cells = region.truth, []
    cohorts = [int(g) for g in np.unique(truth.entry) if g != NEVER]
    for outcome in (name for name, steady in truth.steady.items() if steady):
        for cohort in cohorts:
            cells += [
                {
                    "outcome": outcome,
                    "cohort": quarter_label(cohort),
                    "quarter": quarter_label(int(period)),
                    **{str(w): truth.att(outcome, cohort, int(period), w) for w in Weighting},
                }
                for period in truth.clock[truth.clock >= cohort]
            ]
    return {"region": region.settings.name, "seed": region.seed, "settings": asdict(region.settings), "effects": cells}


def _truth(
    settings: RegionSettings, population: Population, untreated: Mapping[str, FloatArray], fte: FloatArray
) -> Truth:
    effects = settings.effects
    steady = dict.fromkeys(_UNTOUCHED, 0.0)
    for name, size in effects.scenario.steady(effects.hospital_elasticity).items():
        reference = SERIES[name].reference if name in SERIES else SURVEYS[name].level
        if name in untreated:
            steady[name] = size / reference if effects.scale == "log" else size
    consults = "consults_per_1000"
    per_fte = {"consults_per_fte": (consults, population.registered / 1000 / fte)} if consults in untreated else {}
    return Truth(
        unit_ids=population.unit_ids,
        clock=population.clock,
        entry=population.entry,
        ended=population.ended,
        patients=population.patients,
        multiplier=1 + effects.by_deprivation * population.deprivation,
        build_up=effects.build_up_quarters,
        scale=effects.scale,
        steady=steady,
        untreated=untreated,
        exposure=per_fte,
    )
