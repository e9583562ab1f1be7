"""Registry of methods: names for question files, what each supports, and why it refuses what it does not.

Source: the module of each method names its paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.adapters import (
    adjusted_averages,
    callaway_averages,
    entries_of,
    lottery_averages,
    regression_averages,
    shapes_of,
    synthetic,
    weighted_averages,
)
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.etwfe import etwfe, saturated_set
from mtvp_eval.estimators.etwfe_poisson import etwfe_poisson
from mtvp_eval.estimators.imputation import enrolled_cells, imputation
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.estimators.lottery_efficient import lottery_efficient
from mtvp_eval.estimators.method import AnyDesign, Averages, Choices, Found, Method, Supported, declared, staggered_of
from mtvp_eval.estimators.poisson_fe import poisson_fe
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.stacked import stacked
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee
from mtvp_eval.estimators.sun_abraham import against_last, sun_abraham
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.estimators.synthetic_did import synthetic_did
from mtvp_eval.estimators.twfe import twfe
from mtvp_eval.estimators.two_stage import two_stage

ENOUGH_UNITS = 50
"""Units or clusters from which on the authors' own variance is used: below, its intervals cover too little."""

_PUBLISHED = {
    "callaway_santanna": "none", "imputation": "none", "two_stage": "none",
    "sun_abraham": "fixest", "etwfe": "fixest", "etwfe_poisson": "fixest", "poisson_fe": "fixest", "twfe": "fixest",
}  # fmt: skip
"""What the original prints: did, didimputation and did2s no factor, fixest its own; lottery keeps Neyman's (HC2)."""


def refusals(name: str, design: AnyDesign, estimands: Sequence[str], choices: Choices) -> list[str]:
    """Return every reason why a method cannot do what is asked; empty if it can.

    Raises
    ------
    EstimationError
        If no method has that name.

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([3, 9]), np.array([1, 2, 3]))
    >>> refusals("stacked", design, ["event_study"], Choices(covariates=("age",)))
    ['stacked takes no covariates: its weights make the stack a difference of means; use callaway_santanna']
    """
    method, whole = method_named(name), staggered_of(design)
    chances = design.entry_probability if isinstance(design, LotteryDesign) else None
    asked = {
        "covariates": bool(choices.covariates),
        "patient_weights": choices.weighting == Weighting.PATIENT,
        "exposure": choices.exposure is not None,
        "never_enrolled": whole.comparison == Comparison.NEVER_ENROLLED and len(whole.cohorts) > 2,
        "anticipation": design.anticipation > 0,
        "undrawn": chances is None,
    }
    words = {
        "covariates": "takes no covariates", "patient_weights": "takes no weights", "exposure": "takes no exposure",
        "never_enrolled": "cannot compare with the never-enrolled only", "anticipation": "allows no anticipation",
        "undrawn": "needs a declared draw that can be replayed",
    }  # fmt: skip
    found = [f"{name} {words[key]}: {method.refuses[key]}" for key, on in asked.items() if on and key in method.refuses]
    found += [f"{name} has no choice {option}" for option in sorted(set(choices.options) - method.options)]
    missing = [e for e in estimands if e not in method.estimands]
    if missing:
        found.append(f"{name} does not estimate {', '.join(missing)}; it gives {', '.join(sorted(method.estimands))}")
    return found


def run(name: str, panel: Panel, design: AnyDesign, outcome: str, estimands: Sequence[str], choices: Choices) -> Found:
    """Estimate the named estimands of one outcome by a registered method.

    Raises
    ------
    EstimationError
        If the method does not support what is asked (all reasons at once), or the data do not allow an estimate.

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> [run(m, panel, design, "y", ["overall"], Choices()).estimate.round(6).tolist() for m in ("etwfe", "imputation")]
    [[3.5], [3.5]]
    """
    _refuse(refusals(name, design, estimands, choices))
    gives = method_named(name).gives
    if not isinstance(gives, Averages):
        return gives(panel, staggered_of(design), outcome, estimands, choices)
    cells = gives.cells(design, choices)
    made = declared(estimands, gives.read(design), choices.weighting, cells, gives.base(choices))
    return gives.estimate(panel, design, outcome, made, choices)


def averages(name: str) -> Averages:
    """Return how a method estimates any average or total of cells.

    Raises
    ------
    EstimationError
        If it has effects of its own only, of which no total over cohorts and quarters can be made.

    """
    method = method_named(name)
    if not isinstance(method.gives, Averages):
        raise EstimationError(
            f"{name} gives {', '.join(sorted(method.estimands))}, and no effect on a cohort in a period in the "
            "outcome's own unit, of which totals are sums."
        )
    return method.gives


