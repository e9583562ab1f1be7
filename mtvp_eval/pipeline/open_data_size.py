"""How often the placebo test finds an effect in municipalities that no project reached, by project and outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.inference.placebo_effects import untouched_groups
from mtvp_eval.inference.placebo_size import PlaceboSize, placebo_size
from mtvp_eval.pipeline.open_data import project_rng, project_sample, reference_of, why_not
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_results import OpenData

TOGETHER = "together"
"""Name of the row that counts the untouched groups of all projects."""


@dataclass(frozen=True, slots=True)
class ProjectSize:
    """How often the test of a project's overall effect finds one among its own untouched groups."""

    project: str
    outcome: str
    found: PlaceboSize


def placebo_sizes(config: OpenDataConfig, data: OpenData) -> tuple[ProjectSize, ...]:
    """Return the size of the placebo test by project and together, for every outcome that is no GP column.

    A project whose groups have too few others elsewhere is left out.
    """
    sizes: list[ProjectSize] = []
    for outcome in (config.primary, *config.secondary):
        mine = tuple(_of_outcome(config, data, outcome))
        sizes += mine
        if mine:
            sizes.append(ProjectSize(TOGETHER, outcome, PlaceboSize.together([one.found for one in mine])))
    return tuple(sizes)


def _of_outcome(config: OpenDataConfig, data: OpenData, outcome: str) -> Iterator[ProjectSize]:
    for project in data.projects:
        if why_not(config, data, [project], outcome) is not None:
            continue
        panel, design = project_sample(config, data, project, outcome)
        reference, rng = reference_of(config, data, panel), project_rng(config, data, project)
        groups = untouched_groups(panel, design, outcome, reference, rng)
        estimand, chosen = overall(design, Weighting.PATIENT), config.estimation
        try:
            found = placebo_size(groups, estimand, chosen.covariates, reference, chosen.level)
        except EstimationError:
            continue
        yield ProjectSize(project.name, outcome, found)
