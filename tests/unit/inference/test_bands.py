import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.inference.bands import multiplier_bootstrap, simultaneous_band
from mtvp_eval.inference.clustering import clustered


def effects(influence, **settings):
    n, K = influence.shape
    index = tuple(EffectKey("y", "event_study", event_time=k) for k in range(K))
    settings.setdefault("stratum", np.zeros(n, dtype=np.int64))
    return EffectEstimates(index, np.arange(1.0, K + 1), np.arange(n).astype(object), influence, **settings)


def test_independent_entries_have_the_sidak_value_and_copies_have_one_entrys():
    scipy_stats = pytest.importorskip("scipy.stats")
    psi = np.random.default_rng(0).normal(size=(500, 4))
    psi = np.linalg.qr(psi)[0]
    sidak = scipy_stats.norm.ppf(0.5 + 0.5 * 0.95**0.25)
    # Monte Carlo error of a 95 % quantile from 20,000 draws: about 0.01
    assert simultaneous_band(effects(psi), np.random.default_rng(1)).critical_value == pytest.approx(sidak, abs=0.03)
    copies = np.repeat(psi[:, :1], 4, axis=1)
    assert simultaneous_band(effects(copies), np.random.default_rng(1)).critical_value == pytest.approx(1.96, abs=0.03)


def test_few_degrees_of_freedom_widen_the_band_by_students_t():
    scipy_stats = pytest.importorskip("scipy.stats")
    psi = np.random.default_rng(0).normal(size=(6, 2))
    band = simultaneous_band(effects(psi, correction="hc2"), np.random.default_rng(1))
    expected = scipy_stats.t.ppf(scipy_stats.norm.cdf(band.critical_value), 5)
    assert band.factor == pytest.approx([expected] * 2, rel=1e-12)
    assert np.allclose(band.high - band.low, 2 * expected * band.std_error, rtol=1e-12)


@pytest.mark.parametrize("make", [simultaneous_band, multiplier_bootstrap])
def test_entries_without_error_have_no_band_and_do_not_widen_the_others(make):
    psi = np.random.default_rng(0).normal(size=(300, 2))
    whole = effects(psi, no_error=(None, "cohort of one unit"))
    band = make(whole, np.random.default_rng(3))
    assert np.isnan(band.low[1])
    alone = make(effects(psi[:, :1]), np.random.default_rng(3))
    assert band.critical_value == pytest.approx(alone.critical_value, abs=1e-12)
    with pytest.raises(EstimationError, match="None of the entries"):
        make(effects(psi, no_error=("a", "b")), np.random.default_rng(0))


def test_cluster_labels_are_checked_and_few_clusters_noted():
    e = effects(np.random.default_rng(0).normal(size=(6, 1)))
    with pytest.raises(EstimationError, match="one cluster"):
        clustered(e, np.full(6, "r", dtype=object))
    with pytest.raises(EstimationError, match="do not fit 6 units"):
        clustered(e, np.array(["r"], dtype=object))
    by_two = clustered(e, np.array(list("rrrsss"), dtype=object))
    assert any("Only 2 clusters" in note for note in by_two.notes)
    assert by_two.df().tolist() == [1]


def test_draws_are_sums_of_influence_values_under_the_signs() -> None:
    """The same signs summed in double precision; single precision is off by 1e-6 of the spread."""
    psi = np.random.default_rng(0).normal(size=(37, 3)) * [1.0, 1e-3, 1e5]
    band = multiplier_bootstrap(effects(psi), np.random.default_rng(6), draws=16)
    bits = np.frombuffer(np.random.default_rng(6).bytes(16 * 5), dtype=np.uint8).reshape(16, -1)
    signs = 2.0 * np.unpackbits(bits, axis=1, count=37) - 1
    low, high = np.quantile(signs @ psi / 37, [0.25, 0.75], axis=0, method="inverted_cdf")
    assert band.std_error == pytest.approx((high - low) / 1.3489795003921634, rel=1e-5)
