"""Join the extracts of a region into a panel, and account for every practice and row that is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.clock import NEVER, quarter_label
from mtvp_eval.data.cost_supply import CostSupply, cost_supply, incomplete
from mtvp_eval.data.extracts import Extract, Extracts
from mtvp_eval.data.history import History, history
from mtvp_eval.data.lineage import follow_lineage
from mtvp_eval.data.measures import Cells, CostCube, cost_cube, grid
from mtvp_eval.data.outcomes import outcome_values
from mtvp_eval.data.panel import LineageRow, Panel
from mtvp_eval.data.validate import Validation, validate
from mtvp_eval.dictionary.schema import Dictionary, Programme
from mtvp_eval.errors import DataError


@dataclass(frozen=True, slots=True)
class LinkChoices:
    """What a region's question says of the data: the first quarter used, and the run-out of claims in quarters."""

    first_quarter: int | None = None
    run_out_quarters: int = 2


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One step of the account of a table: how many practices or rows it lost, why, and how many are left."""

    table: str
    step: str
    reason: str
    lost: int
    left: int


@dataclass(frozen=True, slots=True)
class Supply:
    """Whether an outcome is in the panel; if not, what was not supplied. `share` is the share of cells observed."""

    outcome: str
    supplied: bool
    reason: str
    share: float


@dataclass(frozen=True, slots=True)
class SurveyGap:
    """A cohort without any measurement of a survey outcome before its start: its scores are not in the panel."""

    outcome: str
    cohort: int
    practices: int


@dataclass(frozen=True, slots=True)
class BreakCrossing:
    """A known break inside the pre-period of an outcome, and the cohorts whose pre-period it is in."""

    name: str
    outcome: str
    cohorts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MissingShare:
    """Quarters without activity by cohort (NEVER: not enrolled): `missing` of `expected` practice-quarters."""

    cohort: int
    practices: int
    expected: int
    missing: int


@dataclass(frozen=True, slots=True)
class Linked:
    """A region's panel with what design, estimation and report need beside it.

    `history` covers all N practices of the region, in or out of the panel, because all of them count under the cap of
    the draw; `rows` (n,) are the positions of the panel's units in it, so that `history.drawn[rows]` goes with the
    panel. `block` (N,) is the round first applied for, with the priority class where there is one. `list_size` (n, T)
    are registered patients; the panel's weight is the list frozen at `frozen_at`. `drawn_apart` holds practices that
    merged with others drawn in another round, up to the merger; None where there are none.
    """

    panel: Panel
    history: History
    rows: IntArray
    block: ObjectArray
    list_size: FloatArray
    frozen_at: int
    account: tuple[AccountRow, ...]
    supply: tuple[Supply, ...]
    survey_gaps: tuple[SurveyGap, ...]
    breaks: tuple[BreakCrossing, ...]
    missing: tuple[MissingShare, ...]
    costs: CostSupply | None
    validation: Validation
    drawn_apart: Panel | None = None

    @property
    def not_supplied(self) -> tuple[str, ...]:
        """Outcomes of the dictionary that the extracts do not hold."""
        return tuple(row.outcome for row in self.supply if not row.supplied)

    def frozen_rate(self, outcome: str) -> FloatArray:
        """Return a rate per registered patient (n, T) with the frozen list size as its denominator."""
        return self.panel.outcomes[outcome] * self.list_size / self.panel.weight[:, None]


def link(
    extracts: Extracts, dictionary: Dictionary, programme: Programme, choices: LinkChoices | None = None
) -> Linked:
    """Validate the extracts, join them and account for what is lost.

    Raises
    ------
    DataValidationError
        If the extracts break a rule.
    DataError
        If no practice is left.
    """
    chosen = choices or LinkChoices()
    validation = validate(extracts, dictionary, programme)
    validation.stop_if_broken()
    story = history(extracts)
    activity = extracts.tables["activity"]
    clock = _clock(activity, chosen.first_quarter)
    lineage, rows = _who_stays(story, activity, clock, programme)
    account = [AccountRow("practices", step.step, step.reason, step.lost, step.units) for step in lineage]
    cells, steps = _place(story, rows, activity, clock)
    account += steps
    list_size = grid(cells, activity.columns["registered_patients"])
    costs, cube, steps = _costs(extracts, dictionary, programme, chosen, story, rows, clock)
    account += steps
    places = {"activity": cells}
    if "surveys" in extracts.tables:
        places["surveys"], steps = _place(story, rows, extracts.tables["surveys"], clock)
        account += steps
    entry = story.enrolled[rows]
    outcomes: dict[str, FloatArray] = {}
    supply, gaps = [], []
    for outcome in dictionary.outcomes.values():
        values, reason = outcome_values(outcome, extracts, places, cube)
        if outcome.kind == "survey" and not reason:
            values, late = _with_pre_period(outcome.name, values, clock, entry)
            gaps += late
            reason = "" if np.isfinite(values).any() else "no measurement before the start of any cohort"
        if not reason:
            outcomes[outcome.name] = values
        supply.append(Supply(outcome.name, not reason, reason, float(np.isfinite(values).mean())))
    freeze = _freeze_at(story, programme)
    weight = _frozen_list(list_size, clock, freeze, story.reference_list[rows])
    practices = extracts.tables["practices"]
    panel = Panel(
        unit_ids=story.practice_ids[rows],
        periods=tuple(quarter_label(int(q)) for q in clock),
        clock=clock,
        outcomes=outcomes,
        weight=weight,
        cluster=story.unit[rows],
        baseline={
            "log_list_size": np.log(weight),
            **{name: practices.columns[name][rows] for name in ("deprivation", "opslag_share", "urbanicity")},
        },
        entry=entry,
        ended=story.ended[rows],
        lineage=lineage,
    )
    linked = Linked(
        panel=panel,
        history=story,
        rows=frozen(rows),
        block=frozen(_blocks(story)),
        list_size=frozen(list_size),
        frozen_at=freeze,
        account=tuple(account),
        supply=tuple(supply),
        survey_gaps=tuple(gaps),
        breaks=tuple(_crossings(dictionary, outcomes, clock, entry)),
        missing=tuple(_missing(list_size, entry)),
        costs=costs,
        validation=validation,
    )
    changes = extracts.tables.get("practice_lineage")
    return linked if changes is None else follow_lineage(linked, changes)


def _clock(activity: Extract, first: int | None) -> IntArray:
    """Return every quarter from the first (asked for or supplied) to the last supplied, without gaps."""
    quarters = activity.columns["quarter"]
    start = int(quarters.min()) if first is None else max(first, int(quarters.min()))
    if start > quarters.max():
        raise DataError(
            f"The activity extract ends in {quarter_label(int(quarters.max()))}, before the first quarter asked for "
            f"({quarter_label(start)}). Change estimation: first_quarter in evaluation.yaml."
        )
    return np.arange(start, int(quarters.max()) + 1, dtype=np.int64)


def _who_stays(
    story: History, activity: Extract, clock: IntArray, programme: Programme
) -> tuple[tuple[LineageRow, ...], IntArray]:
    """Leave out practices, one reason after the other, and count them."""
    total = len(story.practice_ids)
    at = story.of(activity)
    inside = (activity.columns["quarter"] >= clock[0]) & (at >= 0)
    active = np.zeros(total, dtype=np.bool_)
    active[at[inside]] = True
    reasons: tuple[tuple[str, str, BoolArray], ...] = (
        ("consent", "no consent to monitoring", story.consent),
        (
            "status",
            "paid under an earlier comparable programme, never a clean control",
            ~np.isin(story.status.astype(str), programme.excluded_statuses),
        ),
        ("activity", "no activity in the quarters used", active),
    )
    keep = np.ones(total, dtype=np.bool_)
    lineage = [LineageRow("practices", "in the extract of the region", total, 0)]
    for step, reason, passes in reasons:
        lost = int((keep & ~passes).sum())
        keep &= passes
        lineage.append(LineageRow(step, reason, int(keep.sum()), lost))
    if not keep.any():
        said = "; ".join(f"{row.lost} {row.reason}" for row in lineage[1:] if row.lost)
        raise DataError(f"None of the {total} practices can be used: {said}. Complete the extracts of the region.")
    return tuple(lineage), np.flatnonzero(keep)


def _place(story: History, rows: IntArray, extract: Extract, clock: IntArray) -> tuple[Cells, list[AccountRow]]:
    """Give each row of an extract its place in the panel, and count those that have none."""
    of_panel = np.full(len(story.practice_ids) + 1, -1, dtype=np.int64)
    of_panel[rows] = np.arange(len(rows))
    unit = of_panel[story.of(extract)]
    period = extract.columns["quarter"].astype(np.int64) - clock[0]
    period = np.where((period >= 0) & (period < len(clock)), period, -1)
    left_out = unit < 0
    outside = ~left_out & (period < 0)
    table, left = extract.table, extract.rows
    account = [AccountRow(table, "extract", "rows in the extract", 0, left)]
    for step, reason, lost in (
        ("practice", "rows of practices left out", int(left_out.sum())),
        ("window", "rows outside the quarters used", int(outside.sum())),
    ):
        left -= lost
        account.append(AccountRow(table, step, reason, lost, left))
    return Cells(unit, period, (len(rows), len(clock))), account


def _costs(
    extracts: Extracts,
    dictionary: Dictionary,
    programme: Programme,
    chosen: LinkChoices,
    story: History,
    rows: IntArray,
    clock: IntArray,
) -> tuple[CostSupply | None, CostCube | None, list[AccountRow]]:
    """Arrange the costs of complete quarters; say whether the programme's fee stands apart."""
    costs = extracts.tables.get("costs")
    if costs is None:
        return None, None, []
    cells, account = _place(story, rows, costs, clock)
    young = incomplete(costs, chosen.run_out_quarters)
    refused = young & cells.used
    reason = f"rows of quarters younger than the run-out of {chosen.run_out_quarters} quarters"
    account.append(AccountRow("costs", "run_out", reason, int(refused.sum()), account[-1].left - int(refused.sum())))
    cells = Cells(cells.unit, np.where(young, -1, cells.period), cells.shape)
    sectors = dictionary.codes["sectors"].codes
    sector = np.searchsorted(np.sort(sectors), costs.columns["sector"].astype(str))
    insurers, insurer = np.unique(costs.columns["insurer"].astype(str), return_inverse=True)
    amounts = (costs.columns["amount_eur"], costs.columns["insured_years"])
    ordered = tuple(str(name) for name in np.sort(sectors))
    cube = cost_cube(cells, (sector.astype(np.int64), insurer.astype(np.int64)), ordered, len(insurers), amounts)
    gp = tuple(row["code"] for row in dictionary.codes["sectors"].rows if row["in_gp_cost"] == "yes")
    return cost_supply(costs, story, programme, gp, chosen.run_out_quarters), cube, account


