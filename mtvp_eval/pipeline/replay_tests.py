"""Replay tests of every outcome and horizon that the draw identifies, beside the estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import EstimationError, MtvpError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.lottery_default import BEFORE, beta_before_draw
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
    """

    frame: pd.DataFrame
    refused: tuple[tuple[str, str], ...]


def replay_tests(
    panel: Panel, drawn: LotteryDesign, rows: IntArray, evidence: DrawEvidence, outcomes: Sequence[str],
    config: EvaluationConfig,
) -> ReplayTests:  # fmt: skip
    """Test no effect at all on each outcome, at each horizon and on average, by replaying the declared draw.

    `panel` holds all practices observed, `rows` (n,) their positions in the history of the draw; `drawn` is the design
    of those compared. Entries are those drawn (intention to treat). Shares of earlier differences are fixed on the
    quarters before the draw, so every replay uses the same numbers.
    """
    plan, event_time = _plan(evidence)
    if plan is None:
        reason = "no block of the draw has two practices on each side of a comparison"
        return ReplayTests(_frame([]), tuple((name, reason) for name in outcomes))
    unit, cohort = evidence.member[rows], evidence.region.cohort
    entry = np.where(cohort > 0, evidence.first_round + cohort - 1, NEVER)
    exposed = (panel.clock[None] >= entry[:, None]).astype(np.float64)
    kept: list[str] = []
    numbers, exposures, refused = [], [], []
    for name in outcomes:
        try:
            shares = _shares(panel, drawn, name)
            y = _by_unit(panel.outcomes[name], unit, len(cohort))
            here = _numbers(y, evidence, panel.clock, plan, event_time, shares)
            replay_statistics([evidence.region], here[None], plan, np.random.default_rng(0), 1)
        except MtvpError as error:
            refused.append((name, str(error)))
            continue
        kept.append(name)
        numbers.append(here)
        exposures.append(_numbers(exposed, evidence, panel.clock, plan, event_time, shares, size=0.0))
    if not kept:
        return ReplayTests(_frame([]), tuple(refused))
    replayed = [_replayed(region, np.stack(numbers), plan, config) for region in _regions(evidence)]
    tests = [randomization_test(one) for one in replayed]
    adjusted = _adjusted(replayed, kept, config)
    p = largest_p(tests)
    rows_: list[tuple[object, ...]] = []
    for j, name in enumerate(kept):
        found = _interval(evidence, numbers[j], exposures[j], plan, config)
        units = int(np.isfinite(numbers[j]).all(axis=0).sum())
        for k, label in enumerate(plan.names):
            horizon = None if label == "overall" else int(label)
            low, high = (found.low[0], found.high[0]) if found and horizon is None else (np.nan, np.nan)
            rows_.append(
                (
                    name, "event_study" if horizon is not None else "overall", horizon, _family(name, label, config),
                    tests[0].estimate[j, k], tests[0].std_error[j, k], low, high, p[j, k], adjusted[j, k],
                    float(tests[0].rejected[0]), REPLAYS, len(tests), units,
                )
            )  # fmt: skip
    return ReplayTests(_frame(rows_), tuple(refused))


