"""The dictionary is read strictly: what is unknown or contradictory is named, all at once."""

import shutil
from pathlib import Path

import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.errors import CommandError

FOLDER = Path(__file__).resolve().parents[3] / "data_dictionary"


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(FOLDER, tmp_path / "data_dictionary"))


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_own_dictionary_loads():
    dictionary = load_dictionary(FOLDER)

    assert sorted(name for name, table in dictionary.tables.items() if table.required) == [
        "activity",
        "applications",
        "enrolment",
        "lottery_rounds",
        "practices",
    ]


def test_every_goal_of_the_comparison_of_predecessor_projects_has_an_outcome():
    goals = [o.goal for o in load_dictionary(FOLDER).outcomes.values() if o.goal]
    numbers = {
        heading: sorted(
            goal.number for goal in goals if goal.source == "nivel_2021_table_2" and goal.heading == heading
        )
        for heading in ("directe_patientenzorg", "verwijzen_en_voorschrijven", "personeel")
    }

    # the table has nine, five and four goals in its three columns
    assert numbers == {
        "directe_patientenzorg": [1, 2, 3, 4, 5, 6, 7, 8, 9],
        "verwijzen_en_voorschrijven": [1, 2, 3, 4, 5],
        "personeel": [1, 2, 3, 4],
    }


def test_patients_per_fte_access_time_and_network_collaboration_are_outcomes():
    assert {"patients_per_fte", "access_days", "network_collaboration"} <= set(load_dictionary(FOLDER).outcomes)


def test_the_fee_is_a_sector_and_in_no_outcome():
    dictionary, programme = load_dictionary(FOLDER), load_programme(FOLDER, "mtvp")

    assert programme.fee_sector in dictionary.codes["sectors"].codes
    assert not any(programme.fee_sector in outcome.sectors for outcome in dictionary.outcomes.values())
    assert not any("gp_registration" in outcome.sectors for outcome in dictionary.outcomes.values())


def test_gp_cost_is_what_the_code_list_counts_as_gp_cost():
    dictionary = load_dictionary(FOLDER)
    listed = [row["code"] for row in dictionary.codes["sectors"].rows if row["in_gp_cost"] == "yes"]

    assert list(dictionary.outcomes["cost_gp"].sectors) == listed


def test_surveys_have_one_direction_in_both_files():
    dictionary = load_dictionary(FOLDER)
    listed = {row["code"]: row["direction"] for row in dictionary.codes["survey_indicators"].rows}

    assert {o.indicator: o.direction for o in dictionary.outcomes.values() if o.kind == "survey"} == listed


def test_programme_facts():
    programme = load_programme(FOLDER, "mtvp")

    assert (programme.cap_share, programme.first_round, programme.open_round) == (
        0.25,
        quarter("2023Q2"),
        quarter("2024Q1"),
    )
    assert [rate.amount for rate in programme.fee_rates] == [2.88, None, 3.23]
    assert programme.organisation_fee is None


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "tables/activity.yaml",
            "title_nl: Kwartaal",
            "titel_nl: Kwartaal",
            "unknown key titel_nl; did you mean title_nl?",
        ),
        ("tables/activity.yaml", "type: quarter", "type: kwartaal", "type is kwartaal"),
        (
            "tables/activity.yaml",
            "at_least: {low: 1}",
            "at_leest: {low: 1}",
            "unknown rule at_leest; did you mean at_least?",
        ),
        ("tables/activity.yaml", "at_least: {low: 1}", "at_least: {lowest: 1}", "unknown key lowest"),
        (
            "tables/activity.yaml",
            "{column: consults}",
            "{column: consultz}",
            "activity.consultz; did you mean consults",
        ),
        ("tables/activity.yaml", "key: [practice_id, quarter]", "key: [practice_id, kwart]", "the key names kwart"),
        ("tables/activity.yaml", "key: [practice_id, quarter]", "key: [practice_id, fte_gp]", "may not be empty"),
        ("tables/practices.yaml", "codes: kb_statuses", "codes: kb_status", "did you mean kb_statuses?"),
        ("outcomes.yaml", "numerator: consults\n", "numerator: consult\n", "did you mean consults?"),
        ("outcomes.yaml", "indicator: work_pleasure", "indicator: work_plesure", "did you mean work_pleasure?"),
        ("outcomes.yaml", "sectors: [hospital]", "sectors: [hospitals]", "did you mean hospital?"),
        ("outcomes.yaml", "source: lhv_goals", "source: lhv_goal", "did you mean lhv_goals?"),
        ("codes/parties.csv", "patient;", "hospital;", "repeated: hospital"),
        ("codes/known_breaks.csv", ";all;", ";everything;", "names the outcome everything"),
    ],
)
def test_mistakes_are_named_with_the_nearest_valid_word(copy, file, old, new, words):
    change(copy / file, old, new)

    with pytest.raises(CommandError) as raised:
        load_dictionary(copy)
    assert words in str(raised.value)


def test_all_mistakes_are_said_at_once(copy):
    change(copy / "tables" / "activity.yaml", "title_nl: Kwartaal", "titel_nl: Kwartaal")
    change(copy / "codes" / "parties.csv", "patient;", "hospital;")

    with pytest.raises(CommandError) as raised:
        load_dictionary(copy)
    assert "titel_nl" in str(raised.value)
    assert "repeated: hospital" in str(raised.value)


def test_an_unknown_programme_is_named():
    with pytest.raises(CommandError, match="did you mean mtvp"):
        load_programme(FOLDER, "mtpv")


def test_a_programme_file_with_an_unknown_key_is_refused(copy):
    change(copy / "programmes" / "mtvp.yaml", "cap_share", "cap_shares")

    with pytest.raises(CommandError, match="did you mean cap_share"):
        load_programme(copy, "mtvp")
