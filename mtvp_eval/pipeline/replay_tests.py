"""Replay tests of every outcome and horizon that the draw identifies, beside the estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell
from mtvp_eval.errors import MtvpError
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.randomization import (
    RandomizationTest,
    SharpInterval,
    largest_p,
    randomization_test,
    sharp_interval,
)
from mtvp_eval.inference.replay import DrawnRegion, ReplayedStatistics, replay_statistics
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, exposure, family_of, fixed_shares
from mtvp_eval.pipeline.round_tests import round_tests

if TYPE_CHECKING:
    import pandas as pd

REPLAYS, REPLAYS_OF_INTERVALS = 9_999, 1_999
COLUMNS = (
    *("outcome", "estimand", "event_time", "family", "estimate", "std_error", "ci_low", "ci_high", "p_replay"),
    *("p_adjusted", "rejected_share", "replays", "readings", "units"),
)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayTests:
    """Replay tests as a tidy table (`COLUMNS`), and outcomes that could not be tested with the reason.

    `p_replay` is the largest over the readings replayed; `p_adjusted` is Westfall and Young's over the family of the
    primary outcome's horizons and all secondary outcomes, the primary average itself standing alone; exploratory
    outcomes have none. The interval is the inverted test of one constant effect, for the average over all cells.
    Where applications reacted to earlier draws `frame` is empty and `rounds` holds the tests of single rounds
    (`round_tests.COLUMNS`), else it is None.
    """

    frame: pd.DataFrame
    refused: tuple[tuple[str, str], ...]
    rounds: pd.DataFrame | None = None


def replay_tests(
    panel: Panel, drawn: LotteryDesign, draw: DrawEvidence, outcomes: Sequence[str], config: EvaluationConfig
) -> ReplayTests:
    """Test no effect at all on each outcome, at each horizon and on average, by replaying the declared draw.

    `panel` holds all practices observed; `drawn` is the design of those compared, whose cells are tested. Entries are
    those drawn (intention to treat). Shares of earlier differences are fixed on the quarters before the draw, so every
    replay uses the same numbers. The whole path is not replayed where applications reacted to earlier draws; each round
    is then tested given its history.
    """
    if draw.reacted:
        rounds, refused_rounds = round_tests(panel, drawn, draw, outcomes, config)
        return ReplayTests(_frame([]), refused_rounds, rounds)
    cells, plan = _plan(drawn, draw)
    if plan is None:
        reason = "no block of the draw has two practices on each side of a comparison"
        return ReplayTests(_frame([]), tuple((name, reason) for name in outcomes))
    exposed, log_size = exposure(draw, panel.clock), np.log(draw.region.applications.list_size)
    kept: list[str] = []
    numbers, exposures, refused = [], [], []
    for name in outcomes:
        try:
            shares = fixed_shares(panel, drawn, name)
            here = compared(by_unit(panel, name, draw), panel.clock, draw, cells, shares, log_size)
            randomization_test(replay_statistics([draw.region], here[None], plan, np.random.default_rng(0), 1))
        except MtvpError as error:
            refused.append((name, str(error)))
            continue
        kept.append(name)
        numbers.append(here)
        exposures.append(compared(exposed, panel.clock, draw, cells, shares))
    if not kept:
        return ReplayTests(_frame([]), tuple(refused))
    replayed = [_replayed(region, np.stack(numbers), plan, config) for region in _regions(draw)]
    tests = [randomization_test(one) for one in replayed]
    adjusted = _adjusted(replayed, kept, config)
    p = largest_p(tests)
    rows: list[tuple[object, ...]] = []
    for j, name in enumerate(kept):
        found = _interval(draw, numbers[j], exposures[j], plan, config)
        units = int(np.isfinite(numbers[j]).all(axis=0).sum())
        for k, label in enumerate(plan.names):
            horizon = None if label == "overall" else int(label)
            low, high = (found.low[0], found.high[0]) if found and horizon is None else (np.nan, np.nan)
            rows.append(
                (
                    name, "event_study" if horizon is not None else "overall", horizon,
                    family_of(name, label == "overall", config),
                    tests[0].estimate[j, k], tests[0].std_error[j, k], low, high, p[j, k], adjusted[j, k],
                    float(tests[0].rejected[0]), REPLAYS, len(tests), units,
                )
            )  # fmt: skip
    return ReplayTests(_frame(rows), tuple(refused))


def beside(effects: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Return the effects with `p_replay`, `p_adjusted` and `rejected_share` of the same outcome and horizon."""
    keys = ["outcome", "estimand", "event_time"]
    own = tests[[*keys, "p_replay", "p_adjusted", "rejected_share"]].astype({"event_time": "Int64"})
    return effects.merge(own.assign(weighting="practice"), on=[*keys, "weighting"], how="left")


