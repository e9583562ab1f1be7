"""Every table of the open-data report by its id, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtvp_eval.report.open_data import tables, tables_data
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.table import ReportTable

TABLES: Mapping[str, Callable[[OpenDataInputs, str], ReportTable]] = {
    "projects": tables_data.projects,
    "municipalities": tables_data.municipalities,
    "reasons": tables_data.reasons,
    "places": tables_data.places,
    "effects": tables.effects,
    "basis": tables.basis,
    "event_study": tables.event_study,
    "placebo": tables.placebo,
    "placebo_groups": tables.placebo_groups,
    "exposed": tables.exposed,
    "partial": tables.partial,
    "gp_columns": tables.gp_columns,
    "sensitivity": tables.sensitivity,
    "sensitivity_all": tables.sensitivity_all,
    "methods": tables.methods,
    "trends": tables.trends,
    "account": tables_data.account,
    "lineage": tables_data.lineage,
    "sectors": tables_data.sectors,
    "breaks": tables_data.breaks,
}
