"""Methods of the registry in a region's evaluation: what the question asks of each, and its average effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.config import EstimationChoices
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell
from mtvp_eval.errors import CommandError, MtvpError
from mtvp_eval.estimands.aggregate import by_calendar, by_cohort, event_study, overall
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimands.placebo import placebo
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.counts import Scale
from mtvp_eval.estimators.lottery_efficient import Adjustment
from mtvp_eval.estimators.method import AnyDesign, Averages, Choices, Found
from mtvp_eval.estimators.results import EffectEstimates

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10
"""Practices in every compared cohort from which the efficient share may be estimated; below it is fixed at one."""
ALWAYS = (
    "callaway_santanna", "callaway_santanna_unadjusted", "callaway_santanna_regression", "callaway_santanna_weighting",
    "lottery",
)  # fmt: skip
"""Methods that stand beside every headline."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "callaway_santanna_unadjusted": {"covariates": ()},
    "callaway_santanna_regression": {"method": "reg"},
    "callaway_santanna_weighting": {"method": "ipw"},
}
"""Callaway-Sant'Anna with one choice of the question changed."""
FITTED_LEADS = ("two_stage",)
"""Methods whose leads average residuals of a fit to the same rows: pulled towards zero, so no placebo."""
WITHOUT_COVARIATES = "estimated without covariates, which the method does not take"
_EXPOSURE = "exposure"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks of one method: its name in the registry, its choices, and what a reader must know."""

    method: str
    choices: Choices
    remark: str = ""

    @property
    def counts(self) -> bool:
        """Whether the method reads counts."""
        return registry.METHODS[self.method].counts

    def supported(self, panel: Panel, drawn: LotteryDesign, outcome: str) -> tuple[tuple[Cell, ...], dict[Cell, str]]:
        """Return the cells the method can estimate, and why not the others."""
        cells, why = registry.supported(self.method, panel, drawn, outcome, self.choices)
        if self.method in FITTED_LEADS:
            cells = tuple(c for c in cells if c[1] >= c[0] - drawn.anticipation)
        return cells, dict(why)

    def estimate(
        self, panel: Panel, drawn: LotteryDesign, outcome: str, estimands: Sequence[Estimand]
    ) -> EffectEstimates:
        """Return the effects of declared estimands."""
        return registry.estimate(self.method, panel, drawn, outcome, estimands, self.choices)

    def design(self, drawn: LotteryDesign) -> AnyDesign:
        """Return the design the method's estimands are made of."""
        return registry.averages(self.method).read(drawn)


def asked(name: str, choices: EstimationChoices, weighting: Weighting, drawn: LotteryDesign) -> Asked:
    """Return what the question asks of a method or variant; covariates are left out where it takes none."""
    changed = replace(choices, **VARIANTS.get(name, {}))
    method = "callaway_santanna" if name in VARIANTS else name
    options: dict[str, Any] = {}
    covariates, remark = changed.covariates, ""
    if covariates and "covariates" in registry.METHODS[method].refuses:
        covariates, remark = (), WITHOUT_COVARIATES
    if method == "callaway_santanna":
        options = {"method": changed.method}
    elif method == "lottery_efficient":
        few = not drawn.drawn or min(int(b.design.cohort_size.min()) for b in drawn.drawn) < FEWEST
        options = {"beta": 1.0 if few else None, "adjustment": Adjustment.POOLED}
    return Asked(method, Choices(covariates, weighting, options=options), remark)


def headline(choices: EstimationChoices, weighting: Weighting, drawn: LotteryDesign) -> Asked:
    """Return what the question asks of its headline method.

    Raises
    ------
    CommandError
        If the method cannot do what the question asks; every reason is given.
    """
    made = asked(choices.estimator, choices, weighting, drawn)
    reasons = registry.refusals(made.method, drawn, (), made.choices)
    if reasons:
        raise CommandError(f"evaluation.yaml, estimation: {'; '.join(reasons)}.")
    return made


def can_be_priced(name: str) -> bool:
    """Return whether a method or variant gives totals over cohorts and quarters."""
    return name in VARIANTS or isinstance(registry.METHODS[name].gives, Averages)