def _freeze_at(story: History, programme: Programme) -> int:
    """Return the last quarter before the region's first round."""
    rounds = story.first_round
    return (programme.first_round if rounds is None else rounds) - 1


def _frozen_list(list_size: FloatArray, clock: IntArray, freeze: int, reference: FloatArray) -> FloatArray:
    """Return the list size at the freezing quarter, else the last before it, else that of the reference date."""
    frozen_size = np.full(len(list_size), np.nan)
    for t in np.flatnonzero(clock <= freeze).tolist():
        frozen_size = np.where(np.isfinite(list_size[:, t]), list_size[:, t], frozen_size)
    return np.where(np.isfinite(frozen_size), frozen_size, reference)


def _blocks(story: History) -> ObjectArray:
    labels = [
        "no application" if q == NEVER else quarter_label(q) + ("" if priority is None else f" {priority}")
        for q, priority in zip(story.applied.tolist(), story.priority.tolist(), strict=True)
    ]
    return np.array(labels, dtype=object)


def _cohorts(entry: IntArray) -> list[int]:
    return [int(g) for g in np.unique(entry) if g != NEVER]


def _with_pre_period(
    name: str, values: FloatArray, clock: IntArray, entry: IntArray
) -> tuple[FloatArray, list[SurveyGap]]:
    """Blank the scores of cohorts without any before their start, so that no method can estimate from them."""
    gaps, kept = [], values.copy()
    for cohort in _cohorts(entry):
        of_cohort = entry == cohort
        if not np.isfinite(values[of_cohort][:, clock < cohort]).any():
            kept[of_cohort] = np.nan
            gaps.append(SurveyGap(name, cohort, int(of_cohort.sum())))
    return kept, gaps


def _crossings(
    dictionary: Dictionary, outcomes: Mapping[str, FloatArray], clock: IntArray, entry: IntArray
) -> list[BreakCrossing]:
    """Find known breaks between the first quarter an outcome is observed in and the last one before a cohort starts."""
    found = []
    for name, values in outcomes.items():
        first = int(clock[np.isfinite(values).any(axis=0)][0])
        for known in dictionary.breaks:
            cohorts = tuple(g for g in _cohorts(entry) if known.touches(name) and known.inside(first, g - 1))
            if cohorts:
                found.append(BreakCrossing(known.name, name, cohorts))
    return found


def _missing(list_size: FloatArray, entry: IntArray) -> list[MissingShare]:
    shares = []
    for cohort in np.unique(entry).tolist():
        cells = list_size[entry == cohort]
        shares.append(MissingShare(int(cohort), len(cells), cells.size, int(np.isnan(cells).sum())))
    return shares
