"""The declared estimates beside those of other estimators of the library, on the primary outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.pipeline.open_data import sample, why_not
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_results import OpenData

PERFECT = 1e-9
"""Error before the start, in log points, under which a synthetic control is not unique."""
METHODS = ("sun_abraham", "etwfe", "imputation", "synthetic_control")


@dataclass(frozen=True, slots=True)
class MethodEffect:
    """One overall effect in log points by another estimator; NaN where it cannot be used.

    `p_value` and `fit` (root mean square error before the start, log points) belong to the synthetic control only.
    """

    project: str
    method: str
    estimate: float
    p_value: float = float("nan")
    fit: float = float("nan")


def other_methods(config: OpenDataConfig, data: OpenData) -> tuple[MethodEffect, ...]:
    """Return the overall effect on the primary outcome of every project and set by every other method.

    Sun-Abraham and the extended regression compare as declared. Imputation learns the untreated path from all years
    before the start, not from one base year. The synthetic control is made for projects with five clean years before
    the start, without covariates, and left out where the weights are not unique because the fit is perfect.
    """
    groups = {p.name: [p] for p in data.projects}
    groups |= {name: [p for p in data.projects if p.name in members] for name, members in config.pooled.items()}
    return tuple(effect for name, members in groups.items() for effect in _of_group(config, data, name, members))


def _of_group(config: OpenDataConfig, data: OpenData, name: str, members: list[Project]) -> Iterator[MethodEffect]:
    able = [p for p in members if why_not(config, data, [p], config.primary) is None]
    if not able:
        yield from (MethodEffect(name, method, float("nan")) for method in METHODS)
        return
    panel, design = sample(config, data, able, config.primary)
    panel = replace(panel, cluster=panel.unit_ids)  # estimates only: no variance is shown
    for method in METHODS:
        yield _one(config, name, method, panel, design)


def _one(config: OpenDataConfig, name: str, method: str, panel: Panel, design: StaggeredDesign) -> MethodEffect:
    x, weighting = config.estimation.covariates, Weighting.PATIENT
    try:
        if method == "synthetic_control":
            return _synthetic(config, name, panel, design)
        if method == "sun_abraham":
            cells = sun_abraham(panel, design, config.primary, covariates=x, weighting=weighting)
        elif method == "etwfe":
            cells = etwfe(panel, design, config.primary, covariates=x, weighting=weighting)
        else:
            waiting = replace(design, comparison=Comparison.NOT_YET_ENROLLED)
            cells = imputation(panel, waiting, config.primary, covariates=x, weighting=weighting)
    except (EstimationError, NotIdentifiedError):
        return MethodEffect(name, method, float("nan"))
    found = aggregate(cells, design, (overall(design, weighting),))
    return MethodEffect(name, method, float(found.estimate[0]))


def _synthetic(config: OpenDataConfig, name: str, panel: Panel, design: StaggeredDesign) -> MethodEffect:
    if name in config.pooled:
        return MethodEffect(name, "synthetic_control", float("nan"))
    rng = np.random.default_rng(config.estimation.seed)
    found = synthetic_control(
        panel, design, config.primary, rng=rng, placebos=config.placebo.groups, weighting=Weighting.PATIENT
    )
    if found.pre_rmspe < PERFECT:  # fewer years than donors: many mixtures fit, each with another effect
        return MethodEffect(name, "synthetic_control", float("nan"))
    p_value = float(found.p_value()[0])
    return MethodEffect(name, "synthetic_control", float(found.effects.estimate[0]), p_value, found.pre_rmspe)
