"""How far a region's conclusions carry: trends that differ, many outcomes; in numbers, as frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.aggregate import event_study
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna, supported_cells
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.honest import RobustInterval, breakdown, breakdown_relative, relative_magnitudes, smoothness
from mtvp_eval.inference.honest_study import FEW_CLUSTERS, HonestStudy
from mtvp_eval.inference.multiplicity import Family, benjamini_hochberg, families, p_values, romano_wolf
from mtvp_eval.inference.pretrend_power import detectable_slope, pretrend_power

if TYPE_CHECKING:
    import pandas as pd

BOUNDS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Mbar shown: the change of trends after entry against its largest change before."""
SMOOTHNESS = (0.0, 0.25, 0.5, 1.0)
"""M shown, in standard errors of the effect, so that it means the same for every outcome."""
POWERS = (0.5, 0.8)
"""Chances of being found for which a drift before entry is shown."""
PRETREND_DRAWS = 20_000
"""Draws behind them: the Monte Carlo error of a chance is 0.0035 at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Hold what the conclusions rest on.

    `families` has a row an outcome: outcome, estimand, p, p_adjusted, family, adjustment. `trends` has a row a
    restriction and bound for the primary outcome: outcome, estimand, restriction, mbar, low, high, open_end, breakdown.
    `pretrends` has a row a power: outcome, power, drift a quarter that a test before entry finds with it, bias of the
    mean effect, the same once the test is passed, and quarters tested.
    `refused` says why a part is missing. `few` is the number of clusters behind `trends` where that is too small for
    their covariance to be taken as known, else 0.
    """

    families: pd.DataFrame
    trends: pd.DataFrame
    pretrends: pd.DataFrame
    refused: str = ""
    few: int = 0


def sensitivity(panel: Panel, design: StaggeredDesign, joint: EffectEstimates, config: EvaluationConfig) -> Sensitivity:
    """Return adjusted p-values of every outcome's overall effect, and robust intervals of the primary outcome.

    `joint` holds the overall effect of each outcome per practice. The primary outcome's p-value is not adjusted. A
    region with too few quarters before entry has no robust intervals and says so; nothing is raised.
    """
    rng = np.random.default_rng(config.estimation.seed)
    adjusted = adjusted_p_values(joint.select(estimand="overall", weighting=Weighting.PRACTICE), config, rng)
    try:
        study, clusters = _study(panel, design, config)
        trends = _trends(study, config, rng)
    except MtvpError as error:
        return Sensitivity(adjusted, _trends_frame([]), _pretrends_frame([]), str(error))
    return Sensitivity(adjusted, trends, _pretrends(study, config, rng), "", clusters if clusters < FEW_CLUSTERS else 0)


def adjusted_p_values(effects: EffectEstimates, config: EvaluationConfig, rng: np.random.Generator) -> pd.DataFrame:
    """Return one row an effect with its p-value, adjusted within its declared family.

    Secondary outcomes step down by Romano and Wolf; exploratory ones go by Benjamini and Hochberg. An outcome without
    a standard error has no p-value and leaves its family, which the empty cells show.
    """
    import pandas as pd

    family = families([k.outcome for k in effects.index], config.outcomes.primary, config.outcomes.secondary)
    p = p_values(effects)
    adjusted = p.copy()
    second = [j for j, f in enumerate(family) if f == Family.SECONDARY and np.isfinite(p[j])]
    third = [j for j, f in enumerate(family) if f == Family.EXPLORATORY]
    if second:
        adjusted[second] = romano_wolf(effects.take(second), rng)
    adjusted[third] = benjamini_hochberg(p[third])
    method = {Family.PRIMARY: "none", Family.SECONDARY: "romano_wolf", Family.EXPLORATORY: "benjamini_hochberg"}
    return pd.DataFrame(
        {
            "outcome": [k.outcome for k in effects.index],
            "estimand": [k.estimand for k in effects.index],
            "p": p,
            "p_adjusted": adjusted,
            "family": [str(f) for f in family],
            "adjustment": [method[f] for f in family],
        }
    )


def _study(panel: Panel, design: StaggeredDesign, config: EvaluationConfig) -> tuple[HonestStudy, int]:
    """Event study of the primary outcome from one universal base, by the declared method; and its clusters."""
    choices, name, base = config.estimation, config.outcomes.primary, BasePeriod.UNIVERSAL
    covariates, method = choices.covariates, Adjustment(choices.method)
    cells, _ = supported_cells(panel, design, name, covariates=covariates, method=method, base_period=base)
    single = callaway_santanna(panel, design, name, covariates=covariates, method=method, base_period=base, cells=cells)
    study = aggregate(single, design, event_study(design, base=base, within=cells))
    read = HonestStudy.of(study, first=choices.event_first, last=choices.event_last)
    return read, study.n_clusters


def _trends(study: HonestStudy, config: EvaluationConfig, rng: np.random.Generator) -> pd.DataFrame:
    """Robust intervals of the first effect and of the mean effect after entry, with their breakdown values."""
    P, level, rows = len(study.after), config.estimation.level, []
    targets = {"first": np.eye(P)[0], "mean": np.full(P, 1 / P)} if P > 1 else {"first": np.ones(1)}
    for target, post in targets.items():
        error = study.combination(post)[1]
        limits = tuple(m * error for m in SMOOTHNESS)
        at = breakdown_relative(study, post, rng, level=level)
        rows += [
            _row(config, target, "relative_magnitudes", found, found.bound, at)
            for found in relative_magnitudes(study, post, BOUNDS, rng, level=level)
        ]
        at = breakdown(_smooth(study, post, level, error))
        rows += [
            _row(config, target, "smoothness", found, m, at)
            for m, found in zip(SMOOTHNESS, smoothness(study, post, limits, level=level), strict=True)
        ]
    return _trends_frame(rows)


def _pretrends(study: HonestStudy, config: EvaluationConfig, rng: np.random.Generator) -> pd.DataFrame:
    """Return the drifts that the test before entry finds with given chances, and what they do to the mean effect."""
    rows: list[tuple[object, ...]] = []
    for power in POWERS:
        try:
            slope = detectable_slope(study, power, rng, level=config.estimation.level, draws=PRETREND_DRAWS)
            found = pretrend_power(study, slope, rng, level=config.estimation.level, draws=PRETREND_DRAWS)
        except MtvpError:
            continue
        bias, passed = float(found.bias.mean()), float(found.bias_if_passed.mean())
        rows.append((config.outcomes.primary, power, slope, bias, passed, len(study.before)))
    return _pretrends_frame(rows)


def _pretrends_frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=["outcome", "power", "drift", "bias", "bias_if_passed", "quarters"])


def _smooth(study: HonestStudy, post: FloatArray, level: float, error: float) -> Callable[[float], RobustInterval]:
    return lambda m: smoothness(study, post, (m * error,), level=level)[0]


def _row(
    config: EvaluationConfig, target: str, restriction: str, found: RobustInterval, bound: float, at: float
) -> tuple[object, ...]:
    return (config.outcomes.primary, target, restriction, bound, found.low, found.high, found.open_end, at)


def _trends_frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    columns = ("outcome", "estimand", "restriction", "mbar", "low", "high", "open_end", "breakdown")
    return pd.DataFrame(rows, columns=list(columns))
