"""From settings to extracts: deterministic, the fee apart from GP cost, whole files or none, no violations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.data.validate import validate
from mtvp_eval.dictionary.load import load_programme
from mtvp_eval.errors import CommandError
from mtvp_eval.simulate.defects import Defect
from mtvp_eval.simulate.files import TRUTH_FILE, as_written
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region, write_region
from mtvp_eval.simulate.scenarios import SCENARIOS
from mtvp_eval.simulate.settings import Uptake


@pytest.fixture
def programme():
    return load_programme(Path(__file__).resolve().parents[3] / "data_dictionary", "mtvp")


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes(example, dictionary, tmp_path):
    write_region(simulate_region(example), tmp_path / "one", dictionary.tables)
    simulate_region(example, 99)  # what was simulated in between does not matter
    write_region(simulate_region(example), tmp_path / "two", dictionary.tables)
    write_region(simulate_region(example, 99), tmp_path / "other", dictionary.tables)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert content(tmp_path / "one")["activity.csv"] != content(tmp_path / "other")["activity.csv"]


def test_another_scenario_leaves_practices_and_draw_as_they_are(example):
    one = simulate_region(replace(example, effects=replace(example.effects, scenario=SCENARIOS["null"])))
    other = simulate_region(replace(example, effects=replace(example.effects, scenario=SCENARIOS["optimistic"])))
    for table in ("practices", "applications", "lottery_rounds", "enrolment", "programme_costs"):
        pd.testing.assert_frame_equal(one.extracts[table], other.extracts[table])
    assert not one.extracts["activity"].equals(other.extracts["activity"])


def test_the_example_supplies_what_it_promises(example):
    extracts = simulate_region(example).extracts
    assert set(extracts["costs"]["sector"]) == {
        *("gp_registration", "gp_consult", "gp_chain", "gp_other", "mtvp_fee", "hospital", "pharmacy"),
    }
    assert set(extracts["surveys"]["indicator"]) == {"work_pleasure"}
    assert {"consults", "consults_long", "referrals", "diagnostics"} <= set(extracts["activity"])
    assert extracts["activity"].groupby("practice_id")["quarter"].nunique().eq(24).all()
    assert (extracts["activity"]["consults_long"] <= extracts["activity"]["consults"]).all()


def test_the_fee_is_a_sector_of_its_own_and_touches_no_other(example):
    """True effect zero and a paid fee: GP cost is what it is without a fee, and the fee is there once."""
    null = replace(
        example,
        effects=replace(example.effects, scenario=SCENARIOS["null"]),
        uptake=Uptake(late=0.1, never=0.05, ended=0.3),
    )
    paid = simulate_region(null).extracts
    free = simulate_region(replace(null, payments=replace(null.payments, fee={2023: 0.0, 2024: 0.0}))).extracts
    fee = paid["costs"]["sector"] == "mtvp_fee"
    pd.testing.assert_frame_equal(paid["costs"][~fee], free["costs"])
    # By hand: fee x registered patients, in the quarters from the start to the end of the contract.
    enrolment = paid["enrolment"].set_index("practice_id")
    activity = paid["activity"]
    start = activity["practice_id"].map(enrolment["enrolled_quarter"])
    end = activity["practice_id"].map(enrolment["ended_quarter"]).fillna(np.inf)
    inside = activity[(activity["quarter"] >= start) & (activity["quarter"] < end)]
    rate = np.where(inside["quarter"] < 4 * 2024, 2.88, 2.97)
    expected = (rate * inside["registered_patients"]).round(2)
    assert paid["costs"][fee]["amount_eur"].tolist() == expected.tolist()
    # 2.88 euro a quarter is 11.52 a year, whatever the list.
    rows = paid["costs"][fee & (paid["costs"]["quarter"] < 4 * 2024)]
    assert np.allclose(rows["amount_eur"] / rows["insured_years"], 11.52, atol=1e-4)


def test_a_known_saving_and_fee_give_the_net_benefit_by_hand(plain):
    """Hospital cost falls by 16.55 euro an insured year from the first quarter on; the fee is 2.88 a quarter."""
    effects = replace(plain.effects, scenario=SCENARIOS["null"], build_up_quarters=1)
    saving = replace(effects, scenario=replace(SCENARIOS["null"], relative={"cost_hospital": -0.01}))
    fee = {2023: 2.88, 2024: 2.88}
    payments = replace(plain.payments, fee=fee)
    without = simulate_region(replace(plain, effects=effects, payments=replace(payments, fee=dict.fromkeys(fee, 0.0))))
    with_ = simulate_region(replace(plain, effects=saving, payments=payments))
    patients = with_.extracts["activity"].merge(with_.extracts["enrolment"], on="practice_id")
    patient_quarters = patients.loc[patients["quarter"] >= patients["enrolled_quarter"], "registered_patients"].sum()
    paid_more = with_.extracts["costs"]["amount_eur"].sum() - without.extracts["costs"]["amount_eur"].sum()
    # Per patient-quarter: 2.88 paid, 16.55 / 4 saved. Amounts are to the cent: at most half a cent on 1,440 rows.
    assert paid_more == pytest.approx((2.88 - 16.55 / 4) * patient_quarters, abs=0.005 * 2 * 1440)


@pytest.mark.parametrize("region", ["example", "small"])
def test_the_reader_finds_nothing_wrong_and_reads_what_memory_holds(region, dictionary, programme, tmp_path, request):
    simulated = simulate_region(request.getfixturevalue(region))
    write_region(simulated, tmp_path / region, dictionary.tables)
    extracts = read_extracts(tmp_path / region, dictionary)
    assert validate(extracts, dictionary, programme).violations == ()
    read = extracts.tables
    memory = as_read(simulated.extracts, dictionary).tables
    assert set(read) == set(memory) == set(simulated.extracts)
    for name, table in read.items():
        assert memory[name].report.not_supplied == table.report.not_supplied
        assert (memory[name].lines == table.lines).all()
        for column, values in table.columns.items():
            np.testing.assert_array_equal(memory[name].columns[column], values, err_msg=f"{name}.{column}")
            assert memory[name].columns[column].dtype == values.dtype


@pytest.mark.parametrize("defect", list(Defect))
def test_each_defect_is_found_once(small, dictionary, programme, tmp_path, defect):
    region = simulate_region(small)
    write_region(region, tmp_path / "clean", dictionary.tables)
    write_region(region, tmp_path / "small", dictionary.tables, defect)
    clean = validate(read_extracts(tmp_path / "clean", dictionary), dictionary, programme)
    found = validate(read_extracts(tmp_path / "small", dictionary), dictionary, programme)
    more = [finding.kind for finding in found.findings if finding not in clean.findings]
    # A quarter that was not delivered breaks no rule of a table; it is found and shown, and the panel has a gap.
    if defect is Defect.MISSING_QUARTER:
        assert (len(found.violations), more) == (0, ["gap"])
    else:
        assert (len(found.violations), more) == (1, [])


def test_the_truth_lies_beside_the_extracts_with_seed_and_settings(small, dictionary, tmp_path):
    region = simulate_region(small)
    write_region(region, tmp_path / "small", dictionary.tables)
    record = json.loads((tmp_path / "small" / TRUTH_FILE).read_text(encoding="utf-8"))
    assert record["seed"] == small.seed
    assert record["settings"]["effects"]["scenario"]["name"] == "base"
    row = next(r for r in record["effects"] if r["outcome"] == "referrals_per_1000" and r["quarter"] == "2024Q2")
    # base: -6 % of 81.8 in the steady state, which the first cohort reaches in its fifth quarter
    assert (row["cohort"], row["practice"]) == ("2023Q2", pytest.approx(-4.908))


def test_only_an_earlier_simulation_is_written_over(small, dictionary, tmp_path):
    folder = tmp_path / "raw" / "small"
    folder.mkdir(parents=True)
    (folder / "activity.csv").write_text("practice_id\n", encoding="utf-8")
    with pytest.raises(CommandError, match="not simulated here"):
        write_region(simulate_region(small), folder, dictionary.tables)
    assert [path.name for path in folder.iterdir()] == ["activity.csv"]
    (folder / "activity.csv").unlink()
    write_region(simulate_region(small), folder, dictionary.tables)
    write_region(simulate_region(small, 5), folder, dictionary.tables)
    assert json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))["seed"] == 5
    assert [path.name for path in folder.parent.iterdir()] == ["small"]  # no temporary folder is left


def test_nothing_half_written_is_left(small, dictionary, tmp_path, monkeypatch):
    folder = tmp_path / "small"
    write_region(simulate_region(small), folder, dictionary.tables)
    before = content(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(CommandError, match="No space left"):
        write_region(simulate_region(small, 5), folder, dictionary.tables)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_columns_the_dictionary_does_not_know_are_refused(small, dictionary):
    extracts = {"activity": simulate_region(small).extracts["activity"].assign(colour=1.0)}
    with pytest.raises(CommandError, match=r"activity\.colour"):
        as_written(extracts, dictionary.tables)
