"""The declared estimates beside those of other estimators of the library, on the primary outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.method import Choices
from mtvp_eval.estimators.registry import run
from mtvp_eval.pipeline.open_data import sample, why_not
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_results import OpenData
from mtvp_eval.pipeline.open_data_synthetic import SyntheticFit

WITH_COVARIATES = ("sun_abraham", "etwfe", "imputation", "two_stage", "local_projections")
SYNTHETIC = ("synthetic_control", "synthetic_did")
METHODS = (*WITH_COVARIATES, "stacked", *SYNTHETIC)
_WAITING = frozenset({"imputation", "two_stage"})
"""They learn the untreated path from every untreated row, so that years before the start count as well."""
_BY_EVENT = frozenset({"local_projections", "stacked"})
"""They give a mean over event times: the declared mean over full years for one project, another one for a set."""


@dataclass(frozen=True, slots=True)
class MethodEffect:
    """One overall effect in log points by another estimator; NaN where it cannot be used."""

    project: str
    method: str
    estimate: float


def other_methods(
    config: OpenDataConfig, data: OpenData, synthetic: Sequence[SyntheticFit]
) -> tuple[MethodEffect, ...]:
    """Return the overall effect on the primary outcome of every project and set by every other method.

    Those of `WITH_COVARIATES` adjust as declared; the stack is a difference of means; the synthetic ones (`synthetic`)
    stand only where five clean years precede the start.
    """
    groups = {p.name: [p] for p in data.projects}
    groups |= {name: [p for p in data.projects if p.name in members] for name, members in config.pooled.items()}
    fits = {fit.project: fit for fit in synthetic if fit.outcome == config.primary}
    found = [effect for name, members in groups.items() for effect in _of_group(config, data, name, members)]
    return tuple(_from_fit(effect, fits.get(effect.project)) for effect in found)


def _from_fit(effect: MethodEffect, fit: SyntheticFit | None) -> MethodEffect:
    """Take the estimate of a synthetic method from its fit."""
    if fit is None or effect.method not in SYNTHETIC:
        return effect
    return replace(effect, estimate=fit.estimate if effect.method == "synthetic_control" else fit.did_estimate)


def _of_group(config: OpenDataConfig, data: OpenData, name: str, members: list[Project]) -> Iterator[MethodEffect]:
    able = [p for p in members if why_not(config, data, [p], config.primary) is None]
    if not able:
        yield from (MethodEffect(name, method, float("nan")) for method in METHODS)
        return
    panel, design = sample(config, data, able, config.primary)
    panel = replace(panel, cluster=panel.unit_ids)  # estimates only: no variance is shown
    for method in METHODS:
        yield MethodEffect(name, method, _estimate(config, method, panel, design, len(able)))


def _estimate(config: OpenDataConfig, method: str, panel: Panel, design: StaggeredDesign, members: int) -> float:
    if method in SYNTHETIC or (method in _BY_EVENT and members > 1):
        return float("nan")
    choices = Choices(config.estimation.covariates if method in WITH_COVARIATES else (), Weighting.PATIENT)
    compared = replace(design, comparison=Comparison.NOT_YET_ENROLLED) if method in _WAITING else design
    try:
        return float(run(method, panel, compared, config.primary, ["overall"], choices).estimate[0])
    except (EstimationError, NotIdentifiedError):
        return float("nan")
