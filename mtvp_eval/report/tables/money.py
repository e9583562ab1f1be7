"""Tables of money: net benefit by perspective, ledger, budget by year, parties, break-even fee, amounts used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtvp_eval.report.inputs import MoneyInputs
from mtvp_eval.report.labels import number, term, text
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd


WRONG_POCKET = "\N{DAGGER}"
"""Stands behind a party that pays in net and loses while another gains; the note of the table says so."""


def perspectives(money: MoneyInputs, language: str, level: float) -> ReportTable:
    """Return net benefit in total and per enrolled patient per year, with interval and chance of a gain."""
    frame = _termed(money.perspectives, "perspective", language)
    euro, low, high = text("unit.eur", language), "low_per_patient_year", "high_per_patient_year"
    frame = frame.assign(percent=100 * frame["probability_positive"].astype(float))
    columns = (
        Column("perspective_text", column("perspective", language).label),
        column("total", language, "number", unit=euro, low="ci_low", high="ci_high", signed=True),
        column("per_patient_year", language, "number", unit=euro, decimals=2, low=low, high=high, signed=True),
        column("interval", language, "interval", level=level, decimals=2, low=low, high=high),
        _effects_only(language, level),
        Column("percent", column("probability_positive", language).label, "number", unit="%"),
    )
    return table("perspectives", frame, columns, ("perspective",), language)


def break_even(money: MoneyInputs, language: str, level: float) -> ReportTable:
    """Return, by year, the fee at which the insurer neither gains nor loses, beside the fee paid."""
    columns = (
        column("year", language),
        column(
            "break_even", language, "number", unit=text("unit.eur", language), decimals=2, low="ci_low", high="ci_high"
        ),
        column("interval", language, "interval", level=level, decimals=2, low="ci_low", high="ci_high"),
        _effects_only(language, level),
        column("paid", language, "number", unit=text("unit.eur", language), decimals=2),
    )
    return table("break_even", money.break_even, columns, ("year",), language)


def parties(money: MoneyInputs, language: str, level: float) -> ReportTable:
    """Return what each party pays, receives, spends and keeps, and payments that leave nobody with a loss."""
    frame = _termed(money.parties, "party", language)
    frame["party_text"] = [
        f"{party} {WRONG_POCKET}" if flag else party
        for party, flag in zip(frame["party_text"], frame["wrong_pocket"], strict=True)
    ]
    certain = (frame["low"] == frame["high"]).to_numpy()  # an amount that no effect moves has no chance
    chance = 100 * frame["probability_positive"].astype(float).mask(certain)
    frame = frame.assign(percent=chance, low=frame["low"].mask(certain), high=frame["high"].mask(certain))
    euro = text("unit.eur", language)
    columns = (
        Column("party_text", column("party", language).label),
        *(column(name, language, "number", unit=euro) for name in ("pays", "receives", "resource_cost")),
        column("net", language, "number", unit=euro, low="low", high="high", signed=True),
        column("interval", language, "interval", level=level, low="low", high="high"),
        Column("percent", column("probability_positive", language).label, "number", unit="%"),
        column("side_payment", language, "number", unit=euro, signed=True),
    )
    return table("parties", frame, columns, ("party",), language)


def party_years(money: MoneyInputs, language: str) -> ReportTable:
    """Return the net gain of each party (rows) by year (columns)."""
    return _by_year("party_years", _termed(money.party_years, "party", language), "party", language)


def budget(money: MoneyInputs, language: str) -> ReportTable:
    """Return the insurer's undiscounted budget: lines by year, with their sum."""
    import pandas as pd

    mine = money.lines[(money.lines["payer"] == "insurer") | (money.lines["receiver"] == "insurer")]
    total = mine.groupby("year", as_index=False)["amount"].sum().assign(line="all", label="")
    frame = pd.concat([mine[["line", "label", "year", "amount"]], total], ignore_index=True)
    frame["line_text"] = [
        text("column.total_row", language) if line == "all" else _line(line, label, language)
        for line, label in zip(frame["line"], frame["label"], strict=True)
    ]
    return _by_year("budget", frame, "line", language)


