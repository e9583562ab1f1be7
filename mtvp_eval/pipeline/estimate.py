"""`mtvp estimate`: any panel, any estimator, from a settings file to a table and estimates.json."""

from __future__ import annotations

import gzip
import json
import math
import os
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import CommandError, DataError, DataWarning
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.doubly_robust import Adjustment
from mtvp_eval.estimators.method import ESTIMANDS, Choices, Found
from mtvp_eval.pipeline.estimate_intervals import INTERVALS, Asked, corrected, refuse_interval, with_interval
from mtvp_eval.settings import Settings, load_yaml

if TYPE_CHECKING:
    import pandas as pd

COMPARISONS = tuple(str(c) for c in Comparison)
READERS = (".csv", ".csv.gz", ".xlsx", ".parquet")
DEFAULT_ESTIMANDS = ("overall", "event_study")


@dataclass(frozen=True, slots=True)
class EstimateSpec:
    """A question about one table: columns, estimator, estimands, and what may be left out."""

    data: Path
    unit: str
    period: str
    entry: str
    ended: str | None
    outcomes: tuple[str, ...]
    estimator: str
    estimands: tuple[str, ...]
    comparison: Comparison
    anticipation: int
    weight: str | None
    cluster: str | None
    level: float
    interval: str
    choices: Choices

    @classmethod
    def read(cls, path: Path) -> EstimateSpec:
        """Read a settings file strictly.

        Raises
        ------
        CommandError
            If the file is missing or a key is unknown, missing or of the wrong kind; all problems are listed.
        """
        settings = Settings(load_yaml(path), path.name)
        spec = cls._take(settings, path.parent)
        settings.finish()
        return spec

    @classmethod
    def _take(cls, settings: Settings, folder: Path) -> EstimateSpec:
        estimator = settings.text("estimator", choices=registry.METHODS)
        known = registry.METHODS.get(estimator)
        estimands = settings.texts("estimands", None, choices=ESTIMANDS)
        if estimands is None:
            estimands = tuple(e for e in DEFAULT_ESTIMANDS if known is None or e in known.estimands)
        data = settings.text("data")
        if data and not data.lower().endswith(READERS):
            settings.note(f"data is a {Path(data).suffix or 'file without ending'}; use CSV, CSV.GZ, XLSX or Parquet")
        weight = settings.text("weight", None)
        return cls(
            data=folder / (data or ""),
            unit=settings.text("unit"),
            period=settings.text("period"),
            entry=settings.text("entry"),
            ended=_ended(settings, estimator),
            outcomes=settings.texts("outcome") or (),
            estimator=estimator,
            estimands=estimands,
            comparison=Comparison(_valid(settings, "comparison", COMPARISONS, str(Comparison.NOT_YET_ENROLLED))),
            anticipation=settings.integer("anticipation", 0, low=0),
            weight=weight,
            cluster=settings.text("cluster", None),
            level=settings.number("level", 0.95, 0.5, 0.999),
            interval=_valid(settings, "interval", INTERVALS, "default"),
            choices=Choices(
                covariates=settings.texts("covariates", ()),
                weighting=Weighting.PATIENT if weight else Weighting.PRACTICE,
                exposure=settings.text("exposure", None),
                options=_options(settings, estimator),
            ),
        )


def _ended(settings: Settings, estimator: str | None) -> str | None:
    """Take the column of ends, which only a method for units that stop can use."""
    column: str | None = settings.text("ended", None)
    if column and estimator in registry.METHODS and estimator != "dcdh":
        settings.note(
            f"ended is for dcdh, which follows units that stop; {estimator} holds enrolment to last. Leave it out"
        )
    return column


def _valid(settings: Settings, key: str, choices: tuple[str, ...], default: str) -> str:
    """Return a choice; the default where another word stands, which the settings have noted by then."""
    value = settings.text(key, default, choices=choices)
    return value if value in choices else default


