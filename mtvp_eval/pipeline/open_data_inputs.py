"""From the public files to what the open-data report shows: find them, check them all at once, compute, make frames."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.config import config_path
from mtvp_eval.costbenefit.prices import Index, read_price_table
from mtvp_eval.data.open_data.cbs import FIGURES_TABLE, REGIONS_TABLE, cbs_files
from mtvp_eval.data.open_data.codes import GP_SECTORS, read_code_table, read_sector_columns, sector_members
from mtvp_eval.data.open_data.vektis_supply import files_of_year, supply_problems
from mtvp_eval.errors import CommandError, DataError, EstimationError
from mtvp_eval.pipeline.evaluate import DATA_VARIABLE
from mtvp_eval.pipeline.handed import handed_over
from mtvp_eval.pipeline.open_data import evaluate_open_data, prepare_open_data, sensitivities
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_euros import euro_effects
from mtvp_eval.pipeline.open_data_frames import (
    euro_frame,
    open_data_frames,
    size_frame,
    synthetic_frame,
    trend_frame,
)
from mtvp_eval.pipeline.open_data_methods import other_methods
from mtvp_eval.pipeline.open_data_results import OpenData, OpenDataEvaluation
from mtvp_eval.pipeline.open_data_size import placebo_sizes
from mtvp_eval.pipeline.open_data_synthetic import synthetic_fits
from mtvp_eval.pipeline.open_data_trends import trend_bounds
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.provenance import named_files, provenance
from mtvp_eval.report.open_data.inputs import FRAMES, OpenDataInputs

if TYPE_CHECKING:
    import pandas as pd

REGION = "open_data"
CBS_TABLES = (FIGURES_TABLE, REGIONS_TABLE)
OWN_COVARIATES = frozenset({"log_insured", "share_65", "level_total"})
"""Made from the Vektis files alone; every other covariate needs the CBS tables."""


def open_data_inputs(data: Path | None = None) -> OpenDataInputs:
    """Answer the question of `reports/open_data/evaluation.yaml` from the public files.

    A notebook that `mtvp open-data` runs takes the answer that the command computed from the same (`handed_over`).

    Parameters
    ----------
    data : folder with the subfolders vektis/ and cbs/, or the folder of the Vektis files with cbs/ beside it; by
        default the one MTVP_DATA names, else raw/ under the project.

    Raises
    ------
    CommandError
        If there is no question or no folder, or the question needs CBS tables that are not there.
    DataError
        If yearly files or columns are missing; all of them are named at once, with where to get them.
    """
    question = config_path(project_root(), REGION)
    config = OpenDataConfig.read(question)
    vektis, cbs = open_data_folders(data)
    codes, prices = resource("data_dictionary") / "codes", resource("data_dictionary") / "prices"
    tables = require_files(config, vektis, cbs, codes)
    sources = {
        **{f"raw/vektis/{p.name}": p for year in config.years for p in files_of_year(vektis, year)},
        **{f"raw/cbs/{path.name}": path for path in tables},
        f"reports/{REGION}/evaluation.yaml": question,
        **named_files(codes / "open_data", "data_dictionary/codes/open_data"),
        "data_dictionary/prices/indices.csv": prices / "indices.csv",
    }
    manifest = provenance(sources, config.estimation.seed).to_dict()
    handed = handed_over(manifest, OpenDataInputs)
    if handed is not None:
        return handed
    with step("reading the Vektis files"):
        prepared = prepare_open_data(config, vektis, codes, cbs if tables else None)
    with step("estimating effects and their placebo distributions"):
        answer = evaluate_open_data(config, prepared)
    if not any(effect.test for effect in answer.projects if effect.outcome == config.primary):
        raise EstimationError(
            f"No project can be estimated on {config.primary} within {config.years[0]}-{config.years[-1]}: each needs "
            "a full year before its first year and a full year after it. Widen the window."
        )
    with step("changing one choice at a time"):
        others = sensitivities(config, prepared)
    frames = report_frames(answer, open_data_frames(answer, others, codes), codes)
    with step("other estimators, how far trends may differ, the size of the placebo test"):
        frames |= _beside(answer, read_price_table(prices).index)
    return OpenDataInputs(
        region=REGION,
        level=config.estimation.level,
        first_year=config.window.first_year,
        last_year=config.window.last_year,
        primary=config.primary,
        secondary=config.secondary,
        gp_columns=config.published_gp_columns,
        pooled=config.pooled,
        carry_over=config.estimation.carry_over,
        covariates=config.estimation.covariates,
        choices={
            "anticipation": config.estimation.anticipation,
            "fewer_than": config.placebo.fewer_than,
            "groups": config.placebo.groups,
            "jump_limit": config.window.jump_limit,
            "largest_detectable": config.exposure.largest_detectable,
            "fee": config.exposure.yardstick_fee,
            "fee_year": config.exposure.fee_year,
            "price_year": config.exposure.price_year,
            "payment_units": _other_payment(prepared),
        },
        frames=frames,
        manifest=manifest,
    )


def open_data_folders(data: Path | None = None) -> tuple[Path, Path]:
    """Return the folders of the Vektis and of the CBS files.

    Raises
    ------
    CommandError
        If there is no such folder.
    """
    named = os.environ.get(DATA_VARIABLE)
    given = data or (Path(named) if named else None)
    vektis = (given or project_root() / "raw") / "vektis"
    if given is not None and not vektis.is_dir():
        vektis = given
    if not vektis.is_dir():
        where = "raw/vektis/" if given is None else f"{given.name}/"
        raise CommandError(f"There is no folder {where}. {_ADVICE}")
    return vektis, vektis.parent / "cbs"


_ADVICE = (
    "Download from vektis.nl (open data) the yearly files 'Open databestand Zorgverzekeringswet, gemeente' and put "
    "them unchanged into raw/vektis/, one a year, with the year and 'gemeente' in the name (such as "
    "vektis_2019_gemeente.csv or .csv.gz); --data names another folder."
)


def require_files(config: OpenDataConfig, vektis: Path, cbs: Path, codes: Path) -> tuple[Path, ...]:
    """Check years and columns before anything is computed; return the CBS tables used.

    Raises
    ------
    DataError
        Naming every missing or doubled year and every missing column.
    CommandError
        If an outcome is not published in the window, or only CBS tables are missing and the question needs them.
    """
    crosswalk = read_sector_columns(codes)
    published = {sector for year in config.years for sector in sector_members(crosswalk, year)}
    never = [name for name in config.outcomes if name not in published]
    if never:
        raise CommandError(
            f"{', '.join(never)} is not published in any year of the window. Widen the window or leave it out."
        )
    problems = supply_problems(vektis, config.years, crosswalk)
    found = {name: cbs_files(cbs, name) for name in CBS_TABLES}
    absent = [name for name in CBS_TABLES if not found[name]] if _needs_cbs(config) else []
    if absent:
        problems.append(f"no CBS table {' and '.join(absent)} in {cbs.name}/")
    problems += [
        f"{len(paths)} files of CBS table {name} ({', '.join(path.name for path in paths)}); keep one"
        for name, paths in found.items()
        if len(paths) > 1
    ]
    if not problems:
        return tuple(path for paths in found.values() for path in paths) if all(found.values()) else ()
    cbs_advice = (
        f"Download table(s) {', '.join(absent)} from opendata.cbs.nl as CSV into raw/cbs/ and keep the name (70072NED: "
        "the figures of 2015); or set placebo.region to none and take the covariates that need CBS out of the question."
    )
    said = ["The open-data question cannot be answered:", *(f"  {problem}" for problem in problems)]
    if len(problems) == 1 and absent:
        raise CommandError("\n".join([*said, cbs_advice]))
    raise DataError("\n".join([*said, _ADVICE, *([cbs_advice] if absent else [])]))


def _needs_cbs(config: OpenDataConfig) -> bool:
    return config.placebo.region != "none" or bool(config.asked_covariates - OWN_COVARIATES)


def report_frames(answer: OpenDataEvaluation, frames: dict[str, pd.DataFrame], codes: Path) -> dict[str, pd.DataFrame]:
    """Add to the frames what only the report shows: words of the code tables, places, placebo groups."""
    import pandas as pd

    texts = ["label_nl", "insurer", "start_as_published", *("timing_reason", "timing_reason_nl")]
    texts += ["uptake_reason", "uptake_reason_nl"]
    years = ["project", "year", "basis", "reason", "reason_nl"]
    said = read_code_table(codes, "open_data_projects", ["project", *texts])[["project", *texts]]
    data = answer.data
    doubtful = data.costs.unit_ids[data.exposed.doubtful].tolist()
    gone = sorted(set(data.costs.unit_ids.tolist()) - set(data.panel.unit_ids.tolist()) - set(doubtful))
    made = frames | {
        "projects": frames["projects"].merge(said, on="project"),
        "breaks": read_code_table(codes, "vektis_breaks", ["sector", "year", "kind", "what", "what_nl"]),
        "left_out": pd.DataFrame({"municipality": [name.title() for name in gone]}),
        "exposure": frames["exposure"].merge(
            read_code_table(codes, "open_data_exposure", years)[years].astype({"year": int}), on=["project", "year"]
        ),
        "places": read_code_table(codes, "project_places", ["project", "place", "place_nl", "lon", "lat"]).astype(
            {"lon": float, "lat": float}
        ),
        "outline": read_code_table(codes, "netherlands_outline", ["part", "kind", "lon", "lat"]),
        "placebo": pd.DataFrame(_placebo_rows(answer), columns=["project", "rank", "per_cent"]),
    }
    return {name: frame if len(frame) else frame.reindex(columns=list(FRAMES[name])) for name, frame in made.items()}


def _beside(answer: OpenDataEvaluation, index: Index) -> dict[str, pd.DataFrame]:
    """Return what stands beside the effects: euros, robust intervals, size, synthetic comparisons, estimators."""
    import pandas as pd

    config, data = answer.config, answer.data
    fits = synthetic_fits(config, data)
    methods = [(e.project, e.method, 100.0 * np.expm1(e.estimate)) for e in other_methods(config, data, fits)]
    return {
        "euros": euro_frame(euro_effects(answer, index)),
        "robust": trend_frame(trend_bounds(answer)),
        "size": size_frame(placebo_sizes(config, data)),
        "synthetic": synthetic_frame(fits),
        "methods": pd.DataFrame(methods, columns=list(FRAMES["methods"])),
    }


def _placebo_rows(answer: OpenDataEvaluation) -> list[tuple[str, int, float]]:
    """Effects of untouched groups on the primary outcome, in per cent at the project's size."""
    rows: list[tuple[str, int, float]] = []
    for effect in answer.projects:
        if effect.outcome == answer.config.primary and effect.event_time is None and effect.test is not None:
            per_cent = 100.0 * np.expm1(np.sort(effect.test.studentised) * effect.test.scale)
            rows += [(effect.project, rank, float(value)) for rank, value in enumerate(per_cent, start=1)]
    return rows


def _other_payment(data: OpenData) -> int:
    """Count comparison municipalities that show some outcome but no GP column."""
    columns = [name for name in data.panel.outcomes if name in GP_SECTORS]
    if not columns:
        return 0
    return int(np.isnan(data.panel.outcomes[columns[0]]).all(axis=1).sum())
