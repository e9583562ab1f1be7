"""Sentences on what stands beside the net benefit; a rise in cost is said as plainly as a saving."""

from __future__ import annotations

from mtvp_eval.report.inputs import InsurerPage, MoneyInputs, ReportInputs
from mtvp_eval.report.labels import euro, joined, number, term
from mtvp_eval.report.sentences import not_computed, say
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.tables.insurer_page import measure_next as measure_table
from mtvp_eval.report.tables.layout import percent
from mtvp_eval.report.tables.money import assumption


def hospital(inputs: ReportInputs, language: str) -> list[str]:
    """Say what hospitals lose in income, save in cost, and cannot save; or what a rise brings and costs them."""
    page = _page(inputs)
    if page is None or page.stranded.empty:
        return []
    total = page.stranded.drop(columns="year").sum()
    falls = total["full_value"] >= 0
    amounts = {name: euro(abs(float(total[name])), language) for name in ("full_value", "revenue_loss", "cost_avoided")}
    left = "stays" if total["stranded"] > 0 else "gained" if total["stranded"] < 0 else "even"
    rest = say(f"hospital_{left}", language, amount=euro(abs(float(total["stranded"])), language))
    said = say("hospital_fall" if falls else "hospital_rise", language, rest=rest, **amounts)
    money = inputs.money
    mine = None if money is None else money.parties[money.parties["party"] == "hospital"]
    if mine is None or mine.empty or mine["low"].iloc[0] == mine["high"].iloc[0]:
        return [said]
    words = {name: euro(float(mine[name].iloc[0]), language) for name in ("low", "high")}
    return [f"{said} {say('hospital_interval', language, level=percent(inputs.level), **words)}"]


def contract(inputs: ReportInputs, language: str) -> list[str]:
    """Say which minimum savings rate the programme's own uncertainty asks for, and what it misses."""
    page = _page(inputs)
    if page is None or page.contract.empty:
        return []
    own = page.contract.iloc[0]
    agreed = page.contract.iloc[-1]
    words = {"benchmark": number(float(page.saving["benchmark"].iloc[0]), language)}
    for name, row in (("own", own), ("agreed", agreed)):
        words[f"{name}_rate"] = number(float(row["minimum_rate"]), language, 1)
        words[f"{name}_paid"] = number(float(row["paid_without_effect"]), language)
        words[f"{name}_missed"] = number(float(row["unpaid_with_effect"]), language)
    return [say("contract", language, **words)]


def measure_next(inputs: ReportInputs, language: str) -> list[str]:
    """Say which effect is most worth measuring better, or that none can be told from noise."""
    page = _page(inputs)
    if page is None or page.measure_next.empty:
        return []
    made = measure_table(inputs, language).frame
    values = made.set_index("name")["value"]
    amounts = {
        word: euro(float(values[name]), language)
        for word, name in (("everything", "everything"), ("year", "one_more_year"), ("region", "one_more_region"))
    }
    single = made[~made["kind"].isin(("all", "data")) & (made["reading"] == "")]
    if single.empty:
        return [say("measure_none", language, **amounts)]
    best = single.iloc[0]
    words = {"name": str(best["name_text"]), "value": euro(float(best["value"]), language)}
    return [say("measure", language, **amounts, **words)]


def saving(inputs: ReportInputs, language: str) -> list[str]:
    """Compare the net cash saving with the best Dutch estimate; a saving above it is flagged."""
    page = _page(inputs)
    if page is None or page.saving.empty:
        return []
    row = page.saving.iloc[0]
    share, benchmark = float(row["saving"]), number(float(row["benchmark"]), language)
    words = {
        "share": number(abs(share), language, 1),
        "low": number(float(row["ci_low"]), language, 1),
        "high": number(float(row["ci_high"]), language, 1),
        "level": percent(inputs.level),
        "baseline": euro(float(row["baseline"]), language),
        "benchmark": benchmark,
    }
    said = say("saving_fall" if share >= 0 else "saving_rise", language, **words)
    if share > float(row["benchmark"]):
        said = f"{said} {say('saving_warning', language, benchmark=benchmark)}"
    return [said]


def placebo_year(inputs: ReportInputs, language: str) -> list[str]:
    """Say what the same sum gives before the programme, what trends before the start say, what could be detected."""
    page, money = _page(inputs), inputs.money
    if page is None or money is None:
        return []
    said = []
    insurer = page.placebo_year[page.placebo_year["perspective"] == "insurer"]
    for row in insurer.itertuples():
        words = {
            "period": page.placebo_period,
            "amount": euro(abs(row.per_patient_year), language, 2),
            "level": percent(inputs.level),
            "low": number(row.low_per_patient_year, language, 2),
            "high": number(row.high_per_patient_year, language, 2),
        }
        said.append(say("placebo_year_gain" if row.per_patient_year >= 0 else "placebo_year_loss", language, **words))
    said += _leads(inputs, language)
    return [*said, say("detectable", language, amount=euro(page.detectable, language, 2))]


def grey(inputs: ReportInputs, language: str) -> list[str]:
    """Return the grey list: assumed, not cash, extrapolated, guarded, left out, not computed."""
    page, money = _page(inputs), inputs.money
    if page is None or money is None:
        return []
    freed = say("freed" if page.freed >= 0 else "unpaid", language, amount=euro(abs(page.freed), language))
    said = [*_assumed(money, language), freed]
    for name, rows in page.extrapolations.groupby("scenario", sort=False):
        amount = rows.set_index("part")["insurer"]
        share = abs(amount["extrapolated"]) / (abs(amount["observed"]) + abs(amount["extrapolated"]) or 1.0)
        shown = euro(float(amount["both"]), language, signed=True)
        said.append(say("extrapolated", language, name=name, amount=shown, share=number(100 * share, language)))
    said.append(say("guards", language, n=page.guards))
    if page.not_supplied:
        lines = joined([term("line", line, language) for line in page.not_supplied], language)
        said.append(say("lines_missing", language, lines=lines))
    lacking = not_computed(inputs, language)
    return [*said, say("not_computed", language, parts=joined(lacking, language))] if lacking else said


def _assumed(money: MoneyInputs, language: str) -> list[str]:
    """Name every assumed amount and share with its size."""
    frame = money.assumptions[(money.assumptions["evidence"] == "assumed") & money.assumptions["observed"].astype(bool)]
    items = [
        " ".join(
            part
            for part in (
                assumption(str(row.item), language, money),
                number(float(row.value), language, 2) if isinstance(row.value, int | float) else str(row.value),
                term("unit", str(row.unit), language),
            )
            if part
        )
        for row in frame.itertuples()
    ]
    return [say("assumed", language, items=joined(items, language))] if items else []


def _page(inputs: ReportInputs) -> InsurerPage | None:
    return None if inputs.money is None else inputs.money.page


def _leads(inputs: ReportInputs, language: str) -> list[str]:
    """How many bands before the start of the priced outcomes exclude zero."""
    money = inputs.money
    names = money.result.effects.outcomes() if money is not None and money.result is not None else ()
    rows = shown_effects(inputs)
    rows = rows[(rows["estimand"].isin(("event_study", "placebo"))) & (rows["event_time"] < 0)]
    rows = rows[rows["outcome"].isin(names) & (rows["weighting"] == inputs.headline_weighting)]
    leads = rows[rows["band_low"].notna()]
    if leads.empty:
        return []
    excluding = int(((leads["band_low"] > 0) | (leads["band_high"] < 0)).sum())
    return [say("placebo_cost", language, excluding=excluding, n=len(leads))]