def _options(settings: Settings, estimator: str | None) -> dict[str, Any]:
    """Return what only some methods know; a default that the method does not know is no request."""
    options: dict[str, Any] = {}
    for key, choices, default in (
        ("method", tuple(str(a) for a in Adjustment), str(Adjustment.DR)),
        ("base_period", tuple(str(b) for b in BasePeriod), str(BasePeriod.VARYING)),
    ):
        value = _valid(settings, key, choices, default)
        known = registry.METHODS.get(estimator or "")
        if known is not None and key in known.options:
            options[key] = value
        elif value != default:
            settings.note(f"{key} is a choice of callaway_santanna; leave it out for {estimator}")
    return options


def estimate(spec_path: Path, out: Path | None = None) -> str:
    """Estimate what a settings file asks, write estimates.json beside it (or ``out``), and return the table.

    Raises
    ------
    CommandError
        If the settings are wrong, the data file is not there, or the method does not support what is asked.
    DataError, DesignError, EstimationError
        If the data cannot be used, or show no such effect.
    """
    spec_path = Path(spec_path)
    spec = EstimateSpec.read(spec_path)
    frame = read_table(spec.data, (spec.period, spec.entry, *([spec.ended] if spec.ended else [])))
    said: list[str] = []
    moving = _moving(frame, spec)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        panel = Panel.from_frame(
            frame, spec.unit, spec.period, spec.entry,
            list(dict.fromkeys([*spec.outcomes, *_exposure(spec), *moving])), weight=spec.weight, cluster=spec.cluster,
            baseline=[name for name in spec.choices.covariates if name not in moving],
            ended=spec.ended,
        )  # fmt: skip
    said += [str(w.message) for w in caught if issubclass(w.category, DataWarning)]
    design = StaggeredDesign.from_panel(panel, spec.comparison, spec.anticipation)
    reasons = registry.refusals(spec.estimator, design, spec.estimands, spec.choices)
    reasons += refuse_interval(spec.interval, spec.estimator, spec.estimands, spec.choices)
    if reasons:
        raise CommandError(f"{spec_path.name}: " + "; ".join(reasons) + ".")
    records = []
    for outcome in spec.outcomes:
        for names in registry.together(spec.estimator, spec.estimands):
            asked = Asked(
                spec.estimator, panel, design, outcome, names, spec.choices,
                lambda fewer: StaggeredDesign.from_panel(fewer, spec.comparison, spec.anticipation),
            )  # fmt: skip
            effects = _fitted(asked, spec.interval)
            made = records_of(effects, spec.level)
            if spec.interval in ("cr2", "cr3", "wild"):
                with_interval(made, effects, spec.interval, asked, spec.level)
            said += effects.notes
            records += made
    _write(out or spec_path.parent / "estimates.json", records)
    return "\n".join([table_of(records), *(f"Note: {text}" for text in dict.fromkeys(said))])


def _moving(frame: pd.DataFrame, spec: EstimateSpec) -> list[str]:
    """Return the covariates that change within a unit; what is not in the table is said where it is read."""
    there = [name for name in spec.choices.covariates if name in frame.columns and spec.unit in frame.columns]
    distinct = frame.groupby(spec.unit, observed=True)[there].nunique() if there else None
    return [name for name in there if distinct is not None and (distinct[name] > 1).any()]


def _fitted(asked: Asked, interval: str) -> Found:
    """Return the effects of a fit with the variance that the interval asked for rests on."""
    effects = asked.fit()
    return registry.published(asked.name, effects) if interval == "default" else corrected(effects, interval)


def _exposure(spec: EstimateSpec) -> tuple[str, ...]:
    exposure = spec.choices.exposure
    return (exposure,) if exposure and exposure not in spec.outcomes else ()


