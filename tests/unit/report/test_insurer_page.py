"""What stands beside the net benefit: a loss as plainly as a gain, noise called noise, every part of the page there."""

from dataclasses import replace

import pytest

from mtvp_eval.report import money_sentences
from mtvp_eval.report.catalogue import report_table
from mtvp_eval.report.inputs import NoMoney
from mtvp_eval.report.page import Page
from mtvp_eval.report.sentences import break_even
from tests.unit.report.made_region import made_inputs, made_money, made_page, made_placebo


def inputs(**changes):
    return made_inputs(money=replace(made_money(), page=made_page(**changes)))


def said(part, language="en", **changes):
    return " ".join(getattr(money_sentences, part)(inputs(**changes), language))


def test_a_saving_above_two_per_cent_is_flagged_and_one_below_is_not():
    assert "Warning" not in said("saving")
    high = made_page().saving.assign(saving=2.4)
    assert "more than 2%" in said("saving", saving=high)
    assert "meer dan 2%" in said("saving", "nl", saving=high)


@pytest.mark.parametrize(("share", "word"), [(0.4, "fell in cash by 0.4%"), (-0.4, "rose in cash by 0.4%")])
def test_a_rise_is_said_as_plainly_as_a_fall(share, word):
    assert word in said("saving", saving=made_page().saving.assign(saving=share))


def test_the_sum_of_the_placebo_year_is_said_with_either_sign():
    gain, loss = (said("placebo_year", placebo_year=made_placebo(size)) for size in (1.9, -1.9))
    assert gain.replace("gain", "loss") == loss
    assert "80%" in gain


def test_care_that_is_not_cash_is_called_freed_capacity_and_never_a_saving():
    text = said("grey", "nl")
    assert "Vrijgespeelde capaciteit" in text
    assert "€\N{NO-BREAK SPACE}301.200" in text
    assert "niet werd vergoed" in said("grey", "nl", freed=-5.0)


def test_hospitals_are_told_of_a_fall_and_of_a_rise():
    assert "delivered €602,400 less care" in said("hospital")
    assert "€90,360 of cost stayed" in said("hospital")
    rise = made_page().stranded.assign(full_value=-10.0, revenue_loss=-5.0, cost_avoided=-3.0, stranded=-2.0)
    assert "delivered €10 more care" in said("hospital", stranded=rise)
    assert "they kept €2" in said("hospital", stranded=rise)


def test_a_value_below_the_floor_is_not_distinguishable_from_0():
    low = made_page().measure_next.assign(floor=[float("nan")] * 3 + [99_000.0, 2_500.0])
    assert "told from 0" in said("measure_next", measure_next=low)
    table = report_table("measure_next", inputs(measure_next=low), "en")
    assert "not distinguishable from 0" in repr(table)
    assert "not distinguishable" not in repr(report_table("measure_next", inputs(), "en"))
    assert "Hospital cost (2023)" in said("measure_next")


def test_an_extrapolation_is_shown_apart_with_its_share():
    assert "33% of it is not observed" in said("grey")  # 206,150 beside 412,300
    none = made_page().extrapolations.iloc[:0]
    assert "not observed and no part" not in said("grey", extrapolations=none)


def test_the_list_names_what_was_assumed_left_out_and_not_computed():
    text = said("grey")
    for part in ("Fee of the regional organisation 0.50", "Diagnostics", "the fee as time and staff", "7 lines"):
        assert part in text


def test_a_method_that_refuses_has_a_row_with_its_reason():
    table = report_table("scenarios", inputs(), "en")
    assert "no block was drawn" in repr(table)
    assert not [n for n in table.numbers() if "lottery" in n.id]


def test_the_tornado_is_drawn_from_its_table():
    figure = Page(inputs(), "nl").figure("tornado")
    assert "Kosten medisch-specialistische zorg (2023)" in figure.alt
    assert figure.svg == Page(inputs(), "nl").figure("tornado").svg


def test_a_table_without_rows_says_that_it_does_not_apply():
    empty = made_page().capacity.iloc[:0]
    assert "Does not apply" in repr(Page(inputs(capacity=empty), "en").table("capacity"))


def test_the_effect_that_breaks_even_stands_beside_the_estimate():
    assert "Hospital cost −€17.62 (estimated −€12.50)" in " ".join(break_even(inputs(), "en"))
    assert "−€\N{NO-BREAK SPACE}17,62 (geschat" in " ".join(break_even(inputs(), "nl"))
    published = {n.id: n.value for n in report_table("break_even_effects", inputs(), "en").numbers()}
    assert published["break_even_effects/cost_hospital/break_even"] == -17.62
    none = made_page().break_even_effects.iloc[:0]
    assert "neither gain nor lose at:" not in " ".join(break_even(inputs(break_even_effects=none), "en"))


def test_without_a_net_benefit_nothing_stands_beside_it():
    refused = made_inputs(money=None, no_money=NoMoney("no_cost"))
    assert money_sentences.grey(refused, "en") == []
    assert "hold no cost of which" in repr(Page(refused, "en").table("tornado"))