def _frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"event_time": "Int64"})


def _plan(drawn: LotteryDesign, draw: DrawEvidence) -> tuple[list[Cell], ContrastPlan | None]:
    """Return the cells at or after entry that some block can estimate, and the horizons and average made of them.

    Horizons are compared on one set of blocks: that which can estimate most cells.
    """
    region = draw.region
    cells = [cell for cell in drawn.identified_cells() if cell[1] >= cell[0]]
    if not cells:
        return [], None
    cohort, event_time = _rounds(cells, draw)
    one_each = ContrastPlan(tuple(str(c) for c in cells), cohort, cohort + event_time, np.eye(len(cells)))
    seen, block = region.observed()[0], region.applications.block
    sizes = np.array([[(seen[block == b] == h).sum() for h in range(1, region.last + 1)] for b in np.unique(block)])
    estimable = one_each.estimable(sizes)  # (blocks, C)
    kept = [cell for cell, good in zip(cells, estimable[estimable.sum(axis=1).argmax()], strict=True) if good]
    if not kept:
        return [], None
    cohort, event_time = _rounds(kept, draw)
    times = sorted(set(event_time.tolist()))
    weights = np.array([*(event_time == e for e in times), np.ones(len(kept))], dtype=np.float64)
    return kept, ContrastPlan((*(str(e) for e in times), "overall"), cohort, cohort + event_time, weights)


def _rounds(cells: Sequence[Cell], draw: DrawEvidence) -> tuple[IntArray, IntArray]:
    """Return the round of start of each cell, and its event time."""
    entry, period = np.array(cells, dtype=np.int64).T
    return entry - draw.first_round + 1, period - entry


def _regions(draw: DrawEvidence) -> list[DrawnRegion]:
    return [replace(draw.region, rule=rule) for rule in draw.readings]


def _replayed(
    region: DrawnRegion, numbers: FloatArray, plan: ContrastPlan, config: EvaluationConfig
) -> ReplayedStatistics:
    return replay_statistics([region], numbers, plan, np.random.default_rng(config.estimation.seed), REPLAYS)


def _adjusted(replayed: Sequence[ReplayedStatistics], kept: Sequence[str], config: EvaluationConfig) -> FloatArray:
    """Return step-down p-values (J, K): the primary alone, the declared family together, none for the rest."""
    names = replayed[0].names
    adjusted = np.full((len(kept), len(names)), np.nan)
    for family in ("primary", "declared"):
        pairs = [
            (j, k) for j, name in enumerate(kept) for k, label in enumerate(names)
            if family_of(name, label == "overall", config) == family
        ]  # fmt: skip
        if pairs:
            j, k = np.array(pairs, dtype=np.int64).T
            found: list[RandomizationTest] = [randomization_test(one.family(j, k)) for one in replayed]
            adjusted[j, k] = np.max([test.adjusted[0] for test in found], axis=0)
    return adjusted


def _interval(
    draw: DrawEvidence, numbers: FloatArray, exposure: FloatArray, plan: ContrastPlan, config: EvaluationConfig
) -> SharpInterval | None:
    """Invert the test of one constant effect on the average; the widest over the readings; None if it cannot be."""
    k = len(plan.names) - 1
    own = replace(plan, names=plan.names[k:], weights=plan.weights[k:])
    try:
        found = [
            sharp_interval(
                [region], numbers, exposure, own, np.random.default_rng(config.estimation.seed), REPLAYS_OF_INTERVALS,
                config.estimation.level,
            )
            for region in _regions(draw)
        ]  # fmt: skip
    except MtvpError:
        return None
    low: FloatArray = np.stack([one.low for one in found]).min(axis=0)
    high: FloatArray = np.stack([one.high for one in found]).max(axis=0)
    return replace(found[0], low=low, high=high)
