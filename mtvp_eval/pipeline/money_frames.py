"""From a net benefit and what stands beside it to the frames a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.clock import quarter_label
from mtvp_eval.costbenefit.budget_impact import PLAUSIBLE_SAVING
from mtvp_eval.costbenefit.contract import minimum_rate_for, under_noise
from mtvp_eval.costbenefit.net_benefit import NetBenefit, critical_value, total_of
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.sensitivity import Input, effect_ranges, input_ranges, tornado
from mtvp_eval.costbenefit.stakeholders import stranded_cost, who_pays_who_gains
from mtvp_eval.costbenefit.voi import evppi_linear, evsi_linear, noise_floor, unit_loss
from mtvp_eval.pipeline.evaluate import Evaluation
from mtvp_eval.pipeline.money_beside import Beside, Variant
from mtvp_eval.report.inputs import PAGE_FRAMES, InsurerPage, MoneyInputs, Priced

if TYPE_CHECKING:
    import pandas as pd

_SHARES = ("uptake", "persistence", "cashable", "avoidable", "backfill")
_WIDEST = 8
_POWER = 0.80
_FALSE_PAYMENT = (0.10, 0.05)
_AGREED_RATES = (0.01, 0.02)
"""Minimum savings rates as they stand in contracts, beside those that follow from the programme's own error."""


def money_inputs(evaluation: Evaluation) -> MoneyInputs | None:
    """Return everything a report shows of money, or None where no net benefit was computed."""
    import pandas as pd

    result, beside = evaluation.money.net_benefit, evaluation.money.beside
    if result is None or beside is None:
        return None
    level = evaluation.config.estimation.level
    tidy = result.to_frame()
    payer = {line.id: line.payer.value for line in result.ledger.lines}
    receiver = {line.id: line.receiver.value for line in result.ledger.lines}
    lines = tidy[tidy["flow"] == "pays"]
    lines = lines.assign(payer=lines["line"].map(payer), receiver=lines["line"].map(receiver))
    parties = who_pays_who_gains(result).rename(columns={"probability_gain": "probability_positive"})
    even = result.break_even_tariff()
    low, high = even.interval(level)
    periods = sorted({t for cells in evaluation.effects.money_cells for _, t in cells})
    effects, page = result.effects, insurer_page(evaluation, result, beside)
    return MoneyInputs(
        perspectives=_perspectives(result, level),
        lines=lines,
        party_years=tidy.groupby(["party", "year"], as_index=False, sort=False)["amount"].sum(),
        parties=parties,
        break_even=pd.DataFrame(
            [
                {
                    "year": str(result.scenario.price_year),
                    "break_even": even.mean,
                    "ci_low": low,
                    "ci_high": high,
                    "paid": result.paid_tariff(),
                }
            ]
        ),
        assumptions=_assumptions(result),
        patient_years=result.patient_years(),
        first_period=quarter_label(periods[0]),
        last_period=quarter_label(periods[-1]),
        price_year=result.scenario.price_year,
        discounting=result.scenario.discount.name,
        priced=Priced(
            tuple(f"{key.outcome} {key.year}" for key in effects.key),
            effects.mean,
            effects.covariance,
            result.total(Perspective.INSURER).df,
        ),
        not_computed=tuple(
            name for name in ("placebo_year", "extrapolations", "capacity") if getattr(page, name).empty
        ),
        page=page,
        result=result,
    )


