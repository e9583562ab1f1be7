"""How far a region's conclusions carry: trends that differ, many outcomes; in numbers, as frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.dictionary.schema import KnownBreak
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
FULL_BOUNDS, FULL_SMOOTHNESS = (1.0,), (0.0,)
"""Mbar and M shown once more over all quarters before entry, where known breaks shorten the window."""
POWERS = (0.5, 0.8)
"""Chances of being found for which a drift before entry is shown."""
PRETREND_DRAWS = 20_000
"""Draws behind them: the Monte Carlo error of a chance is 0.0035 at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Hold what the conclusions rest on.

    `families` has a row an outcome: outcome, estimand, p, p_adjusted, family, adjustment. `trends` has a row a
    restriction and bound for the primary outcome: outcome, window, quarters, estimand, restriction, mbar, low, high,
    open_end, breakdown. The window is "clear": the quarters before entry that no known break parts from the base. Where
    these are not all, rows of the window "full" take every quarter asked for, breaks included, at one bound each.
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


def sensitivity(
    panel: Panel,
    design: StaggeredDesign,
    joint: EffectEstimates,
    config: EvaluationConfig,
    breaks: Collection[KnownBreak] = (),
) -> Sensitivity:
    """Return adjusted p-values of every outcome's overall effect, and robust intervals of the primary outcome.

    `joint` holds the overall effect of each outcome per practice. The primary outcome's p-value is not adjusted. The
    window before entry stops where a known break lies between it and the base. A region with too few quarters in it has
    no robust intervals and says so; nothing is raised.
    """
    rng = np.random.default_rng(config.estimation.seed)
    adjusted = adjusted_p_values(joint.select(estimand="overall", weighting=Weighting.PRACTICE), config, rng)
    choices = config.estimation
    crossing = [known for known in breaks if known.touches(config.outcomes.primary)]
    first = clear_first(design, crossing, choices.event_first)
    try:
        effects = _event_study(panel, design, config)
        study = HonestStudy.of(effects, first=first, last=choices.event_last)
        rows = _trends(study, "clear", BOUNDS, SMOOTHNESS, config, rng)
        full = HonestStudy.of(effects, first=choices.event_first, last=choices.event_last)
        if len(full.before) > len(study.before):
            rows += _trends(full, "full", FULL_BOUNDS, FULL_SMOOTHNESS, config, rng)
    except MtvpError as error:
        reason = str(error)
        if first > choices.event_first:
            names = ", ".join(sorted(known.name for known in crossing))
            reason += f" Quarters parted from the last one before entry by a known break ({names}) are left out."
        return Sensitivity(adjusted, _trends_frame([]), _pretrends_frame([]), reason)
    clusters = effects.n_clusters
    pretrends = _pretrends(study, config, rng)
    return Sensitivity(adjusted, _trends_frame(rows), pretrends, "", clusters if clusters < FEW_CLUSTERS else 0)


def clear_first(design: StaggeredDesign, breaks: Collection[KnownBreak], first: int) -> int:
    """Return the first event time, `first` or later, that no break parts from the base in any enrolled cohort.

    >>> from mtvp_eval.clock import quarter
    >>> entry = np.array([quarter("2023Q1"), quarter("2023Q3"), quarter("2025Q1")])
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), entry, np.arange(quarter("2019Q1"), entry[2]))
    >>> covid = KnownBreak("covid", quarter("2020Q1"), quarter("2021Q4"), ("all",), "", "", "")
    >>> clear_first(design, [covid], -8), clear_first(design, [], -8)
    (-4, -8)
    """
    base = -1 - design.anticipation
    starts = [int(g) for g in design.cohorts if g <= design.last_period]
    for event_time in range(base - 1, first - 1, -1):
        if any(known.inside(g + event_time, g + base) for known in breaks for g in starts):
            return event_time + 1
    return first


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


def _event_study(panel: Panel, design: StaggeredDesign, config: EvaluationConfig) -> EffectEstimates:
    """Event study of the primary outcome from one universal base, by the declared method."""
    choices, name, base = config.estimation, config.outcomes.primary, BasePeriod.UNIVERSAL
    covariates, method = choices.covariates, Adjustment(choices.method)
    cells, _ = supported_cells(panel, design, name, covariates=covariates, method=method, base_period=base)
    single = callaway_santanna(panel, design, name, covariates=covariates, method=method, base_period=base, cells=cells)
    return aggregate(single, design, event_study(design, base=base, within=cells))


def _trends(
    study: HonestStudy,
    window: str,
    bounds: Sequence[float],
    smooth: Sequence[float],
    config: EvaluationConfig,
    rng: np.random.Generator,
) -> list[tuple[object, ...]]:
    """Robust intervals of the first effect and of the mean effect after entry, with their breakdown values.

    `smooth` is in standard errors of the effect.
    """
    P, level = len(study.after), config.estimation.level
    rows: list[tuple[object, ...]] = []
    head = (config.outcomes.primary, window, len(study.before))
    targets = {"first": np.eye(P)[0], "mean": np.full(P, 1 / P)} if P > 1 else {"first": np.ones(1)}
    for target, post in targets.items():
        error = study.combination(post)[1]
        at = breakdown_relative(study, post, rng, level=level)
        rows += [
            (*head, target, "relative_magnitudes", found.bound, found.low, found.high, found.open_end, at)
            for found in relative_magnitudes(study, post, bounds, rng, level=level)
        ]
        at = breakdown(_smooth(study, post, level, error))
        rows += [
            (*head, target, "smoothness", m, found.low, found.high, found.open_end, at)
            for m, found in zip(
                smooth, smoothness(study, post, tuple(m * error for m in smooth), level=level), strict=True
            )
        ]
    return rows


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


def _trends_frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    columns = (
        "outcome", "window", "quarters", "estimand", "restriction", "mbar", "low", "high", "open_end", "breakdown",
    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))
