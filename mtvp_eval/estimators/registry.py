"""Registry of methods: names for question files, what each supports, and why it refuses what it does not.

Source: the module of each method names its paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands import aggregate as means
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.etwfe_poisson import etwfe_poisson
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_efficient import lottery_efficient
from mtvp_eval.estimators.poisson_fe import poisson_fe
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.stacked import stacked
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.estimators.synthetic_did import synthetic_did
from mtvp_eval.estimators.twfe import Shape, twfe
from mtvp_eval.estimators.two_stage import two_stage

ESTIMANDS = (
    "overall", "event_study", "cohort", "calendar", "att_gt", "overall_cohort", "overall_event", "overall_calendar",
)  # fmt: skip
_FROM_CELLS = frozenset(ESTIMANDS)


ENOUGH_UNITS = 50
"""Units or clusters from which on the authors' own variance is used: below, its intervals cover too little."""

_PUBLISHED = {
    "callaway_santanna": "none", "imputation": "none", "two_stage": "none",
    "sun_abraham": "fixest", "etwfe": "fixest", "etwfe_poisson": "fixest", "poisson_fe": "fixest", "twfe": "fixest",
}  # fmt: skip
"""What the original prints: did, didimputation and did2s no factor, fixest its own; lottery keeps Neyman's (HC2)."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a question asks of a method; ``options`` are keyword arguments of that method alone."""

    covariates: tuple[str, ...] = ()
    weighting: Weighting = Weighting.PRACTICE
    exposure: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


Found = EffectEstimates | Replicates
Run = Callable[[Panel, StaggeredDesign, str, Sequence[str], Choices], Found]
_SEED = 1
"""Start of the placebo draws of synthetic methods, so that a question has one answer."""


