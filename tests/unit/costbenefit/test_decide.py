import json

import numpy as np
import pytest

from mtvp_eval.costbenefit.decide import decide
from mtvp_eval.errors import CommandError, DataError


@pytest.fixture
def spec(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    effects = np.column_stack([np.zeros(400), 1 + 0.5 * x, 2 + x])
    costs = np.column_stack([np.zeros(400), 1000 + 10 * rng.normal(size=400), 5000 + 10 * rng.normal(size=400)])
    ids = np.arange(400)
    for name, header, values in (
        ("effects", "draw,usual,A,B", np.column_stack([ids, effects])),
        ("costs", "draw,B,usual,A", np.column_stack([ids, costs[:, [2, 0, 1]]])),
        ("parameters", "draw,x,noise", np.column_stack([ids, x, rng.normal(size=400)])),
    ):
        np.savetxt(tmp_path / f"{name}.csv", values, delimiter=",", header=header, comments="", fmt="%.17g")
    path = tmp_path / "spec.yaml"
    path.write_text(
        "effects: effects.csv\ncosts: costs.csv\nparameters: parameters.csv\nreference: usual\n"
        "willingness_to_pay: [0, 1500, 20000]\nevppi: [x, [x, noise]]\n",
        encoding="utf-8",
    )
    return path


def test_answers_keyed_by_option_and_threshold(spec, tmp_path):
    decision = decide(spec)
    found = json.loads((tmp_path / "decision.json").read_text(encoding="utf-8"))
    effects = np.loadtxt(tmp_path / "effects.csv", delimiter=",", skiprows=1)[:, 1:]
    costs = np.loadtxt(tmp_path / "costs.csv", delimiter=",", skiprows=1)[:, [2, 3, 1]]
    nb = 1500 * effects - costs
    assert found["icer"]["A"] == pytest.approx((costs[:, 1] - costs[:, 0]).mean() / effects[:, 1].mean())
    assert found["eib"]["A"]["1500"] == pytest.approx((nb[:, 1] - nb[:, 0]).mean())
    assert found["ceac"]["B"]["1500"] == pytest.approx((nb.argmax(axis=1) == 2).mean())
    assert found["evpi"]["1500"] == pytest.approx(nb.max(axis=1).mean() - nb.mean(axis=0).max())
    assert found["optimal"] == {"0": "usual", "1500": "A", "20000": "B"}
    assert found["ceaf"]["1500"] == found["ceac"]["A"]["1500"]
    assert found["frontier"]["B"]["status"] == "efficient"
    assert 0 < found["evppi"]["x"]["1500"] <= found["evpi"]["1500"] * 1.05
    assert set(found["evppi"]) == {"x", "x+noise"}
    assert len(decision.to_frame()) == 9


def test_another_file_can_be_named(spec, tmp_path):
    decide(spec, tmp_path / "other.json")
    assert (tmp_path / "other.json").is_file()
    assert not (tmp_path / "decision.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("reference: usual", "reference: usuall", "did you mean usual"),
        ("effects: effects.csv", "efects: effects.csv", "effects is required"),
        ("effects: effects.csv", "efects: effects.csv", "unknown key efects; did you mean effects"),
        ("costs: costs.csv", "costs: cost.csv", "no file cost.csv"),
        ("[0, 1500, 20000]", "[0, high]", "willingness_to_pay must be a list of numbers"),
        ("[0, 1500, 20000]", "20000", "willingness_to_pay must be a list of numbers"),
        ("evppi: [x, [x, noise]]", "evppi: [y]", "no parameter y"),
        ("parameters: parameters.csv\n", "", "no file of parameters is named"),
    ],
)
def test_a_wrong_specification_is_a_wrong_command(spec, old, new, problem):
    spec.write_text(spec.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(CommandError, match=problem) as error:
        decide(spec)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("effects.csv", "draw,usual,A,B", "draw,usual,A,C", "only one of them has B, C"),
        ("effects.csv", "draw,usual,A,B", "draw,usual,A,A", "each name once"),
        ("parameters.csv", "\n5,", "\n6,", "Draw ids of parameters and outcomes differ in 1 rows"),
        ("parameters.csv", "\n5,", "\nx,", r"1 lines do not \(7\)"),
    ],
)
def test_unusable_draws_are_refused(spec, file, old, new, problem):
    path = spec.parent / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        decide(spec)


def test_files_of_different_length_are_refused(spec):
    path = spec.parent / "parameters.csv"
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="399 draws"):
        decide(spec)
