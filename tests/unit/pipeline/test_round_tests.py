"""A region that declares that applications reacted to draws: rounds tested one by one, up to the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from mtvp_eval.errors import DesignError, NotIdentifiedError
from mtvp_eval.estimators.registry import Choices, refusals
from mtvp_eval.inference.conditional import fisher, round_test, stouffer
from mtvp_eval.pipeline.draw_numbers import by_unit, compared, fixed_shares
from mtvp_eval.pipeline.evaluate import Evaluation, run_evaluation
from mtvp_eval.pipeline.power import power_inputs
from mtvp_eval.pipeline.reporting import report_inputs
from mtvp_eval.pipeline.round_tests import COLUMNS, REPLAYS
from mtvp_eval.report.catalogue import report_table


@pytest.fixture(scope="module")
def evaluation(simulated: Callable[[str], Path]) -> Evaluation:
    question = simulated("example")
    settings = yaml.safe_load(question.read_text(encoding="utf-8"))
    settings["draw"]["reacted"] = True
    settings["estimation"]["sensitivity"] = ["lottery_weighted"]
    question.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return run_evaluation("example")


def test_the_whole_path_is_not_replayed_and_every_round_by_chance_is_tested(evaluation: Evaluation) -> None:
    assert evaluation.replay is not None
    assert evaluation.draw is not None
    assert len(evaluation.replay.frame) == 0
    frame = evaluation.replay.rounds
    assert frame is not None
    assert tuple(frame.columns) == COLUMNS
    rounds = [str(k + 1) for k in np.flatnonzero(evaluation.draw.check.facts.lottery[0])]
    primary = frame[frame["outcome"] == evaluation.config.outcomes.primary]
    tested = primary["round"].tolist()
    assert tested[0] == "1"
    assert tested[-2:] == ["fisher", "stouffer"]
    # in a queue the order of those drawn out is history: a later round whose newcomers all lose holds no chance
    assert set(tested[:-2]) <= set(rounds)
    assert frame["p_replay"].between(1e-12, 1).all()
    combined = frame[frame["round"] == "fisher"]
    assert (combined["p_adjusted"].dropna() >= combined["p_replay"][combined["p_adjusted"].notna()]).all()
    assert combined.loc[combined["family"] == "exploratory", "p_adjusted"].isna().all()
    assert evaluation.draw.sizes[0].p_value <= 1
    assert all(np.isnan(row.p_value) for row in evaluation.draw.sizes[1:])


def test_the_row_of_the_primary_outcome_is_that_of_its_parts(evaluation: Evaluation) -> None:
    draw, panel, name = evaluation.draw, evaluation.linked.panel, evaluation.config.outcomes.primary
    assert draw is not None
    assert evaluation.replay is not None
    assert evaluation.replay.rounds is not None
    shares = fixed_shares(panel, evaluation.drawn, name)
    y, size = by_unit(panel, name, draw), np.log(draw.region.applications.list_size)
    tests = []
    for number in 1 + np.flatnonzero(draw.check.facts.lottery[0]):
        quarter = draw.first_round + int(number) - 1
        numbers = compared(y, panel.clock, draw, [(quarter, quarter)], shares, size)[0]
        rng = np.random.default_rng((evaluation.config.estimation.seed, int(number)))
        order = draw.orders[int(number) - 1] if draw.orders is not None else None
        try:
            tests.append(round_test(draw.region, int(number), numbers, rng, REPLAYS, order))
        except NotIdentifiedError:
            assert number > 1
    frame = evaluation.replay.rounds
    own = frame[frame["outcome"] == name].set_index("round")["p_replay"]
    assert own["fisher"] == fisher(tests)
    assert own["stouffer"] == stouffer(tests)
    assert own["1"] == tests[0].p_value


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_report_shows_them_in_place_of_the_joint_tests(evaluation: Evaluation, language: str) -> None:
    inputs = report_inputs(evaluation)
    made = report_table("replay_tests", inputs, language)
    assert made is not None
    assert made.id == "round_tests"
    assert "Fisher" in repr(made)
    assert "term." not in repr(made)
    rounds = report_table("draw_rounds", inputs, language)
    assert rounds is not None


def test_what_rests_on_the_whole_path_is_refused_with_the_reason(evaluation: Evaluation) -> None:
    assert evaluation.drawn.entry_probability is None
    assert any("reacted" in reason for reason in refusals("lottery_weighted", evaluation.drawn, (), Choices()))
    beside = evaluation.effects.robustness
    assert beside.loc[beside["method"] == "lottery_weighted", "estimate"].isna().all()
    with pytest.raises(DesignError, match="reacted to earlier draws"):
        power_inputs("example")


def test_the_draw_identifies_effects_in_the_quarter_of_the_start_alone(evaluation: Evaluation) -> None:
    assert evaluation.draw is not None
    by_lottery = {row.event_time for row in evaluation.draw.identification if row.identified_by == "lottery"}
    assert by_lottery == {0}
    first = [row for row in evaluation.draw.identification if row.applied_round == 1]
    assert {str(row.identified_by) for row in first if row.event_time > 0} <= {"parallel trends", "not identified"}


@pytest.mark.parametrize(("language", "word"), [("nl", "reageerden"), ("en", "reacted")])
def test_the_record_says_that_applications_reacted(evaluation: Evaluation, language: str, word: str) -> None:
    made = report_table("draw_record", report_inputs(evaluation), language)
    assert made is not None
    assert word in repr(made)


@pytest.mark.parametrize(("language", "word"), [("nl", "reageerden"), ("en", "(declared)")])
def test_the_probe_of_interference_says_why_it_is_refused(evaluation: Evaluation, language: str, word: str) -> None:
    made = report_table("interference", report_inputs(evaluation), language)
    assert made is not None
    assert word in repr(made)
