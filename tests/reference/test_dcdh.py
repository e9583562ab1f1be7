"""De Chaisemartin-D'Haultfoeuille against R DIDmultiplegtDYN 2.1.2 on three data sets.

Tolerance: half a unit of the fifth decimal, to which the original rounds effects and errors; the diagonal of its vcov
has all digits and is held to 1e-10 (seen 1e-14). Its off-diagonal is no covariance and is not compared.

favara_imbs: one unit is alone in its cohort, since the two others of that cohort have no outcome. The original counts
those two when it decides whether a cohort has a mean of its own, so the unit is centred at itself and adds nothing to
the variance. Ours centres it at the mean with its comparison, as the paper says; without that unit's residual the
variances agree.
"""

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.variance import variance
from tests.reference.published_data import column, panel, variants

pytestmark = pytest.mark.shared
ROUNDED = 5.001e-6


def compare(found, recorded, normaliser=1.0):
    """Effects, placebos (theirs count outwards), their errors, and the average total effect."""
    error = np.sqrt(variance(found.influence, found.cluster))
    mine = {(k.estimand, k.event_time): j for j, k in enumerate(found.index)}
    effects, placebos, total = recorded["Effects"], recorded["Placebos"], recorded["ATE"]
    at = [mine["event_study", k] for k in range(len(effects["term"]))]
    assert np.abs(found.estimate[at] / normaliser - effects["Estimate"]).max() <= ROUNDED
    assert np.abs(error[at] / normaliser - effects["SE"]).max() <= ROUNDED
    if np.ndim(normaliser) == 0:
        lead = [mine["placebo", -k - 2] for k in range(len(placebos["term"]))]
        assert np.abs(found.estimate[lead] - placebos["Estimate"]).max() <= ROUNDED
        assert np.abs(error[lead] - placebos["SE"]).max() <= ROUNDED
        exact = error[[*at, *lead]] ** 2 / np.diag(np.array(recorded["vcov"], dtype=float))
        assert np.abs(exact - 1).max() <= 1e-10
    assert found.estimate[mine["overall", None]] == pytest.approx(column(total["Estimate"])[0], abs=ROUNDED)
    assert error[mine["overall", None]] == pytest.approx(column(total["SE"])[0], abs=ROUNDED)


@pytest.mark.parametrize(
    ("data", "outcome", "label", "weight", "cluster", "never", "horizon"),
    [
        ("mpdta", "lemp", "effects3 placebo2", None, None, False, (3, 2)),
        ("mpdta", "lemp", "only_never_switchers", None, None, True, (3, 2)),
        ("mpdta", "lemp", "weighted", "exp_lpop", None, False, (3, 2)),
        ("lottery_small", "consults_per_1000", "effects3 placebo3", None, None, False, (3, 3)),
        ("lottery_small", "consults_per_1000", "cluster=region", None, "region", False, (3, 3)),
        ("lottery_small", "consults_per_1000", "weight=list_size", "list_size", None, False, (3, 3)),
    ],
)
def test_staggered_entry_equals_the_original(shared_dir, data, outcome, label, weight, cluster, never, horizon):
    p = panel(shared_dir, data, weight, cluster)
    design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED if never else Comparison.NOT_YET_ENROLLED)
    effects, placebos = horizon
    found = dcdh(
        p, design, outcome, effects=effects, placebos=placebos, weighting="patient" if weight else "practice"
    )  # fmt: skip
    compare(found, variants(shared_dir, f"{data}__did_multiplegt_dyn")[label])


def favara(shared):
    """Banking deregulation: a treatment of several levels that rises more than once, counties with missing years."""
    d = pd.read_csv(shared / "data" / "published" / "favara_imbs.csv")
    y, D = (d.pivot_table(v, "county", "year", dropna=False) for v in ("Dl_vloans_b", "inter_bra"))
    first = d.groupby("county").first()
    level = D.bfill(axis=1).iloc[:, 0]
    moved = D.notna() & D.ne(level, axis=0)
    entry = np.where(moved.any(axis=1), moved.idxmax(axis=1), NEVER)
    p = Panel(
        first.index.to_numpy().astype(object),
        tuple(map(str, y.columns)),
        y.columns.to_numpy(),
        {"y": y.to_numpy(float)},
        cluster=first["state_n"].to_numpy().astype(object),
        entry=entry,
    )
    return p, D.to_numpy(float)


def without_the_lonely(found):
    """Effects with the residual of the unit that is alone in its cohort (county 2020) set to zero."""
    influence = found.influence.copy()
    influence[found.unit_ids == 2020] = 0
    return type(found)(found.index, found.estimate, found.unit_ids, influence, found.stratum, found.cluster)


def test_treatment_of_several_levels_equals_the_original(shared_dir):
    p, D = favara(shared_dir)
    recorded = variants(shared_dir, "favara_imbs__did_multiplegt_dyn")
    found = dcdh(p, StaggeredDesign.from_panel(p), "y", treatment=D, effects=2, placebos=1)
    compare(without_the_lonely(found), recorded["package example"])
    assert (found.std_error() >= without_the_lonely(found).std_error()).all()

    eight = dcdh(
        p, StaggeredDesign.from_panel(p), "y", treatment=D, effects=8, placebos=3, same_switchers=True
    )  # fmt: skip
    # the original divides effect l by the treatment received up to then: a sum over the switching counties
    start = np.searchsorted(p.clock, p.entry)
    seen = (p.entry != NEVER) & np.isfinite(p.outcomes["y"][np.arange(len(D)), np.minimum(start, 11) - 1])
    seen &= np.isfinite(D).all(axis=1)
    received = [[D[i, start[i] : start[i] + k].sum() for i in np.flatnonzero(seen)] for k in range(1, 9)]
    compare(
        without_the_lonely(eight),
        recorded["8 effects normalized, same_switchers"],
        np.mean(received, axis=1),
    )


def test_two_effects_by_hand():
    """On four units, without the reference results."""
    y = np.array([[1.0, 5, 4], [1, 7, 6], [0, 1, 2], [0, 1, 4]])
    p = Panel(np.arange(4).astype(object), ("1", "2", "3"), np.arange(1, 4), {"y": y}, entry=np.array([2, 2, 9, 9]))
    found = dcdh(p, StaggeredDesign.from_panel(p), "y")
    # l = 1: (4 + 6) / 2 - (1 + 1) / 2; variance 2 / 2 + 0; l = 2: (3 + 5) / 2 - (2 + 4) / 2; 2 / 2 + 2 / 2
    assert found.estimate[:2].tolist() == [4.0, 1.0]
    assert np.allclose(np.diag(found.covariance())[:2], [1.0, 2.0], rtol=1e-12)
    assert found.notes == ()
