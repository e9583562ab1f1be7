"""Frames on who pays and who gains: parties with side payments, return and payback, forms of payment, capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.config import CapacityChoices
from mtvp_eval.costbenefit.budget_impact import Payback, budget_impact, payback, programme_return
from mtvp_eval.costbenefit.funding import Funding, fee_as_capacity, spec_name
from mtvp_eval.costbenefit.joint_interval import Uncertain
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.spread import KINDS, Spread
from mtvp_eval.costbenefit.stakeholders import side_payments, who_pays_who_gains
from mtvp_eval.errors import LedgerError
from mtvp_eval.pipeline.money_beside import Beside
from mtvp_eval.report.inputs import page_frame

if TYPE_CHECKING:
    import pandas as pd

STOPPED = "stopped_fee_for_service"


def parties(uncertain: Uncertain, level: float) -> pd.DataFrame:
    """Return what each party pays, receives and keeps, with the smallest payments that leave nobody with a loss.

    `side_payment` is missing for every party when no division can make everyone gain.
    """
    frame = who_pays_who_gains(uncertain.result)
    totals = [uncertain.total(Party(party)) for party in frame["party"]]
    ends = np.array([total.interval(level) for total in totals])
    moved = side_payments(frame["net"].to_numpy())
    return frame.assign(
        low=ends[:, 0],
        high=ends[:, 1],
        probability_positive=[total.probability_positive() for total in totals],
        side_payment=np.nan if moved is None else moved,
    ).drop(columns=["std_error", "probability_gain"])


def returns(uncertain: Uncertain, beside: Beside, seed: int) -> pd.DataFrame:
    """Return on the insurer's outlay and undiscounted payback, of the observed years and of each extrapolation."""
    rows = [_return(uncertain, "observed", Horizon.OBSERVED)]
    for result in beside.extrapolations:
        rows.append(_return(Uncertain.of(result, beside.spread, seed), result.scenario.name, Horizon.ALL))
    return page_frame("returns", rows)


def _return(uncertain: Uncertain, name: str, horizon: Horizon) -> tuple[Any, ...]:
    result = uncertain.result
    scenario = result.scenario
    last = scenario.observed_years if horizon is Horizon.OBSERVED else scenario.n_years
    back = payback(result.gain_by_year(Party.INSURER)[:last])
    try:
        worth = programme_return(result, Party.INSURER, horizon)
        amounts = (worth.programme, worth.induced, worth.savings, worth.net_ratio, worth.gross_ratio)
    except LedgerError:
        amounts = (np.nan,) * 5
    chance = uncertain.total(Perspective.INSURER, horizon, np.ones(scenario.n_years)).probability_positive()
    years = np.nan if back.years is None else back.years
    part = "observed" if horizon is Horizon.OBSERVED else "both"
    span = (str(scenario.years[0]), str(scenario.years[last - 1]))
    return (name, part, *span, *amounts, years, reading(back), 100 * chance)


def budget(uncertain: Uncertain, beside: Beside, seed: int, level: float) -> pd.DataFrame:
    """Return the insurer's undiscounted budget by year with its interval; a cost is positive (ISPOR).

    Years of a declared extrapolation follow the observed ones, with their scenario's name.
    """
    rows = _budget(uncertain, "observed", level)
    for result in beside.extrapolations:
        made = _budget(Uncertain.of(result, beside.spread, seed), result.scenario.name, level)
        rows += made[result.scenario.observed_years :]
    return page_frame("budget_impact", rows)


def _budget(uncertain: Uncertain, name: str, level: float) -> list[tuple[Any, ...]]:
    rows = []
    one_year = np.eye(uncertain.result.scenario.n_years)
    for t, row in enumerate(budget_impact(uncertain.result, Party.INSURER).itertuples()):
        low, high = uncertain.total(Perspective.INSURER, Horizon.ALL, one_year[t]).interval(level)
        amounts = (row.programme, row.induced, row.savings, row.net_budget_impact, -high, -low, row.freed_capacity)
        rows.append((name, str(row.year), *amounts))
    return rows


