"""Records of the open-data question: what was read, each effect, and the whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtvp_eval.data.open_data.cbs import KeyFigures
from mtvp_eval.data.open_data.codes import Break
from mtvp_eval.data.open_data.municipal import MunicipalCosts
from mtvp_eval.data.open_data.projects import Exposure, Project
from mtvp_eval.data.panel import Panel
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.exposed import ExposedEffect
from mtvp_eval.inference.placebo import PlaceboDraws, PlaceboTest
from mtvp_eval.inference.pooling import PartialPooling
from mtvp_eval.pipeline.open_data_config import OpenDataConfig


@dataclass(frozen=True, slots=True)
class OpenData:
    """Everything read and checked: costs of municipalities, projects, who is exposed, the panel, known breaks."""

    costs: MunicipalCosts
    projects: tuple[Project, ...]
    exposed: Exposure
    panel: Panel
    figures: KeyFigures | None
    breaks: tuple[Break, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Why nothing is estimated: the sector is published from a year, the project observed to one, or no member left."""

    key: str
    year: int | None = None

    def __str__(self) -> str:
        words = {
            "published_from": f"published from {self.year}, so no full year before the start shows it",
            "observed_to": f"the first full year lies after {self.year}, the last year observed",
            "no_member": "no member of the set can be estimated",
        }
        return words[self.key]


@dataclass(frozen=True, slots=True)
class ProjectEffect:
    """One effect of one project (or pooled set) on one outcome: log points of observed over expected cost.

    `event_time` is None for the mean of the full years; -1 is the part year and the year before it the base. `test`
    holds the placebo distribution and its interval. `size_ratio` says how large the untouched groups are beside the
    project and `placebo_regions` from how many regions they come (groups of one region overlap: a p-value under
    2/(regions + 1) rests on the overlap). `std_error` is given where the project has enough municipalities and takes
    them as independent, though they lie in `own_regions`. `breaks` are crossed between base and last year. Where
    nothing could be estimated, `estimate` is NaN, `test` None, and `gap` says why. `missing` are members a set does
    without.
    """

    project: str
    outcome: str
    event_time: int | None
    municipalities: int
    estimate: float
    std_error: float
    test: PlaceboTest | None
    size_ratio: float
    placebo_regions: int
    own_regions: int
    breaks: tuple[Break, ...]
    gap: Gap | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenDataEvaluation:
    """The answer: effects by project and pooled, partial pooling by outcome, and effects per exposed patient.

    `effects` holds, by project or set and outcome, the estimator's own object with influence functions; for sets its
    variance is clustered by region. `draws` holds, by project and outcome, the placebo contrasts by event time (None:
    the mean over full years).
    """

    config: OpenDataConfig
    data: OpenData
    projects: tuple[ProjectEffect, ...]
    pooled: tuple[ProjectEffect, ...]
    partial: Mapping[str, PartialPooling]
    exposed: tuple[ExposedEffect, ...]
    effects: Mapping[tuple[str, str], EffectEstimates]
    draws: Mapping[tuple[str, str], Mapping[int | None, PlaceboDraws]]
