"""The reader meets every quirk of the published files, on an invented replica."""

import gzip
import shutil

import numpy as np
import pytest

from mtvp_eval.data.open_data.codes import read_sector_columns
from mtvp_eval.data.open_data.municipal import stable_costs
from mtvp_eval.data.open_data.vektis import read_published, read_vektis
from mtvp_eval.data.open_data.vektis_supply import supply_problems
from mtvp_eval.errors import DataError
from tests.unit.data.open_data.replica import YEARS


def test_headers_labels_and_encodings_differ_by_year_and_are_read_alike(replica_years):
    assert [year.year for year in replica_years] == list(YEARS)
    by_year = {year.year: year for year in replica_years}
    assert all("DORP 01" in year.municipalities for year in replica_years)  # written with a hyphen in even years
    assert all("SUDWEST FRYSLAN" in year.municipalities for year in replica_years)  # accents, once in Windows-1252
    assert by_year[2018].columns[0] == by_year[2019].columns[0] == "kosten_huisarts_inschrijftarief"
    assert "kosten_medisch_specialistische_z" in by_year[2023].columns


def test_rest_row_is_found_wherever_it_stands_and_is_kept_apart(replica_years):
    for year in replica_years:
        assert year.rest_insured > 0
        assert year.rest_cost.shape == (len(year.columns),)
        assert "" not in year.municipalities


def test_suppressed_cells_are_missing_not_zero(replica_years):
    year = replica_years[0]
    small = year.municipalities.index("DORP 00")
    gone = np.isnan(year.insured[small])
    assert gone.any()
    assert not gone.all()
    assert np.isnan(year.cost[:, small, gone]).all()
    assert year.suppressed_cells == int(np.isnan(year.insured).sum())


def test_corrections_below_zero_are_counted_and_kept(replica_years):
    assert all(year.negative_cells == 1 for year in replica_years)
    assert all(np.nanmin(year.cost) == -12.5 for year in replica_years)


def test_the_first_issue_of_a_year_is_not_read(replica, tmp_path, codes):
    shutil.copytree(replica, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "vektis_2015_gemeente.csv.gz", tmp_path / "vektis_2015_gemeente_first_issue.csv.gz")
    assert len(read_vektis(tmp_path, YEARS, read_sector_columns(codes))) == len(YEARS)


def test_one_error_names_everything_that_is_missing(replica, tmp_path, codes):
    shutil.copytree(replica, tmp_path, dirs_exist_ok=True)
    (tmp_path / "vektis_2012_gemeente.csv.gz").unlink()
    (tmp_path / "vektis_2016_gemeente.csv.gz").unlink()
    text = gzip.decompress((tmp_path / "vektis_2020_gemeente.csv.gz").read_bytes()).decode()
    broken = text.replace("kosten_farmacie", "kosten_nieuw").replace("10 t/m 14 jaar", "10 t/m 15 jaar")
    (tmp_path / "vektis_2020_gemeente.csv.gz").write_bytes(gzip.compress(broken.encode(), 1))
    commas = gzip.decompress((tmp_path / "vektis_2021_gemeente.csv.gz").read_bytes()).decode().replace(".", ",", 90)
    (tmp_path / "vektis_2021_gemeente.csv.gz").write_bytes(gzip.compress(commas.encode(), 1))
    with pytest.raises(DataError) as caught:
        read_vektis(tmp_path, YEARS, read_sector_columns(codes))
    said = str(caught.value)
    for part in ("2012, 2016", "2020: missing column(s) kosten_farmacie", "kosten_nieuw", "2021: not a number in"):
        assert part in said, part
    assert "Download" in said


def test_unknown_ages_and_doubled_rows_are_refused(replica, tmp_path, codes):
    text = gzip.decompress((replica / "vektis_2022_gemeente.csv.gz").read_bytes()).decode()
    lines = text.replace("10 t/m 14 jaar", "10 t/m 15 jaar").split("\n")
    (tmp_path / "vektis_2022_gemeente.csv").write_text("\n".join([*lines, lines[2]]), encoding="utf-8")
    with pytest.raises(DataError, match="unknown age label") as caught:
        read_vektis(tmp_path, (2022,), read_sector_columns(codes))
    assert "1 rows repeat" in str(caught.value)


def test_an_empty_folder_says_which_years_to_download(tmp_path, codes):
    with pytest.raises(DataError, match="no municipality file for 2011, 2012"):
        read_vektis(tmp_path / "nothing", (2011, 2012), read_sector_columns(codes))


def written(folder, year, text):
    (folder / f"vektis_{year}_gemeente.csv").write_text(text, encoding="utf-8")


