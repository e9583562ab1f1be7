"""Net benefit against arithmetic that fits in a comment."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, per_patient_year, totals
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Party, Perspective
from mtvp_eval.costbenefit.scenario import observed_scenario, read_scenario
from mtvp_eval.errors import LedgerError

ZIN = DiscountProfile("zin2024", 0.03, 0.015)


def hospital_total(mean: float, variance: float = 4e6, year: int = 2023):
    return totals([EffectKey("cost_hospital", "euro", 2023, year, 1000.0)], [mean], [[variance]], df=8.0)


def one_year(document, price_table, effects, patient_years=1000.0):
    scenario = observed_scenario("base", 2023, np.array([patient_years]), 2023, ZIN)
    return net_benefit(read_ledger(document), effects, price_table, scenario)


def test_a_known_fee_and_saving(document, price_table):
    # 1,000 patient-years: fee 4 x 2.88 x 1,000 = 11,520; hospital claims 15,000 lower; insurer 15,000 - 11,520 = 3,480
    result = one_year(document, price_table, hospital_total(-15_000.0))
    assert result.total(Perspective.INSURER).mean == pytest.approx(3_480.0, rel=1e-12)
    assert result.total(Party.GP_PRACTICE).mean == pytest.approx(11_520.0, rel=1e-12)
    # all avoidable: the hospital loses 15,000 revenue and 15,000 cost
    assert result.total(Party.HOSPITAL).mean == pytest.approx(0.0, abs=1e-9)
    assert result.total(Perspective.SOCIETY).mean == pytest.approx(15_000.0, rel=1e-12)
    assert result.total(Perspective.INSURER).sd == pytest.approx(2_000.0)
    assert result.total(Perspective.INSURER).df == 8.0
    # break-even: 15,000 / 1,000 = 15.00 a year beside 11.52 paid
    assert result.break_even_tariff().mean == pytest.approx(15.0)
    assert result.paid_tariff() == pytest.approx(11.52)
    assert result.break_even_tariff().sd == pytest.approx(2.0)


def test_both_forms_of_effects_agree(document, price_table):
    rate = per_patient_year(["cost_hospital"], ["euro"], [-15.0], [[4.0]], df=8.0, price_years=[2023])
    by_rate, by_total = (one_year(document, price_table, e) for e in (rate, hospital_total(-15_000.0)))
    for whose in Perspective:
        assert by_rate.total(whose).mean == pytest.approx(by_total.total(whose).mean, rel=1e-12)
        assert by_rate.total(whose).sd == pytest.approx(by_total.total(whose).sd, rel=1e-12)


def test_no_effect_and_a_paid_fee(document, make_line, price_table):
    document["lines"].append(
        make_line(
            id="gp",
            receiver="gp_practice",
            sector="gp",
            quantity_source="effect:cost_gp",
            overlap_group="gp",
            price_resource={"share_of_payer": 0},
        )
    )
    effects = totals(
        [EffectKey("cost_gp", "euro", 2023, 2023, 1000.0), EffectKey("cost_hospital", "euro", 2023, 2023, 1000.0)],
        [0.0, 0.0],
        [[1e4, 2e3], [2e3, 4e6]],
    )
    result = one_year(document, price_table, effects)
    frame = result.to_frame()
    assert frame.loc[frame["line"] == "gp", "amount"].abs().max() == 0.0
    assert result.total(Perspective.INSURER).mean == pytest.approx(-11_520.0)  # the fee, once
    assert result.total(Perspective.SOCIETY).mean == pytest.approx(0.0, abs=1e-12)  # a transfer


def test_two_correlated_sectors(document, make_line, price_table):
    document["lines"].append(
        make_line(
            id="pharmacy",
            receiver="pharmacy",
            sector="pharmacy",
            quantity_source="effect:cost_pharmacy",
            overlap_group="p",
        )
    )
    effects = totals(
        [EffectKey(name, "euro", 2023, 2023, 1000.0) for name in ("cost_hospital", "cost_pharmacy")],
        [-15_000.0, -2_000.0],
        [[4e6, 1e6], [1e6, 1e6]],
    )
    result = one_year(document, price_table, effects)
    # variance 4e6 + 1e6 + 2 x 1e6 = 7e6; the independence that nobody declared would give 5e6
    assert result.total(Perspective.INSURER).sd == pytest.approx(np.sqrt(7e6))
    joint = result.covariance([Party.HOSPITAL, Perspective.INSURER])
    assert joint[1, 1] == pytest.approx(7e6)


def test_euros_are_moved_once(document, price_table):
    scenario = replace(observed_scenario("b", 2023, np.array([1000.0]), 2023, ZIN), price_year=2024)
    result = net_benefit(read_ledger(document), hospital_total(-15_000.0), price_table, scenario)
    assert result.total(Perspective.INSURER).mean == pytest.approx(3_480.0 * 107.3 / 103.8, rel=1e-12)


def test_nothing_is_extrapolated_by_default(document, price_table):
    settings = {
        "first_year": 2023,
        "patient_years": [1000.0, 1000.0],
        "observed_years": 1,
        "price_year": 2023,
        "discount": "none",
        "inputs": {"mtvp_fee": {2024: {"value": 3.0, "price_year": 2024, "source": "test", "evidence": "assumed"}}},
    }
    none = {"none": DiscountProfile("none", 0.0, 0.0)}
    later = net_benefit(
        read_ledger(document), hospital_total(-15_000.0), price_table, read_scenario(settings, none, price_table)
    )
    assert later.total(Perspective.INSURER).mean == pytest.approx(3_480.0)  # the headline: observed year only
    # second year: the fee 12.00 of 2024 in euros of 2023, no effect
    assert later.gain_by_year(Party.INSURER)[1] == pytest.approx(-12_000.0 * 103.8 / 107.3)
    settings["persistence"] = {"geometric": 0.2}
    extended = net_benefit(
        read_ledger(document), hospital_total(-15_000.0), price_table, read_scenario(settings, none, price_table)
    )
    assert extended.total(Perspective.INSURER).mean == pytest.approx(3_480.0)
    assert extended.gain_by_year(Party.INSURER)[1] == pytest.approx(0.8 * 15_000.0 - 12_000.0 * 103.8 / 107.3)
    assert {a.where for a in extended.assumptions} == {"inputs.mtvp_fee.2024", "persistence"}
    frame = extended.to_frame()
    assert set(frame.loc[frame["year"] == 2024, "horizon"]) == {"extrapolated"}
    assert list(extended.summary()["horizon"]) == ["observed"] * 3 + ["all"] * 3


def test_the_frame_adds_up(document, price_table):
    result = one_year(document, price_table, hospital_total(-15_000.0))
    frame = result.to_frame()
    by_party = frame.groupby("party")["amount"].sum()
    for party, amount in by_party.items():
        assert amount == pytest.approx(result.total(Party(party)).mean, abs=1e-9)
    assert frame["amount"].sum() == pytest.approx(result.total(Perspective.SOCIETY).mean)


def test_freed_capacity_is_not_called_a_saving(document, price_table):
    document["lines"][1]["cashable"] = 0.25
    result = one_year(document, price_table, hospital_total(-15_000.0))
    assert result.total(Perspective.INSURER).mean == pytest.approx(0.25 * 15_000 - 11_520)
    assert [(a.where, a.what) for a in result.assumptions] == [("line hospital", "cashable 0.25")]
    assert result.to_frame()["not_cash"].sum() == pytest.approx(-11_250.0)


def test_backfilled_capacity_saves_nothing(document, price_table):
    document["lines"][1]["backfill"] = 1.0
    result = one_year(document, price_table, hospital_total(-15_000.0))
    assert result.total(Perspective.INSURER).mean == pytest.approx(-11_520.0)
    assert result.total(Perspective.SOCIETY).mean == pytest.approx(0.0, abs=1e-12)


def test_what_does_not_fit_together_is_refused_at_once(document, make_line, price_table):
    document["lines"] += [
        make_line(id="x", overlap_group="x", sector="pharmacy", quantity_source="effect:unknown"),
        make_line(
            id="y",
            overlap_group="y",
            sector="work",
            receiver="employer",
            quantity_source="input",
            quantity=1,
            unit="day",
            price_payer={"item": "paid_work_hour"},
        ),
        make_line(
            id="z",
            overlap_group="z",
            sector="work",
            receiver="employer",
            quantity_source="input",
            quantity=1,
            unit="x",
            price_payer={"item": "nothing"},
        ),
    ]
    effects = hospital_total(-15_000.0, year=2024)
    with pytest.raises(LedgerError) as error:
        one_year(document, price_table, effects)
    for part in (
        "line x: unknown effect id unknown",
        "line y: counts day, but paid_work_hour is per hour",
        "line z: The price tables have no item nothing",
        "cost_hospital 2024 lies outside the observed years 2023-2023",
    ):
        assert part in str(error.value)


def test_the_2024_fee_has_no_default(document, price_table):
    scenario = observed_scenario("b", 2024, np.array([1000.0]), 2024, ZIN)
    with pytest.raises(LedgerError, match=r"no published figure was found\. Set `inputs\.mtvp_fee\.2024`"):
        net_benefit(read_ledger(document), hospital_total(-15_000.0, year=2024), price_table, scenario)


def test_scenario_problems_are_said_at_once(price_table):
    settings = {
        "first_year": 2023,
        "years": 2,
        "enrolled": 100,
        "patient_years": [1.0],
        "price_year": "2023",
        "discount": "zin",
        "observed_years": 5,
        "convention": "spring",
        "inputs": {"mtvp_fe": {}},
        "horison": 3,
    }
    with pytest.raises(LedgerError) as error:
        read_scenario(settings, {"zin2024": ZIN}, price_table)
    for part in (
        "unknown key horison",
        "patient-years once",
        "discount",
        "observed_years",
        "convention",
        "mtvp_fe",
        "price_year",
    ):
        assert part in str(error.value)


def test_effects_of_one_insurer_are_not_multiplied_by_patients_of_all(document, price_table):
    effects = replace(hospital_total(-15_000.0), claims_of="3332")
    with pytest.raises(LedgerError, match="claims of insurer 3332, but the patient-years are of all"):
        one_year(document, price_table, effects)
    own = replace(observed_scenario("own", 2023, np.array([600.0]), 2023, ZIN), insured_of="3332")
    result = net_benefit(read_ledger(document), effects, price_table, own)
    assert result.total(Perspective.INSURER).mean == pytest.approx(15_000 - 600 * 11.52)
    taken = net_benefit(read_ledger(document), hospital_total(-15_000.0), price_table, own)
    assert [a.where for a in taken.assumptions] == ["insured_of"]


def test_totals_of_two_years_are_each_in_their_own_euros(document, price_table):
    document["lines"][0]["price_payer"] = {"item": "mtvp_fee", "issue": 2023}
    keys = [EffectKey("cost_hospital", "euro", year, year, 1000.0) for year in (2023, 2024)]
    effects = totals(keys, [-15_000.0, -18_000.0], [[4e6, 1e6], [1e6, 4e6]])
    none = {"none": DiscountProfile("none", 0.0, 0.0)}
    settings = {
        "first_year": 2023, "patient_years": [1000.0, 1000.0, 500.0], "observed_years": 2, "price_year": 2024,
        "discount": "none", "persistence": [1, 1, 0.5],
    }  # fmt: skip
    result = net_benefit(read_ledger(document), effects, price_table, read_scenario(settings, none, price_table))
    up = 107.3 / 103.8
    gain = result.gain_by_year(Party.INSURER) + 11.52 * up * np.array([1000.0, 1000.0, 500.0])
    # third year: half of the mean effect per patient-year, both years in euros of 2024, for 500 patient-years
    assert gain == pytest.approx([15_000 * up, 18_000.0, 0.5 * 500 * (15_000 * up + 18_000) / 2_000])
