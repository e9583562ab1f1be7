"""The figure of a randomised rollout: effects by time since entry, a panel an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.report.figure import ACCENT, QUIET, ReportFigure, canvas, closed

if TYPE_CHECKING:
    import pandas as pd


def paths_figure(paths: Mapping[str, pd.DataFrame]) -> ReportFigure:
    """Draw estimates by periods since entry: thin intervals each apart, wide bands over all of an outcome at once.

    `paths` maps an outcome to a frame indexed by event time with estimate, ci_low, ci_high, band_low and band_high.
    """
    zero = 0
    with canvas(1, len(paths), height=2.9, sharex=True) as (figure, axes):
        for ax, (name, frame) in zip(axes[0], paths.items(), strict=True):
            e = frame.index.to_numpy(np.float64)
            low, high = frame["band_low"].to_numpy(float), frame["band_high"].to_numpy(float)
            ax.axhline(0, color=QUIET, linewidth=0.8)
            ax.vlines(e, low, high, color=ACCENT, linewidth=5, alpha=0.25)
            ax.vlines(e, frame["ci_low"], frame["ci_high"], color=ACCENT, linewidth=1.6)
            ax.plot(e, frame["estimate"].to_numpy(float), "o", color=ACCENT, markersize=4, markeredgecolor="white")
            ax.set_xticks(e[:: max(1, round(len(e) / 6))])
            ax.set_title(name)
            ax.set_xlabel("periods since entry")
            zero += int(((low > 0) | (high < 0)).sum())
        axes[0, 0].set_ylabel("effect per unit and period")
        svg = closed(figure)
    points = sum(len(frame) for frame in paths.values())
    return ReportFigure(
        "rollout",
        "Effect by periods since entry",
        f"Points with intervals and bands for {', '.join(paths)}; {zero} of {points} bands exclude zero.",
        svg,
    )
