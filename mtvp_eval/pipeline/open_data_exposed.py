"""The exposed share of person-years of one project or set, and its effect per exposed patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.open_data.exposure_years import SOURCES, exposed_share
from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.inference.exposed import ExposedEffect, ExposedShare, per_exposed_patient
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_results import OpenData, ProjectEffect

DRAWS = 4_000
"""Joint draws of practices, lists and months: the standard deviation of a share is then known to about 1 %."""


def entry_year(data: OpenData, project: Project) -> int:
    """Return the first full year of a project in this evaluation (its alternative in that sensitivity)."""
    return int(data.exposed.entry[data.exposed.project == project.name][0])


def years_averaged(config: OpenDataConfig, data: OpenData, project: Project) -> range:
    """Return the full years that the overall effect of a project is the mean of."""
    last = min(config.window.last_year, project.last_full_year or config.window.last_year)
    return range(entry_year(data, project), last + 1)


def insured_by_year(data: OpenData, project: Project, years: Sequence[int]) -> FloatArray:
    """Return insured years of a project's municipalities in each of the years, (T,)."""
    at = np.isin(data.costs.unit_ids, project.exposed)
    return np.asarray(data.costs.insured_years[at][:, [data.costs.years.index(year) for year in years]].sum(axis=0))


def share_of(config: OpenDataConfig, data: OpenData, projects: Sequence[Project]) -> ExposedShare:
    r"""Return the exposed share of the person-years behind an overall effect.

    .. math:: \bar s = \frac{\sum_p n_p T_p s_p}{\sum_p n_p T_p}

    with the weights of the effect itself: frozen insured years times full years. Every project draws for itself; the
    draws of a project are the same wherever it is used.
    """
    weights, draws, ends = [], [], []
    for project in projects:
        years = years_averaged(config, data, project)
        exposure, insured = project.between(years[0], years[-1]), insured_by_year(data, project, years)
        rng = np.random.default_rng([config.estimation.seed, *project.name.encode()])
        draws.append(exposed_share(exposure, project.list_size, insured, rng.random((DRAWS, SOURCES))))
        ends.append(exposed_share(exposure, project.list_size, insured, np.array([[0.0] * SOURCES, [1.0] * SOURCES])))
        weights.append(float(insured_by_year(data, project, [config.window.weight_year])[0]) * len(years))
    omega = np.array(weights) / sum(weights)
    low, high = omega @ np.array(ends)
    return ExposedShare.of(omega @ np.array(draws), (float(low), float(high)))


def exposed_effect(
    config: OpenDataConfig, data: OpenData, projects: Sequence[Project], effect: ProjectEffect
) -> ExposedEffect:
    """Scale one overall effect by the exposed share of the same person-years."""
    assert effect.test is not None  # callers pass estimable effects only
    share = share_of(config, data, projects)
    return per_exposed_patient(effect.project, effect.outcome, effect.test, share, config.exposure.largest_detectable)
