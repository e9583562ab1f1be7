"""Figure of how far conclusions carry: the interval for each bound on how far trends differ."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.report.figure import ACCENT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.labels import number, text
from mtvp_eval.report.table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

_LABEL_WIDTH = 32
"""Characters of an axis label that fit beside the panels."""
_COLOURS = {"first": QUIET, "mean": ACCENT}


def trend_sensitivity(table: ReportTable, outcome: str, level: str) -> ReportFigure:
    """Draw the window's intervals against the bound, one panel a restriction, one colour an effect."""
    language = table.language
    frame = table.frame[table.frame["window"] == "clear"]
    restrictions = list(dict.fromkeys(frame["restriction"]))
    with canvas(1, len(restrictions), height=3.0, sharey=True) as (figure, axes):
        for ax, restriction in zip(axes[0], restrictions, strict=True):
            rows = frame[frame["restriction"] == restriction]
            bounds = sorted(set(rows["mbar"]))
            ax.axhline(0, color=QUIET, linewidth=0.8)
            for shift, (target, part) in zip((-0.12, 0.12), rows.groupby("estimand", sort=False), strict=False):
                at = np.array([bounds.index(m) for m in part["mbar"]]) + shift
                low, high = part["low"].to_numpy(float), part["high"].to_numpy(float)
                ax.vlines(at, low, high, color=_COLOURS[str(target)], linewidth=2.2, label=part["target"].iloc[0])
            ax.set_xticks(range(len(bounds)), [number(m, language, _places(m)) for m in bounds])
            ax.set_title(str(rows["restricted"].iloc[0]))
            ax.set_xlabel(text(f"figure.trend_sensitivity.{restriction}", language))
        axis = text("figure.trend_sensitivity.axis", language, unit=frame["unit_text"].iloc[0])
        axes[0, 0].set_ylabel(fill(axis, _LABEL_WIDTH))
        handles, words = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside upper center", ncols=2, handlelength=1.2)
        svg = closed(figure)
    said = [_breakdown(frame[frame["restriction"] == one], language) for one in restrictions]
    clear = int(((frame["low"] > 0) | (frame["high"] < 0)).sum())
    return ReportFigure(
        "trend_sensitivity",
        " ".join([text("figure.trend_sensitivity.caption", language, outcome=outcome, level=level) + ".", *said]),
        text(
            "figure.trend_sensitivity.alt", language, outcome=outcome, clear=clear, n=len(frame), table=table.id
        ),
        svg,
    )  # fmt: skip


def _places(bound: float) -> int:
    return 0 if bound == round(bound) else 1 if 10 * bound == round(10 * bound) else 2


def _breakdown(rows: pd.DataFrame, language: str) -> str:
    """Say the smallest bound at which the interval of each effect holds zero, for one restriction."""
    each = rows.drop_duplicates("estimand")
    values = [
        f"{target} {number(float(at), language, 2)}"
        for target, at in zip(each["target"], each["breakdown"], strict=True)
    ]
    return text("figure.breakdown", language, restriction=str(each["restricted"].iloc[0]), values="; ".join(values))
