"""Figures of the average effect by estimator: for one outcome, and for all that were declared beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.report.figure import ACCENT, FAINT, INK, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.figures.effects import numbers_on, wrapped
from mtvp_eval.report.labels import text

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.report.table import ReportTable


def beside_headline(table: ReportTable, headline: str, outcomes: tuple[str, ...]) -> ReportTable:
    """Return the rows of some outcomes that have an estimate in the unit of the headline's.

    Others have no place on its axis; where the headline shows no estimate there is nothing to stand beside.
    """
    frame = table.frame[table.frame["outcome"].isin(outcomes) & table.frame["estimate"].notna()]
    unit = frame[frame["method"] == headline].set_index("outcome")["unit_text"].to_dict()
    same = [unit.get(o) == u for o, u in zip(frame["outcome"], frame["unit_text"], strict=True)]
    return replace(table, frame=frame[np.array(same, dtype=np.bool_)].reset_index(drop=True), withheld=None)


def robustness(table: ReportTable, headline: str) -> ReportFigure:
    """Draw the average effect of the one outcome that the table holds, a row an estimator, the headline marked."""
    frame, language = table.frame, table.language
    methods = _methods(frame)
    with canvas(height=0.9 + 0.27 * max(len(methods), 1)) as (figure, axes):
        ax = axes[0, 0]
        _rows(ax, frame, methods, headline, language)
        _names(ax, frame, methods, headline)
        ax.set_xlabel(text("figure.robustness.axis", language, unit=frame["unit_text"].iloc[0]))
        svg = closed(figure)
    return ReportFigure(
        f"robustness-{frame['outcome'].iloc[0]}",
        text("figure.robustness.caption", language, outcome=frame["title"].iloc[0]),
        text(
            "figure.robustness.alt", language, n=len(frame), shown=int(_clear(frame).sum()), table=table.id
        ),
        svg,
    )  # fmt: skip


def estimators(table: ReportTable, headline: str, outcomes: tuple[str, ...]) -> ReportFigure:
    """Draw the same for each of the outcomes, three panels a row; every panel has its own unit."""
    language = table.language
    frame = table.frame
    groups = [frame[frame["outcome"] == o] for o in outcomes if (frame["outcome"] == o).any()]
    methods = _methods(frame)
    rows = -(-len(groups) // 3)
    with canvas(rows, 3, height=rows * (0.95 + 0.16 * len(methods)), sharey=True) as (figure, axes):
        for ax, part in zip(axes.flat, groups, strict=False):
            _rows(ax, part, methods, headline, language)
            ax.set_title(wrapped(str(part["title"].iloc[0]), 22), fontsize=8)
            ax.set_xlabel(wrapped(str(part["unit_text"].iloc[0]), 26), fontsize=7)
            ax.tick_params(axis="x", labelsize=7)
        for ax in axes[:, 0]:
            _names(ax, frame, methods, headline, width=64)
            ax.tick_params(axis="y", labelsize=6.5)
        for ax in axes.flat[len(groups) :]:
            ax.set_axis_off()
        svg = closed(figure)
    return ReportFigure(
        "estimators",
        text("figure.estimators.caption", language),
        text("figure.estimators.alt", language, n=len(groups), methods=len(methods), table=table.id),
        svg,
    )


def _methods(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame["method"]))


def _clear(frame: pd.DataFrame) -> Any:
    return ((frame["ci_low"] > 0) | (frame["ci_high"] < 0)).to_numpy(np.bool_)


def _rows(ax: Any, frame: pd.DataFrame, methods: list[str], headline: str, language: str) -> None:
    """One row a method; filled where the interval excludes zero; a line through the headline's estimate."""
    y = np.array([len(methods) - 1 - methods.index(m) for m in frame["method"]])
    estimate, clear = frame["estimate"].to_numpy(float), _clear(frame)
    first = (frame["method"] == headline).to_numpy(np.bool_)
    ax.axvline(0, color=QUIET, linewidth=0.8)
    for value in estimate[first]:
        ax.axvline(value, color=ACCENT, linewidth=0.8, linestyle=(0, (3, 3)))
    low, high = frame["ci_low"].to_numpy(float), frame["ci_high"].to_numpy(float)
    ax.hlines(y, low, high, color=np.where(clear, ACCENT, QUIET), linewidth=1.6)
    for part in (clear, ~clear):
        edge = ACCENT if part is clear else QUIET
        face = ACCENT if part is clear else "white"
        for own, mark in ((first, "D"), (~first, "o")):
            ax.plot(estimate[part & own], y[part & own], mark, mfc=face, mec=edge, markersize=5)
    ax.set_ylim(-0.7, len(methods) - 0.3)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    numbers_on(ax.xaxis, language)


def _names(ax: Any, frame: pd.DataFrame, methods: list[str], headline: str, width: int = 52) -> None:
    words = dict(zip(frame["method"], frame["method_text"], strict=True))
    ax.set_yticks(np.arange(len(methods))[::-1], [wrapped(str(words[m]), width) for m in methods])
    for label, method in zip(ax.get_yticklabels(), methods, strict=True):
        label.set_fontweight("bold" if method == headline else "normal")
        label.set_color(INK)
