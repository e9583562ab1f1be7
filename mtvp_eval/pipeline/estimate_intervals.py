"""Intervals that `mtvp estimate` makes on request beside its default: other corrections, refits, wild bootstraps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import CommandError, EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.method import Choices, Found
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.inference.cluster_robust import Kind, TwoWayRows, cluster_robust, deletion_covariance, two_way_rows
from mtvp_eval.inference.score_bootstrap import score_bootstrap
from mtvp_eval.inference.wild_bootstrap import Multiplier, wild_cluster_bootstrap

INTERVALS = ("default", "normal", "hc2", "cr1", "cr2", "cr3", "wild")
SEED = 1
"""Start of the drawn signs, so that a question has one answer."""
FEW_MULTIPLIERS = 10
"""Clusters below which Webb's six points replace two."""
_CORRECTIONS = {"normal": "none", "hc2": "hc2", "cr1": "cr1"}
_WILD = ("callaway_santanna", "twfe")
"""Methods whose wild bootstrap was tried by simulation (docs/inference.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One fit as asked: which method, on what, and how to make it again on fewer units."""

    name: str
    panel: Panel
    design: StaggeredDesign
    outcome: str
    estimands: Sequence[str]
    choices: Choices
    remade: Callable[[Panel], StaggeredDesign]

    def fit(self) -> Found:
        """Return the effects with their own default variance."""
        return registry.run(self.name, self.panel, self.design, self.outcome, self.estimands, self.choices)


def refuse_interval(interval: str, name: str, estimands: Sequence[str], choices: Choices) -> list[str]:
    """Return every reason why a method has no such interval; empty if it has.

    >>> refuse_interval("wild", "sun_abraham", ["overall"], Choices())
    ['interval wild was tried for callaway_santanna and twfe only; use hc2, cr1 or cr3 for sun_abraham']
    """
    if interval == "cr2" and (name != "twfe" or tuple(estimands) != ("overall",) or choices.covariates):
        return ["interval cr2 needs one design matrix: estimator twfe, estimands [overall], no covariates; or use cr3"]
    if interval == "wild" and name not in _WILD:
        return [f"interval wild was tried for {' and '.join(_WILD)} only; use hc2, cr1 or cr3 for {name}"]
    if interval == "wild" and name == "twfe" and (tuple(estimands) != ("overall",) or choices.covariates):
        return ["interval wild tests one coefficient of twfe: estimands [overall], no covariates"]
    return []


def with_interval(records: list[dict[str, Any]], effects: Found, interval: str, asked: Asked, level: float) -> None:
    """Put the interval asked for into the records of a fit, in place of its default.

    Raises
    ------
    CommandError
        If the method's errors are no influence values and another interval than cr3 is asked for.
    EstimationError
        If a refit fails without one of the clusters, or a bootstrap rests on too few.
    """
    if interval == "cr3":
        _put(records, *_left_out(effects, asked, level), "CR3 by leaving one cluster out, t")
        return
    if not isinstance(effects, EffectEstimates):
        raise CommandError(f"{asked.name} has its own standard errors; interval {interval} does not apply. Use cr3.")
    if interval == "cr2":
        found = cluster_robust(_rows(asked), Kind.CR2)
        error, df = np.sqrt(np.diag(found.covariance))[:1], found.df[:1]
        _put(records, error, df, found.interval(level)[:1], "CR2, Satterthwaite t")
    elif asked.name == "twfe":
        _wild_regression(records, asked, level)
    else:
        _wild_scores(records, effects, asked, level)


def corrected(effects: Found, interval: str) -> Found:
    """Return effects with the correction that an interval is named after; others as they are."""
    if interval in _CORRECTIONS and isinstance(effects, EffectEstimates):
        return effects.with_correction(_CORRECTIONS[interval])
    return effects


