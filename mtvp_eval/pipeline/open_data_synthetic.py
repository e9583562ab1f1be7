"""Synthetic control and synthetic DiD by project where enough years of one sector definition precede the start.

Source: specification section 7 (refusal, diagnostics, in-time placebo, leave-one-donor-out, rank with +1);
Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111, for synthetic DiD.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.open_data.codes import Break
from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.simplex import simplex_least_squares
from mtvp_eval.estimators.synthetic_cohorts import LEAST_PRE_PERIODS, SyntheticResult
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.estimators.synthetic_did import did_weights
from mtvp_eval.pipeline.open_data import sample, why_not
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_exposed import entry_year
from mtvp_eval.pipeline.open_data_results import OpenData

PERFECT = 1e-9
"""Error before the start, in log points, under which a synthetic control is not unique."""
CHANGES_THE_SECTOR = frozenset({"definition", "coverage", "tariff"})


@dataclass(frozen=True, slots=True)
class SyntheticFit:
    """One synthetic control in log points, or why there is none (`refused`: few_years, not_unique, no_fit or a gap).

    Parameters
    ----------
    first_year, clean_years : the window before the start: from which year, and how many years of one definition.
    estimate, p_value : overall effect; rank among donors' placebos with the +1 rule.
    pre_rmspe, placebo_rmspe : error before the start, of the project and in the median placebo.
    largest_weight, effective_donors : concentration; one over the sum of squared weights.
    without_low, without_high : least and largest effect without one donor that carries weight.
    in_time : effect of a start that did not happen, within the years before; NaN where they are too few.
    did_estimate, did_rmspe, did_donors : synthetic DiD in log points, its error before the start about its own level,
        and its effective donors; its ridge makes the weights unique where those of the synthetic control are not.
    """

    project: str
    outcome: str
    first_year: int
    clean_years: int
    refused: str = ""
    estimate: float = float("nan")
    p_value: float = float("nan")
    pre_rmspe: float = float("nan")
    placebo_rmspe: float = float("nan")
    largest_weight: float = float("nan")
    effective_donors: float = float("nan")
    without_low: float = float("nan")
    without_high: float = float("nan")
    in_time: float = float("nan")
    placebos: int = 0
    did_estimate: float = float("nan")
    did_rmspe: float = float("nan")
    did_donors: float = float("nan")


def synthetic_fits(config: OpenDataConfig, data: OpenData) -> tuple[SyntheticFit, ...]:
    """Return what can be fitted for every project on every outcome that is no GP column, or why nothing is."""
    outcomes = (config.primary, *config.secondary)
    return tuple(_of_project(config, data, p, outcome) for p in data.projects for outcome in outcomes)


def clean_from(breaks: tuple[Break, ...], outcome: str, first: int, last: int) -> int:
    """Return the first year from which a sector means one thing up to `last`; at the earliest `first`.

    >>> found = (Break("hospital", 2015, "definition", "w", "s"), Break("all", 2016, "shock", "w", "s"))
    >>> clean_from(found, "hospital", 2011, 2018), clean_from(found, "pharmacy", 2011, 2018)
    (2015, 2011)
    """
    crossed = [
        b.year
        for b in breaks
        if b.sector in (outcome, "all") and b.kind in CHANGES_THE_SECTOR and first < b.year <= last
    ]
    return max(crossed, default=first)


def _of_project(config: OpenDataConfig, data: OpenData, project: Project, outcome: str) -> SyntheticFit:
    gap = why_not(config, data, [project], outcome)
    base = entry_year(data, project) - 1 - config.estimation.anticipation
    first, years, why = 0, 0, gap.key if gap else ""
    if gap is None:
        panel, _ = sample(config, data, [project], outcome)
        first = clean_from(data.breaks, outcome, int(panel.clock[0]), base)
        years = base - first + 1
        why = "few_years" if years < LEAST_PRE_PERIODS else ""
    refused = SyntheticFit(project.name, outcome, first, years, why or "no_fit")
    return refused if why else _tried(config, data, project, refused)


def _tried(config: OpenDataConfig, data: OpenData, project: Project, refused: SyntheticFit) -> SyntheticFit:
    """Fit what can be fitted; `refused` names it and its window."""
    panel, design = sample(config, data, [project], refused.outcome, refused.first_year)
    paths = _paths(panel, design, refused.outcome)
    refused = _with_did(refused, paths)
    if _fits_perfectly(paths):
        return replace(refused, refused="not_unique")
    rng = np.random.default_rng(config.estimation.seed)
    try:
        found = synthetic_control(
            panel, design, refused.outcome, rng=rng, placebos=config.placebo.groups, weighting=Weighting.PATIENT
        )
    except (EstimationError, NotIdentifiedError):
        return refused
    return _fit(refused, found)


@dataclass(frozen=True, slots=True)
class _Paths:
    """Yearly means of the project (T,) and donors (N, T); `pre` years come before its base ends, `after` are full."""

    treated: FloatArray
    donors: FloatArray
    pre: int
    after: BoolArray
    members: int


def _paths(panel: Panel, design: StaggeredDesign, outcome: str) -> _Paths:
    rows = design.rows_in(panel.unit_ids)
    y, w, enters = panel.outcomes[outcome][rows], panel.weight[rows], design.cohort_index == 0
    entry = design.cohorts[0]
    pre = int((design.clock < entry - design.anticipation).sum())
    treated = np.average(y[enters], axis=0, weights=w[enters])
    return _Paths(treated, y[~enters], pre, design.clock >= entry, int(enters.sum()))


def _fits_perfectly(paths: _Paths) -> bool:
    """Whether the untouched follow the years before exactly: with fewer years than donors many mixtures then do."""
    treated, donors = paths.treated[: paths.pre], paths.donors[:, : paths.pre]
    gap = treated - simplex_least_squares(donors.T, treated) @ donors
    return float(np.sqrt(np.mean(gap**2))) < PERFECT


def _with_did(named: SyntheticFit, paths: _Paths) -> SyntheticFit:
    r"""Add synthetic DiD: the gap over the full years less that over the weighted years before.

    .. math:: \hat\tau = \bar g_{t \ge e} - \sum_{s<e} \lambda_s g_s, \qquad g_t = Y_{1t} - \sum_j \omega_j Y_{jt}
    """
    omega, years = did_weights(paths.treated, paths.donors, paths.pre, paths.members)
    gap = paths.treated - omega @ paths.donors
    before = gap[: paths.pre]
    return replace(
        named,
        did_estimate=float(gap[paths.after].mean() - years @ before),
        did_rmspe=float(before.std()),
        did_donors=float(1 / (omega**2).sum()),
    )


def _fit(named: SyntheticFit, found: SyntheticResult) -> SyntheticFit:
    weights = found.fits[0].unit_weights
    return replace(
        named,
        refused="",
        estimate=float(found.effects.estimate[0]),
        p_value=float(found.p_value()[0]),
        pre_rmspe=found.pre_rmspe,
        placebo_rmspe=float(np.median(found.placebo_pre_rmspe)),
        largest_weight=float(weights.max()),
        effective_donors=float(1 / (weights**2).sum()),
        without_low=float(found.leave_one_out.min()),
        without_high=float(found.leave_one_out.max()),
        in_time=float("nan") if found.in_time is None else found.in_time,
        placebos=len(found.placebo_pre_rmspe),
    )
