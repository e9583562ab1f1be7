"""What synthetic control and synthetic difference-in-differences share: cohorts, placebos, and diagnostics of the fit.

Source: Abadie (2021), Journal of Economic Literature 59, for the diagnostics; Arkhangelsky et al. (2021), American
Economic Review 111, appendix on staggered adoption and algorithm 4 (placebo groups).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.results import EffectKey
from mtvp_eval.estimators.sample import read_sample

if TYPE_CHECKING:
    import pandas as pd

LEAST_PRE_PERIODS = 5
MOST_DONORS = 2_000
"""More are refused: every placebo fits them all again, and with far more donors than periods weights are arbitrary."""

Fit = Callable[[FloatArray, FloatArray, int, int], tuple[FloatArray, FloatArray]]
"""(treated (T,), donors (N, T), pre-periods, treated units) -> weights of the donors (N,) and of the pre-periods."""


@dataclass(frozen=True, slots=True)
class CohortFit:
    """One cohort: donors' weights (N,), pre-periods' weights, gap to the weighted donors (T,) less its base."""

    cohort: int
    unit_weights: FloatArray
    time_weights: FloatArray
    gap: FloatArray

    @property
    def pre_rmspe(self) -> float:
        """Root mean square of the gap in the pre-periods."""
        return float(np.sqrt(np.mean(self.gap[: len(self.time_weights)] ** 2)))


@dataclass(frozen=True, slots=True)
class _Setting:
    """Outcomes (n, T) of treated cohorts and donors; columns of pre-periods and of entry, by cohort."""

    y: FloatArray
    w: FloatArray
    rows: tuple[IntArray, ...]
    donors: IntArray
    cohorts: tuple[int, ...]
    pre: tuple[int, ...]
    clock: IntArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SyntheticResult:
    """Effects of a project of few units, with the diagnostics without which they should not be read.

    Parameters
    ----------
    effects : overall and event-time effects; draws are the same estimates for groups of donors.
    donors : (N,) identifiers of the comparison units.
    fits : one for each treated cohort.
    pre_rmspe, placebo_pre_rmspe : fit before entry, of the project and of its (B,) placebos.
    leave_one_out : (M,) overall effect without one donor, for every donor that carries weight.
    in_time : overall effect of an entry that did not happen, within the pre-periods; None where these are too few.
    """

    effects: Replicates
    donors: ObjectArray
    fits: tuple[CohortFit, ...]
    pre_rmspe: float
    placebo_pre_rmspe: FloatArray
    leave_one_out: FloatArray
    in_time: float | None

    def p_value(self) -> FloatArray:
        r"""Return (K,) the rank of each effect among those of the placebos, with the +1 rule.

        .. math:: p = \frac{1 + \#\{|\tau_b| / r_b \ge |\tau| / r\}}{1 + B}

        r is the pre-period error, so that a placebo that never fitted is not read as a large effect; where a fit is
        perfect it says nothing, and effects are ranked as they are.
        """
        own, scale = self.pre_rmspe, self.placebo_pre_rmspe
        if min(own, scale.min(initial=np.inf)) <= 1e-9 * max(own, scale.max(initial=0.0), 1e-300):
            own, scale = 1.0, np.ones(len(scale))
        against = np.abs(self.effects.draws) / scale[:, None]
        # equal up to rounding counts as equal, as for exchangeable units
        larger = against >= np.abs(self.effects.estimate) / own * (1 - 1e-9)
        return np.asarray((1 + larger.sum(axis=0)) / (1 + len(against)), dtype=np.float64)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return one tidy row per effect; see ``Replicates.to_frame``."""
        return self.effects.to_frame(level)

    def diagnostics(self) -> pd.DataFrame:
        """Return what a reader must see beside the effects: one row per measure."""
        import pandas as pd

        share = np.array([fit.unit_weights.max() for fit in self.fits])
        number = np.array([1 / (fit.unit_weights**2).sum() for fit in self.fits])
        rows = [
            ("pre-period root mean square error", self.pre_rmspe),
            ("same, median of the placebos", float(np.median(self.placebo_pre_rmspe))),
            ("largest weight of one donor", float(share.max())),
            ("effective number of donors", float(number.min())),
            ("overall effect without one donor, lowest", float(self.leave_one_out.min())),
            ("overall effect without one donor, highest", float(self.leave_one_out.max())),
            ("overall effect of an entry that did not happen", np.nan if self.in_time is None else self.in_time),
            ("placebo groups", float(len(self.placebo_pre_rmspe))),
            ("p-value of the overall effect", float(self.p_value()[0])),
        ]
        return pd.DataFrame(rows, columns=["measure", "value"])

    def __len__(self) -> int:
        return len(self.effects)

    def __repr__(self) -> str:
        return f"{self.effects!r}\n{self.diagnostics().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"{self.effects._repr_html_()}{self.diagnostics().to_html(index=False)}"


def estimate_synthetic(
    panel: Panel, design: StaggeredDesign, outcome: str, fit: Fit, method: str,
    *, weighting: Weighting, placebos: int, rng: np.random.Generator,
) -> SyntheticResult:  # fmt: skip
    """Return effects, placebo draws and diagnostics of a method that weights donors and pre-periods.

    A cohort is the mean of its units (of patients, if so weighted); effects of cohorts are averaged by treated units.
    Placebos are groups of donors with the project's cohort sizes, compared with the other donors.

    Raises
    ------
    EstimationError
        If a treated unit lacks outcomes, a cohort has fewer than five pre-periods, or there are over 2,000 donors.
    NotIdentifiedError
        If the donors are too few for one placebo.
    """
    setting, notes = _setting(panel, design, outcome, Weighting(weighting))
    sizes = [len(rows) for rows in setting.rows]
    fits = _fits(setting, fit)
    times, weights = _averages(setting)
    index = (
        EffectKey(outcome, "overall", Weighting(weighting)),
        *(EffectKey(outcome, "event_study", Weighting(weighting), event_time=int(e)) for e in times),
    )
    by_name = setting.donors[np.argsort(design.unit_ids[setting.donors].astype(str), kind="stable")]
    groups = _groups(by_name, sum(sizes), placebos, rng)
    draws, errors = np.empty((len(groups), len(index))), np.empty(len(groups))
    for b, group in enumerate(groups):
        parts = np.split(group, np.cumsum(sizes)[:-1])
        other = np.setdiff1d(setting.donors, group)
        pretended = replace(setting, rows=tuple(parts), donors=other)
        placebo = _fits(pretended, fit)
        draws[b] = _estimate(placebo, _averages(pretended)[1])
        errors[b] = _pre_error(placebo, pretended)
    reason = "one treated unit: its spread cannot be seen; the placebo rank is in p_value" if sum(sizes) == 1 else None
    effects = Replicates(
        index, _estimate(fits, weights), draws, method=method, no_error=(reason,) * len(index), notes=notes
    )  # fmt: skip
    return SyntheticResult(
        effects, design.unit_ids[setting.donors], fits, _pre_error(fits, setting), errors,
        _without_one(setting, fits, fit), _in_time(setting, fit),
    )  # fmt: skip


def _setting(
    panel: Panel, design: StaggeredDesign, outcome: str, weighting: Weighting
) -> tuple[_Setting, tuple[str, ...]]:
    sample = read_sample(panel, design, outcome, by_size=weighting == Weighting.PATIENT)
    usable = design.usable
    y, clock = sample.y[:, usable], design.clock[usable]
    cohorts = [int(g) for g in design.cohorts[:-1] if g <= clock[-1]]
    rows = [np.flatnonzero(design.entry == g) for g in cohorts]
    pre = [int((clock < g - design.anticipation).sum()) for g in cohorts]
    donors = np.flatnonzero(design.entry == design.control_only)
    whole: BoolArray = np.all(np.isfinite(y), axis=1)
    problems = []
    short = sum(n < LEAST_PRE_PERIODS for n in pre)
    if short:
        problems.append(f"{short} of {len(pre)} cohorts have fewer than {LEAST_PRE_PERIODS} periods before entry")
    gaps = int((~whole[np.concatenate(rows)]).sum()) if rows else 0
    if gaps:
        problems.append(f"{gaps} treated units lack outcomes in some period")
    if len(donors) > MOST_DONORS:
        raise EstimationError(
            f"{len(donors)} donors are more than the {MOST_DONORS} that a synthetic comparison is fitted to: with so "
            "many its weights are not unique. Use another estimator, or restrict the panel to like donors."
        )
    if problems:
        raise EstimationError(
            f"{'; '.join(problems)}. A synthetic comparison must be fitted on a complete path of some length: use "
            "another estimator, or restrict the panel to cohorts and periods that have one."
        )
    left, asked = int(whole[donors].sum()), sum(map(len, rows))
    if not rows or left < asked + 1:
        raise NotIdentifiedError(
            f"{asked} treated units and {left} complete donors: a placebo of the same size needs more donors than that."
        )
    notes = sample.about_units()
    if left < len(donors):
        notes.append(f"{len(donors) - left} of {len(donors)} donors lack outcomes in some period and are left out.")
    if design.control_only in design.clock:
        notes.append("Everybody enrolls: the donors are the last cohort, and periods from its entry on are left out.")
    donors = donors[whole[donors]]
    return _Setting(y, sample.w, tuple(rows), donors, tuple(cohorts), tuple(pre), clock), tuple(notes)


def _fits(setting: _Setting, fit: Fit) -> tuple[CohortFit, ...]:
    made = []
    donors = setting.y[setting.donors]
    for rows, cohort, pre in zip(setting.rows, setting.cohorts, setting.pre, strict=True):
        treated = np.average(setting.y[rows], axis=0, weights=setting.w[rows])
        omega, lam = fit(treated, donors, pre, len(rows))
        gap = treated - omega @ donors
        made.append(CohortFit(cohort, omega, lam, gap - lam @ gap[:pre]))
    return tuple(made)


def _averages(setting: _Setting) -> tuple[IntArray, FloatArray]:
    """Return the event times from anticipation on, and (K, G, T) weights on gaps: overall, then each event time."""
    event = setting.clock - np.array(setting.cohorts)[:, None]
    after = np.arange(len(setting.clock)) >= np.array(setting.pre)[:, None]
    mass = np.array([setting.w[rows].sum() for rows in setting.rows])[:, None]
    times = np.unique(event[after])
    stack = np.stack([after & (event >= 0), *(after & (event == e) for e in times)]) * mass
    return times, np.asarray(stack / stack.sum(axis=(1, 2), keepdims=True), dtype=np.float64)


def _estimate(fits: tuple[CohortFit, ...], weights: FloatArray) -> FloatArray:
    return np.einsum("kgt,gt->k", weights, np.stack([fit.gap for fit in fits]))


def _pre_error(fits: tuple[CohortFit, ...], setting: _Setting) -> float:
    mass = [setting.w[rows].sum() for rows in setting.rows]
    return float(np.sqrt(np.average([fit.pre_rmspe**2 for fit in fits], weights=mass)))


def _groups(donors: IntArray, size: int, limit: int, rng: np.random.Generator) -> list[IntArray]:
    """Return placebo groups: each donor alone, or random ones, whatever the order of the rows; at most the limit."""
    if size == 1 and len(donors) <= limit:
        return [donors[[j]] for j in range(len(donors))]
    if size == 1:
        return [donors[[j]] for j in rng.choice(len(donors), limit, replace=False)]
    return [donors[rng.choice(len(donors), size, replace=False)] for _ in range(limit)]


def _without_one(setting: _Setting, fits: tuple[CohortFit, ...], fit: Fit) -> FloatArray:
    """Return the overall effect without each donor that has at least a thousandth of the weight in some cohort."""
    carrying = np.flatnonzero(np.max([f.unit_weights for f in fits], axis=0) >= 1e-3)
    overall = []
    for j in carrying:
        fewer = replace(setting, donors=np.delete(setting.donors, j))
        overall.append(_estimate(_fits(fewer, fit), _averages(fewer)[1][:1])[0])
    return np.array(overall)


def _in_time(setting: _Setting, fit: Fit) -> float | None:
    """Return the overall effect of an entry h periods early, seen up to the true one; h as long as five remain."""
    ahead = min(max(len(setting.clock) - n for n in setting.pre), min(setting.pre) - LEAST_PRE_PERIODS)
    if ahead < 1:
        return None
    total, mass = 0.0, 0.0
    for rows, cohort, pre in zip(setting.rows, setting.cohorts, setting.pre, strict=True):
        early = replace(
            setting, y=setting.y[:, :pre], clock=setting.clock[:pre], rows=(rows,), cohorts=(cohort,),
            pre=(pre - ahead,),
        )  # fmt: skip
        size = float(setting.w[rows].sum())
        total, mass = total + size * float(_fits(early, fit)[0].gap[pre - ahead :].mean()), mass + size
    return total / mass