def ledger(money: MoneyInputs, language: str) -> ReportTable:
    """Return every line of the ledger: who pays whom, for what, and on what evidence."""
    frame = money.lines.reset_index(drop=True)
    frame = frame.assign(
        line_text=[_line(i, label, language) for i, label in zip(frame["line"], frame["label"], strict=True)],
        payer_text=[term("party", str(p), language) for p in frame["payer"]],
        receiver_text=[term("party", str(p), language) for p in frame["receiver"]],
        kind_text=[term("kind", str(k), language) for k in frame["kind"]],
        evidence_text=[term("evidence", str(e), language) for e in frame["evidence"]],
    )
    columns = (
        *(
            Column(f"{n}_text", column(n, language).label)
            for n in ("line", "payer", "receiver", "kind", "evidence")
        ),
        column("year", language),
        column("amount", language, "number", unit=text("unit.eur", language), signed=True),
    )  # fmt: skip
    return table("ledger", frame, columns, ("line", "year"), language)


def assumptions(money: MoneyInputs, language: str) -> ReportTable:
    """Return the amounts used, each with its evidence and source; assumed ones are called so."""
    frame = money.assumptions.assign(
        item_text=[assumption(str(i), language, money) for i in money.assumptions["item"]],
        value=[
            number(float(v), language, 2) if isinstance(v, (int, float)) else str(v) for v in money.assumptions["value"]
        ],
        unit=[term("unit", str(u), language) for u in money.assumptions["unit"]],
        evidence_text=[term("evidence", str(e), language) for e in money.assumptions["evidence"]],
    )
    columns = (
        Column("item_text", column("item", language).label),
        column("value", language),
        column("unit", language),
        Column("evidence_text", column("evidence", language).label),
        column("source", language),
    )
    return table("assumptions", frame, columns, ("item",), language)


def assumption(id_: str, language: str, money: MoneyInputs | None = None) -> str:
    """Return the words for an assumed amount: ``inputs.<item>.<year>``, ``line <id>``, ``line <id>.<share>`` or a key.

    A line of a ledger that has words of its own only is named by the label that `money` holds.

    >>> assumption("inputs.practice_outlay.2023", "en"), assumption("line practice_outlay", "en")
    ('outlay of practices (2023)', 'outlay of practices')
    >>> assumption("line practice_outlay.uptake", "en"), assumption("persistence.later", "en")
    ('outlay of practices (take-up)', 'persistence after the observed years (later)')
    """
    item, *more = id_.removeprefix("inputs.").removeprefix("line ").split(".")
    words = term("item", item, language)
    if words == item:
        words = line_name(item, money, language)
    return f"{words} ({', '.join(term('share', part, language) for part in more)})" if more else words


def not_computed(money: MoneyInputs, language: str) -> ReportTable:
    """Return the parts of the insurer's page that this evaluation does not hold."""
    import pandas as pd

    frame = pd.DataFrame({"item": list(money.not_computed)})
    frame["item_text"] = [term("not_computed", str(i), language) for i in frame["item"]]
    return table("not_computed", frame, (Column("item_text", column("item", language).label),), ("item",), language)


def _effects_only(language: str, level: float) -> Column:
    """The interval that the effects alone would have, beside the one of everything uncertain."""
    return column(
        "interval_effects", language, "interval", level=level, decimals=2, low="low_effects", high="high_effects"
    )


def _termed(frame: pd.DataFrame, name: str, language: str) -> pd.DataFrame:
    return frame.reset_index(drop=True).assign(**{f"{name}_text": [term(name, str(v), language) for v in frame[name]]})


def line_name(id_: str, money: MoneyInputs | None, language: str) -> str:
    """Return the words for a line of the ledger: those of the texts, else the label that the ledger gives it.

    >>> line_name("practice_outlay", None, "en")
    'Outlay of practices'
    """
    labels = [] if money is None else money.lines.loc[money.lines["line"] == id_, "label"].tolist()
    return _line(id_, str(labels[0]) if labels else "", language)


def _line(id_: str, label: str, language: str) -> str:
    word = term("line", str(id_), language)
    return str(label) if word == id_ and label else word


def _by_year(id_: str, frame: pd.DataFrame, name: str, language: str) -> ReportTable:
    years = sorted({int(year) for year in frame["year"]})
    wide = frame.pivot_table(index=[name, f"{name}_text"], columns="year", values="amount", aggfunc="sum", sort=False)
    wide = wide.reindex(columns=years).reset_index()
    wide.columns = [str(c) for c in wide.columns]
    euro = text("unit.eur", language)
    columns = (
        Column(f"{name}_text", column(name, language).label),
        *(Column(str(year), str(year), "number", unit=euro, signed=True) for year in years),
    )
    return table(id_, wide, columns, (name,), language)
