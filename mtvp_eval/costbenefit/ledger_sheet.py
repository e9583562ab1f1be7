"""The ledger as a worksheet with live formulas: change a tariff, an uptake or a cash share and see the net benefit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.effects import QuantityBasis
from mtvp_eval.costbenefit.ledger import LedgerLine, Quantity, ShareOfPayerPrice
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Party

_COLUMNS = (
    "line", "payer", "receiver", "sector", "evidence", "year", "horizon", "quantity", "patient_years", "uptake",
    "price_payer", "price_resource", "persistence", "cash_share", "avoidable_share", "paid_part", "unfilled_part",
    "discount_factor", "cash", "resource", "cash_present_value", "resource_present_value",
)  # fmt: skip
_CHANGED = ("price_payer", "cash_share", "uptake", "avoidable_share")
"""What an analyst can change of each line in one cell."""
_LETTER = dict(zip(_COLUMNS, "ABCDEFGHIJKLMNOPQRSTUV", strict=True))


@dataclass(frozen=True, slots=True)
class SheetCells:
    """Addresses of what an analyst reads and changes, by name."""

    net: dict[str, str]
    society: str
    break_even_tariff: str
    paid_tariff: str
    price: dict[str, str]
    cash_share: dict[str, str]
    uptake: dict[str, str]
    avoidable_share: dict[str, str]
    patient_years: dict[int, str]
    effect: dict[str, str]


def write_ledger_sheet(sheet: Any, result: NetBenefit) -> SheetCells:
    """Write the ledger with live formulas to an openpyxl worksheet.

    Top: present value of every party on the observed horizon, society, break-even and paid tariff. Then what can be
    changed: patient-years by year, effects, and by line price, cash share, uptake and avoidable share. Below: one row
    for each line and year. Every number above follows from the cells below by formulas. Prices are in euros of the
    scenario's price year.
    """
    parties = [p for p in Party if any(p in (line.payer, line.receiver) for line in result.ledger.lines)]
    lines, n_years = result.ledger.lines, result.scenario.n_years
    top_years = len(parties) + 6
    top_effects = top_years + n_years + 2
    top_lines = top_effects + result.effects.n + 2
    top_rows = top_lines + len(lines) + 2
    last = top_rows + len(lines) * n_years
    year_cell = _year_block(sheet, result, top_years)
    effect_cell = _effect_block(sheet, result, top_effects)
    changed = _line_block(sheet, result, top_lines)
    for column, name in enumerate(_COLUMNS, start=1):
        sheet.cell(top_rows, column, name)
    row = top_rows
    for i in range(len(lines)):
        for t in range(n_years):
            row += 1
            cells = _row(result, i, t, row, year_cell, effect_cell, changed)
            for column, value in enumerate(cells, start=1):
                sheet.cell(row, column, value)
    net, society = _totals(sheet, parties, top_rows + 1, last)
    fee_rows = [
        top_rows + 1 + [line.id for line in lines].index(result.ledger.fee) * n_years + t for t in range(n_years)
    ]
    years = range(top_years + 1, top_years + 1 + n_years)
    volume = "+".join(f"B{r}*C{r}*D{r}" for r in years)
    fee = "+".join(f"U{r}*D{y}" for r, y in zip(fee_rows, years, strict=True))
    position = len(parties) + 3
    sheet.cell(position, 1, "paid tariff per patient-year")
    sheet.cell(position, 2, f"=({fee})/({volume})")
    sheet.cell(position + 1, 1, "break-even tariff per patient-year")
    sheet.cell(position + 1, 2, f"=B{position}+{net[Party.INSURER.value]}/({volume})")
    volumes = {int(y): f"B{year_cell[t]}" for t, y in enumerate(result.scenario.years)}
    blocks = (top_years, top_effects, top_lines, top_rows)
    _style(
        sheet,
        blocks,
        (*effect_cell.values(), *volumes.values(), *(c for cells in changed.values() for c in cells.values())),
    )
    return SheetCells(
        net, society, f"B{position + 1}", f"B{position}", changed["price_payer"], changed["cash_share"],
        changed["uptake"], changed["avoidable_share"], volumes, effect_cell,
    )  # fmt: skip


def _style(sheet: Any, headings: tuple[int, ...], changeable: tuple[str, ...]) -> None:
    """Bold headings, numbers as amounts or shares, and a colour on the cells that are meant to be changed."""
    from openpyxl.styles import Font, PatternFill

    for row in sheet.iter_rows():
        for cell in row:
            large = (cell.row > headings[-1] and cell.column_letter in "STUV") or cell.row < headings[0] - 3
            cell.number_format = "#,##0" if large else "General" if cell.column == 1 else "#,##0.00##"
            if cell.row in headings:
                cell.font = Font(bold=True)
    for row in range(headings[-1] + 1, sheet.max_row + 1):
        sheet[f"F{row}"].number_format = "0"
    for address in changeable:
        sheet[address].fill = PatternFill("solid", fgColor="FFF2CC")
    for letter, width in {"A": 34, **dict.fromkeys("BCDEFGHIJKLMNOPQRSTUV", 17)}.items():
        sheet.column_dimensions[letter].width = width


def _totals(sheet: Any, parties: list[Party], first: int, last: int) -> tuple[dict[str, str], str]:
    """Present values of the observed horizon by party, and for society."""

    def column(name: str) -> str:
        return f"${_LETTER[name]}${first}:${_LETTER[name]}${last}"

    def observed(amount: str, side: str, row: int) -> str:
        return f'SUMIFS({column(amount)},{column(side)},$A{row},{column("horizon")},"observed")'

    sheet.cell(1, 1, "present value, observed years (euro)")
    sheet.cell(1, 2, "follows from the coloured cells: change them")
    net = {}
    for row, party in enumerate(parties, start=2):
        sheet.cell(row, 1, party.value)
        received = observed("cash_present_value", "receiver", row)
        used, paid = observed("resource_present_value", "receiver", row), observed("cash_present_value", "payer", row)
        sheet.cell(row, 2, f"={received}-{used}-{paid}")
        net[party.value] = f"B{row}"
    row = len(parties) + 2
    sheet.cell(row, 1, "society")
    sheet.cell(row, 2, f'=0-SUMIFS({column("resource_present_value")},{column("horizon")},"observed")')
    return net, f"B{row}"


def _year_block(sheet: Any, result: NetBenefit, top: int) -> list[int]:
    """Years with patient-years, discount factor and whether they are observed; returns their rows."""
    for column, name in enumerate(("year", "patient_years", "discount_factor", "observed"), start=1):
        sheet.cell(top, column, name)
    scenario, factors = result.scenario, result.scenario.factors()
    for t, year in enumerate(scenario.years):
        cells = (int(year), float(scenario.patient_years[t]), float(factors[t]), int(scenario.observed[t]))
        for column, value in enumerate(cells, start=1):
            sheet.cell(top + 1 + t, column, value)
    return [top + 1 + t for t in range(scenario.n_years)]


def _effect_block(sheet: Any, result: NetBenefit, top: int) -> dict[str, str]:
    for column, name in enumerate(("effect", "estimate", "std_error", "unit", "basis"), start=1):
        sheet.cell(top, column, name)
    cells = {}
    for k, key in enumerate(result.effects.key):
        name = key.outcome if key.year is None else f"{key.outcome} {key.year}"
        row = (name, float(result.effects.mean[k]), float(result.effects.standard_errors()[k]), key.unit)
        for column, value in enumerate((*row, result.effects.basis.value), start=1):
            sheet.cell(top + 1 + k, column, value)
        cells[name] = f"B{top + 1 + k}"
    return cells


def _line_block(sheet: Any, result: NetBenefit, top: int) -> dict[str, dict[str, str]]:
    """What can be changed of each line, where it is the same in every year; by name, then line."""
    cells: dict[str, dict[str, str]] = {name: {} for name in _CHANGED}
    for column, name in enumerate(("line", *_CHANGED), start=1):
        sheet.cell(top, column, name)
    for i, line in enumerate(result.ledger.lines):
        row = top + 1 + i
        sheet.cell(row, 1, line.id)
        values = (result.flows.price_payer[i], result.flows.cashable[i], _uptake(result, i), result.flows.avoidable[i])
        for column, (name, path) in enumerate(zip(_CHANGED, values, strict=True), start=2):
            if path is None:
                sheet.cell(row, column, "does not apply")
                continue
            same = bool(np.all(path == path[0]))
            sheet.cell(row, column, float(path[0]) if same else "by year, in the rows below")
            if same:
                cells[name][line.id] = f"{'ABCDE'[column - 1]}{row}"
    return cells


def _uptake(result: NetBenefit, i: int) -> FloatArray | None:
    """Take-up of a line in each year (T,), or None where its quantity does not follow patient-years."""
    line, volume = result.ledger.lines[i], result.scenario.patient_years
    if line.quantity_source is Quantity.CONTRACT or not (volume > 0.0).all():
        return None
    if line.quantity_source is Quantity.INPUT:
        return result.flows.weight[i, :, -1] / (line.quantity * volume) if line.quantity else None
    if result.effects.basis is not QuantityBasis.PER_PATIENT_YEAR:
        return None
    return result.flows.weight[i, :, int(result.effects.of(str(line.effect))[0])] / volume


def _row(
    result: NetBenefit,
    i: int,
    t: int,
    row: int,
    year_cell: list[int],
    effect_cell: dict[str, str],
    changed: dict[str, dict[str, str]],
) -> list[Any]:
    """One line in one year: text, numbers and the formulas of its two amounts."""
    line, flows, scenario = result.ledger.lines[i], result.flows, result.scenario
    quantity, patients, uptake = _quantity(result, line, i, t, f"B{year_cell[t]}", effect_cell)
    payer, resource = float(flows.price_payer[i, t]), float(flows.price_resource[i, t])
    follows = line.price_resource

    def given(name: str, value: float) -> Any:
        return f"={changed[name][line.id]}" if line.id in changed[name] else value

    return [
        line.id, line.payer.value, line.receiver.value, line.sector.value, line.evidence.value, int(scenario.years[t]),
        "observed" if scenario.observed[t] else "extrapolated", quantity, patients, given("uptake", uptake),
        given("price_payer", payer),
        # a resource cost that is a share of the price follows the price; any other is a number of its own
        f"=K{row}*{follows.share!r}" if isinstance(follows, ShareOfPayerPrice) else resource,
        float(flows.persistence[i, t]),
        given("cash_share", float(flows.cashable[i, t])), given("avoidable_share", float(flows.avoidable[i, t])),
        float(flows.paid[i, t]), float(flows.unfilled[i, t]), f"=C{year_cell[t]}",
        f"=H{row}*I{row}*J{row}*K{row}*M{row}*N{row}*P{row}", f"=H{row}*I{row}*J{row}*L{row}*M{row}*O{row}*Q{row}",
        f"=S{row}*R{row}", f"=T{row}*R{row}",
    ]  # fmt: skip


def _quantity(
    result: NetBenefit, line: LedgerLine, i: int, t: int, patients: str, effect_cell: dict[str, str]
) -> tuple[Any, Any, float]:
    """Quantity, patient-years and uptake whose product is the weight of the line at the estimates."""
    weight = result.flows.weight[i, t]
    volume = float(result.scenario.patient_years[t])
    if line.quantity_source is Quantity.CONTRACT:
        return float(weight[-1]), 1.0, 1.0
    if line.quantity_source is Quantity.INPUT:
        return line.quantity, f"={patients}", float(weight[-1]) / (line.quantity * volume) if volume else 0.0
    if result.effects.basis is QuantityBasis.PER_PATIENT_YEAR:
        k = int(result.effects.of(str(line.effect))[0])
        return f"={effect_cell[str(line.effect)]}", f"={patients}", float(weight[k]) / volume if volume else 0.0
    used = np.flatnonzero(weight[:-1])
    if len(used) == 1 and weight[used[0]] == 1.0:
        key = result.effects.key[int(used[0])]
        return f"={effect_cell[f'{key.outcome} {key.year}']}", 1.0, 1.0
    return float(weight[:-1] @ result.effects.mean), 1.0, 1.0
