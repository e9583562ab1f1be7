"""The question to the open claims data, from the yearly files to effects per project and pooled, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtvp_eval.data.open_data.cbs import SES_TABLE, KeyFigures, read_cbs
from mtvp_eval.data.open_data.codes import (
    breaks_between,
    read_breaks,
    read_divisions,
    read_sector_columns,
)
from mtvp_eval.data.open_data.municipal import stable_costs
from mtvp_eval.data.open_data.municipal_panel import municipal_panel
from mtvp_eval.data.open_data.projects import Project, exposure, read_projects
from mtvp_eval.data.open_data.vektis import read_vektis
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import CommandError, DataError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.exposed import ExposedEffect
from mtvp_eval.inference.placebo import PlaceboDraws, pooled_test
from mtvp_eval.inference.placebo_effects import Reference, placebo_effects
from mtvp_eval.inference.pooling import PartialPooling, partial_pooling
from mtvp_eval.pipeline.open_data_config import Change, OpenDataConfig
from mtvp_eval.pipeline.open_data_exposed import entry_year, exposed_effect, years_averaged
from mtvp_eval.pipeline.open_data_results import Gap, OpenData, OpenDataEvaluation, ProjectEffect

POOLED_REPLICATES = 1999
OVERALL = None
"""Event time of the overall effect: none."""


def prepare_open_data(config: OpenDataConfig, vektis: Path, codes: Path, cbs: Path | None = None) -> OpenData:
    """Read the files and build the panel; no effect is estimated here.

    Parameters
    ----------
    config : the question.
    vektis : folder of the yearly files.
    codes : folder of the code tables.
    cbs : folder of the CBS tables; without it there are no regions and no CBS covariates.

    Raises
    ------
    DataError
        If files, columns, municipalities or code tables are missing.
    CommandError
        If the question names an unknown project, or needs the CBS tables and they are not given.
    """
    if cbs is None and config.placebo.region != "none":
        raise CommandError(
            f"placebo: region is {config.placebo.region}, which needs the CBS tables 70072NED and 82949NED in "
            "raw/cbs/. Download them, or set region to none."
        )
    crosswalk, divisions = read_sector_columns(codes), read_divisions(codes)
    projects = read_projects(codes, divisions)
    unknown = {n for names in config.pooled.values() for n in names} | set(config.estimation.carry_over)
    unknown -= {p.name for p in projects}
    if unknown:
        raise CommandError(
            f"Unknown project(s) {', '.join(sorted(unknown))}; see codes/open_data/open_data_projects.csv."
        )
    costs = stable_costs(read_vektis(vektis, config.years, crosswalk), crosswalk, divisions)
    figures = None if cbs is None else read_cbs(cbs, divisions).of(costs.unit_ids.tolist())
    _require_scores(config, figures)
    exposed = exposure(costs.unit_ids.tolist(), projects)
    panel = municipal_panel(costs, exposed, config.window, figures)
    return OpenData(costs, projects, exposed, panel, figures, read_breaks(codes))


def _require_scores(config: OpenDataConfig, figures: KeyFigures | None) -> None:
    """Refuse a question that adjusts for SES-WOA where the table does not give every municipality its score."""
    asked = sorted(name for name in config.asked_covariates if name.startswith("ses_"))
    missing = 0 if figures is None else int(np.isnan(figures.values["ses_woa"]).sum())
    if asked and figures is not None and missing:
        raise DataError(
            f"{', '.join(asked)} needs a score of every municipality; CBS table {SES_TABLE} gives none for "
            f"{missing} of {len(figures.unit_ids)}. Download the whole table (all municipalities) from opendata.cbs.nl "
            "into raw/cbs/, or take these covariates out of the question."
        )


def changed(config: OpenDataConfig, data: OpenData, change: Change) -> tuple[OpenDataConfig, OpenData]:
    """Return the question and data of one declared sensitivity; GP columns are a description and are left out."""
    covariates = config.estimation.covariates if change.covariates is None else change.covariates
    window = replace(config.window, direct=change.direct, last_year=change.last_year or config.window.last_year)
    exposed = exposure(data.costs.unit_ids.tolist(), data.projects, change.alternative_start)
    panel = municipal_panel(data.costs, exposed, window, data.figures)
    estimation = replace(config.estimation, covariates=covariates)
    question = replace(config, window=window, estimation=estimation, published_gp_columns=())
    return question, replace(data, exposed=exposed, panel=panel)


def evaluate_open_data(config: OpenDataConfig, data: OpenData, *, path: bool = True) -> OpenDataEvaluation:
    """Estimate every project and pooled set on every outcome, with placebo distributions, and scale to the exposed.

    Parameters
    ----------
    config, data : the question, and what `prepare_open_data` (or `changed`) made of it.
    path : also the event study and effects per exposed patient, not only the overall effects.

    Raises
    ------
    EstimationError
        If too few untouched groups are found to carry the declared level.
    """
    rows: list[ProjectEffect] = []
    pooled: list[ProjectEffect] = []
    exposed: list[ExposedEffect] = []
    partial: dict[str, PartialPooling] = {}
    effects: dict[tuple[str, str], EffectEstimates] = {}
    own_draws: dict[tuple[str, str], dict[int | None, PlaceboDraws]] = {}
    for outcome in config.outcomes:
        draws: dict[tuple[str, int | None], PlaceboDraws] = {}
        for project in data.projects:
            gap = why_not(config, data, [project], outcome)
            if gap is not None:
                rows.append(_not_estimable(project.name, outcome, len(project.exposed), gap))
                continue
            panel, design = project_sample(config, data, project, outcome)
            estimands = estimands_of(design) if path else (overall(design, Weighting.PATIENT),)
            effects[project.name, outcome] = _estimates(config, panel, design, outcome, estimands)
            rng = project_rng(config, data, project)
            reference = reference_of(config, data, panel)
            found = placebo_effects(panel, design, outcome, config.estimation.covariates, estimands, reference, rng)
            own_draws[project.name, outcome] = {e.event_time: d for e, d in zip(estimands, found, strict=True)}
            draws |= {(project.name, e): d for e, d in own_draws[project.name, outcome].items()}
            mine = _rows(config, data, project, panel, effects[project.name, outcome], found)
            rows += mine
            exposed += [exposed_effect(config, data, (project,), mine[0])] if path else []
        rng = np.random.default_rng([config.estimation.seed, len(data.projects)])
        for name, members in config.pooled.items():
            sets = _pooled(config, data, name, outcome, [p for p in data.projects if p.name in members], draws, rng)
            pooled += sets
            together = [p for p in data.projects if p.name in members and (p.name, OVERALL) in draws]
            if together and path:
                exposed.append(exposed_effect(config, data, together, sets[0]))
                panel, design = sample(config, data, together, outcome)
                effects[name, outcome] = _estimates(config, panel, design, outcome, estimands_of(design))
        tests = [
            draws[p.name, OVERALL].test(config.estimation.level)
            for p in data.projects
            if (p.name, OVERALL) in draws and p.name not in config.estimation.carry_over
        ]
        if len(tests) > 1:
            theta, error = np.array([t.estimate for t in tests]), np.array([t.scale for t in tests])
            partial[outcome] = partial_pooling(theta, error, config.estimation.level)
    return OpenDataEvaluation(config, data, tuple(rows), tuple(pooled), partial, tuple(exposed), effects, own_draws)


def sensitivities(config: OpenDataConfig, data: OpenData) -> dict[str, OpenDataEvaluation]:
    """Return the overall effects again for each declared sensitivity, one choice changed at a time."""
    return {name: evaluate_open_data(*changed(config, data, c), path=False) for name, c in config.sensitivity.items()}


def sample(
    config: OpenDataConfig, data: OpenData, projects: Sequence[Project], outcome: str, first: int | None = None
) -> tuple[Panel, StaggeredDesign]:
    """Return the panel and design of one or more projects against the never exposed, from the year `first` if given.

    The window begins with the first year in which the sector is published; a project whose term ended is followed to
    its last full year (declared carry-over); municipalities without the outcome are left out with an account.

    Raises
    ------
    NotIdentifiedError
        If a project has no full year before its start, or none after it, that shows the outcome (see `why_not`).
    """
    reason = why_not(config, data, projects, outcome)
    if reason is not None:
        raise NotIdentifiedError(f"{outcome} cannot be estimated for {', '.join(p.name for p in projects)}: {reason}.")
    owner = dict(zip(data.costs.unit_ids.tolist(), data.exposed.project.tolist(), strict=True))
    names = {"", *(p.name for p in projects)}
    mine = np.array([owner[unit] in names for unit in data.panel.unit_ids], dtype=np.bool_)
    shown = _years_shown(data, projects, outcome)
    panel = data.panel.restrict(mine, "other projects", "exposed to another project")
    panel = panel.window(max(shown[0], first or shown[0]), shown[1])
    whole = np.asarray(~np.isnan(panel.outcomes[outcome]).any(axis=1))
    panel = panel.restrict(whole, "outcome missing", f"{outcome} is not comparable there (form of payment)")
    return panel, StaggeredDesign.from_panel(panel, Comparison.NEVER_ENROLLED, config.estimation.anticipation)


def project_sample(
    config: OpenDataConfig, data: OpenData, project: Project, outcome: str
) -> tuple[Panel, StaggeredDesign]:
    """Return the panel and design of one project, which is one region: nothing to cluster by."""
    panel, design = sample(config, data, [project], outcome)
    return replace(panel, cluster=panel.unit_ids), design


def project_rng(config: OpenDataConfig, data: OpenData, project: Project) -> np.random.Generator:
    """Return the generator that draws a project's untouched groups, the same for every outcome and use."""
    return np.random.default_rng([config.estimation.seed, data.projects.index(project)])


