"""Sentences that say what the numbers say and no more: a loss as plainly as a gain, an interval with every effect."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mtvp_eval.report.inputs import MoneyInputs, NoMoney, OutcomeInfo, ReportInputs
from mtvp_eval.report.interval_sentences import looks
from mtvp_eval.report.labels import euro, interval, joined, number, term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.tables.data import break_words
from mtvp_eval.report.tables.effects import decimals, differing
from mtvp_eval.report.tables.layout import percent
from mtvp_eval.report.tables.money import assumption


def effects(inputs: ReportInputs, language: str) -> list[str]:
    """Return a sentence on the primary outcome, one on every other with a shown effect, and one that names the rest."""
    frame = shown_effects(inputs)
    rows = frame[(frame["estimand"] == "overall") & (frame["weighting"] == inputs.headline_weighting)]
    by_outcome = {str(row.outcome): row for row in rows.itertuples()}
    order = sorted((o for o in inputs.outcomes if o.id in by_outcome), key=lambda o: o.id != inputs.primary_outcome)
    said = [say("weighting" if inputs.headline_weighting == "practice" else "weighting_patient", language)]
    rest = []
    for o in order:
        row = by_outcome[o.id]
        if o.id == inputs.primary_outcome or not row.ci_low <= 0 <= row.ci_high:
            said.append(effect(row, o, language, inputs.level, decimals(inputs)[o.id]))
        else:
            rest.append(o.title[language])
    if rest:
        said.append(say("effect_none_others", language, titles=joined(rest, language)))
    return [*said, *_weightings(inputs, language)]


def effect(row: Any, outcome: OutcomeInfo, language: str, level: float, places: int) -> str:
    """Say one effect: a rise, a fall, none shown, or why there is no interval."""
    words = {"title": outcome.title[language], "unit": _unit(row, outcome, language), "level": percent(level)}
    if row.withheld:
        return say("effect_withheld", language, **words)
    if not math.isfinite(row.estimate):
        return say("effect_absent", language, **words)
    if not math.isfinite(row.ci_low):
        size = number(row.estimate, language, places, signed=True)
        return say("effect_no_interval", language, size=size, reason=term("reason", str(row.note), language), **words)
    if row.ci_low <= 0 <= row.ci_high:
        excluded = say(
            "excludes_both",
            language,
            fall=number(-row.ci_low, language, places),
            rise=number(row.ci_high, language, places),
        )
        shown = interval(row.ci_low, row.ci_high, language, places)
        return say("effect_none", language, range=shown, excluded=excluded, **words)
    rises = row.estimate > 0
    sentence = say(
        "effect_rise" if rises else "effect_fall",
        language,
        size=number(abs(row.estimate), language, places),
        interval=_interval(row.ci_low, row.ci_high, language, level, places),
        **words,
    )
    if outcome.direction not in ("up", "down"):
        return sentence
    return f"{sentence} {say('aim_with' if rises == (outcome.direction == 'up') else 'aim_against', language)}"


def decision(inputs: ReportInputs, language: str) -> list[str]:
    """Return the answer for the insurer, over the observed period only, or why there is none."""
    if inputs.money is None:
        return [no_net_benefit(inputs, language)]
    money = inputs.money
    rows = {str(row.perspective): row for row in money.perspectives.itertuples()}
    said = []
    if "insurer" in rows:
        said.append(_net(rows["insurer"], "decision", money, language, inputs.level))
        if rows["insurer"].low_per_patient_year <= 0 <= rows["insurer"].high_per_patient_year:
            said.append(say("decision_uncertain", language))
    return [*said, say("decision_horizon", language)]


def no_net_benefit(inputs: ReportInputs, language: str) -> str:
    """Say that there is no net benefit, and why."""
    refused = inputs.no_money or NoMoney("no_section")
    title = {outcome.id: outcome.title[language] for outcome in inputs.outcomes}
    return say("decision_refused", language, reason=why_no_money(refused, title, language))


def why_no_money(refused: NoMoney, title: Mapping[str, str], language: str) -> str:
    """Say why there is no net benefit; cost outcomes by their ``title``, or by their id where there is none."""
    lacking = [f"{title.get(name, name)} ({term('reason', why, language)})" for name, why in refused.without_error]
    return say(f"no_money.{refused.why}", language, lacking="; ".join(lacking))


def beside(inputs: ReportInputs, language: str) -> list[str]:
    """Return what stands beside the decision: society's answer, and the amounts that were assumed."""
    if inputs.money is None:
        return []
    rows = inputs.money.perspectives
    society = [r for r in rows.itertuples() if r.perspective == "society"]
    said = [_net(row, "decision_society", inputs.money, language, inputs.level) for row in society]
    return [*said, *assumed(inputs.money, language)]


