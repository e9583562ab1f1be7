"""The open-data answer as tidy frames, one for each table and figure of its report; every number once, with its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.data.open_data.codes import read_code_table
from mtvp_eval.data.open_data.exposure_years import SOURCES, exposed_share
from mtvp_eval.data.open_data.projects import Project
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_euros import EuroEffect
from mtvp_eval.pipeline.open_data_exposed import entry_year, insured_by_year, share_of
from mtvp_eval.pipeline.open_data_results import OpenData, OpenDataEvaluation, ProjectEffect
from mtvp_eval.pipeline.open_data_size import ProjectSize
from mtvp_eval.pipeline.open_data_synthetic import SyntheticFit
from mtvp_eval.pipeline.open_data_trends import TrendBound

if TYPE_CHECKING:
    import pandas as pd


def open_data_frames(
    answer: OpenDataEvaluation, sensitivities: Mapping[str, OpenDataEvaluation], codes: Path
) -> dict[str, pd.DataFrame]:
    """Return the frames of the report by name.

    account (euro and insured years by year and step), lineage (municipalities left out), sectors (published columns),
    breaks, projects, municipalities, trends (log observed/expected by project and year), effects (projects and sets,
    overall and by event time), partial, exposure (by calendar year), exposed, sensitivity.

    Parameters
    ----------
    answer : the headline.
    sensitivities : by name, the same question with one choice changed.
    codes : folder of the code tables, for the texts that are data (sources and reasons).
    """
    import pandas as pd

    data = answer.data
    return {
        "account": pd.DataFrame([asdict(row) for row in data.costs.account]),
        "lineage": pd.DataFrame([asdict(row) for row in data.panel.lineage]),
        "sectors": read_code_table(codes, "vektis_sectors", ["column", "sector"]),
        "breaks": pd.DataFrame([asdict(row) for row in data.breaks]),
        "projects": pd.DataFrame([_project(answer.config, data, p) for p in data.projects]),
        "municipalities": read_code_table(codes, "open_data_municipalities", ["project", "municipality", "reason"]),
        "trends": pd.DataFrame(list(_trends(data))),
        "effects": pd.DataFrame(list(_effects(answer))),
        "partial": pd.DataFrame(list(_partial(answer))),
        "exposure": pd.DataFrame(list(_exposure(data))),
        "exposed": pd.DataFrame(list(_exposed(answer))),
        "sensitivity": pd.DataFrame(
            [
                {"sensitivity": name, **row}
                for name, other in {"declared": answer, **sensitivities}.items()
                for row in _effects(other)
                if row["event_time"] is None
            ]
        ),
    }


def _project(config: OpenDataConfig, data: OpenData, project: Project) -> dict[str, Any]:
    at = np.isin(data.costs.unit_ids, project.exposed)
    entry = entry_year(data, project)
    insured = float(data.costs.insured_years[at, data.costs.years.index(entry)].sum())
    share = share_of(config, data, [project])
    return {
        "project": project.name, "label": project.label, "first_year": project.first_year, "first_full_year": entry,
        "last_full_year": project.last_full_year, "absorbing": project.absorbing,
        "municipalities": len(project.exposed), "possibly_reached": len(project.possible), "insured_years": insured,
        "practices_low": project.practices[0], "practices_high": project.practices[1],
        "list_low": project.list_size[0], "list_high": project.list_size[1], "uptake_low": share.low,
        "uptake_mean": share.mean, "uptake_high": share.high,
    }  # fmt: skip


def _trends(data: OpenData) -> Iterator[dict[str, Any]]:
    """Mean log ratio by project and year, weighted by insured years; `never` are the comparison municipalities."""
    panel = data.panel
    place = {unit: row for row, unit in enumerate(data.costs.unit_ids)}
    rows = [place[unit] for unit in panel.unit_ids]
    owner, entry = data.exposed.project[rows], data.exposed.entry[rows]
    groups: dict[str, Any] = {p.name: owner == p.name for p in data.projects} | {"never": entry == NEVER}
    for outcome, y in panel.outcomes.items():
        for name, mine in groups.items():
            whole = mine & ~np.isnan(y[:, -1])
            for t, year in enumerate(panel.clock):
                if whole.any() and not np.isnan(y[whole, t]).any():
                    mean = float(np.average(y[whole, t], weights=panel.weight[whole]))
                    yield {"outcome": outcome, "project": name, "year": int(year), "log_ratio": mean}


def _effects(answer: OpenDataEvaluation) -> Iterator[dict[str, Any]]:
    for kind, rows in (("project", answer.projects), ("set", answer.pooled)):
        for row in rows:
            yield {"kind": kind, **_effect(row)}


def _effect(row: ProjectEffect) -> dict[str, Any]:
    """One effect in per cent: 100 (exp(log points) - 1), its interval likewise; `detectable` is a fall."""
    test = row.test
    nan = float("nan")

    def per_cent(log_points: float) -> float:
        return 100.0 * float(np.expm1(log_points))

    return {
        "project": row.project, "outcome": row.outcome, "event_time": row.event_time,
        "municipalities": row.municipalities, "log_points": row.estimate, "std_error": row.std_error,
        "per_cent": per_cent(row.estimate), "ci_low": per_cent(test.low) if test else nan,
        "ci_high": per_cent(test.high) if test else nan, "p_value": test.p_value if test else nan,
        "detectable": per_cent(-test.detectable) if test else nan, "groups": test.n_groups if test else 0,
        "placebo_regions": row.placebo_regions, "own_regions": row.own_regions, "size_ratio": row.size_ratio,
        "breaks": _years(b.year for b in row.breaks), "gap": row.gap.key if row.gap else "",
        "gap_year": row.gap.year if row.gap else None, "missing": " ".join(row.missing),
    }  # fmt: skip


def _years(years: Iterable[int]) -> str:
    return " ".join(str(year) for year in sorted(set(years)))


def _partial(answer: OpenDataEvaluation) -> Iterator[dict[str, Any]]:
    """Mean over projects by outcome, and each project drawn towards it (row `mean` first)."""
    for outcome, pooled in answer.partial.items():
        yield {
            "outcome": outcome, "project": "mean", "log_points": pooled.mean, "std_error": pooled.mean_error,
            "ci_low": pooled.low, "ci_high": pooled.high, "between_sd": float(np.sqrt(pooled.between_variance)),
        }  # fmt: skip
        names = [
            r.project
            for r in answer.projects
            if r.outcome == outcome
            and r.event_time is None
            and r.test is not None
            and r.project not in answer.config.estimation.carry_over
        ]
        for name, value, error in zip(names, pooled.shrunken, pooled.shrunken_error, strict=True):
            yield {"outcome": outcome, "project": name, "log_points": float(value), "std_error": float(error)}


def _exposure(data: OpenData) -> Iterator[dict[str, Any]]:
    """Exposed share of each calendar year of a project, as bounds, with what they are made of."""
    for project in data.projects:
        for one in project.years:
            insured = insured_by_year(data, project, [one.year])
            ends = exposed_share([one], project.list_size, insured, np.array([[0.0] * SOURCES, [1.0] * SOURCES]))
            yield {
                "project": project.name, "year": one.year, "months_low": one.months[0], "months_high": one.months[1],
                "practices_low": one.practices[0], "practices_high": one.practices[1],
                "insured_years": float(insured[0]), "share_low": float(ends[0]), "share_high": float(ends[1]),
            }  # fmt: skip


def _exposed(answer: OpenDataEvaluation) -> Iterator[dict[str, Any]]:
    """Exposed shares, smallest effects found and relative effects per exposed patient, all as shares (not per cent)."""
    for row in answer.exposed:
        ratio = row.ratio
        yield {
            "project": row.project, "outcome": row.outcome, "uptake_low": row.share.low, "uptake_mean": row.share.mean,
            "uptake_high": row.share.high, "uptake_sd": row.share.sd, "detectable_low": row.detectable[0],
            "detectable_mean": row.detectable[1], "detectable_high": row.detectable[2],
            "effect": ratio.estimate if ratio else float("nan"), "ci_low": ratio.low if ratio else float("nan"),
            "ci_high": ratio.high if ratio else float("nan"), "shape": str(ratio.shape) if ratio else "",
        }  # fmt: skip


def euro_frame(effects: Iterable[EuroEffect]) -> pd.DataFrame:
    """Return one row an overall effect in euros of the price year; ends are flattened as ``_low`` and ``_high``."""
    import pandas as pd

    rows = []
    for row in effects:
        made: dict[str, Any] = {
            "project": row.project, "outcome": row.outcome, "cost": row.cost, "expected": row.expected,
            "fee": row.fee, "needed_low": row.needed[0], "needed_high": row.needed[1],
            "needed_share": row.needed_share, "detectable": row.detectable,
        }  # fmt: skip
        for name in ("saving", "per_exposed", "net"):
            made |= dict(zip((name, f"{name}_low", f"{name}_high"), getattr(row, name), strict=True))
        rows.append(made)
    return pd.DataFrame(rows)


def trend_frame(bounds: Iterable[TrendBound]) -> pd.DataFrame:
    """Return one row a robust interval, in per cent; years before the base as text."""
    import pandas as pd

    rows = [{**asdict(b), "before": _years(b.before)} for b in bounds]
    frame = pd.DataFrame(rows)
    for name in ("low", "high"):
        frame[name] = 100.0 * np.expm1(frame[name].astype(float))
    return frame


def size_frame(sizes: Iterable[ProjectSize]) -> pd.DataFrame:
    """Return one row a project and outcome: how often the placebo test finds an effect where none was, in per cent."""
    import pandas as pd

    rows = [
        {
            "project": one.project, "outcome": one.outcome, "trials": len(one.found.rejected),
            "found": 100.0 * one.found.share, "error": 100.0 * one.found.error,
        }
        for one in sizes
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["project", "outcome", "trials", "found", "error"])


def synthetic_frame(fits: Iterable[SyntheticFit]) -> pd.DataFrame:
    """Return one row a synthetic comparison, effects and errors in per cent."""
    import pandas as pd

    frame = pd.DataFrame([asdict(fit) for fit in fits])
    for name in ("estimate", "without_low", "without_high", "in_time", "did_estimate"):
        frame[name] = 100.0 * np.expm1(frame[name].astype(float))
    for name in ("pre_rmspe", "placebo_rmspe", "did_rmspe"):
        frame[name] = 100.0 * frame[name].astype(float)
    return frame