def insurer_page(evaluation: Evaluation, result: NetBenefit, beside: Beside) -> InsurerPage:
    """Return what the insurer's page shows beside the net benefit."""
    estimation = evaluation.config.estimation
    total, window = result.total(Perspective.INSURER), beside.placebo_window
    reach = critical_value(total.df, estimation.level) + critical_value(total.df, 2 * _POWER - 1)
    first, last = (quarter_label(t) for t in window)
    return InsurerPage(
        stranded=_stranded(result),
        tornado=_tornado(result, beside, estimation.level),
        contract=_contract(beside),
        measure_next=_measure_next(result, np.random.default_rng(estimation.seed)),
        saving=_saving(beside, estimation.level),
        placebo_year=_frame("placebo_year", [])
        if beside.placebo is None
        else _perspectives(beside.placebo, estimation.level),
        scenarios=_frame("scenarios", [_variant(v, result, estimation.level) for v in beside.variants]),
        extrapolations=_extrapolations(beside.extrapolations, estimation.level),
        capacity=_capacity(evaluation, beside),
        freed=_freed(result),
        guards=len(result.ledger.lines),
        detectable=reach * total.sd / result.patient_years(discounted=True),
        not_supplied=evaluation.money.not_supplied,
        placebo_period="" if beside.placebo is None else f"{first}-{last}",
    )


def _freed(result: NetBenefit) -> float:
    """Fall in care, less its rise, at the insurer's price that is no cash for it, in the observed years."""
    tidy = result.to_frame()
    mine = (tidy["party"] == Party.INSURER.value) & (tidy["horizon"] == Horizon.OBSERVED.value)
    return -float(tidy.loc[mine, "not_cash"].sum())


