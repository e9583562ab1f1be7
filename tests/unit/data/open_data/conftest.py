"""The code tables, and one invented replica of the Vektis files read into municipal costs."""

from pathlib import Path

import pytest

from mtvp_eval.data.open_data.codes import read_divisions, read_sector_columns
from mtvp_eval.data.open_data.municipal import MunicipalCosts, stable_costs
from mtvp_eval.data.open_data.vektis import VektisYear, read_vektis
from tests.unit.data.open_data.replica import YEARS, write_replica

CODES = Path(__file__).resolve().parents[4] / "data_dictionary" / "codes"


@pytest.fixture(scope="session")
def codes() -> Path:
    return CODES


@pytest.fixture(scope="session")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vektis")
    write_replica(folder, CODES, comparison=40)
    return folder


@pytest.fixture(scope="session")
def replica_years(replica: Path) -> tuple[VektisYear, ...]:
    return read_vektis(replica, YEARS, read_sector_columns(CODES))


@pytest.fixture(scope="session")
def replica_costs(replica_years: tuple[VektisYear, ...]) -> MunicipalCosts:
    return stable_costs(replica_years, read_sector_columns(CODES), read_divisions(CODES))


@pytest.fixture(scope="session")
def real_years(shared_dir: Path) -> tuple[VektisYear, ...]:
    return read_vektis(shared_dir / "data" / "vektis", YEARS, read_sector_columns(CODES))


@pytest.fixture(scope="session")
def real_costs(real_years: tuple[VektisYear, ...]) -> MunicipalCosts:
    return stable_costs(real_years, read_sector_columns(CODES), read_divisions(CODES))