def supported(name: str, panel: Panel, design: AnyDesign, outcome: str, choices: Choices) -> Supported:
    """Return the cells of a method in which covariates allow a comparison, and why not in the others.

    Raises
    ------
    EstimationError
        If the method has no cells, or does not support what is asked.
    """
    gives = averages(name)
    _refuse(refusals(name, design, (), choices))
    if gives.supported is None:
        return gives.cells(design, choices), {}
    return gives.supported(panel, design, outcome, choices)


def estimate(
    name: str, panel: Panel, design: AnyDesign, outcome: str, estimands: Sequence[Estimand], choices: Choices
) -> EffectEstimates:
    """Return the effects of declared estimands by a method that averages cells.

    Raises
    ------
    EstimationError
        If the method has no cells, does not support what is asked, or the data do not allow an estimate.
    """
    gives = averages(name)
    _refuse(refusals(name, design, (), choices))
    return gives.estimate(panel, design, outcome, estimands, choices)


def _refuse(reasons: Sequence[str]) -> None:
    if reasons:
        raise EstimationError("; ".join(reasons) + ".")


def together(name: str, estimands: Sequence[str]) -> list[Sequence[str]]:
    """Return the estimands that one fit gives: all of them, or one each where each is a regression of its own.

    >>> together("twfe", ["overall", "event_study"]), together("etwfe", ["overall", "event_study"])
    ([['overall'], ['event_study']], [['overall', 'event_study']])
    """
    return [[e] for e in estimands] if name in ("twfe", "poisson_fe") else [estimands]


def published(name: str, effects: Found) -> Found:
    """Return effects with the variance its authors' own code prints, where there are enough units for it.

    With fewer than 50 units (or clusters) the effects keep their default, HC2 by cohort or CR1 with few degrees of
    freedom: the original's normal intervals cover too little there. The interval's method says which was used.

    Example
    -------
    >>> import numpy as np
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> few = EffectEstimates((EffectKey("y", "overall"),), np.zeros(1), np.arange(4).astype(object),
    ...     np.ones((4, 1)), np.array([0, 0, 1, 1]), correction="hc2")
    >>> published("callaway_santanna", few).correction
    'hc2'
    """
    wanted = _PUBLISHED.get(name)
    if wanted is None or not isinstance(effects, EffectEstimates) or effects.n_clusters < ENOUGH_UNITS:
        return effects
    return effects.with_correction(wanted)


def method_named(name: str) -> Method:
    """Return the method of a name, or raise ``EstimationError`` with the nearest name."""
    from mtvp_eval.settings import nearest

    if name not in METHODS:
        raise EstimationError(f"There is no estimator {name}; {nearest(name, METHODS)}")
    return METHODS[name]


_EVENT = frozenset({"overall", "event_study", "overall_event"})
_SHAPES = frozenset({"overall", "event_study"})
_NO_EXPOSURE = {"exposure": "it is for levels and rates; counts with an exposure go to etwfe_poisson or poisson_fe"}
_ALL_UNTREATED = {"never_enrolled": "it learns from every untreated row; use sun_abraham or callaway_santanna"}
_NO_WEIGHTS = {"patient_weights": "counts are weighted by their exposure"}
_FEW = {"covariates": "donors are weighted by their outcomes before entry", **_NO_EXPOSURE}
_DRAW = {
    "covariates": "under a draw none are needed; use callaway_santanna where there was no draw",
    **_NO_EXPOSURE,
}


def _universal(design: StaggeredDesign) -> tuple[Cell, ...]:
    return design.identified_cells(BasePeriod.UNIVERSAL)


def _against_last(design: StaggeredDesign) -> tuple[Cell, ...]:
    return against_last(design).identified_cells(BasePeriod.UNIVERSAL)


