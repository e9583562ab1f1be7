"""Sentences say a rise and a fall, a gain and a loss in the same words, and never a direction that was not shown."""

from dataclasses import replace

import pytest

from mtvp_eval.planning.power import POWER, RAMP_QUARTERS
from mtvp_eval.report import sentences
from mtvp_eval.report.inputs import NoMoney
from mtvp_eval.report.labels import text
from mtvp_eval.report.page import SENTENCES, Page, Prose
from tests.unit.report.made_region import made_inputs, made_money


def with_effect(outcome, estimate, low, high, **more):
    inputs = made_inputs()
    effects = inputs.effects.copy()
    rows = (effects["estimand"] == "overall") & (effects["outcome"] == outcome)
    for name, value in {"estimate": estimate, "ci_low": low, "ci_high": high, **more}.items():
        effects.loc[rows, name] = value
    return replace(inputs, effects=effects, primary_outcome=outcome)


def primary(inputs, language="en"):
    return sentences.effects(inputs, language)[1]


def test_rise_and_fall_differ_in_one_word_and_in_what_was_aimed_at():
    rise = primary(with_effect("cost_hospital", 12.0, 4.0, 20.0))
    fall = primary(with_effect("cost_hospital", -12.0, -20.0, -4.0))
    assert rise == (
        "Hospital cost: a rise of 12 (euro per insured year; 95% interval 4 to 20). "
        "This is opposite to the direction the programme aims at."
    )
    assert fall == (
        "Hospital cost: a fall of 12 (euro per insured year; 95% interval −20 to −4). "
        "This is the direction the programme aims at."
    )


def test_no_effect_says_what_is_excluded():
    said = primary(with_effect("cost_hospital", 2.0, -28.0, 32.0), "nl")
    assert said == (
        "Kosten medisch-specialistische zorg: geen effect aangetoond. Het 95%-interval, −28 tot 32 (euro per "
        "verzekerdenjaar), bevat nul; het sluit een daling van meer dan 28 en een stijging van meer dan 32 uit."
    )


def test_a_cohort_of_one_has_an_estimate_and_the_reason_why_no_interval():
    nan = float("nan")
    reason = "cohort of one unit: its spread cannot be seen"
    said = primary(with_effect("cost_hospital", 2.0, nan, nan, std_error=nan, note=reason))
    assert said.endswith("without an interval: a cohort of one practice has no spread.")


@pytest.mark.parametrize(("sign", "word"), [(1, "gain"), (-1, "loss")])
def test_gain_and_loss_are_said_in_the_same_words(sign, word):
    money = made_money()
    rows = money.perspectives.assign(
        per_patient_year=sign * 5.12, low_per_patient_year=sign * 5.12 - 2, high_per_patient_year=sign * 5.12 + 2
    )
    said = sentences.decision(made_inputs(money=replace(money, perspectives=rows)), "en")
    assert f"a net {word} of €5.12 per enrolled patient per year" in said[0]
    assert len(said) == 2  # a clear answer is not called uncertain
    assert said[-1] == "This holds for the observed period only; nothing is extrapolated."


def test_an_interval_with_zero_is_called_so():
    assert "neither a gain nor a loss has been shown" in sentences.decision(made_inputs(), "en")[1]


def test_a_refused_net_benefit_says_why():
    why = "cohort of one unit: its spread cannot be seen"
    inputs = made_inputs(money=None, no_money=NoMoney("no_error", (("cost_unknown", why),)))
    assert sentences.decision(inputs, "nl") == [
        "Er is geen netto-opbrengst berekend: euro's zonder interval worden niet getoond, en er is geen standaardfout "
        "van cost_unknown (een cohort van één praktijk heeft geen spreiding)."
    ]
    assert "a cohort of one practice has no spread" in sentences.decision(inputs, "en")[0]
    for kind in ("no_section", "no_cost", "fee"):
        said = [sentences.decision(made_inputs(money=None, no_money=NoMoney(kind)), lang)[0] for lang in ("nl", "en")]
        assert said[0].startswith("Er is geen netto-opbrengst berekend: ")
        assert said[1].startswith("No net benefit was computed: ")
    assert repr(Page(inputs, "nl").table("perspectives")).startswith("Er is geen netto-opbrengst")
    assert Page(inputs, "nl").figure("parties")._repr_html_() == ""


def test_what_every_report_must_say():
    inputs = made_inputs()
    read = " ".join(sentences.reading(inputs, "en"))
    limits = " ".join(sentences.limits(inputs, "en"))
    for part in ("parallel trends", "Callaway–Sant’Anna", "log list size", "the chance of an early place", "HC2"):
        assert part in read
    for part in ("practices still waiting share", "repeated looks", "no health gain"):
        assert part in limits


def test_assumed_amounts_are_named():
    assert "Assumed, not observed: Fee of the regional organisation." in " ".join(sentences.beside(made_inputs(), "en"))


def test_all_sentences_exist_in_both_languages():
    for language in ("nl", "en"):
        page = Page(made_inputs(), language)
        for name in SENTENCES:
            assert "{" not in repr(page.sentences(name))


@pytest.mark.parametrize("language", ["en", "nl"])
def test_what_is_detectable_is_said_with_the_chance_and_build_up_it_was_computed_for(language):
    said = text("sentence.detectable_columns", language)
    assert f"{POWER:.0%}" in said
    assert f" {RAMP_QUARTERS} " in said


def test_a_line_never_ends_between_a_minus_and_its_euros():
    prose = Prose(("interval −€ 79,70 to € 48,04", "and −€ 2"), "ul")
    assert (
        prose._repr_html_()
        == "<ul><li>interval −\N{WORD JOINER}€ 79,70 to € 48,04</li><li>and −\N{WORD JOINER}€ 2</li></ul>"
    )
    assert repr(prose) == "interval −€ 79,70 to € 48,04\nand −€ 2"
