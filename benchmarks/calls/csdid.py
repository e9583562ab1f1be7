"""csdid: one class that changes itself and prints as it goes."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from csdid.att_gt import ATTgt


def _callaway_santanna(frame, formula, draws):
    boot = {"bstrap": bool(draws), "cband": bool(draws)}

    def go():
        np.random.seed(1)  # noqa: NPY002 - the only seed it knows
        with contextlib.redirect_stdout(io.StringIO()):
            cells = ATTgt(
                yname="y", tname="time", idname="unit", gname="entry", data=frame, control_group=["notyettreated"],
                xformla=formula, cband=bool(draws), biters=draws or 1000,
            ).fit(est_method="dr", bstrap=bool(draws))  # fmt: skip
            found = cells.aggte(typec="dynamic", **boot, biters=draws or 1000).atte
        effects, errors = np.ravel(found["att_egt"]), np.ravel(found["se_egt"])
        return {"rows": list(zip(np.ravel(found["egt"]), effects, errors, strict=True))}

    return go


def callaway_santanna_x(frame):
    return _callaway_santanna(frame, "y~x", 0)


def callaway_santanna_draws(frame):
    return _callaway_santanna(frame, "y~x", 999)


def callaway_santanna_plain(frame):
    return _callaway_santanna(frame, None, 0)
