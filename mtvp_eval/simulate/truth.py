"""Truth: what the programme really did to every practice of a simulated region, for any estimand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.settings import nearest


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    r"""Hold the effects of the programme on n practices over T quarters.

    .. math:: \tau_i(g, t) = \delta \, h_i \, \min\{1, (t - g + 1) / K\} \quad (g \le t < \text{end}_i), \qquad
              ATT(g, t) = \sum_{i : G_i = g} w_i \tau_i(g, t) / \sum_{i : G_i = g} w_i

    where δ is a number of units (scale level) or a share of the practice's own expected level (scale log). The
    population is finite: the practices of this region with their expected levels, deviations included; what is random
    around the expected levels (counting, who answers) is not part of the truth.

    Parameters
    ----------
    unit_ids (n,), clock (T,), entry (n,), ended (n,) on the clock, patients (n,) lists on the reference date.
    multiplier : (n,) h_i.
    build_up : K quarters until the steady effect; 1 = at once.
    scale : level or log.
    steady : outcome -> δ; outcomes the programme leaves alone have 0.
    untreated : outcome -> (n, T) expected level without the programme.
    exposure : outcome -> (name of another outcome, (n, T)): an outcome that is the other one times known numbers.
    """

    unit_ids: ObjectArray
    clock: IntArray
    entry: IntArray
    ended: IntArray
    patients: IntArray
    multiplier: FloatArray
    build_up: int
    scale: str
    steady: Mapping[str, float]
    untreated: Mapping[str, FloatArray]
    exposure: Mapping[str, tuple[str, FloatArray]]

    def effect(self, outcome: str, cohort: int, period: int, scale: str = "level") -> FloatArray:
        """Return the effect (n,) that each practice has in a quarter if it enrols in `cohort`.

        `scale` level: in the unit of the outcome; log: the change of the logarithm of its expected level. A practice
        that ended again keeps its length of stay.

        Raises ``EstimationError`` if the simulator keeps no truth for the outcome, or the quarter is not simulated.
        """
        if outcome in self.exposure:
            base, times = self.exposure[outcome]
            effect = self.effect(base, cohort, period, scale)
            return effect if scale == "log" else effect * times[:, self._column(period)]
        if outcome not in self.steady:
            known = (*self.steady, *self.exposure)
            raise EstimationError(f"The simulator keeps no truth for {outcome}; {nearest(outcome, known)}.")
        column = self._column(period)
        built_up = min(1.0, (period - cohort + 1) / self.build_up) if period >= cohort else 0.0
        # Nobody who never ended, or never entered, has a length of stay: the effect then lasts.
        stays = (self.ended == NEVER) | (period - cohort < self.ended - self.entry)
        share = self.steady[outcome] * built_up * self.multiplier * np.where(stays, 1.0, 0.0)
        if not share.any():
            return np.zeros(len(self.unit_ids))
        level = self.untreated[outcome][:, column]
        effect = share * level if self.scale == "log" else share
        return np.log1p(effect / level) if scale == "log" else effect

    def att(
        self,
        outcome: str,
        cohort: int,
        period: int,
        weighting: Weighting = Weighting.PRACTICE,
        units: Iterable[str] | None = None,
        population: Population = Population.TREATED,
        scale: str = "level",
    ) -> float:
        """Return the mean effect in a quarter of enrolling in `cohort`, over the enrolled or over all `units`.

        `units` are the practices left after linking, all if not given. Patient weights are the lists on the reference
        date. Raises ``NotIdentifiedError`` if no practice of the cohort is among them.
        """
        inside = self._among(units)
        if population is Population.TREATED:
            inside = inside & (self.entry == cohort)
        if not inside.any():
            raise NotIdentifiedError("No practice of this cohort is among the practices asked for.")
        weight = self.patients if weighting is Weighting.PATIENT else np.ones(len(self.patients))
        return float(np.average(self.effect(outcome, cohort, period, scale)[inside], weights=weight[inside]))

    def of(self, outcome: str, estimand: Estimand, units: Iterable[str] | None = None, scale: str = "level") -> float:
        """Return the true value of an estimand: the sum over its cells of weight times effect."""
        kept = None if units is None else frozenset(units)
        return sum(
            weight * self.att(outcome, cohort, period, estimand.weighting, kept, estimand.population, scale)
            for (cohort, period), weight in zip(estimand.cells, estimand.weights, strict=True)
        )

    def effect_as_enrolled(self, outcome: str) -> FloatArray:
        """Return the effect (n, T) that each practice really had in each quarter, in the unit of the outcome."""
        out = np.zeros((len(self.unit_ids), len(self.clock)))
        for cohort in np.unique(self.entry):
            rows = self.entry == cohort
            for column, period in enumerate(self.clock):
                if period >= cohort:
                    out[rows, column] = self.effect(outcome, int(cohort), int(period))[rows]
        return out

    def _column(self, period: int) -> int:
        column = period - int(self.clock[0])
        if not 0 <= column < len(self.clock):
            raise EstimationError("The quarter asked for lies outside the simulated ones.")
        return column

    def _among(self, units: Iterable[str] | None) -> BoolArray:
        if units is None:
            return np.ones(len(self.unit_ids), dtype=bool)
        asked = frozenset(units)
        inside = np.array([unit in asked for unit in self.unit_ids.tolist()])
        if inside.sum() != len(asked):
            raise EstimationError(f"{len(asked) - int(inside.sum())} of the practices asked for were not simulated.")
        return inside
