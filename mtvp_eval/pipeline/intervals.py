"""Which interval each outcome's average effect has and why, a second one beside it, and what several looks cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.looks import spending_levels
from mtvp_eval.inference.recommend import Interval, Recommendation, recommended
from mtvp_eval.inference.score_bootstrap import score_bootstrap, sides
from mtvp_eval.inference.wild_bootstrap import Multiplier

if TYPE_CHECKING:
    import pandas as pd

FEW_MULTIPLIERS = 10
"""Clusters below which two-point multipliers leave too few different draws, and Webb's six are used."""
DRAWS = 9_999
COLUMNS = (
    *("outcome", "estimand", "weighting", "treated", "comparison", "recommended", "used", "wild_low", "wild_high"),
    *("wild_p", "replay_low", "replay_high", "look_low", "look_high", "note"),
)
REPLAYED = "replay of the draw"


def interval_choices(
    design: StaggeredDesign, joint: EffectEstimates, tests: pd.DataFrame | None, config: EvaluationConfig
) -> pd.DataFrame:
    """Return one row an outcome on its average effect per practice: how many compare, which interval, and a second one.

    Parameters
    ----------
    design : who is compared with whom.
    joint : every estimand of every outcome with its joint covariance.
    tests : frame of the replay tests, None where no draw was recorded.
    config : level, seed and looks.

    Returns
    -------
    DataFrame
        `COLUMNS`. `recommended` is a value of `Interval`, `used` the method of the interval shown; `wild_*` the
        wild score bootstrap, with `note` where it refuses; `replay_*` the inverted replay test; `look_*` the interval
        at the level that the declared looks leave, NaN where none were planned.
    """
    import pandas as pd

    effects = joint.select(estimand="overall", weighting=Weighting.PRACTICE)
    cells = [(k.cohort, k.period) for k in joint.index if k.estimand == "att_gt"]
    after = sorted({(g, t) for g, t in cells if g is not None and t is not None and t >= g})
    replayed = {} if tests is None else _replayed(tests)
    looked = at_this_look(effects, config)
    rows: list[tuple[object, ...]] = []
    for k, key in enumerate(effects.index):
        one = effects.take([k])
        treated, comparison = _sides(design, joint, key.outcome, after)
        choice = choice_of(one, treated, comparison, drawn=key.outcome in replayed)
        low, high, p, note = _wild(one, treated, comparison, config)
        counts = (_clusters(one, treated), _clusters(one, comparison))
        rows.append(
            (
                key.outcome, key.estimand, str(key.weighting), *counts, str(choice.interval), one.ci_method, low, high,
                p, *replayed.get(key.outcome, (np.nan, np.nan)), *looked[k], note,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def with_replayed(frame: pd.DataFrame, choices: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Return the effects with the replayed interval of the average where too few clusters lie on one side.

    Only for the lottery's own estimator, whose cells and numbers the replay shares; another headline keeps its interval
    and the table of choices says which to read. A replayed interval that is not finite changes nothing.
    """
    few = choices[(choices["recommended"] == Interval.RANDOMIZATION) & np.isfinite(choices["replay_low"])]
    if estimator != "lottery_default" or few.empty:
        return frame
    made = frame.copy()
    for row in few.to_dict("records"):
        at = (made["outcome"] == row["outcome"]) & (made["estimand"] == "overall")
        at &= made["weighting"] == row["weighting"]
        made.loc[at, ["ci_low", "ci_high"]] = [row["replay_low"], row["replay_high"]]
        made.loc[at, "ci_method"] = REPLAYED
    return made


def choice_of(effects: EffectEstimates, treated: BoolArray, comparison: BoolArray, *, drawn: bool) -> Recommendation:
    """Return the recommended interval of an effect from the clusters on either side of it."""
    crossed = False
    if effects.cluster is not None:
        pairs = {(str(c), int(s)) for c, s in zip(effects.cluster, effects.stratum, strict=True)}
        crossed = len(pairs) > effects.n_clusters
    return recommended(
        _clusters(effects, treated), _clusters(effects, comparison), drawn=drawn, crossed=crossed, regression=False
    )


def at_this_look(effects: EffectEstimates, config: EvaluationConfig) -> list[tuple[float, float]]:
    """Return the interval of each effect at the level that the declared looks leave; NaN where none were planned."""
    planned = config.looks.planned
    if planned is None or planned < 2:
        return [(np.nan, np.nan)] * len(effects)
    frame = effects.to_frame(look_level(config))
    return list(zip(frame["ci_low"].tolist(), frame["ci_high"].tolist(), strict=True))


def look_level(config: EvaluationConfig) -> float:
    """Return the level of this look's interval: the declared one where no looks were planned."""
    taken, planned = config.looks.taken, config.looks.planned
    if planned is None or taken is None:
        return config.estimation.level
    return float(spending_levels(planned, config.estimation.level)[taken - 1])


def _sides(
    design: StaggeredDesign, joint: EffectEstimates, outcome: str, cells: Sequence[Cell]
) -> tuple[BoolArray, BoolArray]:
    """Return the units treated in the cells of an outcome, and those that serve as comparison, in the order of `joint`.

    A unit without influence on any of the cells was not observed for this outcome and stands on neither side.
    """
    inside = set(cells)
    columns = [
        j for j, k in enumerate(joint.index)
        if k.outcome == outcome and k.estimand == "att_gt" and (k.cohort, k.period) in inside
    ]  # fmt: skip
    seen = (joint.influence[:, columns] != 0).any(axis=1)
    treated, comparison = sides(design, cells)
    place = {unit: j for j, unit in enumerate(design.unit_ids.tolist())}
    rows = [place[unit] for unit in joint.unit_ids.tolist()]
    return treated[rows] & seen, comparison[rows] & seen


def _clusters(effects: EffectEstimates, side: BoolArray) -> int:
    labels = effects.unit_ids if effects.cluster is None else effects.cluster
    return len(set(labels[side].tolist()))


def _wild(
    one: EffectEstimates, treated: BoolArray, comparison: BoolArray, config: EvaluationConfig
) -> tuple[float, float, float, str]:
    """Return the wild interval, its p-value and no note; or why there is none.

    An effect without a standard error has no such interval either, for the same reason.
    """
    if one.no_error[0] is not None:
        return np.nan, np.nan, np.nan, one.no_error[0]
    few = one.n_clusters < FEW_MULTIPLIERS
    try:
        found = score_bootstrap(
            one, treated, comparison, np.random.default_rng(config.estimation.seed),
            multiplier=Multiplier.WEBB if few else Multiplier.RADEMACHER, draws=DRAWS, level=config.estimation.level,
        )  # fmt: skip
    except MtvpError as error:
        return np.nan, np.nan, np.nan, str(error)
    return float(found.low[0]), float(found.high[0]), float(found.p_value[0]), ""


def _replayed(tests: pd.DataFrame) -> dict[str, tuple[float, float]]:
    rows = tests[tests["estimand"] == "overall"]
    return {
        str(o): (float(low), float(high))
        for o, low, high in zip(rows["outcome"], rows["ci_low"], rows["ci_high"], strict=True)
    }
