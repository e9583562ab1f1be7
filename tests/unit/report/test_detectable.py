"""The smallest detectable effect beside each estimate, and quarters in which the draw compares nobody any more."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.report.page import Page
from tests.unit.report.made_region import made_inputs

OUTCOME = "referrals_per_1000"


@pytest.fixture
def inputs():
    made = made_inputs()
    rows = [
        {"outcome": o.id, "weighting": w, "estimand": "overall" if e is None else "event_study", "event_time": e,
         "mde_immediate": 4.0 if e is None else 5.0 + e, "mde_ramp": 12.0 if e is None else 25.0 / (1 + e),
         "share": 6.5, "share_ramp": 19.5}
        for o in made.outcomes for w in ("practice", "patient") for e in (None, 0, 1)
    ]  # fmt: skip
    return replace(made, detectable=pd.DataFrame(rows).astype({"event_time": "Int64"}))


@pytest.mark.parametrize(("language", "beyond"), [("en", "beyond the lottery window"), ("nl", "voorbij het lotings")])
def test_each_quarter_has_its_own_and_later_ones_are_labelled(inputs, language, beyond):
    table = Page(inputs, language).outcome_table("event_study", OUTCOME)
    frame = table.frame.set_index("event_time")
    assert frame.loc[1, "detectable"] == 6.0
    assert frame.loc[1, "detectable_ramp"] == 12.5
    assert np.isnan(frame.loc[-1, "detectable"])  # nothing to detect before the start
    later = frame.index > 1
    assert later.any()
    assert all(beyond in note for note in frame.loc[later, "note"])
    assert not any(beyond in note for note in frame.loc[~later, "note"])
    assert beyond in repr(table)
    published = {n.id for n in table.numbers()}
    assert f"event_study/{OUTCOME}.practice.0/detectable" in published
    assert f"event_study/{OUTCOME}.practice.2/detectable" not in published


def test_the_headline_keeps_one_row_an_outcome_and_weighting(inputs):
    frame = Page(inputs, "en").table("headline").frame
    assert not frame.duplicated(["outcome", "weighting"]).any()
    assert (frame["detectable"] == 6.5).all()


def test_without_a_draw_nothing_is_said_of_a_window(inputs):
    for none in (None, inputs.detectable.iloc[:0]):
        frame = Page(replace(inputs, detectable=none), "en").outcome_table("event_study", OUTCOME).frame
        assert "detectable" not in frame
        assert not frame["note"].str.contains("window").any()


def test_only_rows_that_are_a_sum_are_set_as_one():
    from mtvp_eval.report.table import Column, ReportTable

    frame = pd.DataFrame({"region": ["small", "all"], "n": [1.0, 2.0]})
    made = ReportTable("t", "T", frame, (Column("region", "Region"), Column("n", "N", "number")), ("region",), "en")
    assert made._repr_html_().count('class="sum"') == 1
