"""From extracts to a panel: values by hand arithmetic, and an account of everything left out."""

import numpy as np
import pytest

from mtvp_eval.clock import NEVER, quarter
from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.data.link import AccountRow, LinkChoices, MissingShare, SurveyGap, link
from mtvp_eval.errors import DataError, DataValidationError
from tests.unit.data.region import (
    EARLIER,
    FIRST,
    FOURTH,
    NEVER_APPLIED,
    NO_CONSENT,
    PRACTICES,
    QUARTERS,
    SECOND,
    THIRD,
    put,
)

IN_PANEL = [FIRST, SECOND, THIRD, FOURTH, NEVER_APPLIED]


@pytest.fixture
def linked(tmp_path, dictionary, programme):
    def run(region, choices=None):
        return link(read_extracts(put(tmp_path / "raw" / "test", region), dictionary), dictionary, programme, choices)

    return run


def test_the_panel_holds_practices_quarters_and_outcomes_as_defined(linked, region):
    panel = linked(region).panel

    assert panel.unit_ids.tolist() == IN_PANEL
    assert panel.periods == tuple(QUARTERS)
    # first practice, first quarter: 2400 consultations, 240 of them long, 2000 patients, 1.25 fte
    first = {name: values[0, 0] for name, values in panel.outcomes.items()}
    assert first["consults_per_1000"] == 1200
    assert first["long_consult_share"] == 10
    assert first["consults_per_fte"] == 1920
    assert first["patients_per_fte"] == 1600
    assert first["fte_gp"] == 1.25
    # (30,000.50 + 20,000 + 40,000) euro / 500 insured years; the fee is not in it
    assert first["cost_gp"] == pytest.approx(180.001, rel=1e-12)  # sums of three floats
    assert first["cost_hospital"] == 1500


def test_the_fee_of_an_enrolled_practice_is_not_part_of_its_gp_cost(linked, region):
    cost = linked(region).panel.outcomes["cost_gp"]

    assert np.ptp(cost[0]) == 0  # the first practice is paid the fee from 2023Q2 on


def test_list_sizes_are_frozen_before_the_first_round(linked, region):
    found = linked(region)

    # 2023Q1 is the fifth quarter (t = 4): 2000 + 100 i + 4
    assert found.frozen_at == quarter("2023Q1")
    assert found.panel.weight.tolist() == [2004, 2104, 2204, 2304, 2404]
    assert found.panel.baseline["log_list_size"].tolist() == np.log(found.panel.weight).tolist()
    assert found.panel.baseline["deprivation"].tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    # 2023Q2 of the first practice: 2450 consultations, 2005 patients then, 2004 frozen
    assert found.frozen_rate("consults_per_1000")[0, 5] == pytest.approx(1000 * 2450 / 2004, rel=1e-12)


def test_a_list_missing_when_it_is_frozen_is_the_last_before_else_that_of_the_reference_date(linked, region):
    early = QUARTERS[:5]
    region["activity"] = [
        row
        for row in region["activity"]
        if not (row["practice_id"] == FIRST and row["quarter"] == "2023Q1")
        and not (row["practice_id"] == SECOND and row["quarter"] in early)
    ]
    weight = linked(region).panel.weight

    assert weight[0] == 2003  # of 2022Q4
    assert weight[1] == 2100  # registered_reference


def test_entry_and_the_way_into_the_programme_go_with_the_units(linked, region):
    found = linked(region)
    story = found.history

    assert found.panel.entry.tolist() == [quarter(q) for q in ("2023Q2", "2023Q3", "2023Q4", "2024Q1")] + [NEVER]
    assert story.practice_ids.tolist() == PRACTICES
    assert found.rows.tolist() == [0, 1, 2, 3, 4]
    assert story.drawn[:5].tolist() == found.panel.entry.tolist()
    assert story.no_lottery[:5].tolist() == [False, False, False, True, False]
    assert story.applied[:5].tolist() == [quarter("2023Q2")] * 4 + [NEVER]
    assert story.first_round == quarter("2023Q2")
    assert found.block[:5].tolist() == ["2023Q2"] * 4 + ["no application"]
    # two practices share a health centre and are one unit of assignment
    assert found.panel.cluster.tolist() == [FIRST, SECOND, "Health centre", "Health centre", NEVER_APPLIED]


def test_a_priority_class_is_a_block_of_its_own(linked, region):
    region["applications"][1]["priority_class"] = "deprived"

    assert linked(region).block[:2].tolist() == ["2023Q2", "2023Q2 deprived"]


def test_every_practice_and_row_left_out_is_accounted_for(linked, region):
    region["activity"] = [row for row in region["activity"] if row["practice_id"] != NEVER_APPLIED]
    found = linked(region)

    assert [row for row in found.account if row.table == "practices"] == [
        AccountRow("practices", "practices", "in the extract of the region", 0, 7),
        AccountRow("practices", "consent", "no consent to monitoring", 1, 6),
        AccountRow("practices", "status", "paid under an earlier comparable programme, never a clean control", 1, 5),
        AccountRow("practices", "activity", "no activity in the quarters used", 1, 4),
    ]
    for table in {row.table for row in found.account}:
        steps = [row for row in found.account if row.table == table]
        assert steps[0].left - sum(row.lost for row in steps) == steps[-1].left
    # 6 practices with activity x 9 quarters; two of them are left out
    assert [row.left for row in found.account if row.table == "activity"] == [54, 36, 36]
    assert [(row.step, row.units, row.lost) for row in found.panel.lineage][-1] == ("activity", 4, 1)


def test_practices_of_an_earlier_programme_and_without_consent_are_no_controls(linked, region):
    ids = linked(region).panel.unit_ids.tolist()

    assert EARLIER not in ids
    assert NO_CONSENT not in ids