def not_computed(inputs: ReportInputs, language: str) -> list[str]:
    """Name the parts of the insurer's page that this evaluation does not hold."""
    return [] if inputs.money is None else [term("not_computed", name, language) for name in inputs.money.not_computed]


def when(money: MoneyInputs, language: str) -> str:
    """Write the observed period of the money."""
    if money.first_period == money.last_period:
        return money.first_period
    return text("document.from_to", language, first=money.first_period, last=money.last_period)


def assumed(money: MoneyInputs, language: str) -> list[str]:
    """Name the amounts that nobody observed or agreed."""
    frame = money.assumptions
    used = (frame["evidence"] == "assumed") & frame["observed"].astype(bool)
    found = (str(item) for item in frame.loc[used, "item"])
    # the years of one amount are one item; the shares of one line are several
    named = (".".join(item.split(".")[:2]) if item.startswith("inputs.") else item for item in found)
    items = list(dict.fromkeys(assumption(item, language, money) for item in named))
    if not items:
        return []
    return [say("assumed", language, items=joined(items, language))]


def break_even(inputs: ReportInputs, language: str) -> list[str]:
    """Say, by year, at which fee the insurer neither gains nor loses, and what was paid."""
    if inputs.money is None:
        return []
    said = []
    for row in inputs.money.break_even.itertuples():
        order = "higher" if row.paid > row.break_even else "lower" if row.paid < row.break_even else "equal"
        said.append(
            say(
                "break_even",
                language,
                year=row.year,
                break_even=euro(row.break_even, language, 2),
                interval=_interval(row.ci_low, row.ci_high, language, inputs.level, 2),
                paid=euro(row.paid, language, 2),
                comparison=say(order, language),
            )
        )
    return [*said, *_break_even_effects(inputs, language)]


def _break_even_effects(inputs: ReportInputs, language: str) -> list[str]:
    """Say, effect by effect, which size would let the insurer neither gain nor lose, beside the estimate."""
    page = None if inputs.money is None else inputs.money.page
    if page is None or page.break_even_effects.empty:
        return []
    items = [
        say(
            "break_even_one",
            language,
            title=inputs.outcome(str(row.outcome)).title[language],
            wanted=euro(row.break_even, language, 2, signed=True),
            estimate=euro(row.estimate, language, 2, signed=True),
        )
        for row in page.break_even_effects.itertuples()
    ]
    return [say("break_even_effects", language, items=joined(items, language))]


def reading(inputs: ReportInputs, language: str) -> list[str]:
    """Return what every reader must know of how the effects were made."""
    method = term("method", inputs.headline_method, language)
    names = [term("covariate", name, language) for name in inputs.headline_covariates]
    said = [basis(inputs, language), *not_identified(inputs, language)]
    if names:
        said.append(say("headline", language, method=method, covariates=joined(names, language)))
    else:
        said.append(say("headline_unadjusted", language, method=method))
    if "log_list_size" in inputs.headline_covariates:
        said.append(say("headline_why", language))
    primary = inputs.outcome(inputs.primary_outcome).title[language]
    return [*said, intervals(inputs, language), say("family", language, outcome=primary), *placebo(inputs, language)]


def detectable(inputs: ReportInputs, language: str) -> list[str]:
    """Say what the columns on detectable effects hold."""
    return [] if inputs.detectable is None else [say("detectable_columns", language)]


def limits(inputs: ReportInputs, language: str) -> list[str]:
    """Return what the evaluation does not show."""
    said = [say("common", language), breaks(inputs, language), looks(inputs, language)]
    if inputs.money is not None:
        scope = number(inputs.money.patient_years, language)
        said += [say("money_scope", language, patient_years=scope), say("seasonal", language)]
        if inputs.money.discounting:
            said.append(say("discounting", language, profile=inputs.money.discounting))
    return said


def caveats(inputs: ReportInputs, language: str) -> list[str]:
    """Return how to read the effects and what they do not show, as one list."""
    return [*reading(inputs, language), *limits(inputs, language)]


def basis(inputs: ReportInputs, language: str) -> str:
    """Say how many effects after entry the lottery identifies, how many parallel trends, and how many nothing."""
    after = inputs.estimability[inputs.estimability["event_time"] >= 0]
    by = after["identified_by"].value_counts()
    lottery, none = int(by.get("lottery", 0)), int(by.get("none", 0))
    counts = {"cells": len(after), "trends": len(after) - lottery - none, "none": none}
    return (
        say("basis_lottery", language, lottery=lottery, **counts)
        if lottery
        else say("basis_trends", language, **counts)
    )


