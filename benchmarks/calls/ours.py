"""mtvp_eval: as a user calls it, from the frame to the table."""

from __future__ import annotations

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.estimands.aggregate import event_study
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.registry import Choices, run


def _panel(frame):
    return Panel.from_frame(frame, "unit", "time", "entry", "y", cluster="region" if "region" in frame else None)


def _rows(table):
    events = [event if isinstance(event, int) else None for event in table["event_time"].tolist()]
    return {"rows": list(zip(events, table["estimate"].tolist(), table["std_error"].tolist(), strict=True))}


def _registered(frame, name, estimands=("event_study",), **choices):
    own = frame.drop(columns="region")

    def go():
        panel = Panel.from_frame(own, "unit", "time", "entry", "y", baseline=choices.get("covariates", ()))
        found = run(name, panel, StaggeredDesign.from_panel(panel), "y", list(estimands), Choices(**choices))
        if name in ("callaway_santanna", "imputation", "two_stage"):
            found = found.with_correction("none")
        elif found.__class__.__name__ == "EffectEstimates" and found.regression is not None:
            found = found.with_correction("fixest")
        return _rows(found.to_frame())

    return go


def callaway_santanna_x(frame):
    return _registered(frame, "callaway_santanna", covariates=("x",))


def callaway_santanna_draws(frame):
    from mtvp_eval.inference.bands import multiplier_bootstrap

    own = frame.drop(columns="region")

    def go():
        panel = Panel.from_frame(own, "unit", "time", "entry", "y", baseline=["x"])
        design = StaggeredDesign.from_panel(panel)
        events = event_study(design, base=BasePeriod.VARYING)
        found = callaway_santanna(panel, design, "y", covariates=["x"], estimands=events).with_correction("none")
        band = multiplier_bootstrap(found, np.random.default_rng(1), draws=999)
        table = found.to_frame()
        return {
            "rows": list(zip(table["event_time"], table["estimate"], band.std_error, strict=True)),
            "more": {"critical": band.critical_value},
        }

    return go


def callaway_santanna_plain(frame):
    return _registered(frame, "callaway_santanna")


def sun_abraham(frame):
    return _registered(frame, "sun_abraham")


def imputation(frame):
    return _registered(frame, "imputation")


def two_stage(frame):
    return _registered(frame, "two_stage")


def etwfe(frame):
    return _registered(frame, "etwfe")


def twfe_event_study(frame):
    return _registered(frame, "twfe")


def stacked(frame):
    return _registered(frame, "stacked")


def local_projections(frame):
    return _registered(frame, "local_projections")


def dcdh(frame):
    return _registered(frame, "dcdh")


def lottery(frame):
    return _registered(frame, "lottery")


def etwfe_poisson(frame):
    return _registered(_counts(frame), "etwfe_poisson")


def poisson_fe(frame):
    return _registered(_counts(frame), "poisson_fe")


def _counts(frame):
    return frame.assign(y=np.floor(np.exp(np.clip(frame["y"], None, 6.0) / 2)))


def stepped_wedge(frame):
    return _registered(frame, "stepped_wedge")


def stepped_wedge_gee(frame):
    from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee as fit

    own = frame.drop(columns="region")

    def go():
        panel = Panel.from_frame(own, "unit", "time", "entry", "y")
        return _rows(fit(panel, StaggeredDesign.from_panel(panel), "y").to_frame())

    return go


def synthetic_control(frame):
    return _registered(frame, "synthetic_control")


def synthetic_did(frame):
    return _registered(frame, "synthetic_did")


def roth_santanna(frame):
    return _registered(frame, "lottery_efficient", estimands=("overall",))


def wild_bootstrap(frame):
    """9,999 draws for the static coefficient: null imposed, plain residuals (version 11), clusters are regions."""
    from mtvp_eval.inference.cluster_robust import two_way_rows
    from mtvp_eval.inference.wild_bootstrap import Version, wild_cluster_bootstrap

    def go():
        panel = _panel(frame)
        on = (panel.entry[:, None] <= panel.clock).astype(np.float64)
        cluster = np.unique(panel.cluster.astype(np.int64), return_inverse=True)[1]
        rows = two_way_rows(panel.outcomes["y"], on[:, :, None], cluster)
        found = wild_cluster_bootstrap(rows, on.ravel() == 1, np.random.default_rng(1), version=Version.WCR11)
        return {"rows": [(None, found.estimate, found.std_error)], "more": {"p": found.p_value}}

    return go


def permutation(frame):
    """1,000 permutations of the entries: recentred studentised test of the simple average by Roth and Sant'Anna."""
    return _replayed(frame, 1_000)


def permutation_many(frame):
    return _replayed(frame, 100_000)


def _replayed(frame, draws):
    from mtvp_eval.design.rules import Applications
    from mtvp_eval.inference.contrasts import ContrastPlan
    from mtvp_eval.inference.randomization import randomization_test
    from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

    own = frame.drop(columns="region")

    def go():
        panel = Panel.from_frame(own, "unit", "time", "entry", "y")
        design = StaggeredDesign.from_panel(panel)
        drawn = LotteryDesign.one_block(design)
        cells = np.array([cell for cell in drawn.identified_cells() if cell[1] >= cell[0]])
        cohort = np.searchsorted(design.cohorts, cells[:, 0]) + 1
        after = np.searchsorted(design.cohorts, cells[:, 1], side="right")
        plan = ContrastPlan(("overall",), cohort, after, np.ones((1, len(cells))))
        path, at = np.ascontiguousarray(panel.outcomes["y"].T), np.searchsorted(panel.clock, cells)
        numbers = path[at[:, 1]]
        numbers -= path[at[:, 0] - 1]
        n = panel.n_units
        region = DrawnRegion(
            Applications(np.ones(n, dtype=np.int64), np.ones(n), n), None, design.cohort_index + 1, np.arange(n)
        )
        found = randomization_test(replay_statistics([region], numbers[None], plan, np.random.default_rng(1), draws))
        return {
            "rows": [(None, found.estimate[0, 0], found.std_error[0, 0])],
            "more": {"p": found.p_value[0, 0], "draws": draws},
        }

    return go