def declared(made: Asked, drawn: LotteryDesign, cells: Sequence[Cell], choices: EstimationChoices) -> list[Estimand]:
    """Return everything a report shows of one outcome and weighting, on the given cells."""
    design, weighting = made.design(drawn), made.choices.weighting
    base = registry.averages(made.method).base(made.choices)
    estimands: list[Estimand] = [overall(design, weighting, within=cells)]
    estimands += [e for e in event_study(design, weighting, base, within=cells) if _shown(e, choices)]
    estimands += by_cohort(design, weighting, within=cells)
    estimands += by_calendar(design, weighting, within=cells)
    estimands += [e for e in placebo(design, weighting, base, within=cells) if _shown(e, choices)]
    return [*estimands, *(cell_effect(cell, weighting) for cell in cells)]


def _shown(estimand: Estimand, choices: EstimationChoices) -> bool:
    return choices.event_first <= (estimand.event_time or 0) <= choices.event_last


def average_effect(
    name: str, panel: Panel, drawn: LotteryDesign, outcome: str, choices: EstimationChoices, weighting: Weighting
) -> Found:
    """Return the average effect of an outcome by one method: over enrolled cells where it gives them, else its own.

    Raises
    ------
    MtvpError
        If the method refuses.
    """
    made = asked(name, choices, weighting, drawn)
    gives = registry.METHODS[made.method].gives
    if isinstance(gives, Averages):
        cells, _ = made.supported(panel, drawn, outcome)
        return made.estimate(panel, drawn, outcome, [overall(made.design(drawn), weighting, within=cells)])
    if made.counts:
        return _of_counts(made, panel, drawn, outcome)
    return registry.run(made.method, panel, drawn, outcome, ["overall"], made.choices)


def _of_counts(made: Asked, panel: Panel, drawn: LotteryDesign, outcome: str) -> EffectEstimates:
    """Estimate a rate by a method for counts: events at the frozen list, or at one a practice.

    Averages by exposure are then averages by patient or practice; where the method can tell them per exposure, the
    effect is in the outcome's own unit.
    """
    weighting = made.choices.weighting
    size = panel.weight if weighting is Weighting.PATIENT else np.ones(panel.n_units)
    events = replace(
        panel, outcomes={outcome: panel.outcomes[outcome] * size[:, None]}, baseline={**panel.baseline, _EXPOSURE: size}
    )
    level = made.method == "etwfe_poisson"
    choices = replace(
        made.choices, weighting=Weighting.PRACTICE, exposure=_EXPOSURE,
        options={"scale": Scale.PER_1000 if level else Scale.RATIO},
    )  # fmt: skip
    found = registry.run(made.method, events, drawn, outcome, ["overall"], choices)
    assert isinstance(found, EffectEstimates)
    keys = [replace(k, weighting=weighting, unit_of_measure="" if level else k.unit_of_measure) for k in found.index]
    return found.combine(keys, np.eye(len(found)) / (1000 if level else 1))


def by_method(panel: Panel, drawn: LotteryDesign, joint: EffectEstimates, choices: EstimationChoices) -> pd.DataFrame:
    """Return the average effect of every outcome by every method; one that refuses has a row with its reason.

    `joint` holds the headline's effects, which stand first as they are.
    """
    import pandas as pd

    outcomes = tuple(dict.fromkeys(key.outcome for key in joint.index))
    frames = [joint.select(estimand="overall").to_frame(choices.level).assign(method=choices.estimator)]
    refused: list[dict[str, str]] = []
    for method in dict.fromkeys((*ALWAYS, *choices.sensitivity)):
        if method == choices.estimator:
            continue
        found: list[EffectEstimates] = []
        for outcome in outcomes:
            for weighting in Weighting:
                try:
                    one = average_effect(method, panel, drawn, outcome, choices, weighting)
                except MtvpError as error:
                    row = {"method": method, "outcome": outcome, "weighting": str(weighting), "note": str(error)}
                    refused.append(row)
                    continue
                if isinstance(one, EffectEstimates):
                    found.append(one)
                else:
                    frames.append(one.to_frame(choices.level).assign(method=method))
        if found:
            made = EffectEstimates.stack(*found).to_frame(choices.level).assign(method=method)
            remark = asked(method, choices, Weighting.PRACTICE, drawn).remark
            frames.append(made.assign(note=made["note"].where(made["note"] != "", remark)))
    return pd.concat([*frames, pd.DataFrame(refused)], ignore_index=True)
