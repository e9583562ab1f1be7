"""EffectEstimates: K estimates and one influence function per unit; closed under linear maps.

Source: Newey & McFadden (1994), section 3, for estimators that are means of influence functions to first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.estimators import variance
from mtvp_eval.estimators.cohort_moments import CohortInfluence
from mtvp_eval.estimators.tidy import as_html, as_text, tidy_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class EffectKey:
    """Say what one estimate is: outcome, estimand and the coordinates it fixes (integer clock)."""

    outcome: str
    estimand: str
    weighting: Weighting = Weighting.PRACTICE
    population: Population = Population.TREATED
    cohort: int | None = None
    period: int | None = None
    event_time: int | None = None
    unit_of_measure: str = ""

    @classmethod
    def of(cls, estimand: Estimand, outcome: str, unit_of_measure: str = "") -> EffectKey:
        """Return the key of an estimand for one outcome."""
        e = estimand
        return cls(outcome, e.name, e.weighting, e.population, e.cohort, e.period, e.event_time, unit_of_measure)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectEstimates:
    r"""Hold K estimates with one influence value per unit: :math:`\hat V = \psi'\psi/n^2`.

    Parameters
    ----------
    index : K keys.
    estimate : (K,).
    unit_ids : (n,).
    psi : (n, K) influence without any small-sample factor, zero for units outside an estimate; or the same in closed
        form, by the cohorts in ``stratum``.
    stratum : (n,) integer from 0: cohort within block; for the HC2 factor and its degrees of freedom.
    cluster : (n,) unit of assignment above the unit, or None.
    sampling : design (the draw is random), superpopulation (the units are a sample), or conditional (cohorts and their
        sizes are held fixed, as regressions do; cohort shares are then known numbers).
    correction : none, hc2 (factor m/(m - 1) a stratum), cr1 (factor C/(C - 1)) or fixest (see
        ``variance.fixest_factor``); applied by ``covariance``, once.
    method : name of the estimator.
    no_error : K reasons why an estimate has no standard error; None where it has one.
    member : (n, K) units that belong to an estimate, where not all do (missing periods, stacked designs).
    notes : sentences for the reader.
    regression : rows and parameters of the regression behind the effects, for the correction fixest.
    leveraged : (n, K) influence with the residuals of a fit on covariates raised by their leverage, of which hc2 then
        takes the variance; None where nothing but means was fitted.

    Raises
    ------
    EstimationError
        If shapes disagree, or the correction fixest is declared without a regression.

    Example
    -------
    >>> effects = EffectEstimates((EffectKey("consults", "overall"),), np.array([-8.0]),
    ...     np.array(["a", "b"], dtype=object), np.array([[3.0], [-3.0]]), np.array([0, 0]))
    >>> float(effects.std_error()[0].round(4)), effects.combine(effects.index, np.array([[0.5]])).estimate.tolist()
    (2.1213, [-4.0])
    """

    index: tuple[EffectKey, ...]
    estimate: FloatArray
    unit_ids: ObjectArray
    psi: FloatArray | CohortInfluence
    stratum: IntArray
    cluster: ObjectArray | None = None
    sampling: str = "superpopulation"
    correction: str = "none"
    method: str = ""
    no_error: tuple[str | None, ...] = ()
    member: BoolArray | None = None
    notes: tuple[str, ...] = ()
    regression: tuple[int, int] | None = None
    leveraged: FloatArray | None = None

    def __post_init__(self) -> None:
        n, K = len(self.unit_ids), len(self.index)
        if not self.no_error:
            object.__setattr__(self, "no_error", (None,) * K)
        shapes = (np.shape(self.estimate), self.psi.shape, np.shape(self.stratum), len(self.no_error))
        if shapes != ((K,), (n, K), (n,), K):
            raise EstimationError(f"{K} estimates for {n} units do not fit arrays of shapes {shapes}.")
        if self.correction == "fixest" and self.regression is None:
            raise EstimationError("The correction fixest counts rows and parameters; these effects have no regression.")
        for name in ("estimate", "unit_ids", "psi", "stratum", "cluster", "member", "leveraged"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, CohortInfluence):
                object.__setattr__(self, name, frozen(np.asarray(value)))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def influence(self) -> FloatArray:
        """(n, K) influence values without any small-sample factor."""
        return self.psi if isinstance(self.psi, np.ndarray) else self.psi.values

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.unit_ids)

    def covariance(self) -> FloatArray:
        """Return the (K, K) covariance under the declared correction; rows without a standard error are NaN."""
        if (closed := self._closed()) is not None:
            matrix = np.tensordot(self._squared_scale(), closed.products(), axes=1) / self.n_units**2 * self._factor()
        else:
            matrix = variance.covariance(self._scaled(), self.cluster) * self._factor()
        bad = np.array([reason is not None for reason in self.no_error], dtype=np.bool_)
        matrix[bad, :] = np.nan
        matrix[:, bad] = np.nan
        return matrix

    def std_error(self) -> FloatArray:
        """Return the (K,) standard errors under the declared correction; NaN where there is a reason for none."""
        if (closed := self._closed()) is not None:
            squared = self._squared_scale() @ closed.squares() / self.n_units**2
        else:
            squared = variance.variance(self._scaled(), self.cluster)
        errors = np.sqrt(squared * self._factor())
        return np.where([reason is None for reason in self.no_error], errors, np.nan)

    def df(self) -> FloatArray:
        """Return the (K,) degrees of freedom of the standard errors; infinite where the normal is used."""
        if self.correction == "hc2" and (closed := self._closed()) is not None:
            size = np.bincount(self.stratum)[:, None]
            return variance.satterthwaite(self._squared_scale()[:, None] * closed.squares(), size)
        if self.correction == "hc2":
            return variance.satterthwaite_df(self._scaled(), self.stratum, self.member, self.cluster)
        if self.correction in ("cr1", "fixest"):
            return np.full(len(self), self.n_clusters - 1.0)
        return np.full(len(self), np.inf)

    @property
    def n_clusters(self) -> int:
        """Number of clusters; of units where no cluster is declared."""
        return self.n_units if self.cluster is None else len(set(self.cluster.tolist()))

    def with_correction(self, correction: str) -> EffectEstimates:
        """Return the same effects with another declared correction of the variance.

        Raises
        ------
        EstimationError
            If the correction is not none, hc2, cr1 or fixest, or fixest is asked of effects without a regression.
        """
        if correction not in ("none", "hc2", "cr1", "fixest"):
            raise EstimationError(f"Unknown correction {correction}; use none, hc2, cr1 or fixest.")
        return replace(self, correction=correction)

    def with_units(self, unit_of_measure: dict[str, str]) -> EffectEstimates:
        """Return the same effects with the unit of measure of each outcome written into the index."""
        keys = (replace(k, unit_of_measure=unit_of_measure.get(k.outcome, k.unit_of_measure)) for k in self.index)
        return replace(self, index=tuple(keys))

    def combine(
        self, index: Sequence[EffectKey], weights: FloatArray, weight_influence: FloatArray | None = None
    ) -> EffectEstimates:
        r"""Return linear combinations :math:`A\hat\theta` with influence :math:`\psi A'` (+ that of estimated weights).

        ``weights`` A is (J, K) for J new keys; ``weight_influence`` (n, J). An estimate without a standard error passes
        its reason to every combination that gives it weight.

        Raises
        ------
        EstimationError
            If shapes disagree, or a weighted estimate is not finite.
        """
        A = np.asarray(weights, dtype=np.float64)
        if A.shape != (len(index), len(self)):
            raise EstimationError(
                f"{len(index)} combinations of {len(self)} estimates need weights of that shape, not {A.shape}."
            )
        used = A != 0
        finite = np.isfinite(self.estimate)
        if bool((used & ~finite).any()):
            raise EstimationError(f"{int((used & ~finite).any(axis=0).sum())} estimates with weight are not finite.")
        psi: FloatArray | CohortInfluence
        if weight_influence is not None:
            psi = self.influence @ A.T + weight_influence
        else:
            psi = self.influence @ A.T if isinstance(self.psi, np.ndarray) else self.psi.combine(A)
        leveraged = None if self.leveraged is None else self.leveraged @ A.T
        if leveraged is not None and weight_influence is not None:
            leveraged += weight_influence
        member = None if self.member is None else self.member.astype(np.float64) @ used.T.astype(np.float64) > 0
        return replace(
            self, index=tuple(index), estimate=A @ np.where(finite, self.estimate, 0.0), psi=psi,
            no_error=passed_on(self.no_error, used), member=member, leveraged=leveraged,
        )  # fmt: skip

    @staticmethod
    def stack(*effects: EffectEstimates, sampling: str | None = None, correction: str | None = None) -> EffectEstimates:
        """Return several sets of effects as one object with their joint covariance; see ``stacking.stack``."""
        from mtvp_eval.estimators.stacking import stack

        return stack(*effects, sampling=sampling, correction=correction)

    def select(self, **criteria: Any) -> EffectEstimates:
        """Return the entries whose key has the given values, for example ``select(estimand="overall")``.

        Raises
        ------
        EstimationError
            If a criterion is no part of a key, or nothing fits.
        """
        unknown = set(criteria) - {f.name for f in fields(EffectKey)}
        if unknown:
            raise EstimationError(f"Effects are not indexed by {', '.join(sorted(unknown))}.")
        kept = [j for j, k in enumerate(self.index) if all(getattr(k, name) == v for name, v in criteria.items())]
        if not kept:
            raise EstimationError(f"No effect has {', '.join(f'{k} = {v}' for k, v in criteria.items())}.")
        return self.take(kept)

    def take(self, rows: Sequence[int]) -> EffectEstimates:
        """Return the entries at the given places, in that order."""
        rows = list(rows)
        psi = self.psi[:, rows] if isinstance(self.psi, np.ndarray) else self.psi.take(rows)
        return replace(
            self, index=tuple(self.index[j] for j in rows), estimate=self.estimate[rows],
            psi=psi, no_error=tuple(self.no_error[j] for j in rows),
            member=None if self.member is None else self.member[:, rows],
            leveraged=None if self.leveraged is None else self.leveraged[:, rows],
        )  # fmt: skip

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return one tidy row per estimate: key, estimate, std_error, df, interval, its method, and a note."""
        return tidy_frame(self, level)

    @property
    def ci_method(self) -> str:
        """Name of the interval that ``to_frame`` shows."""
        spread = {"none": "influence function", "hc2": "HC2 by cohort", "cr1": "CR1", "fixest": "CRV1 (fixest)"}[
            self.correction
        ]
        return f"{spread}, {'normal' if self.correction == 'none' else 't'}" + (
            ", clustered" if self.cluster is not None else ""
        )

    def __repr__(self) -> str:
        return as_text(self._title(), self.to_frame())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self.to_frame())

    def _title(self) -> str:
        head = self.method or "Effects"
        return f"{head}: {len(self)} estimates, {self.n_units} units, {self.sampling}, {self.ci_method}"

    def _scaled(self) -> FloatArray:
        if self.correction != "hc2":
            return self.influence
        fitted = self.influence if self.leveraged is None else self.leveraged
        return fitted * variance.hc2_scale(self.stratum, self.member, self.cluster)

    def _closed(self) -> CohortInfluence | None:
        """Return the influence in closed form where it gives variances: strata are its cohorts, all units count."""
        closed = isinstance(self.psi, CohortInfluence) and self.cluster is None and self.member is None
        return self.psi if closed else None  # type: ignore[return-value]

    def _squared_scale(self) -> FloatArray:
        """Return the (S,) factor of each stratum's squares."""
        if self.correction != "hc2":
            return np.ones(int(self.stratum.max()) + 1)
        m = np.bincount(self.stratum)
        return np.where(m > 1, m / np.maximum(m - 1, 1), 1.0)

    def _factor(self) -> float:
        C = self.n_clusters
        if self.correction == "fixest" and self.regression is not None:
            return variance.fixest_factor(C, *self.regression)
        return C / (C - 1) if self.correction == "cr1" else 1.0


def passed_on(no_error: Sequence[str | None], used: BoolArray) -> tuple[str | None, ...]:
    """Return the first reason for no standard error among the entries that each row of ``used`` (J, K) takes.

    >>> passed_on((None, "alone"), np.array([[True, False], [True, True]]))
    (None, 'alone')
    """
    if not any(no_error):
        return (None,) * len(used)
    return tuple(next((r for r, w in zip(no_error, row, strict=True) if w and r is not None), None) for row in used)
