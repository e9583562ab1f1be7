"""Cost against one declared outcome: the cost-effectiveness plane, the ratio, and acceptability of the programme."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.config import EffectivenessChoices
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects
from mtvp_eval.costbenefit.joint_interval import JointTotal, Uncertain, mixture
from mtvp_eval.costbenefit.parties import Perspective
from mtvp_eval.costbenefit.plane import Difference, Quadrant, fieller
from mtvp_eval.errors import LedgerError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.pipeline.evaluate import Evaluation
from mtvp_eval.report.inputs import page_frame

if TYPE_CHECKING:
    import pandas as pd

PERSPECTIVES = (Perspective.INSURER, Perspective.SOCIETY)


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """A net benefit with the gain in one outcome beside it: `extended` are the priced effects and, last, the gain."""

    uncertain: Uncertain
    extended: PricedEffects
    choices: EffectivenessChoices

    def net(self, whose: Perspective, willingness_to_pay: float) -> JointTotal:
        """Return net benefit per patient-year, worth times gain less cost, under everything uncertain."""
        result = self.uncertain.result
        total = self.uncertain.total(whose).scaled(1.0 / result.patient_years(discounted=True))
        k = np.full(len(total.location), willingness_to_pay)
        return mixture(np.column_stack([total.coefficient[:, :-1], k, total.coefficient[:, -1]]), self.extended)

    def difference(self, whose: Perspective) -> tuple[Difference, float]:
        """Return gain and cost per patient-year with their covariance, and the degrees of freedom."""
        cost, gain = self.net(whose, 0.0), self.extended
        weights = cost.coefficient[:, :-1].mean(axis=0)
        covariance = -float(gain.covariance[-1] @ weights)
        values = (float(gain.mean[-1]), -self._mean(whose), float(gain.covariance[-1, -1]), cost.sd**2, covariance)
        return Difference(*values), min(cost.df, float(gain.df[-1]))

    def _mean(self, whose: Perspective) -> float:
        result = self.uncertain.result
        return result.total(whose).mean / result.patient_years(discounted=True)


def against(evaluation: Evaluation, uncertain: Uncertain, choices: EffectivenessChoices) -> Against:
    """Put the declared outcome's effect per patient beside the priced effects, with their joint covariance.

    A gain is a change in the direction the programme aims at.

    Raises
    ------
    LedgerError
        If the outcome has no effect per patient, no direction, or is itself priced.
    """
    name, money = choices.outcome, evaluation.effects.money
    outcome = evaluation.dictionary.outcomes.get(name)
    joint = evaluation.effects.joint
    rows = [
        i
        for i, key in enumerate(joint.index)
        if key.outcome == name and key.estimand == "overall" and key.weighting is Weighting.PATIENT
    ]
    where = "cost_benefit: effectiveness"
    if outcome is None or not rows or money is None:
        raise LedgerError(f"{where}: no effect per patient on {name} was estimated.")
    if outcome.direction not in ("up", "down"):
        raise LedgerError(f"{where}: the programme aims at no direction of {name}, so no change of it is a gain.")
    if name in uncertain.result.effects.outcomes():
        raise LedgerError(f"{where}: {name} is priced already; a gain in it would be counted twice.")
    sign = 1.0 if outcome.direction == "up" else -1.0
    stacked = EffectEstimates.stack(money, joint.take(rows[:1]))
    turn = np.append(np.ones(len(money)), sign)
    effects = uncertain.result.effects
    extended = replace(
        effects,
        key=(*effects.key, EffectKey(name, "gain", year=effects.key[-1].year)),
        mean=stacked.estimate * turn,
        covariance=stacked.covariance() * np.outer(turn, turn),
        df=stacked.df(),
    )
    return Against(uncertain, extended, choices)


def plane(made: Against | None, level: float) -> pd.DataFrame:
    """Return gain and cost per patient-year, quadrant, ratio and its confidence set, by perspective."""
    rows: list[tuple[Any, ...]] = []
    if made is None:
        return page_frame("plane", rows)
    for whose in PERSPECTIVES:
        d, df = made.difference(whose)
        found = fieller(d, level, df)
        ratio = d.icer if d.quadrant in (Quadrant.NE, Quadrant.SW) else np.nan
        moments = (d.effect, d.cost, d.var_effect, d.var_cost, d.covariance)
        limits = (found.shape.name.lower(), found.low, found.high)
        rows.append((made.choices.outcome, whose.value, *moments, d.quadrant.name, ratio, *limits))
    return page_frame("plane", rows)


def acceptability(made: Against | None, level: float) -> pd.DataFrame:
    """Return net benefit, chance that the programme is best, chance of the better option, and value of information.

    One row for each perspective and willingness to pay; the other option is care without the programme.
    """
    rows: list[tuple[Any, ...]] = []
    if made is None:
        return page_frame("acceptability", rows)
    for whose in PERSPECTIVES:
        for k in made.choices.willingness_to_pay:
            net = made.net(whose, k)
            mean, (low, high), chance = float(net.location.mean()), net.interval(level), net.probability_positive()
            best = chance if mean > 0.0 else 1.0 - chance
            losses = _losses(mean, net.expected_loss())
            rows.append((whose.value, k, mean, low, high, 100 * chance, 100 * best, net.expected_loss(), *losses))
    return page_frame("acceptability", rows)


def _losses(mean: float, information: float) -> tuple[float, float]:
    """Expected loss of the programme and of care without it, against knowing everything."""
    return information + max(-mean, 0.0), information + max(mean, 0.0)
