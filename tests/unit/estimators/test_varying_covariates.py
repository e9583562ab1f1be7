"""Covariates that change over time: against regressions written out, derivatives, and one cell at a time."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.imputation import imputation, pretrends
from mtvp_eval.estimators.method import Choices
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.twfe import Shape, twfe
from mtvp_eval.estimators.two_stage import two_stage
from tests.unit.estimators.made_panel import made_panel

SERVED = ("callaway_santanna", "sun_abraham", "imputation", "two_stage", "twfe")


def moving(missing: float = 0.0) -> Panel:
    """The made panel with z, which drifts by unit and moves the outcome; rows of either may be missing."""
    p, rng = made_panel(missing=missing, sizes=(14, 11, 17)), np.random.default_rng(4)
    z = rng.normal(size=(p.n_units, 1)) * 0.3 * p.clock + rng.normal(size=(p.n_units, p.n_periods))
    y = p.outcomes["y"] + 0.8 * z
    if missing:
        z = np.where(rng.random(z.shape) < missing / 2, np.nan, z)
    return replace(p, outcomes={"y": y, "z": z})


def dense(p: Panel, used: np.ndarray, columns: list[np.ndarray], w: np.ndarray) -> tuple[np.ndarray, ...]:
    """Weighted least squares with every dummy; coefficients, their covariance by unit, and all fitted parts."""
    unit, period = np.nonzero(used)
    F = [unit == i for i in range(p.n_units)] + [period == t for t in range(1, p.n_periods)]
    F = np.column_stack([*F, *(c[used] for c in columns)]).astype(float)
    root = np.sqrt(w[unit])
    beta = np.linalg.lstsq(F * root[:, None], p.outcomes["y"][used] * root, rcond=None)[0]
    score = np.zeros((p.n_units, F.shape[1]))
    np.add.at(score, unit, F * (w[unit] * (p.outcomes["y"][used] - F @ beta))[:, None])
    bread = np.linalg.pinv((F * w[unit][:, None]).T @ F)
    return beta, bread @ score.T @ score @ bread


@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("missing", [0.0, 0.08])
@pytest.mark.parametrize("method", ["static", "event", "saturated"])
def test_regressions_equal_dense_least_squares(method: str, missing: float, weighting: Weighting) -> None:
    p = moving(missing)
    design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    used = np.isfinite(p.outcomes["y"]) & np.isfinite(p.outcomes["z"])
    w = p.weight if weighting == Weighting.PATIENT else np.ones(p.n_units)
    since = p.clock - p.entry[:, None]
    if method == "saturated":
        found = sun_abraham(p, design, "y", covariates=["z"], weighting=weighting)
        paths = [(p.entry[:, None] == k.cohort) & (p.clock == k.period) for k in found.index]
    else:
        shape = Shape.STATIC if method == "static" else Shape.EVENT_STUDY
        found = twfe(p, design, "y", covariates=["z"], shape=shape, weighting=weighting)
        paths = [since >= 0] if method == "static" else [since == k.event_time for k in found.index]
    beta, V = dense(p, used, [*paths, np.nan_to_num(p.outcomes["z"])], w)
    K = len(found)
    assert found.estimate == pytest.approx(beta[-K - 1 : -1], rel=1e-9, abs=1e-10)
    assert found.with_correction("none").covariance() == pytest.approx(V[-K - 1 : -1, -K - 1 : -1], rel=1e-8, abs=1e-12)
    assert found.regression == (int(used.sum()), K + 1 + p.n_periods)


@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_imputed_effects_equal_least_squares_on_untreated_rows(missing: float) -> None:
    p = moving(missing)
    found = imputation(p, StaggeredDesign.from_panel(p), "y", covariates=["z"])
    used = np.isfinite(p.outcomes["y"]) & np.isfinite(p.outcomes["z"])
    before = used & (p.clock < p.entry[:, None])
    beta, _ = dense(p, before, [np.nan_to_num(p.outcomes["z"])], np.ones(p.n_units))
    path = beta[: p.n_units, None] + np.r_[0.0, beta[p.n_units : -1]] + beta[-1] * p.outcomes["z"]
    tau = p.outcomes["y"] - path
    for key, value in zip(found.index, found.estimate, strict=True):
        rows = used & (p.entry[:, None] == key.cohort) & (p.clock == key.period)
        assert value == pytest.approx(tau[rows].mean(), rel=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.08])
@pytest.mark.parametrize("method", [two_stage, sun_abraham, twfe, pretrends])
def test_influence_is_the_derivative_in_each_units_weight(method, missing: float) -> None:
    p = moving(missing)
    design = StaggeredDesign.from_panel(p)

    def at(size: np.ndarray) -> np.ndarray:
        weighed = replace(design, size=size)
        return method(p, weighed, "y", covariates=["z"], weighting=Weighting.PATIENT).estimate

    psi = method(p, design, "y", covariates=["z"]).influence
    step, one = 1e-5, np.ones(p.n_units)
    for i in (0, 13, 20, 30, 41):
        up, down = one.copy(), one.copy()
        up[i], down[i] = 1 + step, 1 - step
        assert psi[i] / p.n_units == pytest.approx((at(up) - at(down)) / (2 * step), rel=1e-5, abs=1e-8)


def test_imputation_without_weights_has_the_errors_of_the_second_stage() -> None:
    p = moving()
    design = StaggeredDesign.from_panel(p)
    one = imputation(p, design, "y", covariates=["z"])
    two = two_stage(p, design, "y", covariates=["z"], cells=[(k.cohort, k.period) for k in one.index])
    assert one.covariance() == pytest.approx(two.covariance(), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("base", list(BasePeriod))
@pytest.mark.parametrize("way", ["reg", "ipw", "dr"])
@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_a_cell_takes_the_value_of_its_earlier_period(way: str, base: BasePeriod, missing: float) -> None:
    p = moving(missing)
    design = StaggeredDesign.from_panel(p)
    found = callaway_santanna(p, design, "y", covariates=["x", "z"], method=way, base_period=base)
    for j, key in enumerate(found.index):
        t, start = key.period, design.base_period(key.cohort, key.period, base)
        column = int(np.searchsorted(p.clock, min(t, start)))
        known = np.isfinite(p.outcomes["z"][:, column])
        then = replace(p.restrict(known, "z", "known"), baseline={})
        then = replace(then, baseline={"x": p.baseline["x"][known], "z": p.outcomes["z"][known, column]})
        alone = callaway_santanna(
            then, StaggeredDesign.from_panel(then), "y", covariates=["x", "z"], method=way, base_period=base,
            cells=[(key.cohort, t)],
        )  # fmt: skip
        assert found.estimate[j] == pytest.approx(alone.estimate[0], rel=1e-9)
        assert found.std_error()[j] == pytest.approx(alone.std_error()[0], rel=1e-8)


@pytest.mark.parametrize("name", sorted(set(registry.METHODS) - set(SERVED)))
def test_other_methods_refuse_with_a_reason(name: str) -> None:
    p = moving()
    p = replace(p, outcomes={**p.outcomes, "y": np.abs(p.outcomes["y"])})
    with pytest.raises(
        EstimationError, match=r"change over time, and this method takes|takes no covariates|declared draw"
    ):
        registry.run(name, p, StaggeredDesign.from_panel(p), "y", ["overall"], Choices(covariates=("z",)))


def test_what_hardly_moves_is_refused() -> None:
    p = moving()
    still = p.outcomes["y"][:, :1] + np.sin(p.clock)  # unit plus period: nothing is left
    for z in (still, np.full_like(still, 2.0)):
        q = replace(p, outcomes={**p.outcomes, "z": z})
        with pytest.raises(EstimationError, match=r"hardly move|constant"):
            twfe(q, StaggeredDesign.from_panel(q), "y", covariates=["z"])
