from datetime import date

import pytest

from mtvp_eval.costbenefit.parties import Evidence
from mtvp_eval.costbenefit.prices import Index, Price, PriceRow, read_price_table, supplied_amounts
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.errors import LedgerError

CPI = Index({2022: 100.0, 2023: 103.8, 2024: 107.3})


def test_moving_to_a_price_year_is_done_once():
    price = Price(900.0, 2023).moved_to(2024, CPI)
    assert price.value == pytest.approx(900 * 107.3 / 103.8)  # 930.3468
    assert price.moved_to(2024, CPI) == price
    assert price.moved_to(2023, CPI).value == pytest.approx(900.0)  # there and back


@pytest.mark.parametrize("year", [None, 0, "2023", True])
def test_a_price_without_a_year_is_refused(year):
    with pytest.raises(LedgerError, match="price year"):
        Price(10.0, year)


def test_published_amounts_and_their_units(price_table):
    assert price_table.price("mtvp_fee", 2023, 2023) == Price(2.88, 2023)
    assert price_table.row_in("mtvp_fee", 2025).value == 3.23
    assert price_table.unit("mtvp_fee") == "patient_quarter"
    assert price_table.price("gp_consult_average", 2024, 2024).value == pytest.approx(33.12351)


@pytest.mark.parametrize(
    ("item", "year"), [("mtvp_fee", 2024), ("regional_organisation_fee", 2023), ("practice_outlay", 2025)]
)
def test_an_unknown_amount_names_the_key_to_set(price_table, item, year):
    with pytest.raises(LedgerError, match=rf"no published figure was found\. Set `inputs\.{item}\.{year}`"):
        price_table.price(item, year, 2023)


def test_a_year_without_index_level_names_the_key_to_set(price_table):
    with pytest.raises(LedgerError, match=r"inputs\.cpi\.2025"):
        price_table.price("mtvp_fee", 2025, 2024)


def test_a_later_decision_replaces_an_earlier_one_and_the_table_can_be_read_as_it_stood(price_table):
    revised = PriceRow(
        "mtvp_fee",
        2.95,
        "EUR per patient_quarter",
        2023,
        date(2023, 4, 1),
        date(2023, 12, 31),
        "revision",
        date(2024, 3, 1),
        "test",
    )
    table = price_table.with_rows([revised])
    assert table.price("mtvp_fee", 2023, 2023).value == 2.95
    assert table.known_on(date(2023, 6, 30)).price("mtvp_fee", 2023, 2023).value == 2.88


def test_an_amount_that_changes_within_the_year_is_refused(price_table):
    half = PriceRow(
        "mtvp_fee",
        3.0,
        "EUR per patient_quarter",
        2023,
        date(2023, 7, 1),
        date(2023, 12, 31),
        "change",
        date(2023, 7, 1),
        "test",
    )
    with pytest.raises(LedgerError, match="2 amounts for different parts of 2023"):
        price_table.with_rows([half]).price("mtvp_fee", 2023, 2023)


def test_every_published_row_has_a_source_and_unknown_ones_say_so(price_table):
    for row in price_table.rows:
        assert row.source if row.value is not None else "no published figure" in row.decision
        assert row.evidence is Evidence.PUBLISHED


def test_bad_price_files_are_refused_with_every_problem(tmp_path):
    (tmp_path / "tariffs.csv").write_text("item;value\n", encoding="utf-8")
    (tmp_path / "reference_prices.csv").write_text(
        "item,value,unit,price_year,valid_from,valid_to,decision,issued_on,source\n"
        "a,1.0,USD per visit,,2022-01-01,,,,s\nb,x,EUR per visit,2022,2022-01-01,,,,s\n",
        encoding="utf-8",
    )
    with pytest.raises(LedgerError) as error:
        read_price_table(tmp_path)
    for part in (
        "tariffs.csv: must have the columns",
        "line 3",
        "without a price year",
        "EUR per",
        "indices.csv: is not there",
    ):
        assert part in str(error.value)


def test_supplied_amounts(price_table):
    amount = {"value": 3.0, "price_year": 2024, "source": "contract of the region", "evidence": "contract"}
    problems = Problems("scenario")
    inputs = {
        "mtvp_fee": {2023: amount},
        "regional_organisation_fee": amount,
        "cpi": {2025: {"value": 110.8, "source": "guess", "evidence": "assumed"}},
    }
    table = price_table.with_rows(*supplied_amounts(inputs, price_table, problems))
    assert not problems.found
    assert table.price("mtvp_fee", 2023, 2024).value == 3.0  # one year: goes before the published maximum
    assert table.price("regional_organisation_fee", 2026, 2024).value == 3.0
    assert table.price("mtvp_fee", 2025, 2024).value == pytest.approx(3.23 * 107.3 / 110.8)


def test_an_amount_for_all_years_does_not_replace_a_published_one(price_table):
    amount = {"value": 3.0, "price_year": 2024, "source": "test", "evidence": "assumed"}
    table = price_table.with_rows(*supplied_amounts({"mtvp_fee": amount}, price_table, Problems("scenario")))
    assert table.price("mtvp_fee", 2023, 2023).value == 2.88
    assert table.price("mtvp_fee", 2024, 2024).value == 3.0


def test_bad_inputs_are_all_said(price_table):
    problems = Problems("scenario")
    bad = {
        "mtvp_fe": {},
        "mtvp_fee": {2024: {"value": -1, "price_year": 2024, "source": "s", "evidence": "known"}},
        "cpi": 3,
    }
    supplied_amounts(bad, price_table, problems)
    text = " ".join(problems.found)
    for part in (
        "did you mean mtvp_fee?",
        "2024.value: must be a number",
        "must be assumed or contract",
        "inputs.cpi: must hold",
    ):
        assert part in text
