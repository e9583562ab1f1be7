"""Every table of the open-data report by its id, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtvp_eval.report.open_data import tables, tables_data, tables_exposed, tables_robust
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
    "placebo_size": tables.placebo_size,
    "exposure": tables_exposed.exposure,
    "exposed": tables_exposed.exposed,
    "euros": tables_exposed.euros,
    "euros_exposed": tables_exposed.euros_exposed,
    "partial": tables_exposed.partial,
    "gp_columns": tables.gp_columns,
    "sensitivity": tables.sensitivity,
    "sensitivity_all": tables.sensitivity_all,
    "methods": tables_robust.methods,
    "synthetic": tables_robust.synthetic,
    "synthetic_refused": tables_robust.synthetic_refused,
    "synthetic_did": tables_robust.synthetic_did,
    "robust": tables_robust.robust,
    "robust_slope": tables_robust.robust_slope,
    "robust_sectors": tables_robust.robust_sectors,
    "trends": tables.trends,
    "account": tables_data.account,
    "lineage": tables_data.lineage,
    "sectors": tables_data.sectors,
    "breaks": tables_data.breaks,
}
