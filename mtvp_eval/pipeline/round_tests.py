"""Tests of single rounds, each given its history, where applications or withdrawals reacted to earlier draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.rules import DrawRule
from mtvp_eval.errors import MtvpError
from mtvp_eval.inference.conditional import RoundTest, fisher, round_test, stouffer
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, family_of, fixed_shares

if TYPE_CHECKING:
    import pandas as pd

REPLAYS = 9_999
COLUMNS = (
    *("outcome", "family", "round", "estimate", "std_error", "p_replay", "p_adjusted", "replays", "readings", "units"),
)
COMBINED = {"fisher": fisher, "stouffer": stouffer}
"""Name of a row of rounds taken together -> how their p-values are combined."""


def round_tests(
    panel: Panel, drawn: LotteryDesign, draw: DrawEvidence, outcomes: Sequence[str], config: EvaluationConfig
) -> tuple[pd.DataFrame, tuple[tuple[str, str], ...]]:
    """Test each round that chance decided, in the quarter in which its winners started; return rows and refusals.

    One row an outcome and round, then the combinations. `p_replay` is the largest over the readings of the rule under
    which rounds can be replayed (`readings` of them); `p_adjusted` is Holm's over the declared outcomes, for Fisher's
    combination alone: the primary outcome has its own p-value, exploratory outcomes have none.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    refused: list[tuple[str, str]] = []
    for name in outcomes:
        try:
            tested = [_rounds(panel, drawn, draw, name, rule, config) for rule in draw.readings]
        except MtvpError as error:
            refused.append((name, str(error)))
            continue
        kept = [tests for tests, _ in tested if tests]
        if not kept:
            refused.append((name, next((reason for _, reason in tested if reason), "no round was decided by chance")))
            continue
        rows += _rows(name, kept, config)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return _adjusted(frame), tuple(refused)


def _rounds(
    panel: Panel, drawn: LotteryDesign, draw: DrawEvidence, name: str, rule: DrawRule, config: EvaluationConfig
) -> tuple[list[RoundTest], str]:
    """Return the tests of all rounds that one reading can replay, and why the last one left out was."""
    shares = fixed_shares(panel, drawn, name)
    y, log_size = by_unit(panel, name, draw), np.log(draw.region.applications.list_size)
    region, reason = replace(draw.region, rule=rule), ""
    found = []
    for number in 1 + np.flatnonzero(draw.check.facts.lottery[0]):
        quarter = draw.first_round + int(number) - 1
        if quarter > panel.clock[-1]:
            reason = "the quarter in which the winners started is not observed"
            continue
        numbers: FloatArray = compared(y, panel.clock, draw, [(quarter, quarter)], shares, log_size)[0]
        order = None if draw.orders is None else draw.orders[int(number) - 1]
        rng = np.random.default_rng((config.estimation.seed, int(number)))
        try:
            found.append(round_test(region, int(number), numbers, rng, REPLAYS, order))
        except MtvpError as error:
            reason = str(error)
    return found, reason


def _rows(name: str, tested: Sequence[Sequence[RoundTest]], config: EvaluationConfig) -> list[dict[str, object]]:
    """Return the rows of one outcome: rounds tested under every reading, then their combinations."""
    family = family_of(name, True, config)
    base = {"outcome": name, "family": family, "replays": REPLAYS, "readings": len(tested), "p_adjusted": np.nan}
    common = set.intersection(*({test.number for test in tests} for tests in tested))
    rows: list[dict[str, object]] = []
    for test in tested[0]:
        if test.number in common:
            p = max(other.p_value for tests in tested for other in tests if other.number == test.number)
            rows.append(
                {**base, "round": str(test.number), "estimate": test.estimate, "std_error": test.std_error,
                 "p_replay": p, "units": test.units}
            )  # fmt: skip
    for label, combine in COMBINED.items():
        rows.append(
            {**base, "round": label, "estimate": np.nan, "std_error": np.nan,
             "p_replay": max(combine(tests) for tests in tested), "units": max(t.units for t in tested[0])}
        )  # fmt: skip
    return rows


def _adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """Put Holm's step-down p-values beside Fisher's combinations; the primary outcome stands alone."""
    combined = frame["round"] == "fisher"
    frame.loc[combined & (frame["family"] == "primary"), "p_adjusted"] = frame["p_replay"]
    family = frame.index[combined & (frame["family"] == "declared")]
    p = frame.loc[family, "p_replay"].to_numpy(np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    frame.loc[family, "p_adjusted"] = adjusted
    return frame
