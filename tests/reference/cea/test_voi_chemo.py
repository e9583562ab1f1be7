"""Chemotherapy draws against voi 1.0.3; and negative controls whose parameter rows do not belong to the outcomes."""

import csv
import json

import numpy as np
import pytest

from mtvp_eval.costbenefit.decision import acceptability
from mtvp_eval.costbenefit.voi import evppi_regression

pytestmark = pytest.mark.shared


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        names = next(csv.reader(stream))
    return names, np.loadtxt(path, delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def chemo(shared_dir):
    folder = shared_dir / "reference/cea"
    effects, costs = (table(folder / f"chemo/chemo_{name}.csv")[1] for name in ("effects", "costs"))
    names, parameters = table(folder / "chemo/chemo_parameters.csv")
    return effects, costs, names, parameters, json.loads((folder / "voi_chemo.json").read_text(encoding="utf-8"))


def test_grid(chemo):
    effects, costs, _, _, expected = chemo
    result = acceptability(effects, costs, np.array(expected["k"], dtype=float))
    # 2e-9 absolute: the record is a difference of means of 6e5, good to about 1e-15 of them
    assert result.evpi == pytest.approx(np.array(expected["EVPI"]), rel=1e-12, abs=2e-9)
    assert result.ceac[1] == pytest.approx(np.array(expected["CEAC"]), abs=1e-12)
    assert result.ceaf == pytest.approx(np.array(expected["CEAF"]), abs=1e-12)


@pytest.mark.parametrize(
    ("sets", "k", "gam", "tolerance"),
    [
        # 1 % for what matters; the weak parameter within two of the original's standard errors (5.2)
        (["logor_side_effects"], 20_000, 331.867581325572, 0.01 * 331.9),
        (["logor_side_effects"], 30_000, 186.282890310675, 0.01 * 186.3),
        (["p_side_effects_t1", "logor_side_effects"], 20_000, 333.875732676136, 0.01 * 333.9),
        (["p_side_effects_t1"], 20_000, 26.7546251124981, 10.4),
        (["p_side_effects_t1"], 30_000, 0.0, 1.0),
    ],
)
def test_partial_information(chemo, sets, k, gam, tolerance):
    effects, costs, names, parameters, _ = chemo
    columns = [names.index(name) for name in sets]
    found = evppi_regression(k * effects - costs, parameters[:, columns], np.random.default_rng(7), permutations=20)
    assert found.value == pytest.approx(gam, abs=tolerance)
    if gam > 100:
        assert found.distinguishable
        assert found.cross_fitted == pytest.approx(gam, rel=0.05)


@pytest.mark.parametrize("name", ["beta.1.", "psi.1."])
def test_parameters_of_other_rows_are_worth_nothing(shared_dir, name):
    folder = shared_dir / "reference/cea/bcea"
    effects, costs = (table(folder / f"vaccine_{part}.csv")[1] for part in ("effects", "costs"))
    names, parameters = table(folder / "vaccine_parameters.csv")
    found = evppi_regression(
        20_000 * effects - costs, parameters[:, [names.index(name)]], np.random.default_rng(8), permutations=200
    )
    assert not found.distinguishable