def test_a_first_quarter_leaves_out_what_is_before_it(linked, region):
    found = linked(region, LinkChoices(first_quarter=quarter("2022Q3")))

    assert found.panel.periods[0] == "2022Q3"
    assert [row.lost for row in found.account if row.table == "activity" and row.step == "window"] == [10]


def test_a_first_quarter_after_the_data_is_refused(linked, region):
    with pytest.raises(DataError, match="ends in 2024Q1, before the first quarter asked for"):
        linked(region, LinkChoices(first_quarter=quarter("2025Q1")))


def test_outcomes_that_were_not_supplied_are_named_with_the_reason(linked, region, dictionary):
    found = linked(region)
    reasons = {row.outcome: row.reason for row in found.supply}

    assert set(reasons) == set(dictionary.outcomes)
    assert set(found.not_supplied) == set(dictionary.outcomes) - set(found.panel.outcomes)
    assert reasons["access_days"] == "column access_days"
    assert reasons["cost_pharmacy"] == "sector pharmacy"
    assert reasons["patient_satisfaction"] == "indicator patient_satisfaction"
    assert reasons["consults_per_1000"] == ""


def test_without_a_cost_table_costs_are_not_supplied(linked, region):
    del region["costs"]
    found = linked(region)

    assert found.costs is None
    assert {row.outcome: row.reason for row in found.supply}["cost_gp"] == "table costs"


def test_cost_of_several_insurers_is_the_ratio_of_sums(linked, region):
    own = [row | {"insurer": "3311"} for row in region["costs"]]
    other = [row | {"insurer": "0101", "insured_years": "250", "amount_eur": "100"} for row in region["costs"]]
    region["costs"] = own + other
    cost = linked(region).panel.outcomes["cost_hospital"]

    # (750,000 + 100) / (500 + 250)
    assert cost[0, 0] == pytest.approx(1000.1333333333333, rel=1e-12)


def test_a_part_of_gp_cost_missing_leaves_the_cell_open_and_not_too_low(linked, region):
    region["costs"] = [row for i, row in enumerate(region["costs"]) if i != 1]  # gp_chain, first practice and quarter
    cost = linked(region).panel.outcomes["cost_gp"]

    assert np.isnan(cost[0, 0])
    assert np.isfinite(cost[0, 1:]).all()


def test_quarters_younger_than_the_run_out_are_refused(linked, region):
    for row in region["costs"]:
        row["as_of"] = "2024-03-31"
    found = linked(region, LinkChoices(run_out_quarters=2))

    # As of 31 March 2024, two quarters after its end: 2023Q3 is the last complete quarter.
    assert found.costs.last_complete == quarter("2023Q3")
    assert found.costs.refused_quarters == (quarter("2023Q4"), quarter("2024Q1"))
    assert np.isnan(found.panel.outcomes["cost_gp"][:, 7:]).all()
    assert np.isfinite(found.panel.outcomes["cost_gp"][:, :7]).all()
    assert sum(row.lost for row in found.account if row.step == "run_out") > 0


def test_a_fee_of_its_own_is_separable_and_a_missing_one_is_not(linked, region):
    assert linked(region).costs.fee_separable
    region["costs"] = [row for row in region["costs"] if row["sector"] != "mtvp_fee"]
    found = linked(region).costs

    assert not found.fee_separable
    assert found.reason.startswith("4 of 4 practices under contract have GP cost but no row of the fee")


def test_a_survey_without_a_measurement_before_the_start_is_not_estimated_for_that_cohort(linked, region):
    # measured in 2023Q3 and 2024Q1: nothing before the starts of 2023Q2 and 2023Q3
    found = linked(region)
    scored = np.isfinite(found.panel.outcomes["work_pleasure"]).sum(axis=1)

    assert scored.tolist() == [0, 0, 2, 2, 0]
    assert found.survey_gaps == (
        SurveyGap("work_pleasure", quarter("2023Q2"), 1),
        SurveyGap("work_pleasure", quarter("2023Q3"), 1),
    )


def test_known_breaks_inside_a_pre_period_are_named(linked, region):
    crossed = {(row.name, row.outcome): row.cohorts for row in linked(region).breaks}
    starts = tuple(quarter(q) for q in ("2023Q2", "2023Q3", "2023Q4", "2024Q1"))

    assert crossed[("tariffs_2023", "cost_gp")] == starts
    assert not any(outcome == "consults_per_1000" for _, outcome in crossed)  # data begin in 2022, after both


def test_missing_quarters_are_counted_by_cohort(linked, region):
    region["activity"] = region["activity"][2:]  # the first practice without 2022Q1 and 2022Q2
    found = linked(region).missing

    assert found[0] == MissingShare(quarter("2023Q2"), 1, 9, 2)
    assert found[-1] == MissingShare(NEVER, 1, 9, 0)


def test_a_region_without_a_usable_practice_is_refused_with_the_account(linked, region):
    for row in region["practices"]:
        row["monitoring_consent"] = "no"

    with pytest.raises(DataError, match="None of the 7 practices can be used: 7 no consent to monitoring"):
        linked(region)


def test_extracts_that_break_a_rule_are_not_linked(linked, region):
    region["activity"][0]["registered_patients"] = "0"

    with pytest.raises(DataValidationError):
        linked(region)


def test_a_survey_measured_only_after_every_start_is_not_supplied(linked, region):
    region["surveys"] = [row for row in region["surveys"] if row["quarter"] == "2024Q1"]
    found = linked(region)
    reasons = {row.outcome: row.reason for row in found.supply}

    assert "work_pleasure" in found.not_supplied
    assert reasons["work_pleasure"] == "no measurement before the start of any cohort"
    assert len(found.survey_gaps) == 4
