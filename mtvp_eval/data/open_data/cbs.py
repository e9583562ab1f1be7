"""CBS (Statistics Netherlands): regions, key figures and SES-WOA by municipality, brought to the stable division.

Bron: CBS, tables 70072NED (Regionale kerncijfers Nederland, 2015), 82949NED (Gebieden in Nederland) and, where it is
there, 85163NED (SES-WOA, 2019); CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtvp_eval.arrays import FloatArray, ObjectArray, frozen
from mtvp_eval.data.open_data.codes import municipality_name
from mtvp_eval.data.open_data.vektis_supply import UNREADABLE, damaged
from mtvp_eval.errors import DataError

_REGIONS = {"corop": "CR", "care_office": "ZK", "province": "PV"}
_MEANS = {
    "address_density": "Omgevingsadressendichtheid_",
    "hospital_distance_km": "AfstandTotZiekenhuis_",
    "non_western_share": "TotaalNietWesterseMigratieachtergrond_46",
}
_COUNTS = {"assistance_share": "BijstandTotDeAOWLeeftijd_"}
FIGURES_TABLE, REGIONS_TABLE, SES_TABLE = "70072NED", "82949NED", "85163NED"
_SES = {"code": "Regiocode", "name": "Wijken en buurten", "households": "Particuliere huishoudens", "score": "SES-WOA"}


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """Regions and key figures of n units in 2015.

    `region` holds `corop`, `care_office` (the region in which one insurer purchases long-term care) and `province`,
    each (n,) names; a unit made of parts takes the region of its largest part. `values` holds (n,) means weighted by
    population, the share of people on social assistance, and `ses_woa` (NaN where the table has no row of the unit).
    """

    unit_ids: ObjectArray
    population: FloatArray
    region: Mapping[str, ObjectArray]
    values: Mapping[str, FloatArray]

    def of(self, unit_ids: Sequence[str]) -> KeyFigures:
        """Return the figures of the given units in their order.

        Raises
        ------
        DataError
            If a unit is unknown to the 2015 tables.
        """
        place = {name: i for i, name in enumerate(self.unit_ids)}
        unknown = [name for name in unit_ids if name not in place]
        if unknown:
            raise DataError(
                f"{len(unknown)} municipalities have no key figures for 2015: {', '.join(sorted(unknown)[:5])}. "
                "Add the change of name or division to data_dictionary/codes/open_data/vektis_divisions.csv."
            )
        at = np.array([place[name] for name in unit_ids])
        return KeyFigures(
            self.unit_ids[at],
            self.population[at],
            {name: values[at] for name, values in self.region.items()},
            {name: values[at] for name, values in self.values.items()},
        )


def read_cbs(folder: Path, divisions: Mapping[str, str]) -> KeyFigures:
    """Read both tables and add the municipalities of 2015 up to the units of the stable division.

    Parameters
    ----------
    folder : holds one file of table 70072NED and one of 82949NED, CSV with `;` as downloaded.
    divisions : municipality of 2015 -> unit (`read_divisions`).

    Raises
    ------
    DataError
        If a file or a needed column is missing.
    """
    figures, names = _table(folder, FIGURES_TABLE), _table(folder, REGIONS_TABLE)
    for name in ("RegioS", "Naam_2"):
        _column(names, name, REGIONS_TABLE)
    _column(figures, "RegioS")
    merged = names[["RegioS", "Naam_2"]].merge(figures, on="RegioS", how="inner", validate="one_to_one")
    population = _number(merged, _column(merged, "TotaleBevolking_"))
    spelled = [municipality_name(name) for name in merged["Naam_2"]]
    home = np.array([divisions.get(name, name) for name in spelled], dtype=object)
    units = np.array(sorted(set(home)), dtype=object)
    index = np.searchsorted(units.astype(str), home.astype(str))
    largest = np.array([np.flatnonzero(index == i)[np.argmax(population[index == i])] for i in range(len(units))])
    total = np.bincount(index, population, len(units))
    region = {
        name: merged[_region_column(merged, prefix)].to_numpy(dtype=object)[largest]
        for name, prefix in _REGIONS.items()
    }
    values = {}
    for name, prefix in _MEANS.items():
        x = _number(merged, _column(merged, prefix))
        known = ~np.isnan(x)
        weighted = np.bincount(index[known], (population * x)[known], len(units))
        with np.errstate(invalid="ignore"):
            values[name] = frozen(weighted / np.bincount(index[known], population[known], len(units)))
    for name, prefix in _COUNTS.items():
        count = _number(merged, _column(merged, prefix))
        values[name] = frozen(np.bincount(index, count, len(units)) / total)
    values["ses_woa"] = frozen(_scores(folder, units, divisions))
    return KeyFigures(units, frozen(total), region, values)


def _scores(folder: Path, units: ObjectArray, divisions: Mapping[str, str]) -> FloatArray:
    """Return SES-WOA of each unit, the mean of its parts by households; NaN without the table or a row in it."""
    found = sorted(path for path in folder.glob("*.csv*") if SES_TABLE in path.name.upper())
    score, weight = np.zeros(len(units)), np.zeros(len(units))
    if found:
        table = _read(found[0], SES_TABLE)
        names = {key: _column(table, prefix, SES_TABLE) for key, prefix in _SES.items()}
        table = table[table[names["code"]].str.startswith("GM")]
        spelled = [municipality_name(name) for name in table[names["name"]]]
        place = {unit: i for i, unit in enumerate(units)}
        at = np.array([place.get(divisions.get(name, name), -1) for name in spelled], dtype=np.int64)
        value, households = _number(table, names["score"]), _number(table, names["households"])
        known = (at >= 0) & ~np.isnan(value) & (households > 0)
        np.add.at(score, at[known], (value * households)[known])
        np.add.at(weight, at[known], households[known])
    return np.where(weight > 0, score / np.where(weight > 0, weight, 1.0), np.nan)


def cbs_files(folder: Path, number: str) -> list[Path]:
    """Return the files of one CBS table in a folder, by the number with which their names begin."""
    found = sorted(folder.glob("*.csv*")) if folder.is_dir() else []
    return [path for path in found if path.name.lower().startswith(number.lower())]


def _table(folder: Path, number: str) -> pd.DataFrame:
    found = cbs_files(folder, number)
    if len(found) != 1:
        raise DataError(f"{folder.name}/ holds {len(found)} files of CBS table {number}, not 1. {_ADVICE}")
    return _read(found[0], number)


def _read(path: Path, number: str) -> pd.DataFrame:
    """Return one CBS table as text without the blanks that pad its cells."""
    try:
        table = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (*UNREADABLE, ValueError) as refused:  # pandas' errors of parsing and of encoding are ValueErrors
        raise DataError(f"CBS table {number}: {damaged(path)}. {_ADVICE}") from refused
    return table.apply(lambda column: column.str.strip())


_ADVICE = "Download it from opendata.cbs.nl as CSV (columns between semicolons) and keep its name."


def _column(table: pd.DataFrame, prefix: str, number: str = FIGURES_TABLE) -> str:
    found = [name for name in table.columns if name.startswith(prefix)]
    if not found:
        raise DataError(f"CBS table {number} lacks the column {prefix}. {_ADVICE}")
    return str(found[0])


def _region_column(table: pd.DataFrame, prefix: str) -> str:
    """Return the name column that follows the code column whose codes start with `prefix`."""
    for position, name in enumerate(table.columns[:-1]):
        if name.startswith("Code_") and table[name].str.match(rf"^{prefix}\d").all():
            return str(table.columns[position + 1])
    raise DataError(f"CBS table {FIGURES_TABLE} lacks region codes {prefix}. {_ADVICE}")


def _number(table: pd.DataFrame, name: str) -> FloatArray:
    """Return a padded text column as numbers; `.` and empty are missing."""
    return np.asarray(pd.to_numeric(table[name], errors="coerce"), dtype=np.float64)
