"""What is most worth measuring: every input that varies has its value, none that is certain has one."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, totals
from mtvp_eval.costbenefit.joint_interval import Uncertain
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Perspective
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.scenario import read_scenario
from mtvp_eval.costbenefit.sensitivity import Input, input_ranges, tornado
from mtvp_eval.costbenefit.spread import Dependence, Spread, read_spread
from mtvp_eval.errors import LedgerError
from mtvp_eval.pipeline.money_decision import break_even_effects, measure_next
from mtvp_eval.pipeline.money_parties import spread_frame
from tests.unit.costbenefit.conftest import FEE, PROJECT, line

RATES = (0.0, 0.03)


@pytest.fixture
def made():
    """Two observed years in which the effect on hospital cost saves 15,000 each, exactly known."""
    table = read_price_table(PROJECT / "data_dictionary" / "prices")

    def of(fee=None, **changes):
        lines = [{**FEE, "price_payer": {"item": "mtvp_fee", "issue": 2023}, **(fee or {})}, line(**changes)]
        settings = {"first_year": 2023, "patient_years": [1000.0, 1000.0], "price_year": 2023, "discount": "none"}
        scenario = read_scenario(settings, {"none": DiscountProfile("none", 0.0, 0.0)}, table)
        keys = [EffectKey("cost_hospital", "euro", 2023, year, 1000.0) for year in (2023, 2024)]
        effects = totals(keys, [-15_000.0, -15_000.0], np.full((2, 2), 1e-9))
        ledger = read_ledger({"currency": "EUR", "fee": "fee", "lines": lines})
        return net_benefit(ledger, effects, table, scenario)

    return of


def valued(result, spread):
    frame = measure_next(Uncertain.of(result, spread, 1), spread.dependence, 8, np.random.default_rng(1))
    return frame[~frame["kind"].isin(("all", "data", "effect"))].set_index(["kind", "name"])["value"]


def ranged(result, spread):
    frame = tornado(result, input_ranges(result, spread, RATES))
    return frame[(frame["width"] > 0.0) & (frame["input"] != "discount")].set_index(["input", "name"])


def listed(result, spread):
    beside = SimpleNamespace(spread=spread, extrapolations=())
    return spread_frame(Uncertain.of(result, spread, 1), beside, 1)


HALF = {"cashable": [0.7, 0.9], "avoidable": 0.5}


@pytest.mark.parametrize(
    ("kind", "spread"),
    [
        ("price", Spread(price={"fee": 0.3})),
        ("cashable", Spread(cashable={"hospital": 0.2})),
        ("lag", Spread(lag={"hospital": [0.5, 0.5]})),
    ],
)
def test_an_input_that_alone_varies_is_worth_as_much_as_knowing_everything(made, kind, spread):
    result = made(**HALF)
    uncertain = Uncertain.of(result, spread, 1)
    everything = uncertain.total(Perspective.INSURER).expected_loss()
    assert everything > 1.0
    ((found, name), value) = next(iter(valued(result, spread).items()))
    assert (found, len(valued(result, spread))) == (kind, 1)
    assert value == pytest.approx(everything, rel=0.01)  # a spline through an almost straight line
    assert (kind, name) in ranged(result, spread).index
    assert listed(result, spread)[["kind", "line", "observed"]].values.tolist() == [[kind, name, True]]


def test_a_share_that_is_certain_in_the_first_year_is_valued_by_the_year_in_which_it_varies(made):
    result, spread = made(cashable=[0.0, 0.75]), Spread(cashable={"hospital": 0.2})
    everything = Uncertain.of(result, spread, 1).total(Perspective.INSURER)
    assert everything.location.std() == pytest.approx(0.2 * 15_000, rel=2e-3)
    assert valued(result, spread)["cashable", "hospital"] == pytest.approx(everything.expected_loss(), rel=0.01)
    # only the second year moves: 0.75 plus and minus 1.96 x 0.2, at most 1
    low, high = ranged(result, spread).loc[("cashable", "hospital"), ["at_low", "at_high"]]
    centre = result.total(Perspective.INSURER).mean
    assert (low - centre, high - centre) == pytest.approx((-1.959964 * 0.2 * 15_000, 0.25 * 15_000), rel=1e-6)


@pytest.mark.parametrize(
    "spread",
    [
        Spread(cashable={"hospital": 0.2}, avoidable={"hospital": 0.2}),
        Spread(lag={"hospital": [0.5, 0.5]}),
        Spread(price={"fee": 0.0}),
        Spread(decay=(0.2, 0.1), uptake=0.1),
    ],
    ids=["shares of 1", "a lag of no change", "exactly known", "after the observed years"],
)
def test_what_is_certain_is_neither_valued_nor_ranged_nor_listed(made, spread):
    result = made()
    assert valued(result, spread).empty
    assert ranged(result, spread).empty
    assert listed(result, spread).empty


def test_inputs_drawn_together_are_valued_together_even_if_the_first_is_certain(made):
    result = made(fee={"cashable": 1.0}, **HALF)
    spread = Spread(cashable={"fee": 0.2, "hospital": 0.2}, price={"fee": 0.2, "hospital": 0.1})
    found = valued(result, spread)
    assert set(found.index) == {("price", "all"), ("cashable", "hospital")}
    apart = valued(result, Spread(price=spread.price, dependence=Dependence.INDEPENDENT))
    assert set(apart.index) == {("price", "fee"), ("price", "hospital")}


def test_every_assumed_share_has_a_range_unless_it_is_declared_exactly_known(made):
    outlay = {"evidence": "assumed", "uptake": 0.8, "cashable": 0.9}
    result = made(fee=outlay, cashable=0.6, avoidable=0.5, backfill=0.25, uptake=0.5)
    wide = ranged(result, Spread())
    assert set(wide.index) == {
        ("uptake", "fee"), ("cashable", "fee"), ("cashable", "hospital"), ("backfill", "hospital"),
    }  # fmt: skip
    fee, saving = 2 * 11_520 * 0.8 * 0.9, 2 * 15_000 * 0.6 * 0.75
    ends = wide[["at_low", "at_high"]].apply(tuple, axis=1)
    assert ends["uptake", "fee"] == pytest.approx((saving, saving - fee / 0.8))
    assert ends["cashable", "fee"] == pytest.approx((saving, saving - fee / 0.9))
    assert ends["backfill", "hospital"] == pytest.approx((saving / 0.75 - fee, -fee))
    known = Spread(cashable={"fee": 0.0, "hospital": 0.0})
    assert not [kind for kind, _ in ranged(result, known).index if kind == "cashable"]
    assert not {"uptake", "cashable"} & {k for k, n in ranged(made(fee={"uptake": 0.8}), Spread()).index}  # agreed


def test_a_lag_moves_the_result_from_its_fewest_to_its_most_years(made):
    result = made(cashable=[0.4, 1.0])
    row = ranged(result, Spread(lag={"hospital": [0.25, 0.75]})).loc[(Input.LAG.value, "hospital")]
    assert row["at_low"] - row["at_high"] == pytest.approx(0.6 * 15_000)


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        ({"cashable": {"hospital": 0.2}}, "cashable.hospital: the share is 1, which cannot vary"),
        ({"avoidable": {"hospital": 0.5}}, "avoidable.hospital: standard deviation 0.5 around a share of 0.3: must be"),
        ({"lag": {"hospital": [0.5, 0.5]}}, "lag.hospital: moves nothing: cashable and avoidable are the same"),
    ],
)
def test_a_spread_that_cannot_be_is_refused_where_it_is_read(made, spread, said):
    with pytest.raises(LedgerError, match=said):
        read_spread(spread, made(avoidable=0.3).ledger)
    (kind, sizes), *_ = spread.items()
    with pytest.raises(LedgerError, match=f"line hospital.spread.{said.replace('.hospital', '', 1)}"):
        made(avoidable=0.3, spread={kind: sizes["hospital"]})


def test_the_effect_that_breaks_even_is_the_one_that_makes_the_net_benefit_zero(made):
    result = made(cashable=[0.5, 0.8])
    row = break_even_effects(result, 0.95).iloc[0]
    assert (row["outcome"], row["estimate"]) == ("cost_hospital", pytest.approx(-15.0))
    # the fee of 2 x 11,520 is met by x (0.5 + 0.8) 1,000 patient-years
    assert row["break_even"] == pytest.approx(-2 * 11_520 / 1_300)
    moved = replace(result.effects, mean=np.full(2, 1000 * row["break_even"]))
    assert replace(result, effects=moved).total(Perspective.INSURER).mean == pytest.approx(0.0, abs=1e-8)
    assert break_even_effects(made(cashable=0.0), 0.95).empty  # nothing of it reaches the insurer
