"""The two-group comparison equals its formulas, however its units are cut into stretches."""

import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators import doubly_robust
from mtvp_eval.estimators.doubly_robust import Adjustment, Units, two_group_effect
from mtvp_eval.estimators.propensity import odds_weights

TREATED, AGAINST = [slice(30, 70)], [slice(0, 30), slice(80, 200)]
PERIOD, BASE = np.array([2, 3, 3]), np.array([1, 1, 0])


def units(seed: int = 0) -> Units:
    rng = np.random.default_rng(seed)
    x = np.vstack([np.ones(210), rng.normal(size=(2, 210))])
    y = 50 + rng.normal(size=210) + (rng.normal(size=(4, 210)) + 0.3 * x[1]).cumsum(axis=0)
    x[1, 30:70] += 0.4
    return Units(y, x, rng.uniform(0.5, 2.0, 210))


def by_formula(data: Units, method: Adjustment) -> tuple[np.ndarray, np.ndarray]:
    """Return effects (P,) and psi / n (P, N) of treated and comparison units, line by line as they are written."""
    rows = np.concatenate([np.arange(part.start, part.stop) for part in (*TREATED, *AGAINST)])
    x, w, change = data.x[:, rows], data.w[rows], data.y[PERIOD][:, rows] - data.y[BASE][:, rows]
    g = np.arange(len(rows)) < 40
    own, other = np.where(g, w, 0) / w[g].sum(), np.zeros(len(rows))
    if method != Adjustment.REG:
        fit = odds_weights(x, g, w)
        other = fit.odds / fit.odds.sum()
    beta, q = np.zeros((3, 3)), np.zeros(3)
    if method != Adjustment.IPW:
        control = np.where(g, 0, w)
        inverse = np.linalg.inv((x * control) @ x.T)
        beta = (change * control) @ x.T @ inverse
        q = inverse @ (x @ (own - other))
    e = change - beta @ x
    treated, waiting = e @ own, e @ other
    psi = own * (e - treated[:, None]) - other * (e - waiting[:, None]) - np.where(g, 0, w) * (q @ x) * e
    if method != Adjustment.REG:
        h = (other * (e - waiting[:, None])) @ x.T @ fit.inverse_hessian
        psi += w * (fit.chance - g) * (h @ x)
    whole = np.zeros((3, 210))
    whole[:, rows] = psi
    return treated - waiting, whole


@pytest.mark.parametrize("at_once", [7, 10_000])
@pytest.mark.parametrize("method", list(Adjustment))
def test_effects_and_influence_are_those_of_the_formulas(method, at_once, monkeypatch):
    monkeypatch.setattr(doubly_robust, "UNITS_AT_ONCE", at_once)
    averages = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, -2.0]])
    for seed in range(3):
        found = two_group_effect(units(seed), TREATED, AGAINST, PERIOD, BASE, method)
        effect, psi = by_formula(units(seed), method)
        made = np.zeros((2, 210))
        for part, shares in found.influence(averages):
            assert part.stop - part.start <= at_once
            made[:, part] += shares
        # of the largest: a level of 50 leaves as many digits fewer
        assert np.abs(found.effect - effect).max() <= 1e-12 * np.abs(effect).max()
        assert np.abs(made - averages @ psi).max() <= 1e-12 * np.abs(averages @ psi).max()


def test_a_fit_in_parts_is_the_fit_of_the_whole():
    data, inside = units(), np.arange(210) % 7 < 2  # some in every part
    whole = odds_weights(data.x, inside, data.w)
    parts = odds_weights(data.x, inside, data.w, parts=[slice(0, 100), slice(100, 150), slice(150, 210)])
    split = odds_weights(data.x, inside, data.w, parts=[slice(99, 210), slice(0, 99)])
    for other in (parts, split):
        for name in ("coefficients", "chance", "odds", "inverse_hessian"):
            made, expected = getattr(other, name), getattr(whole, name)
            # the same sums in another order: nothing but their rounding may differ, of the largest entry
            assert np.abs(made - expected).max() <= 1e-13 * np.abs(expected).max(), name
    rest = odds_weights(data.x[:, 99:], inside[99:], data.w[99:])
    assert np.abs(rest.coefficients - whole.coefficients).max() > 0.01  # other units do give another fit
    assert not whole.odds[inside].any()


def test_comparison_units_that_are_nearly_certain_to_be_treated_do_not_count():
    x = np.vstack([np.ones(2_000), np.r_[np.full(997, 6.0), np.full(3, 6.0), np.full(40, -1.0), np.full(960, -1.0)]])
    treated = np.r_[np.ones(997), np.zeros(3), np.ones(40), np.zeros(960)] == 1
    fit = odds_weights(x, treated, np.ones(2_000))
    assert fit.chance[0] == pytest.approx(0.997, abs=1e-9)
    assert not fit.odds[997:1_000].any()
    assert fit.odds[1_040:] == pytest.approx(1 / 24, abs=1e-9)


def test_separated_groups_are_refused():
    x = np.vstack([np.ones(60), np.arange(60.0)])
    with pytest.raises(EstimationError, match="separate"):
        odds_weights(x, np.arange(60) < 20, np.ones(60))
