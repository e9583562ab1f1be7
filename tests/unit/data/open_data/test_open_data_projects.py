"""The tables of projects, municipalities, sectors and breaks are complete and reasoned."""

import shutil

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.open_data.codes import (
    columns_of_year,
    municipality_name,
    read_breaks,
    read_divisions,
    read_sector_columns,
    sector_members,
)
from mtvp_eval.data.open_data.exposure_years import ExposureYear, exposed_share
from mtvp_eval.data.open_data.municipal_panel import PanelChoices, municipal_panel
from mtvp_eval.data.open_data.projects import Project, exposure, read_projects
from mtvp_eval.errors import DataError
from tests.unit.data.open_data.replica import code_rows


def test_seven_projects_of_the_comparison_study(codes):
    projects = {p.name: p for p in read_projects(codes, read_divisions(codes))}
    # the study's Krachtige Basiszorg has two start years, so it is two rows: seven projects, eight rows
    assert len(projects) == 8
    assert {p.first_full_year for p in projects.values()} == {2015, 2016, 2017, 2019, 2020, 2022}
    assert [p.name for p in projects.values() if not p.absorbing] == ["afferden"]


def test_the_part_year_is_the_year_before_the_first_full_year(codes):
    for p in read_projects(codes, read_divisions(codes)):
        assert p.first_full_year == p.first_year + 1, p.name


def test_every_row_has_its_reasons(codes):
    for row in code_rows(codes, "open_data_projects"):
        assert all(len(row[name]) > 10 for name in ("timing_reason", "uptake_reason", "source")), row["project"]
    for row in code_rows(codes, "open_data_municipalities"):
        assert row["basis"] in {"published", "published region", "our assumption"}
        assert row["status"] in {"exposed", "possible"}
        assert len(row["reason"]) > 10
    for row in code_rows(codes, "vektis_divisions"):
        assert row["municipality"] == municipality_name(row["municipality"])
        assert row["unit"] == municipality_name(row["unit"])
        assert len(row["reason"]) > 10


def test_every_sector_and_break_is_known(codes):
    sectors = set().union(*(sector_members(read_sector_columns(codes), year) for year in range(2011, 2024)))
    assert {b.sector for b in read_breaks(codes)} <= sectors | {"all"}


def test_one_column_belongs_to_one_sector_in_a_year(codes):
    crosswalk = read_sector_columns(codes)
    for year in range(2011, 2024):
        named = [row.column for row in crosswalk if row.first_year <= year <= row.last_year]
        assert len(named) == len(columns_of_year(crosswalk, year))


def test_exposure_is_a_share_of_person_years():
    years = (
        ExposureYear(2019, (12, 12), (5, 12)),
        ExposureYear(2020, (6, 12), (12, 12)),
        ExposureYear(2021, (12, 12), (0, 0)),
    )
    insured = np.array([200_000.0, 210_000.0, 220_000.0])
    draws = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.25, 1.0]])
    found = exposed_share(years, (2000, 3000), insured, draws)
    by_hand = [5 * 2000 + 12 * 2000 / 2, 12 * 3000 + 12 * 3000, 8.5 * 2250 + 12 * 2250]
    # Three products and a sum: a few roundings of 1e-16.
    np.testing.assert_allclose(found, np.array(by_hand) / 630_000, rtol=1e-14)
    crowded = exposed_share(years[:1], (2000, 3000), np.array([20_000.0]), draws)
    assert crowded.tolist() == [0.5, 1.0, 0.95625]  # never more than all insured


def test_every_full_year_of_a_project_has_its_exposure(codes):
    for p in read_projects(codes, read_divisions(codes)):
        last = p.last_full_year or 2022
        assert [y.year for y in p.years] == list(range(p.first_year, last + 1)), p.name
        assert all(y.practices[1] <= p.practices[1] for y in p.years), p.name
    for row in code_rows(codes, "open_data_exposure"):
        assert row["basis"] in {"published", "our assumption"}
        assert len(row["reason"]) > 5
        assert len(row["reason_nl"]) > 5


def test_impossible_exposure_is_refused_with_every_row(codes, tmp_path):
    shutil.copytree(codes / "open_data", tmp_path / "open_data")
    path = tmp_path / "open_data" / "open_data_exposure.csv"
    text = path.read_text(encoding="utf-8")
    text = text.replace("terneuzen;2022;12;12;4;4", "terneuzen;2022;12;13;4;4")
    text = text.replace("deventer;2020;12;12;21;42", "deventer;2021;12;12;43;42")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_projects(tmp_path, {})
    assert "terneuzen 2022" in str(refused.value)
    assert "deventer 2021: months" in str(refused.value)
    assert "deventer 2021 stands there twice" in str(refused.value)
    path.write_text(text.replace("deventer;2021;12", "deventer;2021;twelve"), encoding="utf-8")
    with pytest.raises(DataError, match=r"open_data_exposure\.csv holds no number in line \d+, months_low: 'twelve'"):
        read_projects(tmp_path, {})
    path.write_text(text.split("\n")[0] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"open_data_exposure\.csv disagree on .*west_friesland"):
        read_projects(tmp_path, {})


def test_two_projects_cannot_claim_one_municipality():
    a = Project("a", "A", 2018, 2019, None, None, (1, 1), (1, 1), ("X",), ())
    b = Project("b", "B", 2019, 2020, None, None, (1, 1), (1, 1), ("X", "Y"), ())
    with pytest.raises(DataError, match="X belongs to a and to b"):
        exposure(["X", "Y"], [a, b])
    with pytest.raises(DataError, match=r"open_data_municipalities\.csv .* lack: Y"):
        exposure(["X"], [b])


def test_the_panel_leaves_out_the_doubtful_and_accounts_for_them(replica_costs, codes):
    projects = read_projects(codes, read_divisions(codes))
    exposed = exposure(replica_costs.unit_ids.tolist(), projects)
    choices = PanelChoices(("hospital", "district_nursing"), 2011, 2022, 2013, 0.06, 1.0)
    panel = municipal_panel(replica_costs, exposed, choices)
    assert panel.n_units == int((~exposed.doubtful).sum())
    assert panel.periods == tuple(str(year) for year in range(2011, 2023))
    assert panel.lineage[-2].lost == int(exposed.doubtful.sum()) > 0
    assert panel.entry is not None
    assert (panel.entry != NEVER).sum() == sum(len(p.exposed) for p in projects)
    assert panel.missing_share("hospital") == 0.0
    assert panel.missing_share("district_nursing") == pytest.approx(4 / 12)


def test_a_change_in_the_form_of_payment_blanks_only_the_gp_columns(replica_costs, codes):
    cost = dict(replica_costs.cost)
    changed = cost["gp_consult"].copy()
    at = replica_costs.unit_ids.tolist().index("DORP 05")
    changed[at, 4:] *= 0.1
    cost["gp_consult"] = changed
    costs = type(replica_costs)(
        replica_costs.unit_ids, replica_costs.years, replica_costs.insured, cost, replica_costs.account
    )
    exposed = exposure(costs.unit_ids.tolist(), read_projects(codes, read_divisions(codes)))
    panel = municipal_panel(costs, exposed, PanelChoices(("gp_consult", "hospital"), 2011, 2022, 2013, 0.06, 1.0))
    row = panel.unit_ids.tolist().index("DORP 05")
    assert np.isnan(panel.outcomes["gp_consult"][row]).all()
    assert not np.isnan(panel.outcomes["hospital"][row]).any()
    assert np.isnan(panel.outcomes["gp_consult"]).all(axis=1).sum() == 1
    assert "1 comparison municipalities" in panel.lineage[0].reason
