"""Rules that stop, findings that are shown: each broken or met in one place of a region without faults."""

import pytest

from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.data.validate import validate
from mtvp_eval.errors import DataValidationError
from tests.unit.data.region import EARLIER, FIRST, FOURTH, NEVER_APPLIED, SECOND, put


@pytest.fixture
def checked(tmp_path, dictionary, programme):
    def run(region):
        return validate(read_extracts(put(tmp_path / "raw" / "test", region), dictionary), dictionary, programme)

    return run


def the(rows, **where):
    """Return the rows that have these values."""
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def test_a_clean_region_breaks_nothing(checked, region):
    found = checked(region)

    assert [violation.sentence() for violation in found.violations] == []
    assert [finding.kind for finding in found.findings] == ["no_consent"]
    found.stop_if_broken()


@pytest.mark.parametrize(
    ("table", "row", "change", "column", "words"),
    [
        ("activity", 0, {"registered_patients": "0"}, "registered_patients", "Must be 1 or more"),
        ("activity", 0, {"registered_patients": ""}, "registered_patients", "Must be filled"),
        ("activity", 0, {"consults_long": "9999"}, "consults_long", "Must not exceed consults"),
        ("activity", 0, {"practice_id": "01999999"}, "practice_id", "Must exist in practices.practice_id"),
        ("activity", 0, {"quarter": "1923Q1"}, "quarter", "Must lie from 2010Q1 to 2040Q4"),
        ("practices", 0, {"opslag_share": "12.5"}, "opslag_share", "Must lie from 0 to 1"),
        ("practices", 0, {"urbanicity": "6"}, "urbanicity", "Must lie from 1 to 5"),
        ("practices", 0, {"kb_status": "maybe"}, "kb_status", "Must be a code of codes/kb_statuses.csv"),
        ("practices", 0, {"reference_date": "1923-01-01"}, "reference_date", "Must lie from 2010-01-01"),
        ("applications", 0, {"withdrawn_quarter": "2023Q1"}, "withdrawn_quarter", "Must not be before applied_quarter"),
        ("enrolment", 0, {"ended_quarter": "2023Q2"}, "ended_quarter", "Must be later than enrolled_quarter"),
        ("enrolment", 1, {"enrolled_quarter": "2023Q1"}, "enrolled_quarter", "before the practice's first application"),
        ("enrolment", 1, {"enrolled_quarter": "2023Q2"}, "enrolled_quarter", "before the round the practice was drawn"),
        ("costs", 0, {"insurer": "331"}, "insurer", "Must be a UZOVI number of four digits, or all"),
        ("costs", 0, {"insured_years": "499"}, "insured_years", "Must be the same for all sectors"),
        ("costs", 0, {"as_of": "2021-12-31"}, "as_of", "Must not be before the quarter"),
        ("costs", 0, {"insurer": "3311"}, "insurer", "their costs would count twice"),
        ("surveys", 0, {"score": "11"}, "score", "Must lie on the scale of indicator"),
        ("surveys", 0, {"indicator": "mood"}, "indicator", "Must be a code of codes/survey_indicators.csv"),
        ("lottery_rounds", 0, {"practice_id": NEVER_APPLIED}, "practice_id", "Must exist in applications.practice_id"),
        ("lottery_rounds", 0, {"lottery_round": "2023Q1"}, "lottery_round", "before the practice's first application"),
    ],
)
def test_each_rule_stops(checked, region, table, row, change, column, words):
    region[table][row] |= change
    found = checked(region).violations

    assert any(v.table == table and v.column == column and words in v.rule for v in found), found
    # the mark of the broken row is its line in the file: the header is line 1
    assert all(v.lines for v in found)


def test_a_row_twice_breaks_the_key_and_both_lines_are_named(checked, region):
    region["activity"].append(dict(region["activity"][0]))
    (violation,) = checked(region).violations

    assert (violation.rule, violation.lines) == ("Must be unique: practice_id + quarter", (2, 65))


