import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates, EffectKey


def effects(influence, outcome="y", ids=None, **settings):
    influence = np.asarray(influence, dtype=float)
    n, K = influence.shape
    index = tuple(EffectKey(outcome, "att_gt", cohort=3, period=3 + k, event_time=k) for k in range(K))
    ids = np.array(ids if ids is not None else [f"p{i}" for i in range(n)], dtype=object)
    settings.setdefault("stratum", np.zeros(n, dtype=np.int64))
    return EffectEstimates(index, np.arange(1.0, K + 1), ids, influence, **settings)


def test_covariance_is_the_mean_square_over_n():
    # psi = (3, -3): V = 18 / 4
    assert effects([[3.0], [-3.0]]).covariance().tolist() == [[4.5]]


def test_hc2_counts_units_a_stratum_and_column():
    psi = [[3.0, 3.0], [-3.0, -3.0], [0.0, 0.0]]
    member = np.array([[1, 1], [1, 1], [1, 0]], dtype=bool)
    e = effects(psi, correction="hc2", member=member)
    # three members: 18/9 * 3/2; two members: 18/9 * 2
    assert np.allclose(np.diag(e.covariance()), [3.0, 4.0], rtol=1e-15)
    assert np.allclose(e.df(), [2, 1])


def test_satterthwaite_equals_welch_for_two_samples():
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=5), rng.normal(scale=3, size=9)
    psi = np.concatenate([14 / 5 * (a - a.mean()), -14 / 9 * (b - b.mean())])[:, None]
    e = effects(psi, correction="hc2", stratum=np.repeat([0, 1], [5, 9]))
    welch = scipy_stats.ttest_ind(a, b, equal_var=False)
    # closed forms of the same numbers: only rounding differs
    assert np.isclose(e.df()[0], welch.df, rtol=1e-12)
    assert np.isclose((a.mean() - b.mean()) / e.std_error()[0], welch.statistic, rtol=1e-12)


def test_clusters_are_summed_and_cr1_scales_once():
    cluster = np.array(["a", "a", "b", "b"], dtype=object)
    e = effects([[1.0], [2.0], [-1.0], [-2.0]], cluster=cluster)
    assert e.covariance()[0, 0] == pytest.approx(18 / 16, rel=1e-15)
    assert e.with_correction("cr1").covariance()[0, 0] == pytest.approx(18 / 16 * 2, rel=1e-15)
    assert e.with_correction("cr1").df().tolist() == [1]


def test_combine_is_linear_and_passes_reasons_on():
    e = effects([[3.0, 1.0], [-3.0, 1.0]], no_error=(None, "one practice"))
    out = e.combine([EffectKey("y", "a"), EffectKey("y", "b")], np.array([[2.0, 0.0], [0.5, 0.5]]))
    assert out.estimate.tolist() == [2.0, 1.5]
    assert out.no_error == (None, "one practice")
    assert np.isnan(out.std_error()[1])
    frame = out.to_frame()
    assert frame.ci_method.tolist()[1] == "none"
    assert np.isnan(frame.ci_low[1])


def test_combine_refuses_weight_on_what_is_not_finite():
    e = effects([[1.0, 0.0]])
    bad = EffectEstimates(e.index, np.array([1.0, np.nan]), e.unit_ids, e.influence, e.stratum)
    with pytest.raises(EstimationError, match="not finite"):
        bad.combine([EffectKey("y", "a")], np.array([[0.5, 0.5]]))
    assert bad.combine([EffectKey("y", "a")], np.array([[0.5, 0.0]])).estimate.tolist() == [0.5]


def test_stacked_diagonals_equal_the_separate_fits():
    rng = np.random.default_rng(1)
    one = effects(rng.normal(size=(6, 2)), "a", list("abcdef"), stratum=np.array([0, 0, 0, 1, 1, 1]), correction="hc2")
    two = effects(rng.normal(size=(4, 1)), "b", list("cdxy"), stratum=np.array([1, 0, 1, 0]), correction="hc2")
    both = EffectEstimates.stack(one, two)
    expected = np.concatenate([one.std_error(), two.std_error()])
    assert np.allclose(both.std_error(), expected, rtol=1e-12)
    assert np.allclose(both.df(), np.concatenate([one.df(), two.df()]), rtol=1e-12)
    # two units in common: covariance = sum of products of the scaled scores / (n1 n2)
    scaled = [one.influence[2:4, 0] * np.sqrt(3 / 2), two.influence[:2, 0] * np.sqrt(2)]
    assert np.isclose(both.covariance()[0, 2], scaled[0] @ scaled[1] / 24, rtol=1e-12)


def test_stack_refuses_what_has_no_common_covariance():
    one, two = effects([[1.0], [2.0]], "a"), effects([[1.0], [2.0]], "b", correction="hc2")
    with pytest.raises(EstimationError, match="different correction"):
        EffectEstimates.stack(one, two)
    assert EffectEstimates.stack(one, two, correction="hc2").correction == "hc2"
    with pytest.raises(EstimationError, match="occur twice"):
        EffectEstimates.stack(one, one)
    split = effects([[1.0], [2.0]], "b", stratum=np.array([0, 1]))
    with pytest.raises(EstimationError, match="not one design"):
        EffectEstimates.stack(one, split)


def test_select_names_what_does_not_exist():
    e = effects([[1.0, 2.0]])
    assert e.select(event_time=1).estimate.tolist() == [2.0]
    with pytest.raises(EstimationError, match="not indexed by colour"):
        e.select(colour="red")
    with pytest.raises(EstimationError, match="No effect has cohort = 9"):
        e.select(cohort=9)


def test_shapes_that_disagree_are_refused():
    with pytest.raises(EstimationError, match="do not fit"):
        EffectEstimates(
            (EffectKey("y", "a"),), np.zeros(2), np.array(["p"], dtype=object), np.zeros((1, 1)), np.zeros(1, dtype=int)
        )


def test_quarters_are_written_as_quarters():
    key = EffectKey("y", "att_gt", cohort=8093, period=8094, event_time=1)
    e = EffectEstimates(
        (key,), np.ones(1), np.array(["p", "q"], dtype=object), np.array([[1.0], [-1.0]]), np.zeros(2, dtype=int)
    )
    assert "2023Q2" in repr(e)
    assert "2023Q3" in e._repr_html_()
