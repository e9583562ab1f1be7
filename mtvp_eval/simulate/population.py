"""Population: the practices of a simulated region, who applied, what the declared draw gave, and who started when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.design.draw import cohorts_from_tickets, drawn_order
from mtvp_eval.design.rules import NOT_STARTED, Applications, Cap
from mtvp_eval.simulate.settings import ListSizes, RegionSettings

NO_CONTRACT, KEEPS_CONTRACT, SWITCHES = "none", "contract", "switch_2024"


@dataclass(frozen=True, slots=True)
class DrawnRound:
    """One round as recorded: `members` rows in the pool (m,), `started` (m,), `position` (m,) from 1, 0 = no draw."""

    quarter: int
    members: IntArray
    started: BoolArray
    position: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Hold n practices over T quarters.

    `unit_ids` (n,) clearly made-up codes; `patients` (n,) lists on the reference date; `registered`, `joined`, `left`
    (n, T); `deprivation` (n,) standard deviations; `applied` (n,) quarter of first application, `NEVER` if none;
    `entry`, `ended` (n,) first quarter with and without a contract, `NEVER` if none.
    """

    unit_ids: ObjectArray
    clock: IntArray
    patients: IntArray
    registered: IntArray
    joined: IntArray
    left: IntArray
    deprivation: FloatArray
    earlier_contract: ObjectArray
    consent: BoolArray
    applied: IntArray
    entry: IntArray
    ended: IntArray
    rounds: tuple[DrawnRound, ...]

    @property
    def n(self) -> int:
        """Number of practices."""
        return len(self.unit_ids)

    @property
    def enrolled(self) -> BoolArray:
        """Whether a practice has a contract in a quarter (n, T)."""
        return (self.clock >= self.entry[:, None]) & (self.clock < self.ended[:, None])


def draw_population(settings: RegionSettings, yearly_mobility: float, rng: np.random.Generator) -> Population:
    """Draw the practices of a region and carry out its declared draw.

    Raises
    ------
    DesignError
        If the rule of the draw does not cover the practices drawn.
    """
    lists, deprivation_rng, kinds, chance, uptake = rng.spawn(5)
    n, clock = settings.practices, settings.first_quarter + np.arange(settings.quarters)
    patients, joined, left, registered = _lists(settings, yearly_mobility, lists)
    earlier, never_applies, consent = _kinds(settings, kinds)
    applied_round = _application_rounds(settings, earlier, never_applies, kinds)
    rounds, started = _draw(settings, patients, applied_round, chance)
    entry, ended = _uptake(settings, started, uptake)
    applied = np.where(applied_round > 0, settings.rounds.first_round + applied_round - 1, NEVER)
    return Population(
        # Begins with a zero, as codes of GP practices do, and is clearly made up.
        unit_ids=np.array([f"0199{i:04d}" for i in range(1, n + 1)], dtype=object),
        clock=clock,
        patients=patients,
        registered=registered,
        joined=joined,
        left=left,
        deprivation=np.round(deprivation_rng.standard_normal(n), 2),
        earlier_contract=earlier,
        consent=consent,
        applied=applied,
        entry=entry,
        ended=ended,
        rounds=rounds,
    )


def list_sizes(lists: ListSizes, n: int, rng: np.random.Generator) -> IntArray:
    """Draw n list sizes, again where they fall outside the cut.

    >>> sizes = list_sizes(ListSizes(3800, 0.5, 1500, 12000), 1000, np.random.default_rng(0))
    >>> int(sizes.min()) >= 1500, int(sizes.max()) <= 12000
    (True, True)
    """
    centre = np.log(lists.mean) - lists.sigma_log**2 / 2
    sizes = np.zeros(n)
    while (outside := (sizes < lists.least) | (sizes > lists.most)).any():
        sizes[outside] = np.exp(centre + lists.sigma_log * rng.standard_normal(int(outside.sum())))
    return np.round(sizes).astype(np.int64)


