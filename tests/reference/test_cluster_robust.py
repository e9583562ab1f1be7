"""CR1, CR2, CR3 against R clubSandwich 0.6.0, estimatr 1.0.4 and summclust 0.7.2.

Tolerance 1e-8 relative, the deterministic tier of the reference README. Seen: 1e-14.
"""

import numpy as np
import pytest

from mtvp_eval.inference.cluster_robust import Kind, cluster_robust, deletion_covariance, two_way_rows
from tests.reference.published_data import frame, variants

pytestmark = pytest.mark.shared


def arrays(shared):
    """Outcomes (120, 16), cohort, region code and list size of the lottery panel."""
    d = frame(shared, "lottery_small")
    wide = d.pivot_table(index="practice_id", columns="quarter", values="consults_per_1000", sort=False)
    first = d.groupby("practice_id", sort=False).first().loc[wide.index]
    region = np.unique(first["region"], return_inverse=True)[1]
    y = wide[sorted(wide.columns)].to_numpy()
    return y, first["cohort"].to_numpy(), region, first["list_size"].to_numpy(float)


def static(shared, cluster, weighted):
    y, cohort, region, size = arrays(shared)
    D = (np.arange(1, 17)[None, :] >= cohort[:, None]).astype(float)[:, :, None]
    code = region if cluster == "region" else np.arange(len(y))
    return two_way_rows(y, D, code, size if weighted else None)


@pytest.mark.parametrize("kind", [Kind.CR1, Kind.CR2, Kind.CR3])
@pytest.mark.parametrize("cluster", ["region", "practice_id"])
@pytest.mark.parametrize("weighted", [False, True])
def test_static_regression_equals_clubsandwich(shared_dir, kind, cluster, weighted):
    model = "TWFE static weights=list_size" if weighted else "TWFE static"
    label = f"absorbed practice FE|{model}|cluster={cluster}|{kind}"
    recorded = variants(shared_dir, "lottery_small__cluster_robust_absorbed")[label]["coef_test"]
    fit = cluster_robust(static(shared_dir, cluster, weighted), kind)
    assert fit.estimate[0] == pytest.approx(recorded["beta"][0], rel=1e-8)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(recorded["SE"][0], rel=1e-8)
    if kind == Kind.CR2:
        assert fit.df[0] == pytest.approx(recorded["df_Satt"][0], rel=1e-8)


@pytest.mark.parametrize("cluster", ["region", "practice_id"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bias_reduced_interval_equals_estimatr(shared_dir, cluster, weighted):
    found = [
        v
        for label, v in variants(shared_dir, "lottery_small__cluster_robust").items()
        if label == f"estimatr::lm_robust|TWFE static{' weights=list_size' if weighted else ''}|clusters={cluster}|CR2"
    ]
    fit = cluster_robust(static(shared_dir, cluster, weighted))
    assert [fit.df[0], *fit.interval()[0]] == pytest.approx(
        [found[0]["df"], found[0]["conf_low"], found[0]["conf_high"]], rel=1e-8
    )


@pytest.mark.parametrize("kind", [Kind.CR1, Kind.CR2])
def test_event_study_equals_clubsandwich(shared_dir, kind):
    y, cohort, region, _ = arrays(shared_dir)
    since = np.arange(1, 10)[None, :] - cohort[:, None]
    ever = (cohort < 10)[:, None]
    groups = [since <= -4, since == -3, since == -2, since == 0, since == 1, since == 2]
    X = np.stack([(g & ever).astype(float) for g in groups], axis=2)
    fit = cluster_robust(two_way_rows(y[:, :9], X, region), kind)
    label = f"clubSandwich|event study lm, quarter<10, eml(<=-4) em3 em2 e0 e1 e2|cluster=region|{kind}"
    recorded = variants(shared_dir, "lottery_small__cluster_robust")[label]["coef_test"]
    np.testing.assert_allclose(fit.estimate[:6], recorded["beta"], rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance))[:6], recorded["SE"], rtol=1e-8)
    if kind == Kind.CR2:
        np.testing.assert_allclose(fit.df[:6], recorded["df_Satt"], rtol=1e-8)


def test_deletion_equals_summclust_and_a_literal_refit(shared_dir):
    rows = static(shared_dir, "region", weighted=False)
    recorded = variants(shared_dir, "lottery_small__summclust")["summclust region"]["se_CV3"]
    assert np.sqrt(cluster_robust(rows, Kind.CV3).covariance[0, 0]) == pytest.approx(recorded, rel=1e-8)
    y, cohort, region, _ = arrays(shared_dir)
    D = (np.arange(1, 17)[None, :] >= cohort[:, None]).astype(float)[:, :, None]

    def refit(kept):
        code = np.unique(region[kept], return_inverse=True)[1]
        return cluster_robust(two_way_rows(y[kept], D[kept], code), Kind.CR1).estimate[:1]

    literal = deletion_covariance(cluster_robust(rows, Kind.CR1).estimate[:1], refit, region)
    assert literal[0, 0] == pytest.approx(cluster_robust(rows, Kind.CR3).covariance[0, 0], rel=1e-9)
