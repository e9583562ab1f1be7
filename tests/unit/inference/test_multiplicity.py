"""Step-down p-values against closed forms at both ends of dependence, and a bootstrap that resamples whole units."""

import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.inference.multiplicity import benjamini_hochberg, families, p_values, romano_wolf

DRAWS = 40_000


def effects_of(psi, estimate, **more):
    n, K = psi.shape
    keys = tuple(EffectKey(f"y{k}", "overall") for k in range(K))
    return EffectEstimates(keys, np.asarray(estimate), np.arange(n).astype(object), psi, np.zeros(n, dtype=int), **more)


def within(p, draws=DRAWS):
    """Four Monte Carlo errors of a share p, and one draw."""
    return 4 * np.sqrt(p * (1 - p) / draws) + 1 / draws


def test_independent_outcomes_follow_sidaks_step_down():
    psi = np.linalg.qr(np.random.default_rng(0).normal(size=(500, 3)))[0] * np.sqrt(500)
    effects = effects_of(psi, np.array([2.6, 0.5, 2.0]) / np.sqrt(500))
    p = p_values(effects)
    expected = [1 - (1 - p[0]) ** 3, p[1], 1 - (1 - p[2]) ** 2]
    found = romano_wolf(effects, np.random.default_rng(1), draws=DRAWS)
    assert all(abs(a - b) < within(b) for a, b in zip(found, expected, strict=True))


def test_one_outcome_written_three_times_pays_nothing():
    psi = np.repeat(np.random.default_rng(0).normal(size=(200, 1)), 3, axis=1)
    effects = effects_of(psi, [0.15, 0.15, 0.15])
    found = romano_wolf(effects, np.random.default_rng(1), draws=DRAWS)
    assert np.abs(found - p_values(effects)).max() < within(p_values(effects)[0])


def test_adjusted_values_keep_the_order_and_never_fall_below_the_raw_ones():
    rng = np.random.default_rng(3)
    effects = effects_of(rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=6) * 0.3)
    p, found = p_values(effects), romano_wolf(effects, rng)
    assert (found >= p).all()
    assert (np.diff(found[np.argsort(p)]) >= 0).all()


def test_step_down_equals_a_bootstrap_over_units():
    """Means of three dependent outcomes: resample rows, centre, studentise by the original errors, step down."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=(300, 3)) @ np.array([[1, 0.8, 0.3], [0, 0.6, 0.3], [0, 0, 0.9]]) + [0.14, 0.1, 0.03]
    mean = y.mean(axis=0)
    effects = effects_of(y - mean, mean)
    error, B = effects.std_error(), 8_000
    weight = rng.multinomial(300, np.full(300, 1 / 300), size=B) / 300
    t = np.abs(weight @ y - mean) / error
    seen = np.abs(mean) / error
    order = np.argsort(-seen)
    expected = [max((t[:, order[j:]].max(axis=1) >= seen[order[j]]).mean() for j in range(i + 1)) for i in range(3)]
    found = romano_wolf(effects, rng, draws=DRAWS)[order]
    # Both are Monte Carlo, and a resampled mean of 300 has an error 1/600 larger or smaller: 0.003 of a p-value.
    assert all(abs(a - b) < within(b, B) + within(b) + 0.003 for a, b in zip(found, expected, strict=True))


def test_an_outcome_without_error_stops_the_family():
    effects = effects_of(np.random.default_rng(0).normal(size=(20, 2)), [0.1, 0.2], no_error=(None, "one unit"))
    with pytest.raises(EstimationError, match="1 of 2 outcomes"):
        romano_wolf(effects, np.random.default_rng(0))


def test_false_discovery_by_hand():
    # p sorted .01 .02 .03 .5 of 4: .01*4/1, .02*4/2, .03*4/3 = .04 each; .5
    assert benjamini_hochberg(np.array([0.5, 0.03, 0.01, 0.02])) == pytest.approx([0.5, 0.04, 0.04, 0.04])


def test_what_is_not_declared_is_exploratory():
    assert families(["a", "b"], "a", []) == ("primary", "exploratory")


def test_benjamini_hochberg_equals_statsmodels():
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(6)
    for k in range(1, 30):
        p = np.round(rng.uniform(size=k) ** 2, 2)  # with ties
        assert benjamini_hochberg(p).tolist() == multipletests(p, method="fdr_bh")[1].tolist()
