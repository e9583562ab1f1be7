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
    best = nb.max(axis=1).mean()
    assert found["expected_loss"]["usual"]["1500"] == pytest.approx(best - nb[:, 0].mean())
    assert min(loss["1500"] for loss in found["expected_loss"].values()) == pytest.approx(found["evpi"]["1500"])
    v = np.cov(effects[:, 1] - effects[:, 0], costs[:, 1] - costs[:, 0])
    shown = found["comparison"]["A"]
    assert [shown[key] for key in ("var_effect", "var_cost", "covariance")] == pytest.approx(
        [v[0, 0], v[1, 1], v[0, 1]]
    )
    assert found["optimal"] == {"0": "usual", "1500": "A", "20000": "B"}
    assert found["ceaf"]["1500"] == found["ceac"]["A"]["1500"]
    assert found["frontier"]["B"]["status"] == "efficient"
    assert 0 < found["evppi"]["x"]["1500"] <= found["evpi"]["1500"] * 1.05
    assert set(found["evppi"]) == {"x", "x+noise"}
    assert len(decision.to_frame()) == 9


def test_a_parameter_that_is_certain_has_no_value(spec, tmp_path):
    rows = (tmp_path / "parameters.csv").read_text(encoding="utf-8").splitlines()
    fixed = [rows[0], *(",".join([*row.split(",")[:2], "7"]) for row in rows[1:])]
    (tmp_path / "parameters.csv").write_text("\n".join(fixed) + "\n", encoding="utf-8")
    spec.write_text(spec.read_text(encoding="utf-8").replace("[x, [x, noise]]", "[x, noise, [x, noise]]"), "utf-8")
    decide(spec)
    found = json.loads((tmp_path / "decision.json").read_text(encoding="utf-8"))["evppi"]
    # means of 400 net benefits of some 4e4 are rounded at 1e-10
    assert list(found["noise"].values()) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert found["x+noise"]["1500"] == pytest.approx(found["x"]["1500"], rel=1e-12)


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


def test_a_single_draw_is_refused(spec):
    for name in ("effects", "costs", "parameters"):
        path = spec.parent / f"{name}.csv"
        path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:2]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"effects.csv holds one draw; uncertainty needs at least two"):
        decide(spec)


def test_files_of_different_length_are_refused(spec):
    path = spec.parent / "parameters.csv"
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="399 draws"):
        decide(spec)


def test_the_text_says_dominance_in_words_and_lists_the_parameters(spec, tmp_path):
    costs = (tmp_path / "costs.csv").read_text(encoding="utf-8").splitlines()
    dear = [costs[0], *(f"{line.split(',')[0]},90000,0,1000" for line in costs[1:])]
    (tmp_path / "costs.csv").write_text("\n".join(dear) + "\n", encoding="utf-8")
    effects = (tmp_path / "effects.csv").read_text(encoding="utf-8").splitlines()
    worse = [effects[0], *(",".join([*line.split(",")[:3], "-1"]) for line in effects[1:])]
    (tmp_path / "effects.csv").write_text("\n".join(worse) + "\n", encoding="utf-8")
    said = decide(spec).to_text()
    assert "fieller_95" in said
    row = next(line for line in said.splitlines() if "less effect, more cost: dominated" in line)
    assert row.split()[:4] == ["B", "dominated", "-1", "90000"]
    noise = [line for line in said.splitlines() if line.split()[:1] == ["x"]]
    assert len(noise) == 3  # the one parameter at three thresholds


def test_all_problems_of_a_specification_are_said_together(spec):
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("usual", "usuall").replace("[0, 1500, 20000]", "[-5]"), encoding="utf-8")
    with pytest.raises(CommandError) as error:
        decide(spec)
    assert "none negative" in str(error.value)
    assert "did you mean usual?" in str(error.value)