def not_identified(inputs: ReportInputs, language: str) -> list[str]:
    """Say why cells after entry have no estimate."""
    after = inputs.estimability[(inputs.estimability["event_time"] >= 0) & (inputs.estimability["reason"] != "")]
    counts = after["reason"].value_counts(sort=False)
    reasons = [f"{term('reason', str(reason), language)} ({number(n, language)})" for reason, n in counts.items()]
    return [say("not_identified", language, reasons="; ".join(reasons))] if reasons else []


def intervals(inputs: ReportInputs, language: str) -> str:
    """Name the kinds of interval in use and the range of their degrees of freedom."""
    rows = shown_effects(inputs)
    rows = rows[(rows["estimand"] == "overall") & rows["std_error"].notna()]
    methods = joined(sorted({term("ci_method", str(m), language) for m in rows["ci_method"]}), language)
    finite = rows["df"][rows["df"] < math.inf]
    if finite.empty:
        return say("intervals", language, methods=methods, df=say("df_infinite", language))
    low, high = number(finite.min(), language, 1), number(finite.max(), language, 1)
    df = low if low == high else say("df_range", language, low=low, high=high)
    return say("intervals", language, methods=methods, df=df)


def placebo(inputs: ReportInputs, language: str) -> list[str]:
    """Say how many placebo bands of the primary outcome exclude zero."""
    rows = shown_effects(inputs)
    rows = rows[(rows["outcome"] == inputs.primary_outcome) & (rows["weighting"] == inputs.headline_weighting)]
    leads = rows[(rows["event_time"] < 0) & (rows["estimand"] == "event_study") & rows["band_low"].notna()]
    if leads.empty:
        leads = rows[(rows["estimand"] == "placebo") & rows["band_low"].notna()]
    if leads.empty:
        return []
    excluding = int(((leads["band_low"] > 0) | (leads["band_high"] < 0)).sum())
    title = inputs.outcome(inputs.primary_outcome).title[language]
    return [say("placebo_clear", language, excluding=excluding, n=len(leads), outcome=title)]


def breaks(inputs: ReportInputs, language: str) -> str:
    """Name the known breaks within the observed period."""
    if inputs.known_breaks.empty:
        return say("no_breaks", language)
    names = break_words(inputs, language)
    return say("breaks", language, n=len(names), names="; ".join(names))


def supplied(inputs: ReportInputs, language: str) -> list[str]:
    """Say whether every outcome of the goals was supplied."""
    return [] if len(inputs.not_supplied) else [say("all_supplied", language)]


def say(key: str, language: str, **values: object) -> str:
    """Return the sentence ``sentence.<key>``."""
    return text(f"sentence.{key}", language, **values)


def _weightings(inputs: ReportInputs, language: str) -> Iterable[str]:
    outcomes = differing(inputs)
    if not outcomes:
        return [say("weightings_agree", language)]
    frame = shown_effects(inputs)
    frame = frame[frame["estimand"] == "overall"].set_index(["outcome", "weighting"])["estimate"]
    said = []
    places = decimals(inputs)
    for o in (o for o in inputs.outcomes if o.id in outcomes):
        practice, patient = (
            number(float(frame.loc[(o.id, w)]), language, places[o.id], signed=True) for w in ("practice", "patient")
        )
        words = {"title": o.title[language], "unit": o.unit[language]}
        said.append(say("weightings_differ", language, practice=practice, patient=patient, **words))
    return said


def _net(row: Any, key: str, money: MoneyInputs, language: str, level: float) -> str:
    gains = row.per_patient_year >= 0
    return say(
        f"{key}_{'gain' if gains else 'loss'}",
        language,
        when=when(money, language),
        amount=euro(abs(row.per_patient_year), language, 2),
        interval=_interval(row.low_per_patient_year, row.high_per_patient_year, language, level, 2),
        chance=_chance(row.probability_positive, language),
    )


def _chance(probability: float, language: str) -> str:
    if math.isnan(probability):
        return text("no_value", language)
    if probability < 0.01:
        return say("chance_small", language)
    return say("chance_large", language) if probability > 0.99 else f"{number(100 * probability, language)}%"


def _interval(low: float, high: float, language: str, level: float, decimals: int) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return say("no_interval", language)
    ends = {"low": number(low, language, decimals), "high": number(high, language, decimals)}
    return text("interval", language, level=percent(level), **ends)


def _unit(row: Any, outcome: OutcomeInfo, language: str) -> str:
    return text("unit.log", language) if row.unit == "log" else outcome.unit[language]
