"""Published data sets as panels, and the recorded results of the original R packages."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel

SETTINGS = {
    "mpdta": ("mpdta.csv", "countyreal", "year", "first.treat", ("lemp",), ("lpop",)),
    "mpdta_unbalanced": ("mpdta_unbalanced.csv", "countyreal", "year", "first_treat", ("lemp",), ("lpop",)),
    "lottery_small": (
        "lottery_small.csv",
        "practice_id",
        "quarter",
        "cohort",
        ("consults_per_1000", "ref_rate"),
        ("deprivation", "list_size", "region"),
    ),
    "base_stagg": ("base_stagg.csv", "id", "year", "year_treated", ("y", "x1"), ()),
    "df_het": ("df_het.csv.gz", "unit", "year", "g", ("dep_var",), ("state",)),
    "pj_officer": (
        "pj_officer_level_balanced.csv.gz",
        "uid",
        "period",
        "first_trained",
        ("complaints", "sustained", "force"),
        (),
    ),
}


@cache
def frame(shared: Path, name: str) -> pd.DataFrame:
    d = pd.read_csv(_there(shared / "data" / "published" / SETTINGS[name][0], shared))
    return d.assign(ref_rate=1000 * d.referrals / d.list_size) if name == "lottery_small" else d


@cache
def panel(shared: Path, name: str, weight: str | None = None, cluster: str | None = None) -> Panel:
    """One row a unit; missing rows become NaN; entry 0 or after the window becomes NEVER."""
    _, unit, period, entry, outcomes, baseline = SETTINGS[name]
    d = frame(shared, name)
    first = d.groupby(unit).first()
    clock = np.sort(d[period].unique()).astype(np.int64)
    g = first[entry].to_numpy().astype(np.int64)
    rows, columns = first.index.get_indexer(d[unit]), np.searchsorted(clock, d[period])
    wide = {o: np.full((len(first), len(clock)), np.nan) for o in outcomes}
    for o, values in wide.items():
        values[rows, columns] = d[o]
    weights = None
    if weight == "exp_lpop":
        weights = np.exp(first["lpop"].to_numpy())
    elif weight:
        weights = first[weight].to_numpy(float)
    return Panel(
        first.index.to_numpy().astype(object),
        tuple(str(t) for t in clock),
        clock,
        wide,
        weight=weights,
        cluster=None if cluster is None else first[cluster].to_numpy().astype(object),
        baseline={b: first[b].to_numpy(float) for b in baseline},
        entry=np.where((g == 0) | (g > clock[-1]), NEVER, g),
    )


@cache
def variants(shared: Path, file: str) -> dict[str, dict]:
    path = _there(shared / "reference" / "did" / f"{file}.json", shared)
    found = json.loads(path.read_text(encoding="utf-8"))["variants"]
    return {v["label"]: v for v in (found.values() if isinstance(found, dict) else found)}


def _there(path: Path, root: Path) -> Path:
    """Skip where the copies in the project, which hold the made panel only, lack a file."""
    if root.name == "copies" and not path.is_file():
        pytest.skip(f"{path.name} is not among the copies in the project")
    return path


def column(values: list) -> np.ndarray:
    """A recorded column as floats; null is NaN."""
    if not isinstance(values, list):
        values = [values]
    return np.array([np.nan if v is None else float(v) for v in values])
