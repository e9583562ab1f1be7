import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimators import stepped_wedge_rows
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee

CLOCK = np.arange(1, 9)
ENTRY = np.repeat([3, 4, 5, 6, 7], 6)
METHODS = [stepped_wedge, stepped_wedge_gee]


def region(entry=ENTRY, ramp=0.0, cluster=None, seed=0, noise=1.0, cell=0.0, **outcomes):
    """Random units, periods and noise; the effect rises by `ramp` with every period since entry."""
    entry = np.asarray(entry)
    rng = np.random.default_rng(seed)
    n = len(entry)
    y = 5 + 2 * rng.normal(size=(n, 1)) + rng.normal(size=8) + noise * rng.normal(size=(n, 8))
    y = y - ramp * np.clip(CLOCK - entry[:, None] + 1, 0, None)
    if cell:
        own = rng.normal(size=(max(cluster) + 1, 8)) + 2 * rng.normal(size=(max(cluster) + 1, 1))
        y = y + cell * own[cluster]
    return Panel(
        np.arange(n).astype(object), tuple(map(str, CLOCK)), CLOCK, {"y": y} | outcomes, entry=entry,
        cluster=None if cluster is None else np.asarray(cluster).astype(object),
    )  # fmt: skip


def run(method, panel, **settings):
    return method(panel, StaggeredDesign.from_panel(panel), "y", **settings)


def rows_of(panel, **settings):
    return stepped_wedge_rows.wedge_rows(
        panel, StaggeredDesign.from_panel(panel), "y", settings.get("shape", "by_exposure"), None, ()
    )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_overall_is_the_plain_mean_over_the_declared_window(method):
    found = run(method, region(ramp=0.3), window=(1, 3))
    assert [k.event_time for k in found.index] == [0, 1, 2, 3, 4, 5, None]
    assert found.estimate[-1] == pytest.approx(found.estimate[1:4].mean(), rel=1e-12)
    V = found.covariance()
    assert V[-1, -1] == pytest.approx(V[1:4, 1:4].mean(), rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_a_ramp_is_followed_by_exposure_and_missed_by_a_constant(method):
    panel = region(ramp=1.0, noise=0.05)
    found = run(method, panel)
    # noise of 0.05 over thirty units: some hundredths
    assert np.allclose(found.estimate[:6], -np.arange(1, 7), atol=0.1)
    constant = run(method, panel, shape="constant")
    assert abs(constant.estimate[0] - found.estimate[-1]) > 0.5
    assert "biased under build-up" in constant.method
    assert any("biased under build-up" in note for note in constant.notes)


def test_mixed_model_is_least_squares_at_its_variances():
    # brute force: one dense V at the variances that the notes state, to their four digits
    panel = region(cluster=np.arange(30) % 5, cell=1.0)
    found = run(stepped_wedge, panel)
    rows = rows_of(panel)
    stated = [float(part.rsplit(" ", 1)[1]) for part in found.notes[-1].removesuffix(".").split(", ")]
    shares = [rows.cluster, rows.unit, rows.cluster * 8 + rows.period, np.arange(len(rows.y))]
    assert len(stated) == 4
    V = sum(v * (label[:, None] == label) for v, label in zip(stated, shares, strict=True))
    inverse = np.linalg.inv(V)
    plain = np.linalg.inv(rows.X.T @ inverse @ rows.X)
    beta = plain @ rows.X.T @ inverse @ rows.y
    assert np.allclose(found.estimate, rows.contrasts @ beta, atol=1e-4)
    # the adjustment adds a little to each variance
    ratio = np.diag(found.covariance()) / np.diag(rows.contrasts @ plain @ rows.contrasts.T)
    assert (ratio > 0.999).all()
    assert (ratio < 1.1).all()


def test_a_component_of_zero_is_left_out_and_named():
    found = run(stepped_wedge, region(cluster=np.arange(30) % 5, seed=3))
    assert any(note.startswith("Singular fit") for note in found.notes)
    assert np.isfinite(found.std_error()).all()


def test_units_that_do_not_differ_are_refused():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(30, 8))
    y = y - y.mean(axis=1, keepdims=True)
    with pytest.raises(EstimationError, match="units do not differ"):
        run(stepped_wedge, Panel(np.arange(30).astype(object), tuple("12345678"), CLOCK, {"y": y}, entry=ENTRY))


