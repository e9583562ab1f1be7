"""Who pays and who gains in words: a loss as plainly as a gain, and what the intervals leave out said aloud."""

from dataclasses import replace

import pytest

from mtvp_eval.report import party_sentences
from mtvp_eval.report.catalogue import report_table
from mtvp_eval.report.page import Page
from tests.unit.report.made_region import made_inputs, made_money, made_page


def inputs(page=None, **money):
    return made_inputs(money=replace(made_money(), page=made_page(**(page or {})), **money))


def said(part, language="en", page=None, **money):
    return " ".join(getattr(party_sentences, part)(inputs(page, **money), language))


def test_intervals_say_what_varies_how_it_hangs_together_and_what_effects_alone_would_give():
    text = said("uncertainty")
    for part in ("outlay of practices", "part that becomes cash", "rise and fall together", "−€19.10 to €8.90"):
        assert part in text
    assert "exactly known in the intervals: Fee of the regional organisation" in text
    assert "drawn independently of each other, as declared" in said("uncertainty", drawn_apart=True)
    assert "onafhankelijk" in said("uncertainty", "nl", drawn_apart=True)


def test_independence_of_the_kinds_is_said_where_there_are_several():
    for language, words in (("en", "the kinds are drawn independently"), ("nl", "de soorten zijn onafhankelijk")):
        assert words in said("uncertainty", language)
        assert words in said("uncertainty", language, drawn_apart=True)
        assert words not in said("uncertainty", language, page={"spread": made_page().spread.iloc[:1]})


def test_without_a_declared_spread_the_intervals_say_so():
    none = made_page().spread.iloc[:0]
    assert "no spread was declared" in said("uncertainty", page={"spread": none})
    later = made_page().spread.assign(observed=False)  # what moves an extrapolation only
    assert "no spread was declared" in said("uncertainty", page={"spread": later})


def test_the_table_of_spreads_says_what_moves_extrapolations_only():
    assert "in extrapolations only" not in repr(report_table("spread", inputs(), "en"))
    later = made_page().spread.assign(observed=[True, False])
    for language, words in (("en", "in extrapolations only"), ("nl", "alleen in doortrekkingen")):
        rows = repr(report_table("spread", inputs({"spread": later}), language)).splitlines()
        assert [words in row for row in rows[2:]] == [False, True]


def test_a_line_without_words_of_its_own_is_named_by_the_label_of_the_ledger():
    money, page = made_money(), made_page()
    own = {"lines": money.lines.assign(line=money.lines["line"].replace("organisation", "nurse_line"))}
    own["lines"].loc[own["lines"]["line"] == "nurse_line", "label"] = "an extra nurse"
    rows = page.spread.assign(line=page.spread["line"].replace("practice_outlay", "nurse_line"))
    ranges = page.tornado.assign(name=page.tornado["name"].replace("organisation", "nurse_line"))
    shown = inputs({"spread": rows, "tornado": ranges}, **own)
    assert "amount (an extra nurse)" in " ".join(party_sentences.uncertainty(shown, "en"))
    for name in ("spread", "tornado"):
        table = repr(report_table(name, shown, "nl"))
        assert "an extra nurse" in table
        assert "nurse_line" not in table


def test_side_payments_are_named_or_said_to_be_impossible():
    assert "lose €655,020" in said("parties")
    assert "no division can make everyone gain" in said("parties")
    assert "Insurer and hospitals: each pays in net and loses" in said("parties")
    shown = report_table("parties", inputs(), "en")
    assert [text for text in shown.frame["party_text"] if "†" in text] == ["insurer †", "hospitals †"]
    frame = made_money().parties.assign(net=[50.0, 20.0, 0.0, -30.0], side_payment=[-21.4, -8.6, 0.0, 30.0])
    text = said("parties", parties=frame)
    for part in ("gain €40", "Side payments of €30", "€21 from insurer", "€30 to hospitals"):
        assert part in text
    assert "No party loses" in said("parties", parties=frame.assign(net=1.0, side_payment=0.0))


@pytest.mark.parametrize(
    ("reading", "years", "words"),
    [
        ("not_yet", float("nan"), "did not earn its outlay back by the end of 2023"),
        ("stays", 2.62, "back 2.6 years after 1 January 2023 and did not lose it again"),
        ("lost_again", 1.5, "lost it again before the end of 2023"),
        ("never_below", 0.0, "had no net outlay in any year"),
    ],
)
def test_payback_is_said_in_every_case(reading, years, words):
    rows = made_page().returns.assign(reading=reading, payback=years)
    assert words in said("returns", page={"returns": rows})
    assert said("returns", "nl", page={"returns": rows})


def test_a_rise_in_cost_per_euro_is_said_as_plainly_as_a_fall():
    assert "€0.42 came back in cash" in said("returns")
    rise = made_page().returns.assign(net_ratio=-0.42)
    assert "another €0.42 went to rises in cost" in said("returns", page={"returns": rise})


def test_fewer_consultations_are_income_lost_unless_revenue_is_fixed():
    text = said("funding")
    assert "fell by €1.30, which is income lost" in text
    assert "practices then come to +€2.03, the insurer to −€6.42" in text
    assert "they gained €0.73 (95% interval −1.80 to 3.20)" in text
    rise = made_page().funding.assign(claims=1.30, gp_practice=-0.73)
    for part in ("rose by €1.30, which is income gained", "they lost €0.73"):
        assert part in said("funding", page={"funding": rise})


def test_an_own_form_of_payment_keeps_its_name():
    assert "Grant for staff: offer" in repr(report_table("funding", inputs(), "en"))
    assert "offer" in {n.id.split("/")[1].split(".")[-1] for n in report_table("funding", inputs(), "en").numbers()}


def test_an_own_form_that_bears_the_name_of_a_known_one_is_not_taken_for_it():
    frame = made_page().funding
    own = frame.assign(scenario=frame["scenario"].replace("offer", "fixed_revenue"))
    assert said("funding", page={"funding": own}) == said("funding")
    alone = own[own["group"] != "funding"]
    assert "fixed revenue" not in said("funding", page={"funding": alone})


def test_a_ratio_is_shown_only_where_it_means_something_and_its_set_in_words():
    shown = repr(report_table("plane", inputs(), "en"))
    assert "below −12.00 or above 400.00" in shown
    dominated = made_page().plane.assign(quadrant="NW", icer=float("nan"))
    assert "less gain, more cost" in repr(report_table("plane", inputs({"plane": dominated}), "en"))
    figure = Page(inputs(), "nl").figure("plane")
    assert "Werkplezier" in figure.alt
    assert figure.svg == Page(inputs(), "nl").figure("plane").svg
