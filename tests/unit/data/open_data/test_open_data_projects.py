"""The tables of projects, municipalities, sectors and breaks are complete and reasoned."""

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


def test_uptake_is_practices_times_list_over_insured():
    p = Project("p", "P", 2018, 2019, None, None, (5, 12), (2300, 3500), ("A",), ())
    assert p.uptake(211_463.0) == (11_500 / 211_463, 42_000 / 211_463)
    assert p.uptake(10_000.0)[1] == 1.0


def test_two_projects_cannot_claim_one_municipality():
    a = Project("a", "A", 2018, 2019, None, None, (1, 1), (1, 1), ("X",), ())
    b = Project("b", "B", 2019, 2020, None, None, (1, 1), (1, 1), ("X", "Y"), ())
    with pytest.raises(DataError, match="X belongs to a and to b"):
        exposure(["X", "Y"], [a, b])
    with pytest.raises(DataError, match="unknown municipalities: Y"):
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
