"""From the function of one method to what the registry calls: averages of its cells, its shapes, or its own entries.

Source: none; the modules of the methods name their papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna, supported_cells
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_weighted import lottery_weighted
from mtvp_eval.estimators.method import AnyDesign, Averages, Choices, Found, Supported, drawn_of, staggered_of
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.twfe import Shape

Own = Callable[[Panel, StaggeredDesign, str, Sequence[str], Choices], Found]
_SEED = 1
"""Start of the placebo draws of synthetic methods, so that a question has one answer."""


def callaway_averages() -> Averages:
    """Return Callaway-Sant'Anna, whose covariates may leave cells without a comparison."""

    def base(choices: Choices) -> BasePeriod:
        return BasePeriod(choices.options.get("base_period", BasePeriod.VARYING))

    def cells(design: AnyDesign, choices: Choices) -> tuple[Cell, ...]:
        return staggered_of(design).identified_cells(base(choices))

    def supported(panel: Panel, design: AnyDesign, outcome: str, choices: Choices) -> Supported:
        return supported_cells(
            panel, staggered_of(design), outcome, covariates=choices.covariates, weighting=choices.weighting,
            method=Adjustment(choices.options.get("method", Adjustment.DR)), base_period=base(choices),
        )  # fmt: skip

    return Averages(cells, _at_once(callaway_santanna, _asked), base, staggered_of, supported)


def regression_averages(
    function: Callable[..., EffectEstimates], cells: Callable[[StaggeredDesign], Sequence[Cell]]
) -> Averages:
    """Return a regression that estimates all its cells at once, whatever is asked of them."""

    return Averages(
        lambda design, _: tuple(cells(staggered_of(design))),
        _at_once(function, lambda _: {}), _universal, staggered_of,
    )  # fmt: skip


def lottery_averages() -> Averages:
    """Return cohort means within the blocks of a draw."""
    return Averages(_drawn_cells, _by_cell(lottery, _asked, drawn_of), _universal, drawn_of)


def weighted_averages() -> Averages:
    """Return cohort means weighted by replayed chances, for cells from entry on."""

    def cells(design: AnyDesign, _: Choices) -> tuple[Cell, ...]:
        return tuple(c for c in drawn_of(design).identified_cells() if c[1] >= c[0])

    return Averages(cells, _by_cell(lottery_weighted, _asked, drawn_of), _universal, drawn_of)


def adjusted_averages(function: Callable[..., Any]) -> Averages:
    """Return a method that adjusts every estimand by a share of its own difference before entry."""

    def estimate(
        panel: Panel, design: AnyDesign, outcome: str, estimands: Sequence[Estimand], choices: Choices
    ) -> EffectEstimates:
        found: EffectEstimates = function(panel, drawn_of(design), outcome, estimands, **choices.options).effects
        return found

    return Averages(_drawn_cells, estimate, _universal, drawn_of)


def _drawn_cells(design: AnyDesign, _: Choices) -> tuple[Cell, ...]:
    return drawn_of(design).identified_cells(BasePeriod.UNIVERSAL)


def _universal(_: Choices) -> BasePeriod:
    return BasePeriod.UNIVERSAL


def _asked(estimands: Sequence[Estimand]) -> dict[str, Any]:
    return {"cells": tuple(sorted({cell for e in estimands for cell in e.cells}))}


def _at_once(
    function: Callable[..., EffectEstimates], asked: Callable[[Sequence[Estimand]], dict[str, Any]]
) -> Callable[[Panel, AnyDesign, str, Sequence[Estimand], Choices], EffectEstimates]:
    """Return a run of a method that makes averages of its cells itself, without influence values for every cell."""

    def estimate(
        panel: Panel, design: AnyDesign, outcome: str, estimands: Sequence[Estimand], choices: Choices
    ) -> EffectEstimates:
        return function(
            panel, staggered_of(design), outcome, covariates=choices.covariates, weighting=choices.weighting,
            estimands=estimands, **asked(estimands), **choices.options,
        )  # fmt: skip

    return estimate


def _by_cell(
    function: Callable[..., EffectEstimates],
    asked: Callable[[Sequence[Estimand]], dict[str, Any]],
    read: Callable[[AnyDesign], StaggeredDesign | LotteryDesign],
) -> Callable[[Panel, AnyDesign, str, Sequence[Estimand], Choices], EffectEstimates]:
    """Return a run that estimates cells and averages them; cells are passed on where the method takes them."""

    def estimate(
        panel: Panel, design: AnyDesign, outcome: str, estimands: Sequence[Estimand], choices: Choices
    ) -> EffectEstimates:
        own = read(design)
        more: dict[str, Any] = {"covariates": choices.covariates} if choices.covariates else {}
        found = function(
            panel, own, outcome, weighting=choices.weighting, **more, **asked(estimands), **choices.options
        )
        return aggregate(found, own, estimands)

    return estimate


def shapes_of(function: Callable[..., EffectEstimates], *, counts: bool) -> Own:
    """Return a run that fits the static and the event-study regression as asked."""

    def go(
        panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices
    ) -> EffectEstimates:
        more: dict[str, Any] = {"exposure": choices.exposure} if counts else {"weighting": choices.weighting}
        shapes = {"overall": Shape.STATIC, "event_study": Shape.EVENT_STUDY}
        found = [
            function(panel, design, outcome, covariates=choices.covariates, shape=shapes[n], **more, **choices.options)
            for n in names
        ]
        return found[0] if len(found) == 1 else EffectEstimates.stack(*found)

    return go


def entries_of(function: Callable[..., Found], *features: str, asked: bool = False) -> Own:
    """Return a run that selects among the entries a method gives by itself, or asks for those where it can be asked."""

    def go(panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices) -> Found:
        more = {feature: getattr(choices, feature) for feature in features} | ({"entries": names} if asked else {})
        found = function(panel, design, outcome, **more, **choices.options)
        return _taken(found, [j for name in names for j, k in enumerate(found.index) if k.estimand == name])

    return go


def _taken(found: Found, rows: list[int]) -> Found:
    if isinstance(found, EffectEstimates):
        return found.take(rows)
    return replace(
        found, index=tuple(found.index[j] for j in rows), estimate=found.estimate[rows], draws=found.draws[:, rows],
        spread=None if found.spread is None else found.spread[np.ix_(rows, rows)],
        degrees=None if found.degrees is None else found.degrees[rows],
        no_error=tuple(found.no_error[j] for j in rows),
    )  # fmt: skip


def synthetic(function: Callable[..., Any]) -> Callable[..., Found]:
    """Return a method whose diagnostics are left to those who call it by itself."""

    def go(panel: Panel, design: StaggeredDesign, outcome: str, **more: Any) -> Found:
        effects: Found = function(panel, design, outcome, rng=np.random.default_rng(_SEED), **more).effects
        return effects

    return go