def _left_out(effects: Found, asked: Asked, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return errors, degrees of freedom and intervals from refits without one cluster at a time."""
    from scipy.special import stdtrit

    used = np.isin(asked.panel.unit_ids.astype(str), asked.design.unit_ids.astype(str))
    panel = asked.panel.restrict(used, "estimate", "in the design")
    code = np.unique(panel.cluster.astype(str), return_inverse=True)[1].astype(np.int64)

    def refit(keep: BoolArray) -> FloatArray:
        fewer = panel.restrict(keep, "estimate", "one cluster left out")
        found = registry.run(asked.name, fewer, asked.remade(fewer), asked.outcome, asked.estimands, asked.choices)
        place = {key: j for j, key in enumerate(found.index)}
        if set(place) != set(effects.index):
            raise EstimationError(
                "Without one of the clusters other cohorts or periods can be estimated: no CR3. Ask for fewer "
                "estimands, such as [overall], or use hc2."
            )
        return found.estimate[[place[key] for key in effects.index]]

    error = np.sqrt(np.diag(deletion_covariance(effects.estimate, refit, code)))
    df = np.full(len(effects), float(code.max()))
    half = stdtrit(df, 0.5 + level / 2) * error
    return error, df, np.column_stack([effects.estimate - half, effects.estimate + half])


def _rows(asked: Asked) -> TwoWayRows:
    """Return the rows of the static two-way regression."""
    panel, design = asked.panel, asked.design
    place = design.rows_in(panel.unit_ids)
    on = (design.clock[None, :] >= design.entry[:, None] - design.anticipation).astype(np.float64)
    code = np.unique(panel.cluster[place].astype(str), return_inverse=True)[1].astype(np.int64)
    weight = design.size if asked.choices.weighting is Weighting.PATIENT else None
    return two_way_rows(panel.outcomes[asked.outcome][place], on[:, :, None], code, weight)


def _wild_regression(records: list[dict[str, Any]], asked: Asked, level: float) -> None:
    rows = _rows(asked)
    seen = np.isfinite(asked.panel.outcomes[asked.outcome][asked.design.rows_in(asked.panel.unit_ids)])
    on = (asked.design.clock[None, :] >= asked.design.entry[:, None] - asked.design.anticipation)[seen]
    law = _law(rows.n_clusters)
    found = wild_cluster_bootstrap(rows, on, np.random.default_rng(SEED), level=level, multiplier=law)
    ends = np.array([[found.low, found.high]])
    _put(records, np.array([found.std_error]), np.array([np.inf]), ends, f"wild cluster bootstrap 31, {law}")
    records[0]["p_value"] = found.p_value


def _wild_scores(records: list[dict[str, Any]], effects: EffectEstimates, asked: Asked, level: float) -> None:
    for k, (key, record) in enumerate(zip(effects.index, records, strict=True)):
        one = effects.take([k])
        law = _law(one.n_clusters)
        sides = _sides(asked.design, key, one.influence[:, 0] != 0)
        found = score_bootstrap(one, *sides, np.random.default_rng(SEED), multiplier=law, level=level)
        ends = np.column_stack([found.low, found.high])
        _put([record], found.std_error, np.array([np.inf]), ends, f"wild score bootstrap, {law}")
        record["p_value"] = float(found.p_value[0])


def _law(clusters: int) -> Multiplier:
    return Multiplier.WEBB if clusters < FEW_MULTIPLIERS else Multiplier.RADEMACHER


def _sides(design: StaggeredDesign, key: EffectKey, seen: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Return the units enrolled in what a key averages, and those that stand for the others, in the design's order."""
    if key.cohort is not None:
        return seen & (design.entry == key.cohort), seen & (design.entry != key.cohort)
    period = design.entry if key.event_time is None else design.entry + max(key.event_time, 0)
    return seen & (period <= design.last_period), seen & (design.entry > design.cohorts[0])


def _put(records: list[dict[str, Any]], error: FloatArray, df: FloatArray, ends: FloatArray, method: str) -> None:
    for record, e, d, (low, high) in zip(records, error, df, ends, strict=True):
        if record["std_error"] is None:
            continue
        record |= {"std_error": float(e), "ci_low": float(low), "ci_high": float(high), "ci_method": method}
        record["df"] = float(d) if np.isfinite(d) else None
