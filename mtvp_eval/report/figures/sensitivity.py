"""Figure of how far conclusions carry: the interval for each bound on how far trends differ."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.figure import ACCENT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.labels import text
from mtvp_eval.report.table import ReportTable

_COLOURS = {"first": QUIET, "mean": ACCENT}


def trend_sensitivity(table: ReportTable, outcome: str, level: str) -> ReportFigure:
    """Draw the intervals against the bound, one panel a restriction, one colour an effect."""
    frame, language = table.frame, table.language
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
            ax.set_xticks(range(len(bounds)), [f"{m:g}" for m in bounds])
            ax.set_title(str(rows["restricted"].iloc[0]))
            ax.set_xlabel(text(f"figure.trend_sensitivity.{restriction}", language))
        axes[0, 0].set_ylabel(text("figure.trend_sensitivity.axis", language, unit=frame["unit_text"].iloc[0]))
        handles, words = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside upper center", ncols=2, handlelength=1.2)
        svg = closed(figure)
    clear = int(((frame["low"] > 0) | (frame["high"] < 0)).sum())
    return ReportFigure(
        "trend_sensitivity",
        text("figure.trend_sensitivity.caption", language, outcome=outcome, level=level),
        text(
            "figure.trend_sensitivity.alt", language, outcome=outcome, clear=clear, n=len(frame), table=table.id
        ),
        svg,
    )  # fmt: skip