@pytest.mark.parametrize("working", ["independence", "exchangeable"])
def test_gee_covariance_equals_explicit_matrices(working):
    panel = region(cluster=np.arange(30) % 6, cell=0.5)
    found = run(stepped_wedge_gee, panel, working=working)
    rows = rows_of(panel)
    y, X = rows.y, rows.X
    blocks = [np.flatnonzero(rows.cluster == c) for c in range(6)]
    alpha, beta = 0.0, np.linalg.lstsq(X, y, rcond=None)[0]
    for _ in range(100):
        if working == "exchangeable":
            r = y - X @ beta
            pairs = sum((r[b].sum() ** 2 - (r[b] ** 2).sum()) / 2 for b in blocks)
            count = sum(len(b) * (len(b) - 1) / 2 for b in blocks)
            alpha = pairs / count / (r**2).mean()
        inverse = [np.linalg.inv((1 - alpha) * np.eye(len(b)) + alpha) for b in blocks]
        bread = np.linalg.inv(sum(X[b].T @ V @ X[b] for b, V in zip(blocks, inverse, strict=True)))
        beta = bread @ sum(X[b].T @ V @ y[b] for b, V in zip(blocks, inverse, strict=True))
    meat = 0
    for b, V in zip(blocks, inverse, strict=True):
        leverage = X[b] @ bread @ X[b].T @ V
        score = X[b].T @ V @ np.linalg.solve(np.eye(len(b)) - leverage, y[b] - X[b] @ beta)
        meat = meat + np.outer(score, score)
    # 1e-7: the solver stops at a score of 1e-8
    assert np.allclose(found.estimate, rows.contrasts @ beta, rtol=1e-7)
    assert np.allclose(found.covariance(), rows.contrasts @ bread @ meat @ bread @ rows.contrasts.T, rtol=1e-6)
    assert found.df().tolist() == [4.0] * len(found)
    assert any("6 clusters are few" in note for note in found.notes)


def test_counts_give_logs_of_rate_ratios():
    rng = np.random.default_rng(5)
    people = rng.integers(1000, 4000, size=(30, 8)).astype(float)
    rate = 0.2 * np.exp(-0.3 * (ENTRY[:, None] <= CLOCK))
    panel = region()
    panel = Panel(
        panel.unit_ids, panel.periods, CLOCK, {"y": rng.poisson(people * rate).astype(float), "people": people},
        entry=ENTRY,
    )  # fmt: skip
    found = run(stepped_wedge_gee, panel, exposure="people", working="independence", shape="constant")
    # several hundred events a cell: the log of a rate to about 0.01
    assert found.estimate[0] == pytest.approx(-0.3, abs=0.03)
    assert found.index[0].unit_of_measure == "log of a rate ratio"
    with pytest.raises(EstimationError, match="Unknown exposure"):
        run(stepped_wedge_gee, panel, exposure="persons")
    people[3, 2] = 0
    with pytest.raises(EstimationError, match="1 counts without a positive exposure"):
        run(stepped_wedge_gee, panel, exposure="people")


@pytest.mark.parametrize("method", METHODS)
def test_rows_in_any_order_and_any_scale_give_the_same_numbers(method):
    panel = region(ramp=0.5)
    order = np.random.default_rng(1).permutation(30)
    other = Panel(
        panel.unit_ids[order], panel.periods, CLOCK, {"y": 1e-9 * panel.outcomes["y"][order]}, entry=ENTRY[order]
    )  # fmt: skip
    one, two = run(method, panel), run(method, other)
    # the optimiser of the variances stops at about 1e-5 of them
    assert np.allclose(1e9 * two.estimate, one.estimate, rtol=1e-5)
    assert np.allclose(1e9 * two.std_error(), one.std_error(), rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_missing_rows_are_counted_and_the_rest_used(method):
    panel = region()
    y = panel.outcomes["y"].copy()
    y[3, 2], y[7, 5:] = np.nan, np.nan
    gappy = Panel(panel.unit_ids, panel.periods, CLOCK, {"y": y}, entry=ENTRY)
    found = run(method, gappy)
    assert len(rows_of(gappy).y) == 236
    assert any("1.7% of unit-periods are missing" in note for note in found.notes)


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_told_is_refused(method, monkeypatch):
    panel = region()
    design = StaggeredDesign.from_panel(panel)
    with pytest.raises(NotIdentifiedError, match=r"window of exposure times 2 to 9 has 8 of them; the data show 4"):
        run(method, panel, window=(2, 9))
    with pytest.raises(NotIdentifiedError, match="no window"):
        run(method, panel, window=(0, 1), shape="constant")
    with pytest.raises(EstimationError, match="without anticipation"):
        method(panel, StaggeredDesign.from_panel(panel, anticipation=1), "y")
    same = region(np.repeat([4, NEVER], [1, 29]))
    flat = Panel(same.unit_ids, same.periods, CLOCK, {"y": np.ones((30, 8))}, entry=same.entry)
    with pytest.raises(EstimationError, match="does not move"):
        run(method, flat)
    monkeypatch.setattr(stepped_wedge_rows, "MOST_ROWS", 100)
    with pytest.raises(EstimationError, match="240 unit-periods"):
        method(panel, design, "y")


def test_few_clusters_are_refused_by_gee():
    with pytest.raises(EstimationError, match="3 clusters"):
        run(stepped_wedge_gee, region(cluster=np.arange(30) % 3))