def beside(effects: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Return the effects with `p_replay`, `p_adjusted` and `rejected_share` of the same outcome and horizon."""
    keys = ["outcome", "estimand", "event_time"]
    own = tests[[*keys, "p_replay", "p_adjusted", "rejected_share"]].astype({"event_time": "Int64"})
    return effects.merge(own.assign(weighting="practice"), on=[*keys, "weighting"], how="left")


def _frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"event_time": "Int64"})


def _plan(evidence: DrawEvidence) -> tuple[ContrastPlan | None, IntArray]:
    """Return the horizons and the average over the cells that some block can estimate, and the cells' event times."""
    region = evidence.region
    last = region.last - 1
    cells = [(g, e) for e in range(last) for g in range(1, last + 1) if g + e <= last]
    cohort, event_time = np.array(cells, dtype=np.int64).T
    one_each = ContrastPlan(tuple(str(c) for c in cells), cohort, cohort + event_time, np.eye(len(cells)))
    drawn, block = region.observed()[0], region.applications.block
    sizes = np.array([[(drawn[block == b] == h).sum() for h in range(1, region.last + 1)] for b in np.unique(block)])
    estimable = one_each.estimable(sizes)  # (blocks, C)
    best = int(np.argmax(estimable.sum(axis=1)))  # horizons are compared on one set of blocks: those that show most
    keep = estimable[best]
    if not keep.any():
        return None, event_time
    cohort, event_time = cohort[keep], event_time[keep]
    times = sorted(set(event_time.tolist()))
    weights = np.array([*(event_time == e for e in times), np.ones(len(cohort))], dtype=np.float64)
    return ContrastPlan((*(str(e) for e in times), "overall"), cohort, cohort + event_time, weights), event_time


def _shares(panel: Panel, drawn: LotteryDesign, name: str) -> FloatArray:
    """Return the shares (3,) taken off, fixed before the draw; a plain difference where the past is too short."""
    try:
        window = panel.window(int(drawn.clock[0]), int(drawn.clock[-1]))
        return np.asarray(beta_before_draw(window, drawn, name, [overall(drawn)])[0])
    except (EstimationError, NotIdentifiedError):
        return np.array([1.0, 0.0, 0.0])


def _by_unit(values: FloatArray, unit: IntArray, n: int) -> FloatArray:
    """Return the mean over the practices of each unit of assignment (n, T); NaN where none was observed."""
    mine = unit >= 0
    seen = np.isfinite(values[mine])
    total, count = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(total, unit[mine], np.where(seen, values[mine], 0.0))
    np.add.at(count, unit[mine], seen)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _numbers(
    y: FloatArray, evidence: DrawEvidence, clock: IntArray, plan: ContrastPlan, event_time: IntArray,
    shares: FloatArray, size: float = 1.0,
) -> FloatArray:  # fmt: skip
    """Return what each cell compares (C, n): the later quarter less the shares of what preceded it."""
    start = int(evidence.first_round - clock[0])
    period, base = start + plan.cohort - 1 + event_time, start + plan.cohort - 2
    if start < 1 or period.max() >= y.shape[1]:
        raise EstimationError("The panel does not reach from the quarter before the first round to the last compared.")
    v = y[:, period] - shares[0] * y[:, base]
    if shares[1]:
        v = v - shares[1] * y[:, max(start - BEFORE, 0) : start].mean(axis=1, keepdims=True)
    if shares[2] and size:
        v = v - shares[2] * np.log(evidence.region.applications.list_size)[:, None]
    return np.asarray(v.T)


def _regions(evidence: DrawEvidence) -> list[DrawnRegion]:
    return [replace(evidence.region, rule=rule) for rule in evidence.readings]


def _replayed(
    region: DrawnRegion, numbers: FloatArray, plan: ContrastPlan, config: EvaluationConfig
) -> ReplayedStatistics:
    return replay_statistics([region], numbers, plan, np.random.default_rng(config.estimation.seed), REPLAYS)


def _family(name: str, label: str, config: EvaluationConfig) -> str:
    if name == config.outcomes.primary and label == "overall":
        return "primary"
    return "declared" if name in (config.outcomes.primary, *config.outcomes.secondary) else "exploratory"


def _adjusted(replayed: Sequence[ReplayedStatistics], kept: Sequence[str], config: EvaluationConfig) -> FloatArray:
    """Return step-down p-values (J, K): the primary alone, the declared family together, none for the rest."""
    names = replayed[0].names
    adjusted = np.full((len(kept), len(names)), np.nan)
    for family in ("primary", "declared"):
        pairs = [
            (j, k) for j, name in enumerate(kept) for k, label in enumerate(names)
            if _family(name, label, config) == family
        ]  # fmt: skip
        if pairs:
            j, k = np.array(pairs, dtype=np.int64).T
            found: list[RandomizationTest] = [randomization_test(one.family(j, k)) for one in replayed]
            adjusted[j, k] = np.max([test.adjusted[0] for test in found], axis=0)
    return adjusted


def _interval(
    evidence: DrawEvidence, numbers: FloatArray, exposure: FloatArray, plan: ContrastPlan, config: EvaluationConfig
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
            for region in _regions(evidence)
        ]  # fmt: skip
    except MtvpError:
        return None
    low, high = np.min([one.low for one in found], axis=0), np.max([one.high for one in found], axis=0)
    return replace(found[0], low=low, high=high)
