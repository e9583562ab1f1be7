"""A small invented replica of the Vektis files with all their quirks, so that the tests need no foreign data.

And the declared question with some of its words changed.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

YEARS = tuple(range(2011, 2024))
_AGES = (" 0 t/m  4 jaar", " 5 t/m  9 jaar", *(f"{a} t/m {a + 4} jaar" for a in range(10, 90, 5)), "90+")
_LEVEL = {"hospital": 1300.0, "pharmacy": 280.0, "mental_health": 210.0, "district_nursing": 190.0}
_MERGED = {"APPINGEDAM": 2021, "DELFZIJL": 2021, "LOPPERSUM": 2021}

QUESTION = Path(__file__).resolve().parents[4] / "reports" / "open_data" / "evaluation.yaml"


def write_question(folder: Path, replaced: Mapping[str, str]) -> Path:
    """Write the declared question with words replaced, each of which must stand in it; return its file."""
    text = QUESTION.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.yaml").write_text(text, encoding="utf-8")
    return folder / "evaluation.yaml"


def code_rows(codes: Path, name: str) -> list[dict[str, str]]:
    with (codes / "open_data" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=";"))


def write_replica(
    folder: Path, codes: Path, comparison: int = 60, effect: Mapping[str, float] | None = None, seed: int = 1
) -> list[str]:
    """Write thirteen yearly files; return the names of the comparison municipalities.

    `effect` adds a value to log hospital cost of the exposed municipalities of a project from its first full year.
    """
    rng = np.random.default_rng(seed)
    projects = {row["project"]: int(row["first_full_year"]) for row in code_rows(codes, "open_data_projects")}
    places = {row["municipality"]: row for row in code_rows(codes, "open_data_municipalities")}
    never = [f"DORP {i:02d}" for i in range(comparison)]
    names = [*never, *places, *_MERGED, "SÚDWEST-FRYSLÂN"]
    size = {name: float(np.exp(rng.normal(10.3, 0.6))) for name in names}
    size["DORP 00"] = 700.0  # its oldest cells hold fewer than ten persons: suppressed
    level = {name: rng.normal(0, 0.06) for name in names}
    age_sex = rng.uniform(0.5, 1.5, (2, 19)) * np.linspace(1.2, 0.25, 19)
    slope = np.exp(np.linspace(-1.0, 1.2, 19))
    for year in YEARS:
        columns = [
            row for row in code_rows(codes, "vektis_sectors") if int(row["first_year"]) <= year <= int(row["last_year"])
        ]
        shock = {name: rng.normal(0, 0.02) for name in names}
        lines: list[list[object]] = []
        rest = np.zeros(len(columns) + 1)
        for name in names:
            here = "EEMSDELTA" if name in _MERGED and year >= 2019 else name
            if here == "EEMSDELTA" and name != "APPINGEDAM":
                continue
            people = size[name] if here == name else sum(size[part] for part in _MERGED)
            row = places.get(name)
            hit = (effect or {}).get(row["project"], 0.0) if row and row["status"] == "exposed" else 0.0
            on = row is not None and year >= projects[row["project"]]
            for sex in (0, 1):
                for age in range(19):
                    insured = people * age_sex[sex, age] / age_sex.sum()
                    values = [insured]
                    for column in columns:
                        rate = _LEVEL.get(column["sector"], 30.0) * slope[age] * 1.02 ** (year - 2011)
                        log = level[name] + shock[name] + rng.normal(0, 0.3 / np.sqrt(insured))
                        log += hit * on * (column["sector"] == "hospital")
                        values.append(insured * rate * np.exp(log))
                    if insured < 10:
                        rest += values
                    else:
                        label = here if year % 2 else here.replace("DORP ", "DORP-")
                        lines.append(["MV"[sex], _AGES[age], label, round(insured * 1.03), *np.round(values, 2)])
        lines[3][-1] = -12.5  # a correction
        rest_row = ["", "", "", round(rest[0] * 1.4), *np.round(rest, 2)]
        lines.insert(0 if year <= 2019 else len(lines) // 2, rest_row)
        header = ["geslacht", "leeftijdsklasse", "gemeentenaam", "aantal_bsn", "aantal_verzekerdejaren"]
        header += [column["column"] for column in columns]
        if year <= 2018:
            header = [text.upper() for text in header]
        text = "\n".join(";".join(str(value) for value in line) for line in [header, *lines])
        with gzip.open(folder / f"vektis_{year}_gemeente.csv.gz", "wb", compresslevel=1) as file:
            file.write(text.encode("cp1252" if year == 2015 else "utf-8"))
    return never
