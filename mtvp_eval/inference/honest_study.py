"""What a sensitivity analysis of trends may be made from: an event study measured from one universal base.

Source: Rambachan & Roth (2023); Roth (2024), arXiv:2401.12309, on why leads from a varying base do not qualify.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates

FEW_CLUSTERS = 20
"""Below so many clusters a covariance of an event study is too uncertain to be taken as known; a note says so."""


@dataclass(frozen=True, slots=True, eq=False)
class HonestStudy:
    """Hold coefficients before (p,) and after (P,) a base that is zero, in time order, and their joint covariance.

    Raises
    ------
    EstimationError
        If there are fewer than two coefficients before the base or none after, or the covariance does not fit.
    """

    before: FloatArray
    after: FloatArray
    covariance: FloatArray
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        p, P = len(self.before), len(self.after)
        if p < 2 or P < 1:
            raise EstimationError(
                f"Sensitivity to trends needs two coefficients before the base and one after; there are {p} and {P}. "
                "Supply more periods before the first entry."
            )
        if np.shape(self.covariance) != (p + P, p + P) or not np.isfinite(self.covariance).all():
            raise EstimationError(f"{p + P} coefficients need a full covariance of that size, without gaps.")
        for name in ("before", "after", "covariance"):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), dtype=np.float64)))

    @classmethod
    def of(cls, effects: EffectEstimates, *, first: int | None = None, last: int | None = None) -> HonestStudy:
        """Read the event-study entries of one outcome and weighting, between two event times where given.

        The base is the one event time that is left out, as every estimator does with a universal base; leads measured
        from a varying base leave out none.

        Raises
        ------
        EstimationError
            If entries of several outcomes or weightings are mixed, there is no universal base, or fewer than two
            coefficients stand before it.
        """
        every = {
            k.event_time: j
            for j, k in enumerate(effects.index)
            if k.estimand == "event_study" and k.event_time is not None
        }
        study = {e: j for e, j in every.items() if (first is None or e >= first) and (last is None or e <= last)}
        kinds = {(effects.index[j].outcome, effects.index[j].weighting) for j in study.values()}
        entries = sum(k.estimand == "event_study" for k in effects.index)
        if len(kinds) != 1 or (first is None and last is None and entries != len(study)):
            raise EstimationError(f"Give the event study of one outcome and weighting; these are {len(kinds)}.")
        times = sorted(study)
        base = max((e for e in range(min(every), 0) if e not in every), default=None)
        left_out = {*range(times[0], times[-1] + 1)} - {*times}
        if base is None or left_out - {base}:
            raise EstimationError(
                f"{len(left_out)} event times are left out where a universal base leaves out one before entry. "
                "Estimate with base_period universal; leads from a varying base are one-period differences."
            )
        rows = [study[e] for e in times]
        p = sum(e < base for e in times)
        notes: tuple[str, ...] = ()
        if effects.n_clusters < FEW_CLUSTERS:
            notes = (
                f"The covariance rests on {effects.n_clusters} clusters, fewer than {FEW_CLUSTERS}: read the bounds as "
                "approximate.",
            )
        chosen = effects.take(rows)
        return cls(chosen.estimate[:p], chosen.estimate[p:], chosen.covariance(), notes)

    def combination(self, post: FloatArray) -> tuple[float, float]:
        """Return the value and standard error of ``post`` (P,) times the coefficients after the base."""
        P = len(self.after)
        return float(post @ self.after), float(np.sqrt(post @ self.covariance[-P:, -P:] @ post))
