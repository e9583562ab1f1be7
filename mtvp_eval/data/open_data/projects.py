"""The predecessor projects: which municipalities, from which full year, and how many practices in each year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtvp_eval.arrays import BoolArray, IntArray, ObjectArray, frozen
from mtvp_eval.clock import NEVER
from mtvp_eval.data.open_data.codes import read_code_table
from mtvp_eval.data.open_data.exposure_years import ExposureYear, read_exposure_years
from mtvp_eval.errors import DataError

_NUMBERS = ("first_year", "first_full_year", "practices_low", "practices_high", "list_low", "list_high")
_COLUMNS = (
    *("project", "label", "alternative_first_full_year", "last_full_year", *_NUMBERS),
    *("start_as_published", "timing_reason", "uptake_reason", "source"),
)
_ADVICE = "Names are those of the Vektis files in capitals, without accents, hyphens and apostrophes."


@dataclass(frozen=True, slots=True)
class Project:
    """One project: its years and its municipalities.

    `first_full_year` is its entry; `first_year` the year of the first patient (a part year, left out as base and as
    effect). `last_full_year` is given for a project that ended within the window: it is not absorbing. `practices` (all
    years) and `list_size` are ranges. `possible` are municipalities that may have been reached: neither exposed nor
    comparison. `years` are the calendar years of its exposure.
    """

    name: str
    label: str
    first_year: int
    first_full_year: int
    alternative_first_full_year: int | None
    last_full_year: int | None
    practices: tuple[int, int]
    list_size: tuple[int, int]
    exposed: tuple[str, ...]
    possible: tuple[str, ...]
    years: tuple[ExposureYear, ...] = ()

    @property
    def absorbing(self) -> bool:
        """Whether the project went on, as far as published, once it had started."""
        return self.last_full_year is None

    def between(self, first: int, last: int) -> tuple[ExposureYear, ...]:
        """Return the exposure of the calendar years from `first` to `last`, in order."""
        return tuple(year for year in self.years if first <= year.year <= last)


def read_projects(codes: Path, divisions: Mapping[str, str]) -> tuple[Project, ...]:
    """Return the projects with their municipalities and exposure (`open_data_*.csv`).

    Parameters
    ----------
    codes : folder of the code tables.
    divisions : municipality -> unit of the stable division.

    Raises
    ------
    DataError
        If a table is missing, the tables name different projects, or a year of a project has no exposure.
    """
    table = read_code_table(codes, "open_data_projects", _COLUMNS, _NUMBERS)
    places = read_code_table(
        codes, "open_data_municipalities", ["project", "municipality", "status", "basis", "reason"]
    )
    exposure_years = read_exposure_years(codes)
    for name, others in (("municipalities", set(places["project"])), ("exposure", set(exposure_years))):
        odd = ", ".join(sorted(set(table["project"]) ^ others))
        if odd:
            raise DataError(f"open_data_projects.csv and open_data_{name}.csv disagree on {odd}.")

    def units(project: str, status: str) -> tuple[str, ...]:
        mine = places[(places["project"] == project) & (places["status"] == status)]["municipality"]
        return tuple(sorted({divisions.get(name, name) for name in mine}))

    return tuple(
        Project(
            name=str(r.project),
            label=str(r.label),
            first_year=int(r.first_year),
            first_full_year=int(r.first_full_year),
            alternative_first_full_year=_year(r.alternative_first_full_year),
            last_full_year=_year(r.last_full_year),
            practices=(int(r.practices_low), int(r.practices_high)),
            list_size=(int(r.list_low), int(r.list_high)),
            exposed=units(r.project, "exposed"),
            possible=units(r.project, "possible"),
            years=exposure_years[str(r.project)],
        )
        for r in table.itertuples()
    )


def _year(text: str) -> int | None:
    return int(text) if text else None


@dataclass(frozen=True, slots=True)
class Exposure:
    """Exposure of n units: first full year (`NEVER` if none), project (empty if none), and who may compare.

    `never` are the units no project reached before the end of the window; `doubtful` those that may have been reached.
    """

    entry: IntArray
    project: ObjectArray
    never: BoolArray
    doubtful: BoolArray


def exposure(unit_ids: Sequence[str], projects: Sequence[Project], alternative: bool = False) -> Exposure:
    """Return who is exposed from when; with `alternative`, by the declared alternative first full year.

    Raises
    ------
    DataError
        If a municipality of a project is not a unit, or two projects claim the same unit.

    Example
    -------
    >>> p = Project("p", "P", 2019, 2020, None, None, (1, 1), (2300, 3500), ("A",), ("B",))
    >>> e = exposure(["A", "B", "C"], [p])
    >>> e.entry.tolist()[0], e.never.tolist(), e.doubtful.tolist()
    (2020, [False, False, True], [False, True, False])
    """
    place = {name: i for i, name in enumerate(unit_ids)}
    entry = np.full(len(unit_ids), NEVER, dtype=np.int64)
    owner = np.full(len(unit_ids), "", dtype=object)
    doubtful = np.zeros(len(unit_ids), dtype=bool)
    problems = []
    for project in projects:
        unknown = [name for name in (*project.exposed, *project.possible) if name not in place]
        if unknown:
            problems.append(f"{project.name} names municipalities that the Vektis files lack: {', '.join(unknown)}")
            continue
        for name in project.exposed:
            if owner[place[name]]:
                problems.append(f"{name} belongs to {owner[place[name]]} and to {project.name}")
            owner[place[name]] = project.name
            other = project.alternative_first_full_year if alternative else None
            entry[place[name]] = other or project.first_full_year
        doubtful[[place[name] for name in project.possible]] = True
    if problems:
        raise DataError("open_data_municipalities.csv cannot be used: " + "; ".join(problems) + f". {_ADVICE}")
    doubtful &= owner == ""
    return Exposure(frozen(entry), owner, frozen((owner == "") & ~doubtful), frozen(doubtful))
