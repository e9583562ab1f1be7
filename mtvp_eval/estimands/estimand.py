"""Estimand: a named, weighted set of cohort-by-period effects, declared before any outcome is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from mtvp_eval.design.staggered import Cell
from mtvp_eval.errors import DesignError


class Weighting(StrEnum):
    """Whose average an effect is: every practice counts once, or every patient."""

    PRACTICE = "practice"
    PATIENT = "patient"


class Population(StrEnum):
    """For whom an effect is averaged: the enrolled, or everyone in the block of the draw."""

    TREATED = "treated"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Estimand:
    """Hold what is asked: cells (cohort, period) and their weights.

    Parameters
    ----------
    name : att_gt, event_study, cohort, calendar, overall, overall_cohort, overall_event, overall_calendar, placebo or
        money_total.
    weighting : practice or patient.
    cells : C cells.
    weights : C weights; they sum to one for a mean, and to patient-periods for a total.
    description : what a reader is told.
    population : treated or block.
    cohort, period, event_time : the coordinate that the estimand fixes, on the integer clock, else None.
    share_group : C labels: within a label the weights are proportional to cohort shares that the sample estimates.
        Empty where the weights are known numbers.

    Raises
    ------
    DesignError
        If there is no cell, or the lengths differ.

    Example
    -------
    >>> Estimand("att_gt", Weighting.PRACTICE, ((3, 4),), (1.0,), "cohort 3 in period 4").scaled(2).weights
    (2.0,)
    """

    name: str
    weighting: Weighting
    cells: tuple[Cell, ...]
    weights: tuple[float, ...]
    description: str
    population: Population = Population.TREATED
    cohort: int | None = None
    period: int | None = None
    event_time: int | None = None
    share_group: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.weighting, Weighting):
            object.__setattr__(self, "weighting", Weighting(self.weighting))
        if not self.cells or len(self.weights) != len(self.cells):
            raise DesignError(f"Estimand {self.name} has {len(self.cells)} cells and {len(self.weights)} weights.")
        if self.share_group and len(self.share_group) != len(self.cells):
            raise DesignError(f"Estimand {self.name} has {len(self.share_group)} share labels, not {len(self.cells)}.")

    def scaled(self, factor: float) -> Estimand:
        """Return the estimand with its weights multiplied by a known number."""
        return replace(self, weights=tuple(factor * w for w in self.weights))
