"""Figures of the open-data report: where, effects with intervals, years since the start, untouched groups, cost."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.report.figure import ACCENT, FAINT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.labels import number, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

LAND, WATER = "#e3e8ec", "#ffffff"


def project_map(table: ReportTable, inputs: OpenDataInputs) -> ReportFigure:
    """Draw where the projects lie, on a coarse outline of our own."""
    language, outline = table.language, inputs.frames["outline"]
    starts = inputs.frames["projects"].set_index("project")["first_full_year"]
    with canvas(width=4.4, height=4.9) as (figure, axes):
        ax = axes[0, 0]
        for _, part in outline.groupby("part", sort=False):
            colour = LAND if part["kind"].iloc[0] == "land" else WATER
            ax.fill(part["lon"].astype(float), part["lat"].astype(float), color=colour, linewidth=0)
        for row in table.frame.itertuples():
            lon, lat = float(row.lon), float(row.lat)
            left = lon < 4.95 and row.project != "terneuzen"
            ax.plot(lon, lat, "o", color=ACCENT, markersize=6, markeredgecolor="white", markeredgewidth=0.8)
            ax.annotate(
                f"{row.town}, {int(starts[row.project])}", (lon, lat), (-6 if left else 6, 0),
                textcoords="offset points", ha="right" if left else "left", va="center", fontsize=8,
            )  # fmt: skip
        ax.set_aspect(1 / np.cos(np.radians(52.2)))
        ax.set_xlim(2.6, 7.4)
        ax.set_axis_off()
        svg = closed(figure)
    caption = text("open_data.figure.map.caption", language)
    return ReportFigure("map", caption, text("open_data.figure.map.alt", language, n=len(table.frame)), svg)


def forest(table: ReportTable, inputs: OpenDataInputs) -> ReportFigure:
    """Draw every effect with its placebo interval, a panel an outcome; projects above, pooled sets below."""
    frame, language = table.frame, table.language
    names = list(dict.fromkeys(frame["project"]))
    sets = [name for name in names if name in inputs.pooled]
    place = {name: len(names) - i - 0.6 * (name in sets) for i, name in enumerate(names)}
    outcomes = [o for o in inputs.outcomes if frame.loc[frame["outcome"] == o, "per_cent"].notna().any()]
    with canvas(1, len(outcomes), width=8.4, height=4.6, sharey=True) as (figure, axes):
        for ax, outcome in zip(axes[0], outcomes, strict=True):
            mine = frame[(frame["outcome"] == outcome) & frame["per_cent"].notna()]
            for row in mine.itertuples():
                clear = row.ci_low > 0 or row.ci_high < 0
                colour = ACCENT if row.project in sets else QUIET
                ax.hlines(place[row.project], row.ci_low, row.ci_high, color=colour, linewidth=1.7)
                mark = "D" if row.project in sets else "o"
                ax.plot(row.per_cent, place[row.project], mark, mfc=colour if clear else "white", mec=colour, ms=5)
            ax.axvline(0, color=QUIET, linewidth=0.8)
            ax.set_title(fill(str(mine["title"].iloc[0]), 17), fontsize=8.5)
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
            ax.grid(axis="x", color=FAINT, linewidth=0.6)
            ax.set_axisbelow(True)
            few_numbers(ax.xaxis, language, 4)
        labels = [fill(inputs.label(name, language), 30) for name in names]
        axes[0, 0].set_yticks([place[name] for name in names], labels)
        figure.supxlabel(text("open_data.figure.axis", language), fontsize=8.5)
        svg = closed(figure)
    shown = frame[frame["per_cent"].notna()]
    clear = int(((shown["ci_low"] > 0) | (shown["ci_high"] < 0)).sum())
    words = {"n": len(shown), "clear": clear, "table": table.id}
    caption = text("open_data.figure.forest.caption", language)
    return ReportFigure("forest", caption, text("open_data.figure.forest.alt", language, **words), svg)


def event_studies(table: ReportTable, inputs: OpenDataInputs, names: Sequence[str], id_: str) -> ReportFigure:
    """Draw the effect by years since the first full year for one outcome, a panel a project or set."""
    frame, language = table.frame, table.language
    base = -1 - int(inputs.choices["anticipation"])
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    with canvas(rows, columns, width=8.4, height=0.5 + 2.3 * rows, sharex=True, sharey=True) as (figure, axes):
        for ax, name in zip(axes.flat, names, strict=False):
            mine = frame[frame["project"] == name]
            _event_study(ax, mine, base)
            ax.set_title(fill(inputs.label(name, language), 27), fontsize=8.5)
        for ax in list(axes.flat)[len(names) :]:
            ax.set_axis_off()
        few_numbers(axes[0, 0].yaxis, language, 5)
        few_numbers(axes[0, 0].xaxis, language, 6, whole=True)
        figure.supxlabel(text("open_data.figure.years", language), fontsize=8.5)
        figure.supylabel(text("open_data.figure.axis", language), fontsize=8.5)
        svg = closed(figure)
    words = {"outcome": str(frame["title"].iloc[0]), "n": len(names), "table": table.id}
    caption = text("open_data.figure.event_study.caption", language, **words)
    return ReportFigure(id_, caption, text("open_data.figure.event_study.alt", language, **words), svg)


def _event_study(ax: Any, mine: pd.DataFrame, base: int) -> None:
    """One panel: years before in grey, the part year hollow, full years in colour; the base is zero by definition."""
    ax.axhline(0, color=QUIET, linewidth=0.8)
    ax.axvspan(base + 0.5, -0.5, color=FAINT, alpha=0.7, linewidth=0)
    ax.plot(base, 0, "|", color=QUIET, markersize=9)
    for row in mine.itertuples():
        after = row.event_time >= 0
        colour = ACCENT if after else QUIET
        ax.vlines(row.event_time, row.ci_low, row.ci_high, color=colour, linewidth=3.2, alpha=0.35)
        hollow = base < row.event_time < 0
        face, mark = "white" if hollow else colour, "o" if after else "D"
        ax.plot(row.event_time, row.per_cent, mark, mfc=face, mec=colour, ms=4)


def placebo(table: ReportTable, groups: ReportTable) -> ReportFigure:
    """Draw every untouched group as a tick and the project among them, a line a project."""
    frame, language = table.frame, table.language
    with canvas(height=0.9 + 0.42 * len(frame), width=8.2) as (figure, axes):
        ax = axes[0, 0]
        for y, row in zip(range(len(frame), 0, -1), frame.itertuples(), strict=True):
            drawn = groups.frame.loc[groups.frame["project"] == row.project, "untouched"].to_numpy(float)
            ax.hlines(y, row.low, row.high, color=FAINT, linewidth=9)
            ax.plot(drawn, np.full(len(drawn), y), "|", color=QUIET, markersize=8, alpha=0.7)
            ax.plot(row.per_cent, y, "o", color=ACCENT, markersize=7.5, markeredgecolor="white")
        ax.axvline(0, color=QUIET, linewidth=0.8)
        labels = [fill(str(label), 34) for label in frame["label"]]
        ax.set_yticks(list(range(len(frame), 0, -1)), labels)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.plot([], [], "o", color=ACCENT, label=text("open_data.figure.placebo.project", language))
        ax.plot([], [], "|", color=QUIET, markersize=8, label=text("open_data.figure.placebo.group", language))
        ax.plot([], [], color=FAINT, linewidth=7, label=text("open_data.figure.placebo.most", language))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.4)
        ax.set_xlabel(text("open_data.figure.axis", language))
        few_numbers(ax.xaxis, language, 9)
        svg = closed(figure)
    caption = text("open_data.figure.placebo.caption", language)
    words = {"n": len(frame), "table": table.id}
    return ReportFigure("placebo", caption, text("open_data.figure.placebo.alt", language, **words), svg)


def trends(table: ReportTable, inputs: OpenDataInputs, outcome: str) -> ReportFigure:
    """Draw cost over expected cost by year for one outcome, a panel a project, the comparison in grey in each."""
    frame, language = table.frame, table.language
    starts = inputs.frames["projects"].set_index("project")["first_full_year"]
    names = [name for name in starts.index if name in frame.columns and frame[name].notna().any()]
    year = frame["year"].to_numpy(int)
    rows = -(-len(names) // 4)
    with canvas(rows, 4, width=8.4, height=0.5 + 2.1 * rows, sharex=True, sharey=True) as (figure, axes):
        for ax, name in zip(axes.flat, names, strict=False):
            ax.axvline(int(starts[name]) - 0.5, color=QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
            ax.plot(year, frame["never"].to_numpy(float), color=QUIET, linewidth=1.2)
            ax.plot(year, frame[name].to_numpy(float), "o-", color=ACCENT, linewidth=1.6, markersize=3)
            ax.set_title(fill(inputs.label(name, language), 27), fontsize=8.5)
        for ax in list(axes.flat)[len(names) :]:
            ax.set_axis_off()
        axes[0, 0].set_xticks([y for y in year if (y - year[0]) % 4 == 0])
        few_numbers(axes[0, 0].yaxis, language, 5)
        figure.supylabel(text("open_data.figure.over", language), fontsize=8.5)
        svg = closed(figure)
    words = {"outcome": str(frame["title"].iloc[0]), "n": len(names), "table": table.id}
    caption = text("open_data.figure.trends.caption", language, **words)
    return ReportFigure(
        f"trends-{outcome}", caption, text("open_data.figure.trends.alt", language, **words), svg
    )  # fmt: skip


def few_numbers(axis: Any, language: str, most: int, whole: bool = False) -> None:
    """Put at most so many round numbers on an axis, written as the language does."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=whole))
    axis.set_major_formatter(FuncFormatter(lambda v, _: number(v, language, 0 if float(v).is_integer() else 1)))
