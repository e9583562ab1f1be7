"""The reporting checklist for economic evaluations, with links to the headings that answer it."""

from __future__ import annotations

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import text, texts
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table


def checklist(inputs: ReportInputs, language: str) -> ReportTable | None:
    """Return all items of the checklist; an item that the report does not answer says so."""
    frame = inputs.checklist
    if frame is None:
        return None
    suffix = "_nl" if language == "nl" else ""
    heading = [f"heading.{place}" for place in frame["place"]]
    known = [key in texts(language) or key == "heading.title" for key in heading]
    frame = frame.assign(
        number=[str(n) for n in frame["number"]],
        topic=frame[f"topic{suffix}"],
        ask=frame[f"ask{suffix}"],
        place_text=[
            text("checklist.title" if key == "heading.title" else key, language)
            if ok
            else text("checklist.absent", language)
            for key, ok in zip(heading, known, strict=True)
        ],
        link=[f"#{place}" if ok else "" for place, ok in zip(frame["place"], known, strict=True)],
    )
    columns = (
        column("number", language),
        column("topic", language),
        column("ask", language),
        Column("place_text", column("place", language).label, link="link"),
    )
    return table("checklist", frame, columns, ("number",), language)
