"""Two-way fixed effects against R `fixest` 0.14.2 and the decomposition against `bacondecomp` 0.1.3.

Tolerances: 1e-6, the tier of the reference README for fits whose effects fixest absorbs by iteration (ours are closed
form); the decomposition, where nothing iterates, 1e-10. Seen: 6e-12 (df_het event study), most 1e-14.
"""

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimators.bacon import ALWAYS_ENROLLED, EARLIER_LATER, LATER_EARLIER, NEVER_ENROLLED, bacon
from mtvp_eval.estimators.twfe import twfe, twfe_two_way_covariance
from tests.reference.published_data import column, frame, panel, variants

OUTCOME = {"mpdta": "lemp", "lottery_small": "consults_per_1000", "df_het": "dep_var", "base_stagg": "y"}
TIER = 1e-6


def fit(shared, data, label):
    cluster = label.split("cluster=")[1].split("|")[0] if "cluster=" in label else None
    weight = "list_size" if "weights" in label else None
    p = panel(shared, data, weight, cluster if cluster in ("region", "state") else None)
    return p, StaggeredDesign.from_panel(p), {
        "weighting": "patient" if weight else "practice",
        "shape": "event_study" if "event study" in label else "static",
    }  # fmt: skip


@pytest.mark.parametrize("data", OUTCOME)
def test_coefficients_errors_and_covariances_equal_fixest(recorded_dir, data):
    checked = 0
    for label, recorded in variants(recorded_dir, f"{data}__fixest").items():
        if not label.startswith("TWFE") or "other vcov" in label:
            continue
        p, design, choices = fit(recorded_dir, data, label)
        effects = twfe(p, design, OUTCOME[data], **choices).with_correction("fixest")
        expected = column(recorded["coef"]["estimate"])
        assert np.abs(effects.estimate - expected).max() <= TIER * np.abs(expected).max(), label
        assert effects.std_error() == pytest.approx(column(recorded["coef"]["std_error"]), rel=TIER), label
        assert effects.df()[0] == recorded["df_t"], label
        if recorded.get("vcov"):
            theirs = np.array(recorded["vcov"]["values"], dtype=float)
            scale = np.sqrt(np.outer(np.diag(theirs), np.diag(theirs)))
            assert (np.abs(effects.covariance() - theirs) / scale).max() <= TIER, label
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("data", ["mpdta", "lottery_small"])
def test_other_variances_equal_fixest(recorded_dir, data):
    """Clustered by unit and period; clustered without any factor; with all effects counted as parameters."""
    recorded = variants(recorded_dir, f"{data}__fixest")["TWFE static: other vcov"]
    p, design, choices = fit(recorded_dir, data, "TWFE static")
    effects = twfe(p, design, OUTCOME[data], **choices)
    both = twfe_two_way_covariance(p, design, OUTCOME[data], **choices)
    assert np.sqrt(both[0]) == pytest.approx(column(recorded["cluster_two_way"]["std_error"]), rel=TIER)
    plain = effects.with_correction("none").std_error()
    assert plain == pytest.approx(column(recorded["cluster_ssc_none"]["std_error"]), rel=TIER)
    n, rows, K = effects.n_units, *effects.regression
    full = plain * np.sqrt(n / (n - 1) * (rows - 1) / (rows - K - n + 1))
    assert full == pytest.approx(column(recorded["cluster_ssc_full"]["std_error"]), rel=TIER)


def divorce(shared):
    d = pd.read_csv(shared / "data" / "published" / "divorce.csv")
    d = d[(d.sex == 2) & d.year.between(1964, 1996) & d.suiciderate_jag.notna()]
    return d, "st", "year", "unilateral", "suiciderate_elast_jag"


def math_reform(shared):
    return pd.read_csv(shared / "data" / "published" / "math_reform.csv"), "state", "class", "reform_math", "incearn_ln"


def published(shared, data):
    d = frame(shared, data)
    if data == "mpdta":
        d = d.assign(D=(d["first.treat"] > 0) & (d.year >= d["first.treat"]))
        return d, "countyreal", "year", "D", "lemp"
    return d, "practice_id", "quarter", "enrolled", "consults_per_1000"


def wide(d, unit, period, treated, outcome):
    y = d.pivot_table(index=unit, columns=period, values=outcome)
    D = d.assign(D=d[treated].astype(int)).pivot_table(index=unit, columns=period, values="D").to_numpy() > 0
    clock = y.columns.to_numpy().astype(np.int64)
    entry = np.where(D.any(axis=1), clock[D.argmax(axis=1)], NEVER)
    ids = y.index.to_numpy().astype(object)
    return Panel(ids, tuple(map(str, clock)), clock, {"y": y.to_numpy()}, entry=entry)


KINDS = {
    "Earlier vs Later Treated": EARLIER_LATER, "Later vs Earlier Treated": LATER_EARLIER,
    "Treated vs Untreated": NEVER_ENROLLED, "Later vs Always Treated": ALWAYS_ENROLLED,
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("mpdta", "lemp~D"),
        ("lottery_small", "consults~enrolled"),
        ("divorce", "divorce females suiciderate_elast_jag ~ unilateral"),
        ("math_reform", "math_reform (package example)"),
    ],
)
def test_decomposition_equals_bacondecomp(recorded_dir, file, label):
    recorded = variants(recorded_dir, f"{file}__bacon")[label]
    made = {"divorce": divorce, "math_reform": math_reform}.get(file)
    found = bacon(wide(*(made(recorded_dir) if made else published(recorded_dir, file))), "y")
    mine = {(c.cohort, c.against): c for c in found.comparisons}
    table = recorded["decomposition"]
    rows = list(zip(*(table[k] for k in ("treated", "untreated", "estimate", "weight", "type")), strict=True))
    assert len(rows) == len(mine)
    for treated, against, estimate, weight, kind in rows:
        c = mine[int(treated), NEVER if against == "Infinity" else int(against)]
        assert (c.estimate, c.weight) == pytest.approx((estimate, weight), rel=1e-10, abs=1e-12)
        assert c.kind == KINDS[kind]
    assert found.coefficient == pytest.approx(recorded["twfe_check"], rel=1e-10)
    for kind, weight in zip(recorded["by_type"]["type"], recorded["by_type"]["weight"], strict=True):
        assert found.weight_of(KINDS[kind]) == pytest.approx(weight, rel=1e-10)
