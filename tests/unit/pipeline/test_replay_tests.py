"""Replay tests of a simulated region: against a replay written out, and as they reach the report."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.pipeline.evaluate import Evaluation, run_evaluation
from mtvp_eval.pipeline.replay_tests import COLUMNS, REPLAYS
from mtvp_eval.pipeline.reporting import report_inputs
from mtvp_eval.report.catalogue import report_table
from mtvp_eval.report.tables.lottery import TABLES


@pytest.fixture(scope="module")
def question(simulated: Callable[[str], Path]) -> Path:
    return simulated("small")


@pytest.fixture(scope="module")
def evaluation(question: Path) -> Evaluation:
    return run_evaluation("small")


def test_every_outcome_and_horizon_has_a_test(evaluation: Evaluation) -> None:
    assert evaluation.replay is not None
    frame = evaluation.replay.frame
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["outcome"]) == set(evaluation.effects.outcomes)
    assert frame["p_replay"].between(1 / (REPLAYS + 1), 1).all()
    assert (frame["replays"] == REPLAYS).all()
    primary = frame[frame["family"] == "primary"]
    assert primary["p_adjusted"].tolist() == primary["p_replay"].tolist()
    declared = frame[frame["family"] == "declared"]
    assert (declared["p_adjusted"] >= declared["p_replay"]).all()
    assert frame.loc[frame["family"] == "exploratory", "p_adjusted"].isna().all()
    average = frame[frame["estimand"] == "overall"]
    assert (average["ci_low"] < average["estimate"]).all()
    assert (average["estimate"] < average["ci_high"]).all()


def test_the_p_value_of_the_first_quarter_is_that_of_a_replay_written_out(evaluation: Evaluation) -> None:
    """One horizon of one outcome, from the panel, by a loop over replays; cohorts of one are drawn again."""
    assert evaluation.replay is not None
    assert evaluation.draw is not None
    draw, panel = evaluation.draw, evaluation.linked.panel
    assert evaluation.drawn.identified_cells()
    name, first = "registered_patients", draw.first_round
    frame = evaluation.replay.frame
    row = frame[(frame["outcome"] == name) & (frame["event_time"] == 0)].iloc[0]
    from mtvp_eval.estimands.aggregate import overall
    from mtvp_eval.estimators.lottery_default import beta_before_draw

    window = panel.window(int(evaluation.drawn.clock[0]), int(evaluation.drawn.clock[-1]))
    beta = beta_before_draw(window, evaluation.drawn, name, [overall(evaluation.drawn)])[0]
    cells = [g for g, t in evaluation.drawn.identified_cells() if t == g]
    place = {p: i for i, p in enumerate(panel.unit_ids.tolist())}
    rows = [place[p] for p in draw.practice_ids.tolist()]
    y, start = panel.outcomes[name][rows], first - int(panel.clock[0])
    adjusted = beta[1] * y[:, start - 8 : start].mean(axis=1) + beta[2] * np.log(draw.region.applications.list_size)

    def statistic(cohort: np.ndarray) -> tuple[float, float]:
        total, effect, weights = 0.0, 0.0, np.zeros((len(cells), len(cohort)))
        values = np.stack([y[:, g - first + start] - beta[0] * y[:, g - first + start - 1] - adjusted for g in cells])
        for c, g in enumerate(cells):
            number = g - first + 1
            own, later = cohort == number, cohort > number
            share = own.sum()
            total += share
            effect += share * (values[c][own].mean() - values[c][later].mean())
            weights[c] = share * (own / own.sum() - later / later.sum())
        parts = (weights / total * values).sum(axis=0)
        variance = 0.0
        for h in range(1, 5):
            mine = parts[cohort == h]
            if len(mine) > 1:
                variance += len(mine) * mine.var(ddof=1)
        return effect / total, variance

    rng, gaps = np.random.default_rng(5), []
    while len(gaps) < 1000:
        cohort = draw_cohorts(draw.region.applications, draw.rule, rng)[0]
        counts = [(cohort == h).sum() for h in range(1, 5)]
        if min(counts[: len(cells)]) > 1 and 1 not in counts:
            gaps.append(statistic(cohort))
    observed = statistic(draw.region.cohort)
    centre = np.mean([g for g, _ in gaps])
    t = np.array([abs(g - centre) / np.sqrt(v) for g, v in gaps])
    p = float((t >= abs(observed[0] - centre) / np.sqrt(observed[1])).mean())
    # Three Monte Carlo errors of 1,000 replays at this p, and what the centre's own error moves it by.
    assert row["p_replay"] == pytest.approx(p, abs=3 * np.sqrt(max(p * (1 - p), 0.01) / 1000) + 0.01)
    assert row["estimate"] == pytest.approx(observed[0] - centre, abs=4 * np.std([g for g, _ in gaps]) / np.sqrt(1000))


def test_p_values_stand_beside_the_effects(evaluation: Evaluation) -> None:
    inputs = report_inputs(evaluation)
    shown = inputs.effects[inputs.effects["p_replay"].notna()]
    assert set(shown["estimand"]) == {"overall", "event_study"}
    assert set(shown["weighting"]) == {"practice"}
    assert len(inputs.effects) == len(evaluation.effects.frame)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_tables_of_the_draw_are_made_and_hold_back_small_groups(evaluation: Evaluation, language: str) -> None:
    inputs = report_inputs(evaluation)
    for name in TABLES:
        made = report_table(name, inputs, language)
        assert made is not None
        assert "term." not in repr(made)
    rounds = report_table("draw_rounds", inputs, language)
    assert rounds is not None
    assert not list(rounds.numbers())  # cohorts of two and three: nothing of a round is shown


@pytest.mark.parametrize("weighting", ["practice", "patient"])
def test_the_default_can_be_the_headline(question: Path, weighting: str) -> None:
    before = question.read_text(encoding="utf-8")
    asked = re.sub(r"estimator: \w+", "estimator: lottery_default", before)
    asked = re.sub(r"sensitivity: \[.*\]", "sensitivity: [lottery, lottery_weighted, lottery_efficient]", asked)
    question.write_text(asked, encoding="utf-8")
    try:
        found = run_evaluation("small")
    finally:
        question.write_text(before, encoding="utf-8")
    frame = found.effects.frame
    own = frame[(frame["estimand"] == "overall") & (frame["weighting"] == weighting)]
    assert set(own["outcome"]) == set(found.effects.outcomes)
    assert (own["std_error"] > 0).all()
    assert {"lottery_weighted", "lottery_efficient"} <= set(found.effects.robustness["method"])
    assert found.money.net_benefit is not None
    assert found.replay is not None
    tests = found.replay.frame.set_index(["outcome", "estimand"])
    if weighting == "practice":  # both recentred, by 499 and by 9,999 replays of the same contrast
        gap = own.set_index("outcome")["estimate"] - tests.xs("overall", level="estimand")["estimate"]
        error = own.set_index("outcome")["std_error"]
        assert (gap.abs() < 0.5 * error).all()
