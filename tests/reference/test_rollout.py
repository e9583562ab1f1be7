"""The randomised rollout of the tutorial against R `staggered` 1.2.3: every form, both errors, the paths, the test.

Tolerances: 1e-8 of the largest estimate and 1e-6 a standard error (deterministic tier); the permutation p-values within
three Monte Carlo errors of 200 recorded and 999 own permutations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.errors import CommandError
from mtvp_eval.pipeline.rollout import Rollout, read_rollout
from tests.reference.published_data import column, variants

pytestmark = pytest.mark.shared
FILE = "pj_officer_level_balanced.csv.gz"
FORMS = {"efficient": "staggered", "Callaway-Sant'Anna": "staggered_cs", "Sun-Abraham": "staggered_sa"}
AVERAGES = {"units and periods": "simple", "cohorts": "cohort", "calendar periods": "calendar"}


@pytest.fixture(scope="module")
def rollout(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    source = shared_dir / "data" / "published" / FILE
    assert source.is_file(), f"{FILE} is missing from the data beside the project"
    root = tmp_path_factory.mktemp("project")
    (root / "raw").mkdir()
    (root / "raw" / FILE).symlink_to(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(root))
        return read_rollout(FILE, "uid", "period", "first_trained", ["complaints", "sustained", "force"])


@pytest.mark.parametrize("outcome", ["complaints", "sustained", "force"])
def test_all_forms_and_averages_equal_the_original(rollout: Rollout, shared_dir: Path, outcome: str) -> None:
    recorded = variants(shared_dir, "pj_officer__staggered")
    plain = variants(shared_dir, "pj_officer__staggered_unadjusted")
    shown = rollout.forms(outcome)
    scale = float(shown["estimate"].abs().max())
    checked = 0
    for (form, average), row in shown.iterrows():
        key = f"{outcome}|{FORMS.get(form, 'staggered')}|{AVERAGES[average]}"
        if form not in FORMS:
            key = next((label for label in plain if label.startswith(f"{key}|beta=1e-300")), "")
        result = recorded.get(key, plain.get(key, {})).get("result")
        if result is None:  # no difference in means was recorded for sustained complaints
            assert (form, outcome) == ("difference in means", "sustained")
            continue
        assert abs(row["estimate"] - column(result["estimate"])[0]) <= 1e-8 * scale, key
        assert row["std_error"] == pytest.approx(column(result["se"])[0], rel=1e-6), key
        assert row["std_error_neyman"] == pytest.approx(column(result["se_neyman"])[0], rel=1e-6), key
        checked += 1
    assert checked == (9 if outcome == "sustained" else 12)


def test_the_path_equals_the_original(rollout: Rollout, shared_dir: Path) -> None:
    result = variants(shared_dir, "pj_officer__staggered")["force|staggered|eventstudy|0:11"]["result"]
    path = rollout.path("force", 11, seed=1)
    assert path.index.tolist() == list(range(12))
    expected = column(result["estimate"])
    assert np.abs(path["estimate"].to_numpy() - expected).max() <= 1e-8 * np.abs(expected).max()
    assert path["std_error"].to_numpy() == pytest.approx(column(result["se_neyman"]), rel=1e-6)
    assert (path["band_low"] < path["ci_low"]).all()


def test_replayed_p_values_agree_with_the_recorded_permutations(rollout: Rollout, shared_dir: Path) -> None:
    recorded = variants(shared_dir, "pj_officer__staggered_fisher")
    tests = rollout.tests(999, seed=1)
    for outcome in ("complaints", "force"):
        theirs = recorded[f"{outcome}|simple|Fisher"]["result"]["fisher_pval_se_neyman"][0]
        ours = float(tests.loc[outcome, "p_replay"])
        error = np.sqrt(theirs * (1 - theirs) / 200 + ours * (1 - ours) / 999)
        assert abs(ours - theirs) < 3 * error
    assert (tests["p_adjusted"] >= tests["p_replay"]).all()


def test_the_design_is_the_published_one_and_the_draw_looks_random(rollout: Rollout) -> None:
    counts = rollout.counts()
    assert counts[["units", "periods", "cohorts", "units left out"]].tolist() == [7785, 72, 48, 0]
    assert (rollout.balance(199, seed=1)["p_adjusted"] > 0.05).all()


def test_a_missing_table_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path))
    with pytest.raises(CommandError, match=r"no file raw/police/x\.csv"):
        read_rollout("police/x.csv", "uid", "period", "first_trained", ["force"])