def _frame(name: str, rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([list(row) for row in rows], columns=list(PAGE_FRAMES[name]))


def _perspectives(result: NetBenefit, level: float) -> pd.DataFrame:
    summary = result.summary(level)
    summary = summary[summary["horizon"] == Horizon.OBSERVED.value]
    return summary.rename(columns={"net_benefit": "total", "low": "ci_low", "high": "ci_high"})


def _stranded(result: NetBenefit) -> pd.DataFrame:
    found = stranded_cost(result, Party.HOSPITAL)
    columns = (found.full_value, found.revenue_loss, found.cost_avoided, found.stranded, found.not_yet_cash)
    rows = zip(result.scenario.years.tolist(), *columns, strict=True)
    return _frame("stranded", [(str(year), *(float(v) for v in values)) for year, *values in rows])


def _tornado(result: NetBenefit, beside: Beside, level: float) -> pd.DataFrame:
    """The widest ranges; what cannot move the insurer's result is left out."""
    ranges = [*effect_ranges(result, level), *input_ranges(result, beside.spread, beside.rates, level)]
    frame = tornado(result, ranges)
    frame["origin"] = frame["origin"].where(frame["input"] != Input.EFFECT.value, "interval")
    return frame[frame["width"] > 0.0].head(_WIDEST).reset_index(drop=True)


def _contract(beside: Beside) -> pd.DataFrame:
    """Chance of paying for nothing, and of not paying for a saving as large as the best Dutch estimate."""
    sd = beside.saving.sd
    rows: list[tuple[Any, ...]] = []
    if sd <= 0.0:
        return _frame("contract", rows)
    rates = [(f"own_{100 * false:g}", minimum_rate_for(sd, false)) for false in _FALSE_PAYMENT]
    for rule, rate in [*rates, *((f"agreed_{100 * rate:g}", rate) for rate in _AGREED_RATES)]:
        paid = under_noise(0.0, sd, 1.0, rate).probability
        rows.append(
            (rule, 100 * rate, 100 * paid, 100 * (1.0 - under_noise(PLAUSIBLE_SAVING, sd, 1.0, rate).probability))
        )
    return _frame("contract", rows)


def _measure_next(result: NetBenefit, rng: np.random.Generator) -> pd.DataFrame:
    """Value of knowing everything, each effect, and of as much data again; below the floor it is noise."""
    total = result.total(Perspective.INSURER)
    gradient, covariance = total.coefficient[:-1], result.effects.covariance
    own = evppi_linear(total.mean, gradient, covariance)
    again = evsi_linear(total.mean, gradient, covariance, covariance)
    rows: list[tuple[Any, ...]] = [
        ("all", "everything", float(unit_loss(total.mean, total.sd)), np.nan),
        ("data", "as_much_again", again, np.nan),
    ]
    for key, value, sd in zip(result.effects.key, own.evppi, own.sd, strict=True):
        floor = noise_floor(total.mean, total.sd, float(sd), rng)
        rows.append(("effect", f"{key.outcome} {key.year}", float(value), floor))
    head, tail = rows[:2], sorted(rows[2:], key=lambda row: -row[2])
    return _frame("measure_next", [*head, *tail])


def _saving(beside: Beside, level: float) -> pd.DataFrame:
    low, high = beside.saving.interval(level)
    base = beside.baseline
    row = (
        100 * beside.saving.mean,
        100 * low,
        100 * high,
        100 * PLAUSIBLE_SAVING,
        base.value,
        base.evidence,
        base.source,
    )
    return _frame("saving", [row])


def _variant(variant: Variant, base: NetBenefit, level: float) -> tuple[Any, ...]:
    if variant.result is None:
        return (variant.group, variant.name, *[np.nan] * 6, variant.note)
    years = variant.result.patient_years(discounted=True)
    insurer = variant.result.total(Perspective.INSURER)
    low, high = insurer.interval(level)
    others = [variant.result.total(whose).mean / years for whose in (Party.GP_PRACTICE, Perspective.SOCIETY)]
    before = base.total(Perspective.INSURER).mean / base.patient_years(discounted=True)
    amounts = (insurer.mean / years, low / years, high / years, *others, insurer.mean / years - before)
    return (variant.group, variant.name, *amounts, "")


def _extrapolations(results: Sequence[NetBenefit], level: float) -> pd.DataFrame:
    """Observed years, years after them, and both; the first alone is the headline."""
    rows = []
    for result in results:
        years, observed = result.scenario.years, result.scenario.observed_years
        seen = {whose: result.total(whose) for whose in (Perspective.INSURER, Perspective.SOCIETY)}
        both = {whose: result.total(whose, Horizon.ALL) for whose in seen}
        later = {w: total_of(both[w].coefficient - seen[w].coefficient, result.effects) for w in seen}
        spans = ((years[0], years[observed - 1]), (years[observed], years[-1]), (years[0], years[-1]))
        for part, totals, span in zip(("observed", "extrapolated", "both"), (seen, later, both), spans, strict=True):
            low, high = totals[Perspective.INSURER].interval(level)
            amounts = (totals[Perspective.INSURER].mean, low, high, totals[Perspective.SOCIETY].mean)
            rows.append((result.scenario.name, part, str(span[0]), str(span[1]), *amounts))
    return _frame("extrapolations", rows)


def _capacity(evaluation: Evaluation, beside: Beside) -> pd.DataFrame:
    made = beside.capacity
    declared = evaluation.config.money.capacity if evaluation.config.money else None
    if made is None or declared is None:
        return _frame("capacity", [])
    parts = (
        ("euros", made.euros, "eur_year"),
        ("fte", made.fte, "fte"),
        ("minutes", made.minutes_per_consult, "minutes"),
    )
    return _frame("capacity", [(*part, declared.source) for part in parts])


def _assumptions(result: NetBenefit) -> pd.DataFrame:
    """Amounts and shares nobody measured, one row each: ``inputs.<item>.<year>`` or ``line <id>.<share>``."""
    import pandas as pd

    supplied = result.scenario.supplied
    rows: list[tuple[Any, ...]] = []
    for row in supplied:
        years = f".{row.valid_from.year}" if row.valid_to and row.valid_from.year == row.valid_to.year else ""
        rows.append((f"inputs.{row.item}{years}", row.value, row.unit, row.evidence.value, row.source))
    for a in (a for a in result.assumptions if not a.where.startswith("inputs.")):
        share, _, value = a.what.partition(" ")
        if share in _SHARES:
            rows.append((f"{a.where}.{share}", _share(value), "", "assumed", a.source))
        elif a.where.removeprefix("line ") not in {row.item for row in supplied}:
            rows.append((a.where, a.what, "", "assumed", a.source))
    return pd.DataFrame(rows, columns=["item", "value", "unit", "evidence", "source"])


def _share(path: str) -> float | str:
    """One number where a share is the same in every year, else the years' numbers."""
    values = path.split(", ")
    return float(values[0]) if len(set(values)) == 1 else path