def why_not(config: OpenDataConfig, data: OpenData, projects: Sequence[Project], outcome: str) -> Gap | None:
    """Return why an effect cannot be estimated, or None if it can; no outcome's value is read."""
    first, last = _years_shown(data, projects, outcome)
    entries = [entry_year(data, p) for p in projects]
    if min(entries) - config.estimation.anticipation - 1 < first:
        return Gap("published_from", first)
    return Gap("observed_to", last) if max(entries) > last else None


def _years_shown(data: OpenData, projects: Sequence[Project], outcome: str) -> tuple[int, int]:
    """Return the first and last year in which the sector is published and the projects are followed."""
    shown = data.panel.clock[~np.isnan(data.panel.outcomes[outcome]).all(axis=0)]
    ends = [p.last_full_year for p in projects if p.last_full_year is not None]
    return int(shown[0]), min([int(shown[-1]), *ends])


def estimands_of(design: StaggeredDesign) -> tuple[Estimand, ...]:
    """Return the overall effect and the event study from the universal base, which itself is left out."""
    path = event_study(design, Weighting.PATIENT, BasePeriod.UNIVERSAL)
    return (overall(design, Weighting.PATIENT), *(e for e in path if e.event_time != -1 - design.anticipation))


def _estimates(
    config: OpenDataConfig, panel: Panel, design: StaggeredDesign, outcome: str, estimands: Sequence[Estimand]
) -> EffectEstimates:
    cells = callaway_santanna(
        panel,
        design,
        outcome,
        covariates=config.estimation.covariates,
        weighting=Weighting.PATIENT,
        method=Adjustment.REG,
        base_period=BasePeriod.UNIVERSAL,
    )
    return aggregate(cells, design, estimands)


