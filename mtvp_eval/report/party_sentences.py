"""Sentences on who pays and who gains, on return and payback, and on the income of practices."""

from __future__ import annotations

import math

from mtvp_eval.report.inputs import InsurerPage, MoneyInputs, ReportInputs
from mtvp_eval.report.labels import euro, joined, number, term, text
from mtvp_eval.report.sentences import say
from mtvp_eval.report.tables.layout import percent
from mtvp_eval.report.tables.money import assumption


def uncertainty(inputs: ReportInputs, language: str) -> list[str]:
    """Say what the intervals hold beside the effects, what effects alone would give, and what is left out."""
    page, money = _page(inputs), inputs.money
    if page is None or money is None:
        return []
    said = []
    if not page.spread["observed"].astype(bool).any():
        said.append(say("uncertainty_none", language))
    else:
        insurer = money.perspectives.set_index("perspective").loc["insurer"]
        shown = text(
            "range",
            language,
            low=euro(float(insurer["low_effects"]), language, 2),
            high=euro(float(insurer["high_effects"]), language, 2),
        )
        kinds = _varied(page, money, language)
        hang = ["independent" if money.drawn_apart else "common", *(["kinds"] if len(kinds) > 1 else [])]
        how = "; ".join(text(f"spread.{key}", language) for key in hang)
        words = {"items": joined(kinds, language), "dependence": how, "range": shown, "level": percent(inputs.level)}
        said.append(say("uncertainty", language, **words))
    if money.result is not None and money.result.effects.assumed_independent:
        said.append(say("uncertainty_independent", language))
    frame = money.assumptions
    fixed = frame[(frame["evidence"] == "assumed") & frame["observed"].astype(bool) & ~frame["varied"].astype(bool)]
    if not fixed.empty:
        names = list(dict.fromkeys(assumption(str(item), language, money) for item in fixed["item"]))
        said.append(say("uncertainty_known", language, items=joined(names, language)))
    return said


def _varied(page: InsurerPage, money: MoneyInputs, language: str) -> list[str]:
    """The inputs that vary in the observed years, a kind with its lines: ``amount (outlay, fee)``."""
    found: dict[str, list[str]] = {}
    for row in page.spread[page.spread["observed"].astype(bool)].itertuples():
        found.setdefault(str(row.kind), []).append(assumption(str(row.line), language, money))
    return [f"{term('spread_kind', kind, language)} ({', '.join(names)})" for kind, names in found.items()]


def parties(inputs: ReportInputs, language: str) -> list[str]:
    """Say what all parties gain or lose together, which payments would leave nobody with a loss, and who is left."""
    money = inputs.money
    if money is None or money.parties.empty:
        return []
    frame, rows = money.parties, money.perspectives.set_index("perspective")
    total = float(frame["net"].sum())
    words = {"total": euro(abs(total), language)}
    if "society" in rows.index:
        words["chance"] = f"{number(100 * float(rows.loc['society', 'probability_positive']), language)}%"
    moved = frame["side_payment"].astype(float)
    if moved.isna().any():
        said = [say("side_loss", language, **words)]
    elif not (moved != 0.0).any():
        said = [say("side_none", language)]
    else:
        who = [
            say(
                "side_receives" if amount > 0 else "side_pays",
                language,
                party=term("party", str(party), language),
                amount=euro(abs(amount), language),
            )
            for party, amount in zip(frame["party"], moved, strict=True)
            if amount != 0.0
        ]
        total_moved = euro(float(moved[moved > 0].sum()), language)
        said = [say("side_gain", language, moved=total_moved, who=joined(who, language), **words)]
    flagged = frame[frame["wrong_pocket"].astype(bool)]
    if not flagged.empty:
        names = joined([term("party", str(party), language) for party in flagged["party"]], language)
        said.append(say("wrong_pocket", language, parties=names[:1].upper() + names[1:]))
    return [" ".join(said)]


def returns(inputs: ReportInputs, language: str) -> list[str]:
    """Say what came back per euro and when the outlay was earned back, in the observed years only."""
    page = _page(inputs)
    if page is None:
        return []
    rows = page.returns[page.returns["part"] == "observed"]
    said = []
    for row in rows.itertuples():
        words = {"first": row.first_year, "last": row.last_year, "chance": number(float(row.probability), language)}
        if math.isfinite(row.payback):
            words["years"] = number(float(row.payback), language, 1)
        said.append(say(f"return_{row.reading}", language, **words))
        if math.isfinite(row.net_ratio):
            key = "return_ratio" if row.net_ratio >= 0 else "return_rise"
            said.append(say(key, language, ratio=euro(abs(float(row.net_ratio)), language, 2)))
    return [" ".join(said)] if said else []


def funding(inputs: ReportInputs, language: str) -> list[str]:
    """Say what practices receive, what their claims do, and what fixed revenue would change in that."""
    page = _page(inputs)
    if page is None or page.funding.empty:
        return []
    rows = page.funding.set_index(["group", "scenario"])  # a form of the question's own may bear a known one's name
    base = rows.loc[("base", "base")]
    claims, net = float(base["claims"]), float(base["gp_practice"])
    change = "fell" if claims < 0 else "rose" if claims > 0 else "same"
    words = {
        "payment": euro(float(base["payment"]), language, 2),
        "outlay": euro(abs(float(base["outlay"])), language, 2),
        "claims": say(f"income_{change}", language, amount=euro(abs(claims), language, 2)),
        "net": say("income_gain" if net >= 0 else "income_loss", language, amount=euro(abs(net), language, 2)),
        "interval": text(
            "interval",
            language,
            level=percent(inputs.level),
            low=number(float(base["low"]), language, 2),
            high=number(float(base["high"]), language, 2),
        ),
    }
    said = [say("income", language, **words)]
    if claims != 0.0 and ("funding", "fixed_revenue") in rows.index:
        fixed = rows.loc[("funding", "fixed_revenue")]
        both = {
            name: euro(float(fixed[column]), language, 2, signed=True)
            for name, column in (("practice", "gp_practice"), ("insurer", "insurer"))
        }
        said.append(say("income_fixed", language, **both))
    return [" ".join(said)]


def _page(inputs: ReportInputs) -> InsurerPage | None:
    return None if inputs.money is None else inputs.money.page