def read_table(path: Path, dated: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the table of a CSV, XLSX or Parquet file; texts such as 2023-04-01 in the columns ``dated`` become dates.

    Raises
    ------
    CommandError
        If there is no such file, or Parquet is asked for where pyarrow is not installed.
    DataError
        If the file cannot be read as what its ending says.
    """
    import pandas as pd

    if not path.is_file():
        raise CommandError(f"There is no file {path.name} in {path.parent}; `data` is relative to the settings file.")
    kind = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    try:
        if kind in (".csv", ".csv.gz"):
            frame = pd.read_csv(path, sep=_separator(path))
        elif kind == ".xlsx":
            frame = pd.read_excel(path)
        else:
            frame = pd.read_parquet(path)
    except ImportError as error:
        raise CommandError(
            f"{path.name}: reading Parquet needs the package pyarrow, which is not installed here. "
            "Install it, or save the table as CSV or XLSX."
        ) from error
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{path.name} cannot be read as {kind[1:].upper()} ({type(error).__name__}).") from error
    for name in dated:
        if name in frame.columns and frame[name].dtype.kind not in "iufbmM":
            frame[name] = _as_dates(frame[name])
    return frame


def _separator(path: Path) -> str:
    """Return the mark that splits the header into most columns."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max((",", ";", "\t"), key=header.count)


def _as_dates(column: pd.Series) -> pd.Series:
    """Return a column of texts as dates if every one of them is a date such as 2023-04-01, else as it was."""
    import pandas as pd

    filled = column.dropna()
    if isinstance(column.dtype, pd.PeriodDtype) or filled.empty:
        return column
    if not filled.astype(str).str.fullmatch(r"\d{4}-\d{2}-\d{2}( 00:00:00)?").all():
        return column
    return pd.to_datetime(column, errors="coerce")


def records_of(effects: Found, level: float) -> list[dict[str, Any]]:
    """Return one record an estimand; coordinates where they apply, null where there is no standard error."""
    records = []
    for row in effects.to_frame(level).to_dict("records"):
        record: dict[str, Any] = {"outcome": row["outcome"], "estimand": row["estimand"]}
        for name in ("cohort", "period"):
            if row[name] != "":
                record[name] = int(row[name]) if str(row[name]).isdigit() else row[name]
        if not _missing(row["event_time"]):
            record["event_time"] = int(row["event_time"])
        for name in ("estimate", "std_error", "ci_low", "ci_high"):
            record[name] = float(row[name]) if math.isfinite(row[name]) else None
        record["df"] = float(row["df"]) if record["std_error"] is not None and math.isfinite(row["df"]) else None
        record["ci_method"], record["level"] = row["ci_method"], level
        record["weighting"], record["method"] = row["weighting"], effects.method
        record |= {name: row[name] for name in ("unit", "note") if row[name]}
        records.append(record)
    return records


def _missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def table_of(records: list[dict[str, Any]]) -> str:
    """Return the records as a table for reading; what no record has is left out."""
    import pandas as pd

    columns = ("outcome", "estimand", "cohort", "period", "event_time", "unit", "estimate", "std_error", "ci_low",
               "ci_high", "ci_method", "p_value", "note")  # fmt: skip
    shown = [name for name in columns if any(name in record for record in records)]
    frame = pd.DataFrame([{name: record.get(name) for name in shown} for record in records])
    for name in ("estimate", "std_error", "ci_low", "ci_high", *(["p_value"] if "p_value" in shown else [])):
        frame[name] = [f"{v:.6g}" if v is not None and math.isfinite(v) else "" for v in frame[name]]
    for name in ("cohort", "period", "event_time", "unit", "note"):
        if name in frame:
            frame[name] = ["" if _missing(v) else str(int(v) if isinstance(v, float) else v) for v in frame[name]]
    return str(frame.to_string(index=False))


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    """Write the records so that a reader never sees half a file."""
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_text(json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise CommandError(f"{path.name} cannot be written in {path.parent} ({error.strerror}).") from error
    finally:
        draft.unlink(missing_ok=True)
