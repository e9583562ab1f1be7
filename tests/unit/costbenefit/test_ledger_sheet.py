"""The worksheet recalculated by a small evaluator of the formulas that it uses, against the package's own numbers."""

import re

import numpy as np
import openpyxl
import pytest

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, per_patient_year, totals
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.ledger_sheet import write_ledger_sheet
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Party, Perspective
from mtvp_eval.costbenefit.scenario import read_scenario

CELL = r"\$?([A-Z])\$?(\d+)"
RANGE = rf"{CELL}:{CELL}"


class Recalculated:
    """Values of a sheet whose formulas use + - * / ( ), SUMIFS and references only."""

    def __init__(self, sheet) -> None:
        self.sheet = sheet

    def __getitem__(self, address: str):
        value = self.sheet[address].value
        if not (isinstance(value, str) and value.startswith("=")):
            return value
        text = re.sub(r"SUMIFS\(([^()]*)\)", lambda found: repr(self.sum_ifs(found.group(1))), value[1:])
        text = re.sub(CELL, lambda found: repr(self[f"{found.group(1)}{found.group(2)}"]), text)
        assert re.fullmatch(r"[-+*/().\deE ]*", text), text
        return eval(text, {"__builtins__": {}})

    def column(self, text: str) -> list:
        letter, first, _, last = re.fullmatch(RANGE, text).groups()
        return [self[f"{letter}{row}"] for row in range(int(first), int(last) + 1)]

    def sum_ifs(self, arguments: str) -> float:
        amount, *pairs = arguments.split(",")
        keep = [True] * len(self.column(amount))
        for where, what in zip(pairs[::2], pairs[1::2], strict=True):
            wanted = what.strip('"') if what.startswith('"') else self[what.replace("$", "")]
            keep = [k and value == wanted for k, value in zip(keep, self.column(where), strict=True)]
        return float(sum(value for k, value in zip(keep, self.column(amount), strict=True) if k))


@pytest.fixture
def build(document, price_table):
    document["lines"][0]["price_payer"] = {"item": "mtvp_fee", "issue": 2023}
    document["lines"][1].update(cashable=0.75, avoidable=[0.3, 0.6, 0.9], uptake=[0.5, 1, 1])
    settings = {
        "first_year": 2023, "patient_years": [1000.0, 1500.0, 2000.0], "observed_years": 2, "price_year": 2024,
        "discount": "zin2024", "persistence": {"geometric": 0.2},
    }  # fmt: skip
    scenario = read_scenario(settings, {"zin2024": DiscountProfile("zin2024", 0.03, 0.015)}, price_table)

    def of(effects, changes=None):
        for line_id, values in (changes or {}).items():
            next(line for line in document["lines"] if line["id"] == line_id).update(values)
        return net_benefit(read_ledger(document), effects, price_table, scenario)

    return of


RATE = per_patient_year(["cost_hospital"], ["euro"], [-15.0], [[4.0]], price_years=[2023])
TOTAL = totals(
    [EffectKey("cost_hospital", "euro", 2023, year, 1000.0) for year in (2023, 2024)],
    [-15_000.0, -21_000.0],
    [[4e6, 1e6], [1e6, 5e6]],
)


@pytest.mark.parametrize("effects", [RATE, TOTAL], ids=["per patient-year", "totals"])
def test_the_sheet_recalculates_to_the_result(build, effects):
    result = build(effects)
    sheet = openpyxl.Workbook().active
    cells, values = write_ledger_sheet(sheet, result), Recalculated(sheet)
    for party, address in cells.net.items():
        assert values[address] == pytest.approx(result.total(Party(party)).mean, rel=1e-12, abs=1e-9)
    assert values[cells.society] == pytest.approx(result.total(Perspective.SOCIETY).mean, rel=1e-12, abs=1e-9)
    assert values[cells.break_even_tariff] == pytest.approx(result.break_even_tariff().mean, rel=1e-12)
    assert values[cells.paid_tariff] == pytest.approx(result.paid_tariff(), rel=1e-12)


def test_a_fee_that_changes_over_the_years_recalculates(build):
    amount = {"price_year": 2024, "source": "test", "evidence": "contract"}
    steps = {2023: {"value": 2.88, **amount}, 2025: {"value": 3.23, **amount}}
    result = build(RATE, {"fee": {"price_payer": steps}})
    sheet = openpyxl.Workbook().active
    cells, values = write_ledger_sheet(sheet, result), Recalculated(sheet)
    assert values[cells.net["insurer"]] == pytest.approx(result.total(Perspective.INSURER).mean, rel=1e-12)
    assert "fee" not in cells.price  # one cell cannot hold two amounts: they stand by year


def test_changing_a_cell_changes_the_result_as_the_package_does(build):
    sheet = openpyxl.Workbook().active
    cells = write_ledger_sheet(sheet, build(RATE))
    sheet[cells.cash_share["hospital"]] = 0.25
    sheet[cells.price["fee"]] = 3.0
    changed = build(RATE, {
        "hospital": {"cashable": 0.25},
        "fee": {"price_payer": {"value": 3.0, "price_year": 2024, "source": "test", "evidence": "assumed"}},
    })  # fmt: skip
    values = Recalculated(sheet)
    assert values[cells.net["insurer"]] == pytest.approx(changed.total(Perspective.INSURER).mean, rel=1e-12)
    sheet[cells.patient_years[2024]] = 3000.0
    sheet[cells.effect["cost_hospital"]] = -10.0
    fee = 4 * 3.0 * (1000 + 3000 / 1.03)
    saving = 10 * 107.3 / 103.8 * 0.25 * (0.5 * 1000 + 3000 / 1.03)
    assert Recalculated(sheet)[cells.net["insurer"]] == pytest.approx(saving - fee, rel=1e-12)
    assert np.isfinite(Recalculated(sheet)[cells.society])


def test_uptake_and_the_avoidable_share_are_cells_too(build):
    sheet = openpyxl.Workbook().active
    cells = write_ledger_sheet(sheet, build(RATE, {"hospital": {"avoidable": 0.3, "uptake": 1}}))
    sheet[cells.uptake["fee"]] = 0.5
    sheet[cells.uptake["hospital"]] = 0.8
    sheet[cells.avoidable_share["hospital"]] = 0.6
    changed = build(RATE, {"fee": {"uptake": 0.5}, "hospital": {"uptake": 0.8, "avoidable": 0.6}})
    values = Recalculated(sheet)
    for party, address in cells.net.items():
        assert values[address] == pytest.approx(changed.total(Party(party)).mean, rel=1e-12, abs=1e-9)


def test_the_total_of_observed_quarters_has_no_uptake_to_change(build):
    cells = write_ledger_sheet(openpyxl.Workbook().active, build(TOTAL))
    assert "hospital" not in cells.uptake  # what was observed is a total, whoever took part
    assert "fee" in cells.uptake
