"""Two-way fixed effects against linearmodels on made panels, and the decomposition against the coefficient."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.bacon import bacon
from mtvp_eval.estimators.twfe import twfe
from tests.unit.estimators.made_panel import made_panel


def long(p, x=None):
    n, T = p.n_units, p.n_periods
    d = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), T),
            "t": np.tile(p.clock, n),
            "y": p.outcomes["y"].ravel(),
            "D": (p.clock >= p.entry[:, None]).astype(float).ravel(),
            "w": np.repeat(p.weight, T),
        }
    )
    for t in p.clock[1:] if x else ():
        d[f"x{t}"] = np.repeat(p.baseline[x], T) * (d.t == t)
    return d.dropna().set_index(["unit", "t"])


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("x", [None, "x"])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
def test_static_coefficient_and_error_equal_linearmodels(missing, x, weighting):
    from linearmodels.panel import PanelOLS

    p = made_panel(missing=missing)
    design = StaggeredDesign.from_panel(p)
    effects = twfe(p, design, "y", covariates=(x,) if x else (), weighting=weighting)
    d = long(p, x)
    result = PanelOLS(
        d.y, d.drop(columns=["y", "w"]), entity_effects=True, time_effects=True,
        weights=d.w if weighting == "patient" else None,
    ).fit(cov_type="clustered", cluster_entity=True, debiased=False)  # fmt: skip
    # 1e-9: two least-squares solvers on a problem with condition number below 1e4
    assert effects.estimate[0] == pytest.approx(result.params["D"], rel=1e-9)
    # linearmodels multiplies by N / (N - number of effects) where it does not debias
    factor = len(d) / (len(d) - p.n_units - p.n_periods + 1)
    ours = effects.with_correction("none").std_error()[0] * np.sqrt(factor)
    assert ours == pytest.approx(result.std_errors["D"], rel=1e-7)


def test_two_by_two_comparisons_add_up_to_the_coefficient():
    p = made_panel()
    assert bacon(p, "y").coefficient == pytest.approx(
        twfe(p, StaggeredDesign.from_panel(p), "y").estimate[0], rel=1e-10
    )


def test_growing_effects_mislead_the_static_coefficient():
    """Two cohorts, no noise, effect = time since entry: every effect is >= 1, the coefficient is 0.5 or less."""
    clock = np.arange(1, 11)
    entry = np.repeat([3, 8], 5)
    y = np.where(clock >= entry[:, None], clock - entry[:, None] + 1.0, 0.0) + np.arange(10)[:, None]
    p = Panel(np.arange(10).astype(object), tuple(map(str, clock)), clock, {"y": y}, entry=entry)
    found = twfe(p, StaggeredDesign.from_panel(p), "y")
    assert found.estimate[0] < 0.5
    assert min(c.estimate for c in bacon(p, "y").comparisons) < 0


def test_event_study_leaves_out_two_periods_only_where_everybody_enrolls():
    p = made_panel()
    some = twfe(p, StaggeredDesign.from_panel(p), "y", shape="event_study")
    assert {k.event_time for k in some.index} == {-4, -3, -2, 0, 1, 2, 3, 4}, "base -1 only"
    everybody = replace(p, entry=np.where(p.entry == NEVER, 4, p.entry))
    all_ = twfe(everybody, StaggeredDesign.from_panel(everybody), "y", shape="event_study")
    assert {k.event_time for k in all_.index} == {-3, -2, 0, 1, 2, 3, 4}
    assert any("earliest" in note for note in all_.notes)


def test_one_treated_unit_has_no_standard_error():
    p = made_panel(sizes=(1, 0, 20))
    found = twfe(p, StaggeredDesign.from_panel(p), "y")
    assert np.isnan(found.std_error()[0])
    assert "one unit" in found.no_error[0]


def test_gaps_are_refused_by_the_decomposition():
    with pytest.raises(EstimationError, match="balanced"):
        bacon(made_panel(missing=0.1), "y")