METHODS: Mapping[str, Method] = {
    "callaway_santanna": Method(
        "Callaway & Sant'Anna (2021)", callaway_averages(), refuses=_NO_EXPOSURE,
        options=frozenset({"method", "base_period", "missing"}),
    ),
    "sun_abraham": Method(
        "Sun & Abraham (2021)", regression_averages(sun_abraham, _against_last), refuses=_NO_EXPOSURE
    ),
    "imputation": Method(
        "Borusyak, Jaravel & Spiess (2024)", regression_averages(imputation, enrolled_cells),
        refuses={**_NO_EXPOSURE, **_ALL_UNTREATED},
    ),
    "two_stage": Method(
        "Gardner (2022)", regression_averages(two_stage, _universal), refuses={**_NO_EXPOSURE, **_ALL_UNTREATED}
    ),
    "etwfe": Method("Wooldridge (2021)", regression_averages(etwfe, saturated_set), refuses=_NO_EXPOSURE),
    "etwfe_poisson": Method(
        "Wooldridge (2023)", entries_of(etwfe_poisson, "covariates", "exposure", asked=True),
        frozenset({"overall", "event_study", "cohort", "calendar", "att_gt"}), _NO_WEIGHTS, frozenset({"scale"}),
        counts=True,
    ),
    "poisson_fe": Method(
        "Hausman, Hall & Griliches (1984); Wooldridge (1999)", shapes_of(poisson_fe, counts=True), _SHAPES,
        {**_NO_WEIGHTS, "never_enrolled": "already enrolled units are among its comparisons"}, frozenset({"scale"}),
        counts=True,
    ),
    "twfe": Method(
        "two-way fixed effects; Goodman-Bacon (2021)", shapes_of(twfe, counts=False), _SHAPES,
        {**_NO_EXPOSURE, "never_enrolled": "already enrolled units are among its comparisons"},
    ),
    "stacked": Method(
        "Wing, Freedman & Hollingsworth (2024)", entries_of(stacked, "weighting"), _EVENT,
        {"covariates": "its weights make the stack a difference of means; use callaway_santanna", **_NO_EXPOSURE},
        frozenset({"before", "after"}),
    ),
    "local_projections": Method(
        "Dube, Girardi, Jordà & Taylor (2025)", entries_of(local_projections, "covariates", "weighting"), _EVENT,
        _NO_EXPOSURE, frozenset({"cohort_weights"}),
    ),
    "dcdh": Method(
        "de Chaisemartin & D'Haultfoeuille (2024)", entries_of(dcdh, "weighting"), _SHAPES,
        {
            "covariates": "none are built in; use callaway_santanna",
            "anticipation": "the published method has no rule for it", **_NO_EXPOSURE,
        }, frozenset({"effects", "placebos", "same_switchers"}),
    ),
    "stepped_wedge": Method(
        "Hussey & Hughes (2007) with effects by exposure time", entries_of(stepped_wedge, "covariates"), _SHAPES,
        {
            "patient_weights": "in the mixed model every unit counts once", **_NO_EXPOSURE,
            "never_enrolled": "the model compares with every untreated row",
            "anticipation": "exposure time starts at entry",
        }, frozenset({"window", "shape"}),
    ),
    "stepped_wedge_gee": Method(
        "estimating equations, Mancl & DeRouen (2001)", entries_of(stepped_wedge_gee, "covariates"), _SHAPES,
        {
            "patient_weights": "every unit counts once", "never_enrolled": "it compares with every untreated row",
            "exposure": "by this name it is linear; counts go to etwfe_poisson or poisson_fe",
            "anticipation": "exposure time starts at entry",
        }, frozenset({"working", "window", "shape"}),
    ),
    "synthetic_did": Method(
        "Arkhangelsky et al. (2021)", entries_of(synthetic(synthetic_did), "weighting"), _SHAPES, _FEW,
        frozenset({"placebos"}),
    ),
    "synthetic_control": Method(
        "Abadie, Diamond & Hainmueller (2010)", entries_of(synthetic(synthetic_control), "weighting"), _SHAPES,
        _FEW, frozenset({"placebos"}),
    ),
    "lottery": Method(
        "Roth & Sant'Anna (2023), fixed share", lottery_averages(), refuses=_DRAW, options=frozenset({"beta"})
    ),
    "lottery_default": Method(
        "Roth & Sant'Anna (2023), shares of three differences", adjusted_averages(lottery_default), refuses=_DRAW,
        options=frozenset({"beta"}),
    ),
    "lottery_weighted": Method(
        "Hajek (1971) with replayed chances", weighted_averages(),
        refuses={
            **_DRAW,
            "undrawn": "units are weighted by their chances of entry under it, which are unknown where applications "
            "reacted to earlier draws; use lottery",
        },
    ),
    "lottery_efficient": Method(
        "Roth & Sant'Anna (2023)", adjusted_averages(lottery_efficient),
        refuses={**_DRAW, "gaps": "it compares levels; restrict the panel to complete units, or use lottery"},
        options=frozenset({"beta", "adjustment"}),
    ),
}  # fmt: skip
"""Name -> method, in the order in which a list of them is read."""
