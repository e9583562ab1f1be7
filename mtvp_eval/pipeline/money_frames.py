"""From a net benefit and what stands beside it to the frames a report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.clock import quarter_label
from mtvp_eval.costbenefit.build import declared_shares
from mtvp_eval.costbenefit.joint_interval import Uncertain
from mtvp_eval.costbenefit.ledger import LedgerLine, PriceByYear, items_of
from mtvp_eval.costbenefit.net_benefit import NetBenefit, critical_value
from mtvp_eval.costbenefit.parties import Evidence, Horizon, Party, Perspective
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.costbenefit.sensitivity import Input, effect_ranges, input_ranges, tornado
from mtvp_eval.costbenefit.spread import Dependence, Spread
from mtvp_eval.costbenefit.stakeholders import stranded_cost
from mtvp_eval.pipeline.evaluate import Evaluation
from mtvp_eval.pipeline.money_beside import Beside
from mtvp_eval.pipeline.money_decision import (
    break_even_effects,
    contract,
    measure_next,
    observed_quarters,
    saving,
)
from mtvp_eval.pipeline.money_parties import budget, capacity_frame, funding, parties, returns, spread_frame
from mtvp_eval.pipeline.money_plane import acceptability, against, plane
from mtvp_eval.pipeline.pricing import Variant
from mtvp_eval.report.inputs import MONEY_FRAMES, InsurerPage, MoneyInputs, Priced, page_frame

if TYPE_CHECKING:
    import pandas as pd

_WIDEST = 8
_POWER = 0.80


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
    uncertain = Uncertain.of(result, beside.spread, evaluation.config.estimation.seed)
    even = result.break_even_tariff()
    low, high = uncertain.break_even_tariff().interval(level)
    low_effects, high_effects = even.interval(level)
    periods = sorted({t for cells in evaluation.effects.money_cells for _, t in cells})
    effects, page = result.effects, insurer_page(evaluation, uncertain, beside)
    return MoneyInputs(
        perspectives=_perspectives(uncertain, level),
        lines=lines,
        party_years=tidy.groupby(["party", "year"], as_index=False, sort=False)["amount"].sum(),
        parties=parties(uncertain, level),
        break_even=pd.DataFrame(
            [
                {
                    "year": str(result.scenario.price_year),
                    "break_even": even.mean,
                    "ci_low": low,
                    "ci_high": high,
                    "low_effects": low_effects,
                    "high_effects": high_effects,
                    "paid": result.paid_tariff(),
                }
            ]
        ),
        assumptions=_assumptions(uncertain, beside),
        patient_years=result.patient_years(),
        first_period=quarter_label(periods[0]),
        last_period=quarter_label(periods[-1]),
        price_year=result.scenario.price_year,
        discounting=result.scenario.discount.name,
        drawn_apart=beside.spread.dependence is Dependence.INDEPENDENT,
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


def insurer_page(evaluation: Evaluation, uncertain: Uncertain, beside: Beside) -> InsurerPage:
    """Return what the insurer's page shows beside the net benefit."""
    estimation, result = evaluation.config.estimation, uncertain.result
    level, spread, seed = estimation.level, beside.spread, estimation.seed
    capacity = evaluation.config.money.capacity if evaluation.config.money else None
    total, window = result.total(Perspective.INSURER), beside.placebo_window
    reach = critical_value(total.df, level) + critical_value(total.df, 2 * _POWER - 1)
    first, last = (quarter_label(t) for t in window)
    asked = evaluation.config.money.effectiveness if evaluation.config.money else None
    beside_effect = None if asked is None else against(evaluation, uncertain, asked)
    return InsurerPage(
        stranded=_stranded(result),
        tornado=_tornado(result, beside, level),
        contract=contract(uncertain, beside.baseline_value),
        measure_next=measure_next(
            uncertain, spread.dependence, observed_quarters(evaluation), np.random.default_rng(seed)
        ),
        break_even_effects=break_even_effects(result, level),
        saving=saving(uncertain, beside, level),
        placebo_year=page_frame("placebo_year", [])
        if beside.placebo is None
        else _perspectives(Uncertain.of(beside.placebo, spread, seed), level),
        scenarios=page_frame("scenarios", [_variant(v, result, spread, seed, level) for v in beside.variants]),
        extrapolations=_extrapolations(beside, seed, level),
        capacity=capacity_frame(result, capacity),
        returns=returns(uncertain, beside, seed),
        budget_impact=budget(uncertain, beside, seed, level),
        funding=funding(beside, capacity, seed, level),
        spread=spread_frame(uncertain, beside, seed),
        plane=plane(beside_effect, level),
        acceptability=acceptability(beside_effect, level),
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


def _perspectives(uncertain: Uncertain, level: float) -> pd.DataFrame:
    """Net benefit by perspective: the interval of everything uncertain, and beside it that of the effects alone."""
    import pandas as pd

    result, rows = uncertain.result, []
    years = result.patient_years(discounted=True)
    for whose in Perspective:
        total, joint = result.total(whose), uncertain.total(whose)
        (low, high), (low_effects, high_effects) = joint.interval(level), total.interval(level)
        rows.append(
            {
                "perspective": whose.value,
                "total": total.mean,
                "ci_low": low,
                "ci_high": high,
                "per_patient_year": total.mean / years,
                "low_per_patient_year": low / years,
                "high_per_patient_year": high / years,
                "low_effects": low_effects / years,
                "high_effects": high_effects / years,
                "probability_positive": joint.probability_positive(),
            }
        )
    return pd.DataFrame(rows)


def _stranded(result: NetBenefit) -> pd.DataFrame:
    found = stranded_cost(result, Party.HOSPITAL)
    columns = (found.full_value, found.revenue_loss, found.cost_avoided, found.stranded, found.not_yet_cash)
    rows = zip(result.scenario.years.tolist(), *columns, strict=True)
    return page_frame("stranded", [(str(year), *(float(v) for v in values)) for year, *values in rows])


def _tornado(result: NetBenefit, beside: Beside, level: float) -> pd.DataFrame:
    """The widest ranges; what cannot move the insurer's result is left out."""
    ranges = [*effect_ranges(result, level), *input_ranges(result, beside.spread, beside.rates, level)]
    frame = tornado(result, ranges)
    frame["origin"] = frame["origin"].where(frame["input"] != Input.EFFECT.value, "interval")
    return frame[frame["width"] > 0.0].head(_WIDEST).reset_index(drop=True)


def _variant(variant: Variant, base: NetBenefit, spread: Spread, seed: int, level: float) -> tuple[Any, ...]:
    if variant.result is None:
        return (variant.group, variant.name, *[np.nan] * 6, variant.note)
    years = variant.result.patient_years(discounted=True)
    insurer = variant.result.total(Perspective.INSURER)
    low, high = Uncertain.of(variant.result, spread, seed).total(Perspective.INSURER).interval(level)
    others = [variant.result.total(whose).mean / years for whose in (Party.GP_PRACTICE, Perspective.SOCIETY)]
    before = base.total(Perspective.INSURER).mean / base.patient_years(discounted=True)
    amounts = (insurer.mean / years, low / years, high / years, *others, insurer.mean / years - before)
    return (variant.group, variant.name, *amounts, "")


def _extrapolations(beside: Beside, seed: int, level: float) -> pd.DataFrame:
    """Observed years, years after them, and both; the first alone is the headline."""
    rows = []
    for result in beside.extrapolations:
        uncertain = Uncertain.of(result, beside.spread, seed)
        years, observed = result.scenario.years, result.scenario.observed_years
        spans = ((years[0], years[observed - 1]), (years[observed], years[-1]), (years[0], years[-1]))
        every, later = result.scenario.factors(), result.scenario.factors() * (1.0 - result.scenario.observed)
        masks = ((Horizon.OBSERVED, every), (Horizon.ALL, later), (Horizon.ALL, every))
        for part, (horizon, weights), span in zip(("observed", "extrapolated", "both"), masks, spans, strict=True):
            insurer, society = (
                result.total(w, horizon, weights).mean for w in (Perspective.INSURER, Perspective.SOCIETY)
            )
            low, high = uncertain.total(Perspective.INSURER, horizon, weights).interval(level)
            rows.append((result.scenario.name, part, str(span[0]), str(span[1]), insurer, low, high, society))
    return page_frame("extrapolations", rows)


def _assumptions(uncertain: Uncertain, beside: Beside) -> pd.DataFrame:
    """Amounts and shares used, by ``inputs.<item>.<year>``, ``line <id>.<what>`` or ``persistence.<extrapolation>``.

    Shares of the ledger count in the observed years; how long an effect lasts counts in an extrapolation only.
    """
    import pandas as pd

    result, varied = uncertain.result, uncertain.inputs.varied
    supplied, observed = result.scenario.supplied, result.scenario.supplied_observed()
    rows: list[tuple[Any, ...]] = []
    for row in supplied:
        years = f".{row.valid_from.year}" if row.valid_to and row.valid_from.year == row.valid_to.year else ""
        drawn = any(_priced_by(line, row.item) and line.id in varied["price"] for line in result.ledger.lines)
        rows.append(
            (f"inputs.{row.item}{years}", row.value, row.unit, row.evidence.value, row.source, drawn, row in observed)
        )
    shares = declared_shares(result.ledger, result.effects, result.scenario)
    for share in shares:
        drawn = share.line in varied.get(share.name, {})
        item = f"line {share.line}.{share.name}"
        rows.append((item, _share(share.path), "", share.evidence.value, share.source, drawn, True))
    for line in result.ledger.lines:
        for name, price in line.stated_prices().items():
            if price.evidence is Evidence.ASSUMED:
                used, drawn = _in_observed(line, name, result.scenario), line.id in varied["price"]
                item, unit = f"line {line.id}.{name}", f"EUR per {line.unit}"
                rows.append((item, price.value, unit, "assumed", price.source, drawn, used))
    known = (result.scenario.price_year, int(result.scenario.years[result.scenario.observed_years - 1]))
    for year, level in result.scenario.levels.items():
        rows.append(
            (f"inputs.cpi.{year}", level, "2022 = 100", "assumed", "evaluation.yaml", False, year <= max(known))
        )
    named = {_about(str(row[0])) for row in rows}  # what stands here with a number of its own is not repeated in words
    for a in result.assumptions:
        if _about(a.where) not in named:
            rows.append((a.where, a.what, "", "assumed", a.source, _about(a.where) in varied["price"], True))
    rows += _lasting(beside)
    return pd.DataFrame(rows, columns=list(MONEY_FRAMES["assumptions"]))


def _lasting(beside: Beside) -> list[tuple[Any, ...]]:
    """How long effects last in each extrapolation: those of all lines, and those of a line with a path of its own."""
    rows: list[tuple[Any, ...]] = []
    for made in beside.extrapolations:
        scenario, drawn = made.scenario, beside.spread.decay is not None
        later = scenario.observed == 0.0
        paths = {f"persistence.{scenario.name}": scenario.persistence}
        for share in declared_shares(made.ledger, made.effects, scenario):
            if share.name == "persistence":
                paths[f"line {share.line}.persistence.{scenario.name}"] = share.path
        for item, path in paths.items():
            mine = drawn and item.startswith("persistence")
            rows.append((item, _share(path[later]), "", "assumed", "cost_benefit: extrapolations", mine, False))
    return rows


def _in_observed(line: LedgerLine, name: str, scenario: Scenario) -> bool:
    """Whether a stated amount of a line holds in an observed year."""
    whose, _, first = name.partition(".")
    source = getattr(line, whose)
    if not isinstance(source, PriceByYear):
        return True
    years = scenario.years[scenario.observed > 0.0].tolist()
    return dict(source.steps)[int(first)] in [source.since(year) for year in years]


def _about(item: str) -> str:
    """The line, item or key that a row is about."""
    return item.removeprefix("line ").removeprefix("inputs.").partition(".")[0]


def _priced_by(line: LedgerLine, item: str) -> bool:
    """Whether an item of the price table sets the payer's price of a line."""
    return item in items_of(line.price_payer)


def _share(path: FloatArray) -> float | str:
    """One number where a share is the same in every year, else the years' numbers."""
    return float(path[0]) if (path == path[0]).all() else ", ".join(f"{share:.2f}" for share in path)
