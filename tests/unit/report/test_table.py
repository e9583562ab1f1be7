"""A published table: what the reader sees, what a test compares, which numbers are published."""

from dataclasses import replace

import pandas as pd
import pytest

from mtvp_eval.errors import MtvpError
from mtvp_eval.report.catalogue import all_tables, report_table
from mtvp_eval.report.html_check import problems
from mtvp_eval.report.labels import WITHHELD
from mtvp_eval.report.table import Column, ReportTable
from tests.unit.report.made_region import COHORTS, made_estimability, made_inputs


def small_table(**changes):
    table = ReportTable(
        "costs",
        "Costs",
        pd.DataFrame({"who": ["a", "b"], "euro": [-1234.5, 0.004], "low": [-2000.0, -1.0], "high": [3.0, 1.0]}),
        (
            Column("who", "Who"),
            Column("euro", "Amount", "number", unit="euro", decimals=1, low="low", high="high"),
            Column("range", "Interval", "interval", decimals=0, low="low", high="high"),
        ),
        ("who",),
        "nl",
        source="invented",
    )
    return replace(table, **changes)


def test_the_reader_sees_dutch_numbers_and_the_comparator_plain_ones():
    table = small_table()
    html = table._repr_html_()
    for part in ('<th scope="col"', '<th scope="row">a</th>', "−1.234,5", "−2.000 tot 3", "<caption>Costs", "invented"):
        assert part in html
    assert repr(table).splitlines()[2] == "a  -1234.5  -2000 tot 3"


def test_published_numbers_have_ids_units_intervals_and_relative_tolerance():
    first, second = small_table().numbers()
    assert (first.id, first.value, first.unit, first.interval) == ("costs/a/euro", -1234.5, "euro", (-2000.0, 3.0))
    assert first.tolerance == pytest.approx(1234.5e-8)
    assert second.tolerance == 1e-8  # below 1 the tolerance is absolute


def test_a_range_of_its_own_is_published_as_two_numbers():
    table = small_table(columns=small_table().columns[::2])
    assert [n.id for n in table.numbers()] == ["costs/a/low", "costs/a/high", "costs/b/low", "costs/b/high"]


def test_a_withheld_cell_is_nowhere():
    import numpy as np

    table = small_table(withheld=np.array([[False, True, True], [False, False, False]]))
    assert "1.234,5" not in table._repr_html_()
    assert WITHHELD in table._repr_html_()
    assert [n.id for n in table.numbers()] == ["costs/b/euro"]


def test_a_key_that_names_two_rows_is_refused():
    with pytest.raises(MtvpError, match="names 1 rows twice"):
        small_table(frame=small_table().frame.assign(who="a"))


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_table_of_a_region_is_readable_and_has_its_own_ids(language):
    tables = all_tables(made_inputs(), language)
    assert len(tables) == 40
    ids = [n.id for table in tables for n in table.numbers()]
    assert len(set(ids)) == len(ids)
    page = "".join(table._repr_html_() for table in tables)
    assert problems(f'<html lang="{language}"><title>t</title><h1>t</h1>{page}</html>') == ()


def test_ids_are_the_same_in_both_languages():
    nl, en = ({n.id for t in all_tables(made_inputs(), language) for n in t.numbers()} for language in ("nl", "en"))
    assert nl == en


def test_compact_says_once_what_stands_in_every_row():
    table = report_table("by_cohort", made_inputs(), "en")
    one = table.rows(outcome="cost_hospital", weighting="practice").compact()
    assert one.title == "Effect by cohort; Hospital cost; per practice; euro per insured year"
    assert [c.name for c in one.columns] == ["cohort", "estimate", "interval", "df"]
    assert {n.id for n in one.numbers()} <= {n.id for n in table.numbers()}


def test_one_changed_number_changes_the_text_that_is_compared():
    inputs = made_inputs()
    effects = inputs.effects.copy()
    row = effects.index[(effects["estimand"] == "overall") & (effects["outcome"] == "referrals_per_1000")][0]
    effects.loc[row, "estimate"] -= 0.1
    assert repr(report_table("headline", inputs, "en")) != repr(
        report_table("headline", made_inputs(effects=effects), "en")
    )


def test_no_table_shows_anything_of_a_withheld_cohort():
    sizes = {c: n for c, (n, _) in COHORTS.items()} | {"2023Q3": 3}
    inputs = made_inputs()
    cells = made_estimability()
    cells["practices"] = [sizes[c] for c in cells["cohort"]]
    inputs = made_inputs(cohorts=inputs.cohorts.assign(units=list(sizes.values())), estimability=cells)
    for table in all_tables(inputs, "en"):
        if table.id == "trends":
            assert not [n for n in table.numbers() if n.id.endswith("/2023Q3")]
        if "cohort" in table.key:
            own = table.rows(cohort="2023Q3").numbers()
            assert [n.id for n in own if not n.id.endswith("practices_comparing")] == []


def test_practice_and_patient_are_both_shown_where_they_differ_by_more_than_an_error():
    inputs = made_inputs()
    effects = inputs.effects.copy()
    patient = (effects["estimand"] == "overall") & (effects["weighting"] == "patient")
    row = effects.index[patient & (effects["outcome"] == "work_pleasure")][0]
    assert len(report_table("headline", inputs, "en").frame) == 4
    effects.loc[row, "estimate"] = 0.21 + 0.09  # the standard error is 0.08
    assert len(report_table("headline", made_inputs(effects=effects), "en").frame) == 5
