"""Tables of cost against one outcome: gain and cost with their ratio, and how acceptable the programme is."""

from __future__ import annotations

from mtvp_eval.costbenefit.plane import Quadrant
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import interval, number, term, text
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.insurer_page import page_of
from mtvp_eval.report.tables.layout import column, percent, table


def plane(inputs: ReportInputs, language: str) -> ReportTable:
    """Return gain in the outcome and cost per patient-year, the quadrant in words, and the ratio where it has one."""
    frame = page_of(inputs).plane.reset_index(drop=True)
    places = {info.id: info.decimals for info in inputs.outcomes}
    frame = frame.assign(
        perspective_text=[term("perspective", str(p), language) for p in frame["perspective"]],
        quadrant_text=[term("quadrant", Quadrant[str(q)].name, language) for q in frame["quadrant"]],
        limits=[
            text(
                f"fieller.{row.shape}",
                language,
                range=interval(row.low, row.high, language, 2),
                low=number(row.low, language, 2),
                high=number(row.high, language, 2),
            )
            for row in frame.itertuples()
        ],
        decimals=[places.get(str(outcome), 2) for outcome in frame["outcome"]],
    )
    euro = text("unit.eur", language)
    columns = (
        Column("perspective_text", column("perspective", language).label),
        column("effect", language, "number", label="gain", decimals="decimals", signed=True),
        column("cost", language, "number", label="net_cost", unit=euro, decimals=2, signed=True),
        Column("quadrant_text", column("quadrant", language).label),
        column("icer", language, "number", unit=euro, decimals=2),
        Column("limits", text("column.fieller", language, level=percent(inputs.level))),
    )
    return table("plane", frame, columns, ("perspective",), language)


def acceptability(inputs: ReportInputs, language: str) -> ReportTable:
    """Return, at every worth of one unit of gain, net benefit, chances, value of information and expected losses."""
    frame = page_of(inputs).acceptability.reset_index(drop=True)
    frame = frame.assign(perspective_text=[term("perspective", str(p), language) for p in frame["perspective"]])
    euro = text("unit.eur", language)
    columns = (
        Column("perspective_text", column("perspective", language).label),
        column("willingness_to_pay", language, "number", unit=euro, decimals=2),
        column("inb", language, "number", unit=euro, decimals=2, low="low", high="high", signed=True),
        column("interval", language, "interval", level=inputs.level, decimals=2, low="low", high="high"),
        *(column(name, language, "number", unit="%", label=label)
          for name, label in (("probability", "ceac"), ("frontier", "ceaf"))),
        *(column(name, language, "number", unit=euro, decimals=2)
          for name in ("evpi", "loss_programme", "loss_without")),
    )  # fmt: skip
    return table("acceptability", frame, columns, ("perspective", "willingness_to_pay"), language)
