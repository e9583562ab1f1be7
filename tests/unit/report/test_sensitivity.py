"""What a report shows of how far conclusions carry: both tables, the figure, the sentences, and their absence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.inference.honest_study import FEW_CLUSTERS
from mtvp_eval.report.inputs import SENSITIVITY_FRAMES
from mtvp_eval.report.page import Page
from mtvp_eval.report.sensitivity_sentences import trend_sensitivity
from tests.unit.report.made_region import made_inputs

OUTCOME = "referrals_per_1000"


def trends(first_breakdown=0.0, mean_breakdown=1.25):
    rows = [
        (OUTCOME, "clear", 4, target, restriction, m, -9 - m, -3 + 2 * m, False, at)
        for target, at in (("first", first_breakdown), ("mean", mean_breakdown))
        for restriction in ("relative_magnitudes", "smoothness")
        for m in (0.0, 1.0, 2.0)
    ]
    return pd.DataFrame(rows, columns=list(SENSITIVITY_FRAMES["trend_sensitivity"]))


def families(outcomes):
    family = ["primary", "secondary", "exploratory"]
    frame = pd.DataFrame({"outcome": outcomes, "estimand": "overall", "p": 0.04, "p_adjusted": 0.08})
    chosen = [family[min(i, 2)] for i in range(len(outcomes))]
    return frame.assign(family=chosen[::-1], adjustment="romano_wolf")


@pytest.fixture
def inputs():
    made = made_inputs()
    return replace(made, trend_sensitivity=trends(), multiplicity=families([o.id for o in made.outcomes]))


@pytest.mark.parametrize("language", ["nl", "en"])
def test_tables_publish_every_number(inputs, language):
    page = Page(inputs, language)
    published = {n.id: n.value for n in page.table("trend_sensitivity").numbers()}
    assert published["trend_sensitivity/clear.mean.smoothness.2/breakdown"] == 1.25
    assert published["trend_sensitivity/clear.first.relative_magnitudes.1/low"] == -10
    adjusted = page.table("multiplicity")
    assert adjusted.frame["family"].tolist()[0] == "primary"
    assert len(adjusted.frame) == len(inputs.outcomes)


def test_an_outcome_without_p_value_stays_out(inputs):
    frame = inputs.multiplicity.assign(p=[np.nan, *[0.04] * (len(inputs.outcomes) - 1)])
    shown = Page(replace(inputs, multiplicity=frame), "en").table("multiplicity")
    assert len(shown.frame) == len(inputs.outcomes) - 1


def test_the_figure_counts_intervals_without_zero(inputs):
    # high = -3 + 2m: below zero at m = 0 and 1, for two effects and two restrictions
    figure = Page(inputs, "en").figure("trend_sensitivity")
    assert "8 of 12 exclude zero" in figure.alt
    assert figure.svg == Page(inputs, "en").figure("trend_sensitivity").svg


def test_breakdown_is_said_in_words(inputs):
    first, mean = trend_sensitivity(inputs, "en")
    assert "no sign that other trends could overturn" in first
    assert "less than 1.25 times" in mean
    always = trend_sensitivity(replace(inputs, trend_sensitivity=trends(np.inf, np.inf)), "nl")
    assert "keert de richting van het effect om" in always[0]


@pytest.mark.parametrize("language", ["en", "nl"])
def test_quarters_beyond_a_break_stand_beside_the_window_not_in_the_figure(inputs, language):
    clear = inputs.trend_sensitivity
    beyond = clear[clear["mbar"] == 1].assign(window="full", quarters=7, breakdown=0.75)
    both = replace(inputs, trend_sensitivity=pd.concat([clear, beyond], ignore_index=True))
    page = Page(both, language)
    assert len(page.table("trend_sensitivity").frame) == len(clear) + len(beyond)
    assert page.figure("trend_sensitivity").svg == Page(inputs, language).figure("trend_sensitivity").svg
    said = trend_sensitivity(both, language)
    assert said[:2] == trend_sensitivity(inputs, language)
    assert {"4", "7"} <= set(said[2].split())
    assert said[2].count("0.75" if language == "en" else "0,75") == 2


@pytest.mark.parametrize("language", ["en", "nl"])
def test_few_practices_behind_the_bounds_are_said(inputs, language):
    assert not any("20" in said for said in trend_sensitivity(inputs, language)[2:])
    said = trend_sensitivity(replace(inputs, few_clusters=14), language)[-1]
    assert " 14 " in said
    assert f" {FEW_CLUSTERS} " in said


def test_what_could_not_be_computed_is_said(inputs):
    refused = replace(made_inputs(), sensitivity_refused="one quarter before the start.")
    assert trend_sensitivity(refused, "en")[0].endswith("one quarter before the start.")
    shown = {table.id for table in refused.tables("en")}
    assert not shown & {"trend_sensitivity", "multiplicity"}
