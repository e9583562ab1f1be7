"""moderndid: functions att_gt and aggte, as in R."""

from __future__ import annotations

import moderndid as md
import numpy as np


def _callaway_santanna(frame, formula, draws):
    boot = {"boot": bool(draws), "cband": bool(draws), "biters": draws or 1000, "random_state": 1}

    def go():
        cells = md.att_gt(
            frame, yname="y", tname="time", idname="unit", gname="entry", xformla=formula, est_method="dr",
            control_group="notyettreated", **boot,
        )  # fmt: skip
        found = md.aggte(cells, type="dynamic", **boot)
        effects, errors = np.asarray(found.att_by_event), np.asarray(found.se_by_event)
        return {"rows": list(zip(found.event_times, effects, errors, strict=True))}

    return go


def callaway_santanna_x(frame):
    return _callaway_santanna(frame, "~ x", 0)


def callaway_santanna_draws(frame):
    return _callaway_santanna(frame, "~ x", 999)


def callaway_santanna_plain(frame):
    return _callaway_santanna(frame, None, 0)