def _rows(
    config: OpenDataConfig,
    data: OpenData,
    project: Project,
    panel: Panel,
    effects: EffectEstimates,
    draws: Sequence[PlaceboDraws],
) -> list[ProjectEffect]:
    k = len(project.exposed)
    errors = effects.std_error() if k >= config.placebo.fewer_than else np.full(len(effects), np.nan)
    regions = _regions(data, [project])
    base = entry_year(data, project) - 1 - config.estimation.anticipation
    rows = []
    for key, estimate, error, own in zip(effects.index, effects.estimate, errors, draws, strict=True):
        far = base + 1 + config.estimation.anticipation + (key.event_time or 0)
        first, last = (base, int(panel.clock[-1])) if key.event_time is OVERALL else sorted((base, far))
        crossed = breaks_between(data.breaks, key.outcome, first, last)
        test = own.test(config.estimation.level)
        rows.append(
            ProjectEffect(
                project.name, key.outcome, key.event_time, k, float(estimate), float(error), test, own.size_ratio,
                own.strata, regions, crossed,
            )
        )  # fmt: skip
    return rows


def reference_of(config: OpenDataConfig, data: OpenData, panel: Panel) -> Reference:
    """Return regions and who lies beside a project; without regions nobody is barred."""
    n = panel.n_units
    region, barred = np.full(n, "", dtype=object), np.zeros(n, dtype=np.bool_)
    if data.figures is not None and config.placebo.region != "none":
        everywhere = data.figures.region[config.placebo.region]
        touched = set(everywhere[data.exposed.project != ""].tolist())
        place = dict(zip(data.figures.unit_ids.tolist(), everywhere.tolist(), strict=True))
        region = np.array([place[unit] for unit in panel.unit_ids], dtype=object)
        barred = np.array([name in touched for name in region], dtype=np.bool_)
    return Reference(region, barred, config.placebo.groups, config.placebo.candidates)