def test_damaged_files_and_files_of_another_kind_are_named(replica, tmp_path, codes):
    whole = (replica / "vektis_2016_gemeente.csv.gz").read_bytes()
    (tmp_path / "vektis_2016_gemeente.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "vektis_2017_gemeente.csv.gz").write_text("geslacht;leeftijdsklasse")
    written(tmp_path, 2018, "<html>Not found</html>")
    written(tmp_path, 2019, "")
    crosswalk = read_sector_columns(codes)
    found = supply_problems(tmp_path, range(2016, 2020), crosswalk)
    assert found == [
        "2017: vektis_2017_gemeente.csv.gz cannot be read: it is no gzip file or damaged; download it again",
        "2018: vektis_2018_gemeente.csv holds no column names between semicolons: its first line begins with "
        "'<html>Not found</html>'",
        "2019: vektis_2019_gemeente.csv holds no column names between semicolons: its first line is empty",
    ]
    with pytest.raises(DataError, match=r"2016: vektis_2016_gemeente\.csv\.gz cannot be read") as caught:
        read_vektis(tmp_path, (2016, 2017), crosswalk)
    assert "2017: vektis_2017_gemeente.csv.gz cannot be read" in str(caught.value)


def test_a_file_that_ends_too_early_is_refused_though_every_line_is_whole(replica, tmp_path, codes):
    shutil.copytree(replica, tmp_path, dirs_exist_ok=True)
    text = gzip.decompress((tmp_path / "vektis_2019_gemeente.csv.gz").read_bytes()).decode()
    (tmp_path / "vektis_2019_gemeente.csv.gz").unlink()
    lines = text.split("\n")
    women = [i for i, line in enumerate(lines) if line.startswith("V; 0 t/m  4 jaar;DORP")]
    written(tmp_path, 2019, "\n".join(line for i, line in enumerate(lines) if i not in women[-7:]))
    with pytest.raises(
        DataError, match=r"2019: 7 age-sex groups are missing .* in 2018: the file is cut off"
    ) as caught:
        read_vektis(tmp_path, YEARS, read_sector_columns(codes))
    assert "2018: " not in str(caught.value).replace("in 2018: ", "")


def test_a_year_under_the_name_of_another_is_refused(replica, tmp_path, codes):
    shutil.copy(replica / "vektis_2016_gemeente.csv.gz", tmp_path / "vektis_2016_gemeente.csv.gz")
    shutil.copy(replica / "vektis_2016_gemeente.csv.gz", tmp_path / "vektis_2017_gemeente.csv.gz")
    with pytest.raises(DataError, match="2017: holds the same cost as 2016"):
        read_vektis(tmp_path, (2016, 2017), read_sector_columns(codes))


def test_every_euro_is_accounted_for(replica_costs, replica):
    for year in YEARS:
        rows = [row for row in replica_costs.account if row.year == year]
        whole, rest, shown, panel = rows
        table = read_published(replica / f"vektis_{year}_gemeente.csv.gz")
        assert whole.rows == len(table) == rest.rows + shown.rows
        # sums of 1e4 doubles near 1e5: 1e-12 relative is rounding
        assert whole.cost_eur == pytest.approx(table.filter(like="kosten_").to_numpy().sum(), rel=1e-12)
        assert whole.cost_eur == pytest.approx(rest.cost_eur + shown.cost_eur, rel=1e-12)
        assert panel.cost_eur == pytest.approx(shown.cost_eur, rel=1e-12)
        assert panel.insured_years == pytest.approx(shown.insured_years, rel=1e-12)


def test_merged_municipalities_are_one_unit_in_every_year(replica_costs):
    units = replica_costs.unit_ids.tolist()
    assert "EEMSDELTA" in units
    assert "DELFZIJL" not in units
    years = replica_costs.insured_years[units.index("EEMSDELTA")]
    assert years.max() / years.min() < 1.01  # the replica keeps people constant; rounding to cents only


def test_a_missing_merger_is_named(replica_years, codes):
    with pytest.raises(DataError, match=r"DELFZIJL stands in 2011-2018 only; EEMSDELTA stands in 2019-2023"):
        stable_costs(replica_years, read_sector_columns(codes), {})


def test_a_sector_exists_only_in_the_years_it_is_published(replica_costs):
    nursing = replica_costs.cost["district_nursing"]
    first = replica_costs.years.index(2015)
    assert np.isnan(nursing[:, :first]).all()
    assert not np.isnan(nursing[:, first:]).all(axis=2).any()
    assert not np.isnan(replica_costs.cost["hospital"]).all(axis=2).any()


def test_totals_are_sums_of_sectors(replica_costs):
    c = {name: np.nansum(values, axis=2) for name, values in replica_costs.cost.items()}
    gp = c["gp_registration"] + c["gp_consult"] + c["gp_chain"] + c["gp_other"]
    # exact up to the order of addition
    np.testing.assert_allclose(c["gp_total"], gp, rtol=1e-12)
    comparable = gp + c["hospital"] + c["pharmacy"] + c["mental_health"] + c["other"]
    np.testing.assert_allclose(c["total_comparable"], comparable, rtol=1e-12)
    everything = comparable + c["district_nursing"] + c["rehabilitation_and_stay"]
    np.testing.assert_allclose(c["total_published"], everything, rtol=1e-12)
