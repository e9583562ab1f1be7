"""Which interval and why, as table and in words; several looks; what a pre-test can see."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.report.interval_sentences import looks, pretrends, why
from mtvp_eval.report.page import Page
from mtvp_eval.report.sentences import limits
from tests.unit.report.made_region import made_inputs


def choices(outcomes, **changes):
    frame = pd.DataFrame({"outcome": outcomes, "estimand": "overall", "weighting": "practice"})
    made = {
        "treated": 35, "comparison": 44, "recommended": "satterthwaite", "used": "HC2 by cohort, t", "wild_low": -1e6,
        "wild_high": 1e6, "wild_p": 0.5, "replay_low": -9.0, "replay_high": 2.0, "look_low": np.nan,
        "look_high": np.nan, "note": "",
    }  # fmt: skip
    return frame.assign(**{**made, **changes})


def with_choices(**changes):
    made = made_inputs()
    pre = pd.DataFrame(
        [(made.primary_outcome, p, s, 2 * s, 1.9 * s, 5) for p, s in ((0.5, 1.5), (0.8, 2.5))],
        columns=["outcome", "power", "drift", "bias", "bias_if_passed", "quarters"],
    )
    shown = [o.id for o in made.outcomes]
    return replace(made, intervals=choices(shown, **changes), pretrend_power=pre)


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("interval", ["satterthwaite", "cr1", "cr2", "randomization"])
def test_the_reason_names_both_sides(language, interval):
    said = why(with_choices(recommended=interval), language)[0]
    assert "35" in said
    assert "44" in said


def test_few_practices_are_named_but_not_counted():
    inputs = with_choices(recommended="randomization", treated=4)
    said = " ".join(why(inputs, "en"))
    assert "read the replay of the draw: " in said
    assert inputs.outcome(inputs.primary_outcome).title["en"] in said
    assert "are compared with" not in said
    row = Page(inputs, "en").table("intervals").numbers()
    assert not [n for n in row if n.value == 4]


def test_disagreement_about_zero_is_said_with_the_outcomes():
    inputs = with_choices()
    overall = inputs.effects[(inputs.effects["estimand"] == "overall") & (inputs.effects["weighting"] == "practice")]
    clear = overall[(overall["ci_low"] > 0) | (overall["ci_high"] < 0)]["outcome"].tolist()
    assert clear
    said = why(inputs, "en")[-1]
    assert f"for {len(clear)} of" in said
    assert inputs.outcome(clear[0]).title["en"] in said
    agreed = with_choices(wild_low=overall["ci_low"].to_numpy(), wild_high=overall["ci_high"].to_numpy())
    assert why(agreed, "en")[-1].startswith("For all")
    none = with_choices(wild_low=np.nan, wild_high=np.nan)
    assert "refused for every outcome" in why(none, "en")[-1]


@pytest.mark.parametrize(
    ("taken", "planned", "said"),
    [
        (None, None, "not declared"),
        (1, 1, "first look"),
        (3, None, "look 3 at these data. No number of looks was planned"),
        (1, None, "look 1 at these data. No number"),
        (2, 4, "look 2 of 4 planned. So that all looks together keep 95%, the interval at this look has level 99.69%"),
    ],
)
def test_looks_are_counted_and_adjusted_for_or_said_not_to_be(taken, planned, said):
    inputs = replace(with_choices(look_low=-20.0, look_high=30.0), looks=(taken, planned), look_level=0.9969)
    assert said in looks(inputs, "en")
    assert looks(inputs, "en") in limits(inputs, "en")
    assert ("-20" in looks(inputs, "nl") or "−20" in looks(inputs, "nl")) == (planned == 4)


@pytest.mark.parametrize("changes", [{"treated": 4}, {"comparison": 4}, {"look_low": np.nan, "look_high": np.nan}])
def test_planned_looks_show_no_interval_that_their_table_withholds_or_lacks(changes):
    inputs = with_choices(**{"look_low": -20.0, "look_high": 30.0, **changes})
    inputs = replace(inputs, looks=(2, 4), look_level=0.9969)
    assert [n.id for n in Page(inputs, "en").table("intervals").numbers() if "look" in n.id] == []
    for language, level in (("en", "99.69%"), ("nl", "99,69%")):
        said = looks(inputs, language)
        assert level in said
        assert inputs.outcome(inputs.primary_outcome).title[language] not in said
        assert not any(end in said for end in ("20", "30", "\N{EN DASH}"))


def test_that_money_is_not_adjusted_for_planned_looks_is_said_where_there_is_money():
    inputs = replace(with_choices(look_low=-20.0, look_high=30.0), looks=(2, 4), look_level=0.9969)
    for language, words in (("en", "intervals and chances of money"), ("nl", "intervallen en kansen bij het geld")):
        assert words in looks(inputs, language)
        assert words not in looks(replace(inputs, money=None), language)
        assert words not in looks(replace(inputs, looks=(1, 1)), language)


def test_planned_looks_without_an_interval_of_the_primary_outcome_are_still_counted():
    inputs = replace(made_inputs(), looks=(2, 4), look_level=0.9969)
    assert "look 2 of 4 planned" in looks(inputs, "en")


def test_the_power_of_the_pre_test_is_said_at_the_larger_chance():
    inputs = with_choices()
    assert "80%" in pretrends(inputs, "en")[0]
    published = {n.id: n.value for n in Page(inputs, "en").table("pretrend_power").numbers()}
    assert published["pretrend_power/0.5/drift"] == 1.5
    assert published["pretrend_power/0.8/bias_if_passed"] == pytest.approx(4.75)


def test_columns_without_a_number_are_left_out():
    inputs = with_choices(replay_low=np.nan, replay_high=np.nan)
    names = [column.name for column in Page(inputs, "en").table("intervals").columns]
    assert len([n for n in names if n == "interval"]) == 0
    assert not any("replay" in (column.low or "") for column in Page(inputs, "en").table("intervals").columns)


def test_without_choices_nothing_is_said():
    inputs = made_inputs()
    assert why(inputs, "en") == []
    assert pretrends(inputs, "nl") == []
    assert not {"intervals", "pretrend_power"} & {table.id for table in inputs.tables("en")}