def _regions(data: OpenData, projects: Sequence[Project]) -> int:
    """Count the COROP regions of the projects' municipalities; without CBS figures every municipality is its own."""
    mine = np.isin(data.exposed.project.astype(str), [p.name for p in projects])
    names = data.costs.unit_ids if data.figures is None else data.figures.region["corop"]
    return len(set(names[mine].tolist()))


def _not_estimable(name: str, outcome: str, municipalities: int, gap: Gap) -> ProjectEffect:
    nan = float("nan")
    return ProjectEffect(name, outcome, OVERALL, municipalities, nan, nan, None, nan, 0, 0, (), gap)


def _pooled(
    config: OpenDataConfig,
    data: OpenData,
    name: str,
    outcome: str,
    members: Sequence[Project],
    draws: Mapping[tuple[str, int | None], PlaceboDraws],
    rng: np.random.Generator,
) -> list[ProjectEffect]:
    """Pool as the estimator does: by insured years at an event time, times full years observed overall."""
    rows = []
    missing = tuple(p.name for p in members if (p.name, OVERALL) not in draws)
    times = sorted({e for _, e in draws if e is not None})
    for event_time in (OVERALL, *times):
        have = [p for p in members if (p.name, event_time) in draws]
        if not have:
            if event_time is OVERALL:
                return [_not_estimable(name, outcome, 0, Gap("no_member"))]
            continue
        parts = [draws[p.name, event_time] for p in have]
        years = [len(years_averaged(config, data, p)) if event_time is OVERALL else 1 for p in have]
        weights = np.array([part.size * y for part, y in zip(parts, years, strict=True)])
        weights /= weights.sum()
        test = pooled_test(parts, weights, POOLED_REPLICATES, rng, config.estimation.level)
        ratio = float(weights @ np.array([part.size_ratio for part in parts]))
        base = min(entry_year(data, p) for p in have) - 1 - config.estimation.anticipation
        crossed = breaks_between(data.breaks, outcome, base, config.window.last_year)
        k = sum(len(p.exposed) for p in have)
        nan = float("nan")
        strata = min(part.strata for part in parts)
        rows.append(
            ProjectEffect(
                name, outcome, event_time, k, test.estimate, nan, test, ratio, strata, _regions(data, have), crossed,
                None, missing,
            )
        )  # fmt: skip
    return rows
