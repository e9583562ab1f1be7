"""Figures of effects: by time since the start, by outcome, and what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.report.figure import ACCENT, FAINT, QUIET, ReportFigure, canvas, closed, palette
from mtvp_eval.report.labels import joined, number, term, text

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.report.table import ReportTable

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One mark a cohort, so that lines differ in shape as well as in colour."""


def event_study(table: ReportTable, level: str) -> ReportFigure:
    """Draw the effect by periods since the start for the one outcome that the table holds."""
    frame, language = table.frame, table.language
    with canvas(height=3.3) as (figure, axes):
        ax = axes[0, 0]
        _event_study(ax, frame, language, frame["event_time"])
        handles, words = _event_study_handles(frame, language, level)
        figure.legend(handles, words, loc="outside upper center", ncols=4, handlelength=1.2)
        ax.set_xlabel(text("figure.event_study.axis", language))
        ax.set_ylabel(wrapped(str(frame["unit_text"].iloc[0])))
        svg = closed(figure)
    outcome = str(frame["title"].iloc[0])
    return ReportFigure(
        f"event_study-{frame['outcome'].iloc[0]}",
        text("figure.event_study.caption", language, outcome=outcome),
        _event_study_alt(table, outcome),
        svg,
    )


def event_studies(table: ReportTable, level: str) -> ReportFigure:
    """Draw the effect by periods since the start for every outcome that the table holds, two panels a row."""
    language = table.language
    groups = [frame for _, frame in table.frame.groupby("outcome", sort=False)]
    rows = (len(groups) + 1) // 2
    with canvas(rows, 2, height=0.5 + min(1.5 * rows, 8.6), sharex=True) as (figure, axes):
        for ax, frame in zip(axes.flat, groups, strict=False):
            _event_study(ax, frame, language, table.frame["event_time"])
            ax.set_title(wrapped(str(frame["title"].iloc[0]), 44))
            ax.set_ylabel(wrapped(str(frame["unit_text"].iloc[0]), 26), fontsize=7)
        for ax in axes.flat[len(groups) :]:
            ax.set_axis_off()
        for ax in axes[-1, :]:
            ax.set_xlabel(text("figure.event_study.axis", language))
        handles, words = _event_study_handles(table.frame, language, level)
        figure.legend(handles, words, loc="outside upper center", ncols=4, handlelength=1.2)
        svg = closed(figure)
    outcome = joined([str(frame["title"].iloc[0]) for frame in groups], language)
    return ReportFigure(
        "event_studies",
        text("figure.event_studies.caption", language, n=len(groups)),
        _event_study_alt(table, outcome),
        svg,
    )


