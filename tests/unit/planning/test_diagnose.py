"""Diagnosis: closed forms, Monte Carlo errors that are right, and a wrong analysis that is found out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.errors import CommandError, EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.diagnosis import analyses, diagnosed
from mtvp_eval.planning.diagnose import Question, diagnose_region, diagnosis
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import read_region

ROOT = Path(__file__).resolve().parents[3]
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
CHOICES = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml").estimation
SETTINGS = read_region(ROOT / "data_dictionary" / "regions.yaml", "example")


def prepare(linked):
    panel, design = compared(analysis_panel(linked, CHOICES), CHOICES)
    return panel, lottery_design(linked, design)


def test_diagnosands_by_hand():
    estimate, truth = np.array([1.0, 2.0, 6.0]), np.array([0.0, 2.0, 2.0])
    found = diagnosis(estimate, np.ones(3), np.full(3, np.inf), truth, failed=2)
    # gaps 1, 0, 4; half width 1.96: two of three intervals hold the truth, two of three exclude zero
    assert found.bias.value == pytest.approx(5 / 3)
    assert found.bias.error == pytest.approx(np.std([1, 0, 4], ddof=1) / np.sqrt(3))
    assert found.rmse.value == pytest.approx(np.sqrt(17 / 3))
    assert found.coverage.value == pytest.approx(2 / 3)
    assert found.power.value == pytest.approx(2 / 3)
    # two of three inside: (2 + 2) / (3 + 4) by Agresti and Coull
    assert found.coverage.error == pytest.approx(np.sqrt(4 / 7 * 3 / 7 / 7))
    assert (found.runs, found.failed) == (3, 2)


def test_monte_carlo_errors_are_the_spread_over_repetitions():
    rng = np.random.default_rng(0)
    R, repeats = 200, 400
    seen = [
        diagnosis(0.5 + rng.normal(size=R), np.sqrt(rng.chisquare(20, R) / 20), np.full(R, 20.0), np.full(R, 0.4))
        for _ in range(repeats)
    ]
    for name in ("bias", "rmse", "coverage", "power", "error_ratio"):
        values = np.array([getattr(s, name).value for s in seen])
        said = np.mean([getattr(s, name).error for s in seen])
        # 400 repetitions know a spread to 3.5 %; the delta method adds its own share
        assert values.std(ddof=1) == pytest.approx(said, rel=0.13), name


def test_a_wrong_analysis_is_found_out():
    right = analyses(CHOICES)["callaway_santanna"]

    def wrong(panel, drawn, outcome, weighting):
        effect, estimand = right(panel, drawn, outcome, weighting)
        return effect.__class__(
            **{f: getattr(effect, f) for f in effect.__slots__} | {"estimate": effect.estimate + 99}
        ), estimand

    question = Question(prepare, {"right": right, "wrong": wrong}, ("referrals_per_1000",), (Weighting.PRACTICE,))
    frame = diagnose_region(SETTINGS, question, DICTIONARY, PROGRAMME, range(8)).set_index("analysis")
    assert frame.loc["wrong", "coverage"] == 0
    assert frame.loc["wrong", "bias"] - frame.loc["right", "bias"] == pytest.approx(99, rel=1e-9)
    assert abs(frame.loc["right", "bias"]) < 5 * frame.loc["right", "bias_error"]
    assert frame.loc["right", "runs"] == 8
    # the table holds what the runs one by one give
    gaps = []
    for seed in range(8):
        region = simulate_region(SETTINGS, seed)
        panel, drawn = prepare(link(as_read(region.extracts, DICTIONARY), DICTIONARY, PROGRAMME))
        effect, estimand = right(panel, drawn, "referrals_per_1000", Weighting.PRACTICE)
        gaps.append(effect.estimate[0] - region.truth.of("referrals_per_1000", estimand, panel.unit_ids))
    assert frame.loc["right", "bias"] == pytest.approx(np.mean(gaps), rel=1e-12)


def test_runs_without_an_estimate_are_counted():
    def fails(panel, drawn, outcome, weighting):
        raise EstimationError("nothing")

    question = Question(prepare, {"fails": fails}, ("referrals_per_1000",))
    with pytest.raises(EstimationError, match="0 of 2 runs"):
        diagnose_region(SETTINGS, question, DICTIONARY, PROGRAMME, range(2))


def test_one_run_has_no_monte_carlo_error():
    with pytest.raises(CommandError, match="Monte Carlo"):
        diagnosed("example", 1)


@pytest.mark.slow
def test_the_three_planned_analyses_on_a_region_where_all_start_as_drawn():
    settings = replace(
        SETTINGS,
        uptake=replace(SETTINGS.uptake, late=0.0, never=0.0, ended=0.0),
        rounds=replace(SETTINGS.rounds, application_shares=(1.0, 0.0, 0.0, 0.0)),
        shares=replace(
            SETTINGS.shares, never_applies=0.0, earlier_contract=0.0, earlier_contract_switching=0.0, no_consent=0.0
        ),
    )
    question = Question(prepare, analyses(CHOICES), ("referrals_per_1000",), (Weighting.PRACTICE,))
    frame = diagnose_region(settings, question, DICTIONARY, PROGRAMME, range(200))
    # 200 runs know a coverage of .95 to .015 and a bias to its printed error; three and a half of them
    assert (frame["coverage"] >= 0.95 - 3.5 * 0.0154).all()
    assert (frame["bias"].abs() <= 3.5 * frame["bias_error"]).all()


def test_the_headline_of_the_question_is_diagnosed_or_refused():
    other = analyses(replace(CHOICES, estimator="imputation"))
    assert list(other) == ["imputation", "callaway_santanna", "callaway_santanna_unadjusted", "lottery"]
    with pytest.raises(CommandError, match="stepped_wedge gives no average"):
        analyses(replace(CHOICES, estimator="stepped_wedge"))
