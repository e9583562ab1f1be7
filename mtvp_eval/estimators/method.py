"""Method: what a registered estimator can do, what a question may ask of it, and how estimands are declared by name.

Source: the module of each method names its paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.estimands import aggregate as means
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.results import EffectEstimates

ESTIMANDS = (
    "overall", "event_study", "cohort", "calendar", "att_gt", "overall_cohort", "overall_event", "overall_calendar",
)  # fmt: skip
FROM_CELLS = frozenset(ESTIMANDS)

AnyDesign = StaggeredDesign | LotteryDesign
Found = EffectEstimates | Replicates
Supported = tuple[tuple[Cell, ...], Mapping[Cell, str]]
"""The cells in which a comparison can be trusted, and why not in the others."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a question asks of a method; ``options`` are keyword arguments of that method alone."""

    covariates: tuple[str, ...] = ()
    weighting: Weighting = Weighting.PRACTICE
    exposure: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Averages:
    """Say how a method estimates any weighted mean or total of cells.

    Parameters
    ----------
    cells : the cells it estimates, known from the design alone.
    estimate : effects of estimands declared on those cells.
    base : the period that leads are measured from.
    read : the design its estimands are made of: with the draw, or the entries alone.
    supported : which of the cells covariates allow to compare; all of them where None.
    """

    cells: Callable[[AnyDesign, Choices], tuple[Cell, ...]]
    estimate: Callable[[Panel, AnyDesign, str, Sequence[Estimand], Choices], EffectEstimates]
    base: Callable[[Choices], BasePeriod]
    read: Callable[[AnyDesign], AnyDesign]
    supported: Callable[[Panel, AnyDesign, str, Choices], Supported] | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """Say what a method is and can do.

    Parameters
    ----------
    title : authors and year.
    gives : its averages of cells; or, where it has effects of its own only, what estimates the named ones.
    estimands : names it can give.
    refuses : feature -> reason; covariates, patient_weights, exposure, gaps, never_enrolled, anticipation, or undrawn
        (a design without the chances of a declared draw).
    options : keyword arguments a question may set.
    counts : whether the outcome must be a count.
    """

    title: str
    gives: Averages | Callable[[Panel, StaggeredDesign, str, Sequence[str], Choices], Found]
    estimands: frozenset[str] = FROM_CELLS
    refuses: Mapping[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    counts: bool = False


def staggered_of(design: AnyDesign) -> StaggeredDesign:
    """Return the entries and sizes of a design, without its draw."""
    return design.staggered if isinstance(design, LotteryDesign) else design


def drawn_of(design: AnyDesign) -> LotteryDesign:
    """Return a design with its draw; one block in which all were drawn against each other where none is known."""
    return design if isinstance(design, LotteryDesign) else LotteryDesign.one_block(design)


def declared(
    names: Sequence[str],
    design: AnyDesign,
    weighting: Weighting,
    cells: Sequence[Cell],
    base: BasePeriod = BasePeriod.UNIVERSAL,
) -> list[Estimand]:
    """Return the estimands of these names on the given cells.

    Example
    -------
    >>> import numpy as np
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([2, 9]), np.array([1, 2, 3]))
    >>> [e.name for e in declared(["overall", "att_gt"], design, Weighting.PRACTICE, [(2, 2), (2, 3)])]
    ['overall', 'att_gt', 'att_gt']
    """
    inside = set(cells)
    made: list[Estimand] = []
    for name in names:
        if name == "att_gt":
            made += [cell_effect(cell, weighting) for cell in cells]
        elif name == "event_study":
            made += means.event_study(design, weighting, base, within=inside)
        elif name in ("cohort", "calendar"):
            made += {"cohort": means.by_cohort, "calendar": means.by_calendar}[name](design, weighting, inside)
        else:
            made.append(getattr(means, name)(design, weighting, inside))
    return made