def reading(back: Payback) -> str:
    """Return in one word what a payback says: earned back for good, for a while, not, or nothing to earn back.

    >>> reading(payback(np.array([-1.0, 2.0]))), reading(payback(np.array([-1.0, 2.0, -3.0])))
    ('stays', 'lost_again')
    >>> reading(payback(np.array([-1.0]))), reading(payback(np.array([1.0])))
    ('not_yet', 'never_below')
    """
    if back.years is None:
        return "not_yet"
    if back.years == 0.0:
        return "never_below"
    return "stays" if back.stays else "lost_again"


def funding(beside: Beside, capacity: CapacityChoices | None, seed: int, level: float) -> pd.DataFrame:
    """Return practice income under each form of payment, per patient-year, and what the new money buys."""
    rows = []
    for variant in beside.variants:
        if variant.result is not None and variant.group in ("base", "funding", "funding_own"):
            form = Funding.FEE_S3 if variant.form is None else variant.form
            years = variant.result.patient_years(discounted=True)
            ends = Uncertain.of(variant.result, beside.spread, seed).total(Party.GP_PRACTICE).interval(level)
            income = (*_income(variant.result, capacity), *(end / years for end in ends))
            rows.append((variant.group, variant.name, spec_name(form), *income))
    return page_frame("funding", rows)


def _income(result: NetBenefit, capacity: CapacityChoices | None) -> tuple[float, ...]:
    """New money, change in claims, own outlay and net of practices, net of the insurer; staff and minutes it buys."""
    tidy = result.to_frame()
    mine = tidy[(tidy["party"] == Party.GP_PRACTICE.value) & (tidy["horizon"] == Horizon.OBSERVED.value)]
    years = result.patient_years(discounted=True)
    received = mine[mine["flow"] == "receives"]
    new = received["line"].isin((result.ledger.fee, STOPPED))
    payment = float(received.loc[new, "present_value"].sum()) / years
    claims = float(received.loc[~new, "present_value"].sum()) / years
    outlay = float(mine.loc[mine["flow"] != "receives", "present_value"].sum()) / years
    nets = [result.total(whose).mean / years for whose in (Party.GP_PRACTICE, Perspective.INSURER)]
    bought = (np.nan, np.nan)
    if capacity is not None:
        made = _capacity(payment, capacity)
        bought = (made[1], made[2])
    return (payment, claims, outlay, *nets, *bought)


def _capacity(fee: float, declared: CapacityChoices) -> tuple[float, float, float]:
    made = fee_as_capacity(
        fee, declared.patients_per_fte, declared.cost_per_fte, declared.consults, declared.hours
    )  # fmt: skip
    return made.euros, made.fte, made.minutes_per_consult


def capacity_frame(result: NetBenefit, declared: CapacityChoices | None) -> pd.DataFrame:
    """Return what the fee buys on the list of one full-time practitioner; empty where nothing was declared."""
    if declared is None:
        return page_frame("capacity", [])
    euros, fte, minutes = _capacity(result.paid_tariff(), declared)
    parts = (("euros", euros, "eur_year"), ("fte", fte, "fte"), ("minutes", minutes, "minutes"))
    return page_frame("capacity", [(*part, declared.source) for part in parts])


def spread_frame(uncertain: Uncertain, beside: Beside, seed: int) -> pd.DataFrame:
    """Return every input that the intervals let vary, with its size and who declared it.

    `observed` says that it varies in the observed years; the others move declared extrapolations only.
    """
    lines = {line.id: line for line in uncertain.result.ledger.lines}
    later = [Uncertain.of(result, beside.spread, seed).inputs.varied for result in beside.extrapolations]
    found = {(kind, name) for varied in (uncertain.inputs.varied, *later) for kind in varied for name in varied[kind]}
    rows: list[tuple[Any, ...]] = []
    for kind in KINDS:
        sizes = _sizes(beside.spread, kind)
        for name in (name for name in sizes if (kind, name) in found):
            own = (lines[name].spread or {}).get(kind) if name in lines else None
            origin = "ledger" if own == sizes[name] else "question"
            size = np.nan if kind == "lag" else sizes[name]
            rows.append((kind, name, size, origin, name in uncertain.inputs.varied.get(kind, {})))
    return page_frame("spread", rows)


def _sizes(spread: Spread, kind: str) -> dict[str, Any]:
    """How uncertain each input of a kind is, by its name."""
    if kind == "decay":
        return {} if spread.decay is None else {"all_effects": spread.decay[1]}
    return {"patients": spread.uptake} if kind == "uptake" else dict(getattr(spread, kind))
