"""A region's settings are read strictly, and contradictions are said before anything is simulated."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.errors import CommandError
from mtvp_eval.simulate.scenarios import SCENARIOS, Scenario
from mtvp_eval.simulate.settings import embedded_regions, read_region

REGIONS = Path(__file__).resolve().parents[3] / "data_dictionary" / "regions.yaml"


@pytest.fixture
def changed(tmp_path):
    """Return a function that reads the example region after one change of the text of regions.yaml."""

    def read(pattern, text):
        content = REGIONS.read_text(encoding="utf-8")
        changed, times = re.subn(pattern, text, content, count=1)
        assert times == 1
        path = tmp_path / "regions.yaml"
        path.write_text(changed, encoding="utf-8")
        return read_region(path, "example")

    return read


def test_embedded_regions_can_be_read():
    assert embedded_regions(REGIONS) == ("example", "small", "north", "south")
    example, small, *_ = (read_region(REGIONS, name) for name in embedded_regions(REGIONS))
    assert (example.practices, example.quarters, small.practices) == (60, 24, 12)
    assert example.first_quarter == quarter("2019Q1")
    assert example.last_quarter == quarter("2024Q4")
    assert example.rounds.first_round == quarter("2023Q2")
    assert example.rounds.rule.rollover == "queue"
    assert example.rounds.rule.misfit == "skip"
    assert example.rounds.last_round == 4


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        ("never_applies: ", "never_aplies: ", "unknown key never_aplies; did you mean never_applies"),
        (r"never_applies: [\d.]+, ", "", "never_applies is required"),
        ("rollover: queue", "rollover: queu", "rollover is queu; did you mean queue"),
        ("rollover: queue .*", "", "rollover is required"),
        ("first_quarter: 2019Q1", 'first_quarter: "20191"', "year-quarter code"),
        ("scenario: national-2025-like", "scenario: national", "scenario is national"),
        ("simulated: yes\n    what: embedded example; 2", "simulated: no\n    what: 2", "not marked as simulated"),
        (r"application_shares: \[.*\]", "application_shares: all", "must be a list of numbers"),
        (r"application_shares: \[[\d.]+", "application_shares: [0.5", "sum to one"),
        (r"\{2023: 2.88, 2024: 2.97\} ", "{2023: 2.88} ", "the fee of 2024 has no amount"),
        (r"\{2023: 2.88, 2024: 2.97\} ", "2.88 ", "one amount a year"),
        ("supplied: .consults_per_1000, ", "supplied: [consult_per_1000, ", "did you mean consults_per_1000"),
        ("reference_quarter: 2023Q1", "reference_quarter: 2023Q2", "before the first round"),
    ],
)
def test_what_is_wrong_is_said(changed, pattern, text, said):
    with pytest.raises(CommandError, match=said):
        changed(pattern, text)


def test_all_problems_are_said_at_once(example):
    with pytest.raises(CommandError) as error:
        replace(example, practices=10_000, supplied=("long_consult_share", "access_days"))
    for said in ("made-up codes", "cannot supply access_days", "needs the consultations"):
        assert said in str(error.value)


def test_unknown_region_is_named():
    with pytest.raises(CommandError, match=r"no region exmple; did you mean example"):
        read_region(REGIONS, "exmple")


def test_a_scenario_names_outcomes_the_simulator_makes():
    with pytest.raises(CommandError, match="did you mean referrals_per_1000"):
        Scenario("mine", {"referals_per_1000": -0.1})


def test_steady_effects_follow_from_the_scenario():
    assert set(SCENARIOS) == {"null", "national-2025-like", "base", "optimistic"}
    assert all(effect == 0 for effect in SCENARIOS["null"].steady(1.0).values())
    effects = SCENARIOS["national-2025-like"].steady(0.3)
    # 1 % of 1,150 consultations; -2 % of 81.8 referrals; 0.3 x -2 % of 1,655 euro.
    assert effects["consults_per_1000"] == pytest.approx(11.5)
    assert effects["referrals_per_1000"] == pytest.approx(-1.636)
    assert effects["cost_hospital"] == pytest.approx(-9.93)
    # 58.62 euro of consultations: 1 % more of them, and three points more of them (of 100, beside 15) paid double.
    assert effects["cost_gp"] == pytest.approx(58.62 * (1.01 * (1.18 / 1.15) - 1))
