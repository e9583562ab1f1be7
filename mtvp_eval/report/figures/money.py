"""Figures of money: what each party gains or loses, what moves the insurer's result most, cost against one outcome."""

from __future__ import annotations

import numpy as np

from mtvp_eval.costbenefit.plane import Difference
from mtvp_eval.report.figure import FAINT, QUIET, ReportFigure, canvas, closed, palette
from mtvp_eval.report.labels import euro, number, text
from mtvp_eval.report.table import ReportTable


def parties(table: ReportTable) -> ReportFigure:
    """Draw the net gain of each party with its interval; a loss lies left of the line, in another colour."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    frame, language = table.frame, table.language
    net, low, high = (frame[name].to_numpy(float) for name in ("net", "low", "high"))
    y = np.arange(len(net))[::-1]
    gain, loss = palette(2)
    colours = [QUIET if value == 0 else gain if value > 0 else loss for value in net]
    with canvas(height=0.8 + 0.32 * len(net)) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(0, color=QUIET, linewidth=0.8)
        ax.hlines(y, low, high, color=colours, linewidth=1.8)
        ax.scatter(net, y, s=34, color=colours, zorder=3)
        for at, value in zip(y, net, strict=True):
            words = euro(value, language, signed=True)
            ax.annotate(words, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        ax.set_yticks(y, [str(p) for p in frame["party_text"]])
        ax.set_ylim(-0.6, len(net) - 0.4)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language)))
        ax.set_xlabel(text("figure.parties.axis", language))
        svg = closed(figure)
    return ReportFigure(
        "parties",
        text("figure.parties.caption", language),
        text(
            "figure.parties.alt", language, n=len(net), gain=int((net > 0).sum()), lose=int((net < 0).sum()),
            table=table.id,
        ),
        svg,
    )  # fmt: skip


def tornado(table: ReportTable, centre: float) -> ReportFigure:
    """Draw the insurer's net benefit at both ends of every range, the widest on top, around the result itself."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    frame, language = table.frame, table.language
    at_low, at_high = (frame[name].to_numpy(float) / 1e6 for name in ("at_low", "at_high"))
    y = np.arange(len(frame))[::-1]
    one, other = palette(2)
    with canvas(height=0.7 + 0.26 * len(frame)) as (figure, axes):
        ax = axes[0, 0]
        for ends, colour, label in ((at_low, one, "low"), (at_high, other, "high")):
            words = text(f"figure.tornado.{label}", language)
            ax.barh(y, ends - centre / 1e6, left=centre / 1e6, height=0.6, color=colour, label=words)
        ax.axvline(centre / 1e6, color=QUIET, linewidth=0.8)
        ax.axvline(0.0, color=QUIET, linewidth=0.8, linestyle=":")
        ax.set_yticks(y, [str(words) for words in frame["input_text"]])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 1)))
        ax.set_xlabel(text("figure.tornado.axis", language))
        ax.legend(loc="lower right")
        svg = closed(figure)
    return ReportFigure(
        "tornado",
        text("figure.tornado.caption", language),
        text("figure.tornado.alt", language, n=len(frame), widest=str(frame["input_text"].iloc[0]), table=table.id),
        svg,
    )


def plane(table: ReportTable, level: float, gain: str) -> ReportFigure:
    """Draw gain against cost with the joint confidence region of each perspective; `gain` names the outcome."""
    from matplotlib.ticker import FuncFormatter

    frame, language = table.frame, table.language
    with canvas(height=3.4) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(0.0, color=QUIET, linewidth=0.8)
        ax.axhline(0.0, color=QUIET, linewidth=0.8)
        for row, colour in zip(frame.itertuples(), palette(len(frame)), strict=True):
            d = Difference(row.effect, row.cost, row.var_effect, row.var_cost, row.covariance)
            around = d.ellipse(level)
            ax.plot(around[:, 0], around[:, 1], color=colour, linewidth=1.2)
            ax.scatter([row.effect], [row.cost], s=34, color=colour, zorder=3, label=row.perspective_text)
        ax.grid(color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 1)))
        ax.set_xlabel(text("figure.plane.gain", language, gain=gain))
        ax.set_ylabel(text("figure.plane.cost", language))
        ax.legend(loc="best")
        svg = closed(figure)
    caption = text("figure.plane.caption", language, level=f"{100 * level:g}")
    return ReportFigure("plane", caption, text("figure.plane.alt", language, gain=gain, table=table.id), svg)