def _lists(
    settings: RegionSettings, yearly_mobility: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return lists on the reference date, and who joined, who left and who was there in each quarter (n, T)."""
    patients = list_sizes(settings.lists, settings.practices, rng)
    expected = np.repeat(yearly_mobility / 4 * patients[:, None], settings.quarters, axis=1)
    joined, left = rng.poisson(expected), rng.poisson(expected)
    moved = (joined - left).cumsum(axis=1) - (joined - left)  # up to the first day of the quarter
    at_reference = moved[:, settings.reference_quarter - settings.first_quarter]
    registered = patients[:, None] + moved - at_reference[:, None]
    return patients, joined, left, np.maximum(registered, 1)


def _kinds(settings: RegionSettings, rng: np.random.Generator) -> tuple[ObjectArray, BoolArray, BoolArray]:
    """Return the earlier contract, whether a practice never applies, and whether it consents (n,); shares as counts."""
    n, shares = settings.practices, settings.shares
    order = rng.permutation(n)
    keeps, switches, never = (
        round(share * n) for share in (shares.earlier_contract, shares.earlier_contract_switching, shares.never_applies)
    )
    earlier = np.full(n, NO_CONTRACT, dtype=object)
    earlier[order[:keeps]] = KEEPS_CONTRACT
    earlier[order[keeps : keeps + switches]] = SWITCHES
    never_applies = np.isin(np.arange(n), order[keeps + switches : keeps + switches + never])
    consent = ~np.isin(np.arange(n), rng.permutation(n)[: round(shares.no_consent * n)])
    return earlier, never_applies, consent


def _application_rounds(
    settings: RegionSettings, earlier: ObjectArray, never_applies: BoolArray, rng: np.random.Generator
) -> IntArray:
    """Return the round of first application (n,), 0 = none; who switches does so in the last round."""
    rounds = settings.rounds
    applied = 1 + rng.choice(rounds.last_round, size=settings.practices, p=rounds.application_shares)
    applied[never_applies | (earlier == KEEPS_CONTRACT)] = 0
    applied[earlier == SWITCHES] = rounds.last_round
    return applied.astype(np.int64)


def _draw(
    settings: RegionSettings, patients: IntArray, applied_round: IntArray, rng: np.random.Generator
) -> tuple[tuple[DrawnRound, ...], IntArray]:
    """Return the record of every round, and the round each practice may start in (n,), 0 = none."""
    rule, rows = settings.rounds.rule, np.flatnonzero(applied_round > 0)
    counted = np.ones_like(patients) if rule.cap is Cap.PRACTICES else patients
    base = counted if settings.rounds.cap_base == "region" else counted[rows]
    applications = Applications(patients[rows], applied_round[rows], int(base.sum()))
    orders = 1 if rule.one_order else rule.capped_rounds
    tickets = np.stack([rng.permutation(len(rows)) for _ in range(orders)])
    cohort = cohorts_from_tickets(applications, rule, tickets[:, None])[0].astype(np.int64)
    record = []
    for number in range(1, settings.rounds.last_round + 1):
        waiting = applications.in_pool(number) & ((cohort == NOT_STARTED) | (cohort >= number))
        members = np.flatnonzero(waiting)
        starts = cohort[members] == number
        position = np.zeros(len(members), dtype=np.int64)
        if number != rule.open_round and not starts.all():
            order = drawn_order(applications, rule, number, tickets[min(number, orders) - 1])
            place = np.zeros(applications.n, dtype=np.int64)
            place[order[waiting[order]]] = np.arange(1, len(members) + 1)
            position = place[members]
        if len(members):
            record.append(DrawnRound(settings.rounds.first_round + number - 1, rows[members], starts, position))
    started = np.zeros_like(applied_round)
    started[rows] = cohort
    return tuple(record), started


def _uptake(settings: RegionSettings, started: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Return first quarter with and without a contract (n,): winners may start late, never, or end again."""
    luck, ends, lasts = rng.random(len(started)), rng.random(len(started)), rng.integers(2, 5, len(started))
    share = settings.uptake
    entry = np.where(started > 0, settings.rounds.first_round + started - 1, NEVER)
    won = entry != NEVER
    entry = np.where(won & (luck < share.late), entry + 1, entry)
    entry = np.where(won & (luck >= 1 - share.never), NEVER, entry)
    entry = np.where(entry > settings.last_quarter, NEVER, entry)
    ended = np.where((entry != NEVER) & (ends < share.ended), entry + lasts, NEVER)
    return entry.astype(np.int64), np.where(ended > settings.last_quarter, NEVER, ended).astype(np.int64)