def _event_study(ax: Any, frame: pd.DataFrame, language: str, times: pd.Series) -> None:
    """Leads in grey, effects in colour; intervals thin, simultaneous bands wide."""
    e, estimate = frame["event_time"].to_numpy(float), frame["estimate"].to_numpy(float)
    low, high = frame["band_low"].to_numpy(float), frame["band_high"].to_numpy(float)
    after = e >= 0
    ax.axhline(0, color=QUIET, linewidth=0.8)
    ax.axvline(-0.5, color=QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
    for part, colour, mark in ((~after, QUIET, "D"), (after, ACCENT, "o")):
        ax.vlines(e[part], low[part], high[part], color=colour, linewidth=5, alpha=0.25)
        _intervals(ax, e[part], frame[part], colour)
        ax.plot(
            e[part], estimate[part], mark, color=colour, markersize=4.5, markeredgecolor="white", markeredgewidth=0.6
        )
    first, last = int(times.min()), int(times.max())
    ax.set_xticks(np.arange(first, last + 1, max(1, round((last - first) / 14))))
    numbers_on(ax.xaxis, language)
    numbers_on(ax.yaxis, language)


def _event_study_handles(frame: pd.DataFrame, language: str, level: str) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    keys = ["lead", "effect", "interval"]
    handles = [
        Line2D([], [], marker="D", linestyle="", color=QUIET, markersize=4.5),
        Line2D([], [], marker="o", linestyle="", color=ACCENT, markersize=4.5),
        Line2D([], [], color=ACCENT, linewidth=1.6),
    ]
    if frame["band_low"].notna().any():
        keys.append("band")
        handles.append(Line2D([], [], color=ACCENT, linewidth=5, alpha=0.25))
    return handles, [text(f"figure.event_study.{key}", language, level=level) for key in keys]


def _event_study_alt(table: ReportTable, outcome: str) -> str:
    frame = table.frame
    after = frame[frame["event_time"] >= 0]
    banded = after["band_low"].notna().any()
    ends = after[["band_low", "band_high"] if banded else ["ci_low", "ci_high"]].to_numpy(float)
    words = {
        "outcome": outcome,
        "first": number(frame["event_time"].min(), table.language),
        "last": number(frame["event_time"].max(), table.language),
        "shown": int(((ends[:, 0] > 0) | (ends[:, 1] < 0)).sum()),
        "n": int(np.isfinite(ends[:, 0]).sum()),
        "kind": text(f"figure.event_study.{'bands' if banded else 'intervals'}", table.language),
        "table": table.id,
    }
    return text("figure.event_study.alt", table.language, **words)


def trends(table: ReportTable, cohorts: tuple[str, ...]) -> ReportFigure:
    """Draw the raw means of the one outcome that the table holds, a line a cohort, with its entry marked."""
    frame, language = table.frame, table.language
    shown = [c for c in cohorts if frame[c].notna().any()]
    periods = [str(p) for p in frame["period"]]
    with canvas(height=3.5) as (figure, axes):
        ax = axes[0, 0]
        for i, (cohort, colour) in enumerate(zip(shown, palette(len(shown)), strict=True)):
            y = frame[cohort].to_numpy(float)
            x = np.arange(len(y))
            entry = periods.index(cohort) if cohort in periods else len(y)
            label = term("cohort", cohort, language)
            ax.plot(x[: entry + 1], y[: entry + 1], color=colour, linewidth=1.2, linestyle=(0, (2, 1)))
            ax.plot(x[entry:], y[entry:], color=colour, linewidth=1.8)
            if entry < len(y):
                ax.plot(x[entry], y[entry], MARKS[i % 8], color=colour, markersize=7, markeredgecolor="white")
            ax.plot([], [], f"-{MARKS[i % 8]}", color=colour, label=label)
        _periods(ax, periods)
        ax.set_ylabel(wrapped(str(frame["unit_text"].iloc[0])))
        numbers_on(ax.yaxis, language)
        legend = text("figure.trends.entry", language)
        ax.legend(title=legend, loc="center left", bbox_to_anchor=(1.0, 0.5), title_fontsize=8, alignment="left")
        svg = closed(figure)
    outcome = str(frame["title"].iloc[0])
    return ReportFigure(
        f"trends-{frame['outcome'].iloc[0]}",
        text("figure.trends.caption", language, outcome=outcome),
        text(
            "figure.trends.alt", language, outcome=outcome, first=periods[0], last=periods[-1],
            n=len(shown), table=table.id,
        ),
        svg,
    )  # fmt: skip


def forest(table: ReportTable, weighting: str) -> ReportFigure:
    """Draw the average effect of every outcome relative to its level before the programme."""
    frame, language = table.frame, table.language
    frame = frame[(frame["weighting"] == weighting) & frame["relative_estimate"].notna()].reset_index(drop=True)
    y = np.arange(len(frame))[::-1]
    low, high = frame["relative_ci_low"].to_numpy(float), frame["relative_ci_high"].to_numpy(float)
    clear = (low > 0) | (high < 0)
    with canvas(height=0.9 + 0.36 * max(len(frame), 1)) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(0, color=QUIET, linewidth=0.8)
        ax.hlines(y, low, high, color=np.where(clear, ACCENT, QUIET), linewidth=1.8)
        for part, face in ((clear, ACCENT), (~clear, "white")):
            edge = ACCENT if face == ACCENT else QUIET
            ax.plot(frame["relative_estimate"].to_numpy(float)[part], y[part], "o", mfc=face, mec=edge, markersize=6)
        ax.set_yticks(y, [wrapped(str(t), 34) for t in frame["title"]])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(-0.6, len(frame) - 0.4)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.set_xlabel(text("figure.forest.axis", language))
        numbers_on(ax.xaxis, language)
        svg = closed(figure)
    return ReportFigure(
        "forest",
        text("figure.forest.caption", language),
        text("figure.forest.alt", language, n=len(frame), shown=int(clear.sum()), table=table.id),
        svg,
    )


def _intervals(ax: Any, x: Any, frame: pd.DataFrame, colour: str) -> None:
    ax.vlines(x, frame["ci_low"].to_numpy(float), frame["ci_high"].to_numpy(float), color=colour, linewidth=1.6)


def _periods(ax: Any, periods: list[str]) -> None:
    """Label quarters as Q1 with the year under the first of each, as many as fit."""
    step = max(1, round(len(periods) / 12))
    at = range(0, len(periods), step)
    ax.set_xticks(list(at), [periods[i] for i in at], rotation=45, ha="right", rotation_mode="anchor")


def numbers_on(axis: Any, language: str) -> None:
    """Write an axis in the language's number format with as many decimals as its ticks need."""
    from matplotlib.ticker import FuncFormatter

    ticks = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    decimals = next((d for d in range(6) if np.allclose(ticks * 10**d, np.round(ticks * 10**d), atol=1e-6)), 6)
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, decimals)))


def wrapped(words: str, width: int = 38) -> str:
    """Break words over lines of at most ``width`` letters."""
    from textwrap import fill

    return fill(words, width)