def test_a_practice_cannot_be_drawn_after_it_withdrew(checked, region):
    the(region["applications"], practice_id=FOURTH)[0]["withdrawn_quarter"] = "2023Q4"
    (violation,) = checked(region).violations

    assert violation.rule == "Must be before the practice withdrew"
    assert len(violation.lines) == 2  # its rounds of 2023Q4 and 2024Q1


def test_a_withdrawal_before_a_new_application_is_no_contradiction(checked, region):
    the(region["applications"], practice_id=FOURTH)[0]["withdrawn_quarter"] = "2023Q3"
    region["applications"].append(
        {"practice_id": FOURTH, "applied_quarter": "2023Q4", "priority_class": "", "withdrawn_quarter": ""}
    )

    assert checked(region).violations == ()


def test_all_violations_are_said_at_once(checked, region):
    region["activity"][0] |= {"registered_patients": "0", "quarter": "20221", "practice_id": "1000001"}
    region["practices"][1]["opslag_share"] = "7"
    found = checked(region)

    with pytest.raises(DataValidationError) as raised:
        found.stop_if_broken()
    assert len(raised.value.violations) == 4
    assert "break 4 rules" in str(raised.value)


def test_a_cell_that_cannot_be_read_is_not_also_called_empty(checked, region):
    region["activity"][0]["registered_patients"] = "many"

    assert [violation.rule for violation in checked(region).violations] == [
        "Must be a number (decimal mark . in this file)"
    ]


@pytest.mark.parametrize(
    ("kind", "change", "count", "total"),
    [
        ("late_start", lambda r: the(r["enrolment"], practice_id=FIRST)[0].update(enrolled_quarter="2023Q3"), 1, 4),
        ("won_never_started", lambda r: r["enrolment"].pop(0), 1, 4),
        (
            "started_without_draw",
            lambda r: the(r["lottery_rounds"], practice_id=SECOND, drawn="yes")[0].update(drawn="no"),
            1,
            4,
        ),
        (
            "started_without_application",
            lambda r: r["enrolment"].append(
                {"practice_id": NEVER_APPLIED, "enrolled_quarter": "2024Q1", "ended_quarter": ""}
            ),
            1,
            5,
        ),
        (
            "applied_without_round",
            lambda r: r["applications"].append(
                {"practice_id": EARLIER, "applied_quarter": "2023Q2", "priority_class": "", "withdrawn_quarter": ""}
            ),
            1,
            5,
        ),
        ("ended", lambda r: r["enrolment"][0].update(ended_quarter="2023Q4"), 1, 4),
        ("gap", lambda r: r["activity"].pop(4), 1, 7),
        ("late_first", lambda r: r["activity"].pop(0), 1, 7),
        ("early_last", lambda r: r["activity"].pop(), 1, 7),
        ("list_jump", lambda r: r["activity"][0].update(registered_patients="1500"), 1, 7),
        (
            # five rows of one practice-quarter: 4 x 600 insured against 2000 registered
            "insured_exceed_registered",
            lambda r: [row.update(insured_years="600") for row in the(r["costs"], practice_id=FIRST, quarter="2022Q1")],
            1,
            63,
        ),
        ("several_as_of", lambda r: r["costs"][0].update(as_of="2025-02-28"), 2, 260),
        ("rule", lambda r: r["costs"][0].update(amount_eur="-5"), 1, 260),
    ],
)
def test_what_is_unusual_is_a_finding_and_stops_nothing(checked, region, kind, change, count, total):
    change(region)
    validation = checked(region)
    found = {finding.kind: (finding.count, finding.total) for finding in validation.findings}

    assert validation.violations == ()
    assert found[kind] == (count, len(region["costs"]) if total == 260 else total)


def test_rules_on_a_table_that_cannot_be_read_are_left_out(tmp_path, region, dictionary, programme):
    del region["practices"]
    extracts = read_extracts(put(tmp_path / "r", region), dictionary)

    assert [(v.table, v.rule) for v in validate(extracts, dictionary, programme).violations] == [
        ("practices", "The file is missing")
    ]