@dataclass(frozen=True, slots=True)
class Method:
    """Say what a method is and can do.

    Parameters
    ----------
    title : authors and year.
    run : estimates the named estimands.
    estimands : names it can give.
    refuses : feature -> reason; covariates, patient_weights, exposure, gaps, never_enrolled or anticipation.
    options : keyword arguments a question may set.
    counts : whether the outcome must be a count.
    """

    title: str
    run: Run
    estimands: frozenset[str] = _FROM_CELLS
    refuses: Mapping[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    counts: bool = False


def refusals(name: str, design: StaggeredDesign, estimands: Sequence[str], choices: Choices) -> list[str]:
    """Return every reason why a method cannot do what is asked; empty if it can.

    Raises
    ------
    EstimationError
        If no method has that name.

    Example
    -------
    >>> import numpy as np
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([3, 9]), np.array([1, 2, 3]))
    >>> refusals("stacked", design, ["event_study"], Choices(covariates=("age",)))
    ['stacked takes no covariates: its weights make the stack a difference of means; use callaway_santanna']
    """
    method = method_named(name)
    asked = {
        "covariates": bool(choices.covariates),
        "patient_weights": choices.weighting == Weighting.PATIENT,
        "exposure": choices.exposure is not None,
        "never_enrolled": design.comparison == Comparison.NEVER_ENROLLED and len(design.cohorts) > 2,
        "anticipation": design.anticipation > 0,
    }
    words = {
        "covariates": "takes no covariates", "patient_weights": "takes no weights", "exposure": "takes no exposure",
        "never_enrolled": "cannot compare with the never-enrolled only", "anticipation": "allows no anticipation",
    }  # fmt: skip
    found = [f"{name} {words[key]}: {method.refuses[key]}" for key, on in asked.items() if on and key in method.refuses]
    found += [f"{name} has no choice {option}" for option in sorted(set(choices.options) - method.options)]
    missing = [e for e in estimands if e not in method.estimands]
    if missing:
        found.append(f"{name} does not estimate {', '.join(missing)}; it gives {', '.join(sorted(method.estimands))}")
    return found


def run(
    name: str, panel: Panel, design: StaggeredDesign, outcome: str, estimands: Sequence[str], choices: Choices
) -> Found:
    """Estimate the named estimands of one outcome by a registered method.

    Raises
    ------
    EstimationError
        If the method does not support what is asked (all reasons at once), or the data do not allow an estimate.

    Example
    -------
    >>> import numpy as np
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> [run(m, panel, design, "y", ["overall"], Choices()).estimate.round(6).tolist() for m in ("etwfe", "imputation")]
    [[3.5], [3.5]]
    """
    reasons = refusals(name, design, estimands, choices)
    if reasons:
        raise EstimationError("; ".join(reasons) + ".")
    return method_named(name).run(panel, design, outcome, estimands, choices)


def together(name: str, estimands: Sequence[str]) -> list[Sequence[str]]:
    """Return the estimands that one fit gives: all of them, or one each where each is a regression of its own.

    >>> together("twfe", ["overall", "event_study"]), together("etwfe", ["overall", "event_study"])
    ([['overall'], ['event_study']], [['overall', 'event_study']])
    """
    return [[e] for e in estimands] if name in ("twfe", "poisson_fe") else [estimands]


def published(name: str, effects: EffectEstimates | Replicates) -> EffectEstimates | Replicates:
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


def declared(
    names: Sequence[str],
    design: StaggeredDesign | LotteryDesign,
    weighting: Weighting,
    cells: Sequence[tuple[int, int]],
    base: BasePeriod = BasePeriod.UNIVERSAL,
) -> list[Estimand]:
    """Return the estimands of these names on the given cells.

    Example
    -------
    >>> import numpy as np
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([2, 9]), np.array([1, 2, 3]))
    >>> [e.name for e in declared(["overall", "att_gt"], design, Weighting.PRACTICE, [(2, 2), (2, 3)])]
    ['overall', 'att_gt', 'att_gt']
    """
    inside = set(cells)
    made: list[Estimand] = []
    for name in names:
        if name == "att_gt":
            made += [cell_effect(cell, weighting) for cell in cells]
        elif name == "event_study":
            made += means.event_study(design, weighting, base, within=inside)
        elif name in ("cohort", "calendar"):
            made += {"cohort": means.by_cohort, "calendar": means.by_calendar}[name](design, weighting, inside)
        else:
            made.append(getattr(means, name)(design, weighting, inside))
    return made


def _cells_of(function: Callable[..., EffectEstimates]) -> Run:
    """Return a run that averages a method's cells."""

    def go(
        panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices
    ) -> EffectEstimates:
        found = function(
            panel, design, outcome, covariates=choices.covariates, weighting=choices.weighting, **choices.options
        )
        cells = [(k.cohort, k.period) for k in found.index if k.cohort is not None and k.period is not None]
        base = BasePeriod(choices.options.get("base_period", BasePeriod.UNIVERSAL))
        if function is callaway_santanna and "base_period" not in choices.options:
            base = BasePeriod.VARYING
        return aggregate(found, design, declared(names, design, choices.weighting, cells, base))

    return go


def _shapes_of(function: Callable[..., EffectEstimates], *, counts: bool) -> Run:
    """Return a run that fits the static and the event-study regression as asked."""

    def go(
        panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices
    ) -> EffectEstimates:
        more: dict[str, Any] = {"exposure": choices.exposure} if counts else {"weighting": choices.weighting}
        shapes = {"overall": Shape.STATIC, "event_study": Shape.EVENT_STUDY}
        found = [
            function(panel, design, outcome, covariates=choices.covariates, shape=shapes[n], **more, **choices.options)
            for n in names
        ]
        return found[0] if len(found) == 1 else EffectEstimates.stack(*found)

    return go


def _entries_of(function: Callable[..., Found], *features: str) -> Run:
    """Return a run that selects among the entries a method gives by itself."""

    def go(panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices) -> Found:
        more = {feature: getattr(choices, feature) for feature in features}
        found = function(panel, design, outcome, **more, **choices.options)
        return _taken(found, [j for name in names for j, k in enumerate(found.index) if k.estimand == name])

    return go


def _taken(found: Found, rows: list[int]) -> Found:
    if isinstance(found, EffectEstimates):
        return found.take(rows)
    return replace(
        found, index=tuple(found.index[j] for j in rows), estimate=found.estimate[rows], draws=found.draws[:, rows],
        spread=None if found.spread is None else found.spread[np.ix_(rows, rows)],
        degrees=None if found.degrees is None else found.degrees[rows],
        no_error=tuple(found.no_error[j] for j in rows),
    )  # fmt: skip


def _synthetic(function: Callable[..., Any]) -> Callable[..., Found]:
    """Return a method whose diagnostics are left to those who call it by itself."""

    def go(panel: Panel, design: StaggeredDesign, outcome: str, **more: Any) -> Found:
        effects: Replicates = function(panel, design, outcome, rng=np.random.default_rng(_SEED), **more).effects
        return effects

    return go


def _lottery(
    panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices
) -> EffectEstimates:
    drawn = LotteryDesign.one_block(design)
    cells = drawn.identified_cells(BasePeriod.UNIVERSAL)
    found = lottery(panel, drawn, outcome, weighting=choices.weighting, **choices.options)
    return aggregate(found, drawn, declared(names, drawn, choices.weighting, cells))


def _lottery_efficient(
    panel: Panel, design: StaggeredDesign, outcome: str, names: Sequence[str], choices: Choices
) -> EffectEstimates:
    drawn = LotteryDesign.one_block(design)
    cells = drawn.identified_cells(BasePeriod.UNIVERSAL)
    asked = declared(names, drawn, choices.weighting, cells)
    return lottery_efficient(panel, drawn, outcome, asked, **choices.options).effects


_EVENT = frozenset({"event_study", "overall_event"})
_SHAPES = frozenset({"overall", "event_study"})
_NO_EXPOSURE = {"exposure": "it is for levels and rates; counts with an exposure go to etwfe_poisson or poisson_fe"}
_ALL_UNTREATED = {"never_enrolled": "it learns from every untreated row; use sun_abraham or callaway_santanna"}
_NO_WEIGHTS = {"patient_weights": "counts are weighted by their exposure"}
_FEW = {"covariates": "donors are weighted by their outcomes before entry", **_NO_EXPOSURE}
_DRAW = {
    "covariates": "under a draw none are needed; use callaway_santanna where there was no draw",
    **_NO_EXPOSURE,
}

METHODS: Mapping[str, Method] = {
    "callaway_santanna": Method(
        "Callaway & Sant'Anna (2021)", _cells_of(callaway_santanna), refuses=_NO_EXPOSURE,
        options=frozenset({"method", "base_period", "missing"}),
    ),
    "sun_abraham": Method("Sun & Abraham (2021)", _cells_of(sun_abraham), refuses=_NO_EXPOSURE),
    "imputation": Method(
        "Borusyak, Jaravel & Spiess (2024)", _cells_of(imputation), refuses={**_NO_EXPOSURE, **_ALL_UNTREATED}
    ),
    "two_stage": Method("Gardner (2022)", _cells_of(two_stage), refuses={**_NO_EXPOSURE, **_ALL_UNTREATED}),
    "etwfe": Method("Wooldridge (2021)", _cells_of(etwfe), refuses=_NO_EXPOSURE),
    "etwfe_poisson": Method(
        "Wooldridge (2023)", _entries_of(etwfe_poisson, "covariates", "exposure"),
        frozenset({"overall", "event_study", "cohort", "calendar", "att_gt"}), _NO_WEIGHTS, frozenset({"scale"}),
        counts=True,
    ),
    "poisson_fe": Method(
        "Hausman, Hall & Griliches (1984); Wooldridge (1999)", _shapes_of(poisson_fe, counts=True), _SHAPES,
        {**_NO_WEIGHTS, "never_enrolled": "already enrolled units are among its comparisons"}, frozenset({"scale"}),
        counts=True,
    ),
    "twfe": Method(
        "two-way fixed effects; Goodman-Bacon (2021)", _shapes_of(twfe, counts=False), _SHAPES,
        {**_NO_EXPOSURE, "never_enrolled": "already enrolled units are among its comparisons"},
    ),
    "stacked": Method(
        "Wing, Freedman & Hollingsworth (2024)", _entries_of(stacked, "weighting"), _EVENT,
        {"covariates": "its weights make the stack a difference of means; use callaway_santanna", **_NO_EXPOSURE},
        frozenset({"before", "after"}),
    ),
    "local_projections": Method(
        "Dube, Girardi, Jordà & Taylor (2025)", _entries_of(local_projections, "covariates", "weighting"), _EVENT,
        _NO_EXPOSURE, frozenset({"cohort_weights"}),
    ),
    "dcdh": Method(
        "de Chaisemartin & D'Haultfoeuille (2024)", _entries_of(dcdh, "weighting"), _SHAPES,
        {
            "covariates": "none are built in; use callaway_santanna",
            "anticipation": "the published method has no rule for it", **_NO_EXPOSURE,
        }, frozenset({"effects", "placebos", "same_switchers"}),
    ),
    "stepped_wedge": Method(
        "Hussey & Hughes (2007) with effects by exposure time", _entries_of(stepped_wedge, "covariates"), _SHAPES,
        {
            "patient_weights": "in the mixed model every unit counts once", **_NO_EXPOSURE,
            "never_enrolled": "the model compares with every untreated row",
            "anticipation": "exposure time starts at entry",
        }, frozenset({"window", "shape"}),
    ),
    "synthetic_did": Method(
        "Arkhangelsky et al. (2021)", _entries_of(_synthetic(synthetic_did), "weighting"), _SHAPES, _FEW,
        frozenset({"placebos"}),
    ),
    "synthetic_control": Method(
        "Abadie, Diamond & Hainmueller (2010)", _entries_of(_synthetic(synthetic_control), "weighting"), _SHAPES,
        _FEW, frozenset({"placebos"}),
    ),
    "lottery": Method("Roth & Sant'Anna (2023), fixed share", _lottery, refuses=_DRAW, options=frozenset({"beta"})),
    "lottery_efficient": Method(
        "Roth & Sant'Anna (2023)", _lottery_efficient,
        refuses={**_DRAW, "gaps": "it compares levels; restrict the panel to complete units, or use lottery"},
        options=frozenset({"beta", "adjustment"}),
    ),
}  # fmt: skip
"""Name -> method, in the order in which a list of them is read."""
