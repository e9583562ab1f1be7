"""Cohorts follow from the declared draw; what differs from it is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.design.rules import Cap, DrawRule, Misfit, Oversize, Rollover
from mtvp_eval.simulate.population import KEEPS_CONTRACT, SWITCHES, draw_population
from mtvp_eval.simulate.settings import Shares, Uptake

MOBILITY = 0.08


def population(settings, seed=0):
    return draw_population(settings, MOBILITY, np.random.default_rng(seed))


def with_rule(settings, **changes):
    given = {name: getattr(settings.rounds.rule, name) for name in DrawRule.__dataclass_fields__}
    return replace(settings, rounds=replace(settings.rounds, rule=DrawRule(**given | changes)))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("region", ["example", "small"])
def test_no_round_exceeds_the_cap_and_no_loser_would_have_fitted(region, seed, request):
    people = population(request.getfixturevalue(region), seed)
    cap = 0.25 * people.patients.sum()  # registered patients of the region, applicants or not
    for drawn in people.rounds[:3]:
        used = people.patients[drawn.members[drawn.started]].sum()
        assert used <= cap
        losers = people.patients[drawn.members[~drawn.started]]
        assert (losers > cap - used).all()  # skip: whoever did not start did not fit


def test_losers_roll_on_and_keep_their_place(example):
    people = population(replace(example, rounds=replace(example.rounds, application_shares=(0.6, 0.3, 0.1, 0.0))))
    first, second, third, last = people.rounds
    assert set(first.members[~first.started]) <= set(second.members)
    assert not set(first.members[first.started]) & set(second.members)
    # queue: whoever waits since round 1 stands before everybody who applied for round 2, in the order drawn in round 1
    waiting = np.isin(second.members, first.members)
    assert second.position[waiting].max() < second.position[~waiting].min()
    old = dict(zip(first.members.tolist(), first.position.tolist(), strict=True))
    order = [old[i] for i in second.members[waiting][np.argsort(second.position[waiting])]]
    assert order == sorted(order)
    # the open round takes everybody without a draw
    assert last.started.all()
    assert (last.position == 0).all()
    assert (np.sort(third.position) == np.arange(1, len(third.members) + 1)).all()


@pytest.mark.parametrize("rollover", list(Rollover))
@pytest.mark.parametrize("misfit", list(Misfit))
def test_every_reading_of_the_rule_can_be_simulated(plain, rollover, misfit):
    settings = with_rule(plain, rollover=rollover, misfit=misfit, oversize=Oversize.ALONE)
    people = population(settings)
    assert np.unique(people.entry).tolist() == [settings.rounds.first_round + r for r in range(4)]


def test_the_cap_may_count_practices_and_its_base_be_the_applicants(plain):
    quarter = population(with_rule(plain, cap=Cap.PRACTICES))
    assert [int(drawn.started.sum()) for drawn in quarter.rounds] == [15, 15, 15, 15]  # a quarter of 60
    half = replace(plain, shares=replace(plain.shares, never_applies=0.5))
    half = replace(half, rounds=replace(half.rounds, cap_base="applicants"))
    started = [int(drawn.started.sum()) for drawn in population(with_rule(half, cap=Cap.PRACTICES)).rounds]
    assert started == [7, 7, 7, 9]  # a quarter of 30 is 7.5


def test_an_undersubscribed_round_is_no_draw(plain):
    settings = replace(plain, rounds=replace(plain.rounds, application_shares=(0.1, 0.0, 0.0, 0.9)))
    first = population(settings).rounds[0]
    assert first.started.all()
    assert (first.position == 0).all()


def test_shares_are_counts_of_practices(example):
    shares = Shares(never_applies=0.1, earlier_contract=0.05, earlier_contract_switching=0.1, no_consent=0.2)
    people = population(replace(example, shares=shares))
    assert int((people.earlier_contract == KEEPS_CONTRACT).sum()) == 3
    assert int((people.earlier_contract == SWITCHES).sum()) == 6
    assert int((~people.consent).sum()) == 12
    assert int((people.applied == NEVER).sum()) == 3 + 6  # keeps the earlier contract, or never applies
    assert (people.applied[people.earlier_contract == SWITCHES] == example.rounds.first_round + 3).all()


def test_winners_start_late_never_or_end_only_where_asked(plain):
    exact = population(plain)
    late = population(replace(plain, uptake=Uptake(late=1.0, never=0.0, ended=0.0)))
    never = population(replace(plain, uptake=Uptake(late=0.0, never=1.0, ended=0.0)))
    ended = population(replace(plain, uptake=Uptake(late=0.0, never=0.0, ended=1.0)))
    assert (late.entry == exact.entry + 1).all()
    assert (never.entry == NEVER).all()
    assert (never.applied == exact.applied).all()
    stay = (ended.ended - ended.entry)[ended.ended != NEVER]
    assert set(stay.tolist()) <= {2, 3, 4}
    assert (exact.ended == NEVER).all()
    assert ended.enrolled.sum() < exact.enrolled.sum()


def test_lists_move_around_what_was_counted_on_the_reference_date(example):
    people = population(example)
    at = example.reference_quarter - example.first_quarter
    assert (people.registered[:, at] == people.patients).all()
    later = people.registered[:, :-1] + people.joined[:, :-1] - people.left[:, :-1]
    assert (people.registered[:, 1:] == later).all()


def test_list_sizes_have_the_declared_distribution(plain):
    sizes = population(replace(plain, practices=5000)).patients
    # Lognormal with log standard deviation 0.5 and mean 3,800, cut to 1,500-12,000: mean 3,890 (by integration over the
    # normal distribution function). Standard error of the mean of 5,000: 1,900 / 70 = 27; four of them.
    assert sizes.mean() == pytest.approx(3890, abs=108)
    assert sizes.min() >= 1500
    assert sizes.max() <= 12000


def test_codes_begin_with_zero_and_are_made_up(example):
    ids = population(example).unit_ids
    assert all(len(code) == 8 and code.startswith("0199") for code in ids)
    assert len(set(ids)) == 60
