"""The truth is what the same region would differ by without the programme."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mtvp_eval.clock import NEVER, quarter
from mtvp_eval.errors import CommandError, EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.scenarios import SCENARIOS, Scenario
from mtvp_eval.simulate.settings import Uptake

Q2, Q3, Q4 = quarter("2023Q2"), quarter("2023Q3"), quarter("2023Q4")

# What rounding leaves in the extracts: scores to 2 decimals, amounts to the cent on at least 300 insured years.
TOLERANCE = {"work_pleasure": 5e-3, "cost_gp": 1e-4, "cost_hospital": 1e-4, "cost_pharmacy": 1e-4}
EXACT = 1e-9  # sums of some 20 numbers of size 1e3 in double precision


def observed(region, outcome):
    """Return practices x quarters of an outcome, computed from the extracts as data_dictionary/outcomes.yaml says."""
    activity, costs, surveys = (region.extracts[name] for name in ("activity", "costs", "surveys"))
    ratio = {
        "consults_per_1000": (1000, "consults", "registered_patients"),
        "long_consult_share": (100, "consults_long", "consults"),
        "referrals_per_1000": (1000, "referrals", "registered_patients"),
        "diagnostics_per_1000": (1000, "diagnostics", "registered_patients"),
        "consults_per_fte": (1, "consults", "fte_gp"),
        "patients_per_fte": (1, "registered_patients", "fte_gp"),
    }
    sectors = {
        "cost_gp": ["gp_consult", "gp_chain", "gp_other"],
        "cost_hospital": ["hospital"],
        "cost_pharmacy": ["pharmacy"],
    }
    if outcome in ratio:
        times, top, bottom = ratio[outcome]
        frame = activity.assign(y=times * activity[top] / activity[bottom])
    elif outcome in sectors:
        chosen = costs[costs["sector"].isin(sectors[outcome])]
        frame = chosen.groupby(["practice_id", "quarter"], as_index=False).agg(
            amount=("amount_eur", "sum"), years=("insured_years", "first")
        )
        frame["y"] = frame["amount"] / frame["years"]
    else:
        frame = surveys[surveys["indicator"] == outcome].assign(y=lambda f: f["score"])
    wide = frame.pivot(index="practice_id", columns="quarter", values="y")
    return wide.reindex(index=region.truth.unit_ids, columns=region.truth.clock).to_numpy()


def settings_of(example, **effects):
    return replace(example, sampling_noise=False, effects=replace(example.effects, **effects))


@pytest.fixture(scope="module", params=["level", "log"])
def with_and_without(request, example):
    """The example region, uptake imperfect and effects larger where deprived, with and without the programme."""
    uptake = Uptake(late=0.1, never=0.05, ended=0.3)
    chosen = replace(example, uptake=uptake)
    chosen = settings_of(chosen, scenario=SCENARIOS["optimistic"], by_deprivation=0.3, scale=request.param)
    without = replace(chosen, effects=replace(chosen.effects, scenario=SCENARIOS["null"]))
    return simulate_region(chosen), simulate_region(without)


OUTCOMES = [
    *("consults_per_1000", "long_consult_share", "referrals_per_1000", "diagnostics_per_1000", "consults_per_fte"),
    *("cost_gp", "cost_hospital", "cost_pharmacy", "work_pleasure", "patients_per_fte"),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("weighting", list(Weighting))
def test_truth_is_the_difference_between_the_region_with_and_without(with_and_without, outcome, weighting):
    with_, without = with_and_without
    truth, seen = with_.truth, observed(with_, outcome) - observed(without, outcome)
    assert (truth.entry == without.truth.entry).all()
    assert (truth.ended != NEVER).sum() > 5  # so that endings are put to the test
    weight = truth.patients if weighting is Weighting.PATIENT else np.ones(60)
    for cohort, period in product(sorted(set(truth.entry.tolist()) - {NEVER}), truth.clock.tolist()):
        rows, column = truth.entry == cohort, period - int(truth.clock[0])
        brute = np.average(seen[rows, column], weights=weight[rows])
        if np.isnan(brute):
            assert period < quarter("2022Q3")  # no survey yet
            continue
        exact = truth.att(outcome, cohort, period, weighting)
        assert exact == pytest.approx(brute, abs=TOLERANCE.get(outcome, EXACT))
        if period < cohort:
            assert exact == 0


def test_the_programme_works_from_the_first_to_the_last_quarter_of_the_contract(with_and_without):
    with_, without = with_and_without
    changed = np.abs(observed(with_, "referrals_per_1000") - observed(without, "referrals_per_1000")) > EXACT
    record = with_.extracts["enrolment"].set_index("practice_id").reindex(with_.truth.unit_ids)
    start, end = record["enrolled_quarter"].fillna(np.inf), record["ended_quarter"].fillna(np.inf)
    clock = with_.truth.clock
    inside = (clock >= start.to_numpy()[:, None]) & (clock < end.to_numpy()[:, None])
    assert (changed == inside).all()


def test_truth_on_the_log_scale(with_and_without):
    with_, without = with_and_without
    seen = np.log(observed(with_, "referrals_per_1000") / observed(without, "referrals_per_1000"))
    rows = with_.truth.entry == Q2
    brute = seen[rows, Q4 - int(with_.truth.clock[0])].mean()
    assert with_.truth.att("referrals_per_1000", Q2, Q4, scale="log") == pytest.approx(brute, abs=EXACT)


def test_without_effects_the_truth_is_zero_everywhere(example):
    truth = simulate_region(settings_of(example, scenario=SCENARIOS["null"])).truth
    for outcome, cohort, period in product((*truth.steady, *truth.exposure), (Q2, Q3, Q4), truth.clock.tolist()):
        assert truth.att(outcome, cohort, period) == 0


def test_truth_by_hand(plain):
    # -6 % of 81.8 referrals is -4.908 in the steady state; built up over five quarters, a fifth more each quarter.
    truth = simulate_region(settings_of(plain, scenario=SCENARIOS["base"], build_up_quarters=5)).truth
    in_quarter = [truth.att("referrals_per_1000", Q2, Q2 + e) for e in range(-1, 7)]
    steady = -4.908
    assert in_quarter == pytest.approx([0, *(steady * k / 5 for k in (1, 2, 3, 4, 5)), steady, steady])
    at_once = simulate_region(settings_of(plain, scenario=SCENARIOS["base"], build_up_quarters=1)).truth
    assert at_once.att("referrals_per_1000", Q2, Q2) == pytest.approx(steady)
    relative = simulate_region(settings_of(plain, scenario=SCENARIOS["base"], build_up_quarters=2, scale="log")).truth
    in_logs = [relative.att("referrals_per_1000", Q2, Q2 + e, scale="log") for e in range(3)]
    assert in_logs == pytest.approx([np.log(0.97), np.log(0.94), np.log(0.94)])


def test_truth_of_an_estimand_is_the_weighted_sum_of_its_cells(plain):
    truth = simulate_region(settings_of(plain, scenario=SCENARIOS["base"], by_deprivation=0.5)).truth
    cells, weights = ((Q2, Q2), (Q2, Q3), (Q3, Q3), (Q4, Q3)), (0.5, 0.25, 0.25, 7.0)
    for weighting, population in product(Weighting, Population):
        estimand = Estimand("overall", weighting, cells, weights, "a mean", population=population)
        by_cell = [truth.att("cost_hospital", g, t, weighting, None, population) for g, t in cells]
        assert by_cell[-1] == 0  # a lead
        assert truth.of("cost_hospital", estimand) == pytest.approx(float(np.dot(weights, by_cell)))


def test_truth_is_that_of_the_practices_left_after_linking(plain):
    truth = simulate_region(settings_of(plain, scenario=SCENARIOS["base"], by_deprivation=0.5)).truth
    rows = np.flatnonzero(truth.entry == Q2)[:4]
    kept = [*truth.unit_ids[rows], *truth.unit_ids[truth.entry != Q2]]
    by_hand = np.average(truth.effect("cost_gp", Q2, Q3)[rows], weights=truth.patients[rows])
    assert truth.att("cost_gp", Q2, Q3, Weighting.PATIENT, kept) == pytest.approx(by_hand)
    assert truth.att("cost_gp", Q2, Q3, Weighting.PATIENT) != pytest.approx(by_hand)
    # every practice, whatever its own cohort: what a block mean estimates
    everyone = truth.att("cost_gp", Q2, Q3, population=Population.BLOCK)
    assert everyone == pytest.approx(truth.effect("cost_gp", Q2, Q3).mean())
    with pytest.raises(NotIdentifiedError):
        truth.att("cost_gp", Q2, Q3, units=truth.unit_ids[truth.entry != Q2])
    with pytest.raises(EstimationError, match="1 of the practices"):
        truth.att("cost_gp", Q2, Q3, units=["01234567"])


def test_what_the_truth_does_not_know_is_said(plain):
    truth = simulate_region(plain).truth
    with pytest.raises(EstimationError, match="did you mean cost_hospital"):
        truth.att("cost_hospitals", Q2, Q3)
    with pytest.raises(EstimationError, match="outside the simulated"):
        truth.att("cost_hospital", Q2, quarter("2030Q1"))


def test_an_effect_larger_than_its_level_is_refused(plain):
    with pytest.raises(CommandError, match="referrals_per_1000 is larger than the level"):
        simulate_region(settings_of(plain, scenario=Scenario("all", {"referrals_per_1000": -0.99})))


def test_differences_in_differences_find_the_truth_over_many_draws(plain):
    """Winners against those still waiting, before and after: unbiased if lists bend no trend."""
    settings = replace(plain, effects=replace(plain.effects, scenario=SCENARIOS["optimistic"], build_up_quarters=1))
    errors = []
    for seed in range(150):
        region = simulate_region(settings, seed)
        change = observed(region, "referrals_per_1000")
        change = change[:, Q4 - int(region.truth.clock[0])] - change[:, Q2 - 1 - int(region.truth.clock[0])]
        won, waits = region.truth.entry == Q2, region.truth.entry > Q4
        estimate = change[won].mean() - change[waits].mean()
        errors.append(estimate - region.truth.att("referrals_per_1000", Q2, Q4))
    assert abs(np.mean(errors)) < 3 * np.std(errors, ddof=1) / np.sqrt(len(errors))  # three Monte Carlo errors
    assert np.std(errors) < 16.36 / 3  # small beside the effect (20 % of 81.8), so the test can fail
