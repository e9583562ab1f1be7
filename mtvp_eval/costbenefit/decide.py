"""`mtvp decide SPEC.yaml`: cost-effectiveness of any options from files of draws, as a table and as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.decision import Acceptability, Frontier, acceptability, frontier, incremental
from mtvp_eval.costbenefit.plane import Difference, Quadrant, SetShape, difference, fieller
from mtvp_eval.costbenefit.voi import MAX_PARAMETERS, ParameterRegression, PartialValue, align
from mtvp_eval.errors import CommandError, DataError
from mtvp_eval.settings import Settings, load_yaml, nearest

ROW_ID = "draw"


@dataclass(frozen=True, slots=True)
class DrawTable:
    """Named columns of draws (S, n), and the ids of the rows when the file has a column `draw`."""

    file: str
    names: tuple[str, ...]
    values: FloatArray
    rows: FloatArray | None


@dataclass(frozen=True, slots=True)
class Decision:
    """All answers about D options at J thresholds; differences are option minus reference."""

    options: tuple[str, ...]
    reference: str
    n_draws: int
    answers: Acceptability
    frontier: Frontier
    differences: Mapping[str, Difference]
    evppi: Mapping[str, tuple[PartialValue, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return what ``decision.json`` holds: numbers keyed by option or parameter, and by willingness to pay."""
        k = [threshold(value) for value in self.answers.willingness_to_pay]
        a, f = self.answers, self.frontier
        return {
            "options": list(self.options),
            "reference": self.reference,
            "differences": "option minus reference",
            "draws": self.n_draws,
            "icer": {name: _number(d.icer) for name, d in self.differences.items()},
            "comparison": {name: _comparison(d) for name, d in self.differences.items()},
            "frontier": {
                name: {
                    "status": f.status[i].value,
                    "incremental_cost": _number(f.incremental_cost[i]),
                    "incremental_effect": _number(f.incremental_effect[i]),
                    "icer": _number(f.icer[i]),
                }
                for i, name in enumerate(self.options)
            },
            "eib": {name: _by(k, d.inb(a.willingness_to_pay)[0]) for name, d in self.differences.items()},
            "ceac": {name: _by(k, a.ceac[i]) for i, name in enumerate(self.options)},
            "ceaf": _by(k, a.ceaf),
            "optimal": {key: self.options[i] for key, i in zip(k, a.optimal, strict=True)},
            "evpi": _by(k, a.evpi),
            "expected_loss": {name: _by(k, a.expected_loss[i]) for i, name in enumerate(self.options)},
            "evppi": {name: _by(k, [v.value for v in values]) for name, values in self.evppi.items()},
            "evppi_check": {
                name: {
                    key: {"cross_fitted": v.cross_fitted, "floor": v.floor, "distinguishable": v.distinguishable}
                    for key, v in zip(k, values, strict=True)
                }
                for name, values in self.evppi.items()
            },
        }

    def to_frame(self) -> Any:
        """Return a DataFrame with a row for each option and willingness to pay.

        Columns willingness_to_pay, option, net_benefit, eib, ceac, expected_loss, best (highest mean net benefit) and
        evpi.
        """
        import pandas as pd

        a = self.answers
        zero = Difference(0.0, 0.0, 0.0, 0.0, 0.0)
        return pd.DataFrame(
            [
                {
                    "willingness_to_pay": k,
                    "option": name,
                    "net_benefit": a.expected[i, j],
                    "eib": float(self.differences.get(name, zero).inb(a.willingness_to_pay)[0][j]),
                    "ceac": a.ceac[i, j],
                    "expected_loss": a.expected_loss[i, j],
                    "best": bool(a.optimal[j] == i),
                    "evpi": a.evpi[j],
                }
                for j, k in enumerate(a.willingness_to_pay)
                for i, name in enumerate(self.options)
            ]
        )

    def to_text(self) -> str:
        """Return the answers as tables of text: by threshold, against the reference, and the value of information."""
        import pandas as pd

        compared = [
            {
                "option": name,
                "status": self.frontier.status[i].value,
                **({} if name == self.reference else _shown(self.differences[name])),
            }
            for i, name in enumerate(self.options)
        ]
        parts = [self.to_frame(), pd.DataFrame(compared).fillna("")]
        if self.evppi:
            k = self.answers.willingness_to_pay
            rows = [
                {
                    "parameters": name,
                    "willingness_to_pay": at,
                    "evppi": value.value,
                    "floor": value.floor,
                    "reading": "" if value.distinguishable else "not distinguishable from 0",
                }
                for name, values in self.evppi.items()
                for at, value in zip(k, values, strict=True)
            ]
            parts.append(pd.DataFrame(rows))
        return "\n\n".join(part.to_string(index=False) for part in parts)


def decide(spec: Path, out: Path | None = None, seed: int = 1) -> Decision:
    """Answer a decision specification and write ``decision.json`` beside it, or to `out`.

    The specification (YAML) names the CSV files `effects` and `costs` (one row a draw, one column an option),
    optionally `parameters` (one column a parameter), the `reference` option, the list `willingness_to_pay`, and in
    `evppi` the parameters, or lists of parameters, whose value of information is asked. Paths are relative to the
    specification. A column `draw` holds row ids, which must then agree in every file that has one. `seed` sets folds
    and permutations of the value of information.

    Raises ``CommandError`` when the specification is wrong, ``DataError`` when the draws cannot be used; every problem
    is listed.
    """
    settings = Settings(load_yaml(spec), spec.name)
    files = {key: settings.text(key) for key in ("effects", "costs")}
    files["parameters"] = settings.text("parameters", None)
    reference = settings.text("reference")
    grid = _thresholds(settings)
    asked = _parameter_sets(settings)
    paths = {key: spec.parent / name for key, name in files.items() if name}
    for key, path in paths.items():
        if not path.is_file():
            settings.note(f"{key}: there is no file {path.name} beside the specification")
    if asked and "parameters" not in paths:
        settings.note("evppi asks for parameters, but no file of parameters is named")
    if not {"effects", "costs"} <= set(paths) or not all(path.is_file() for path in paths.values()):
        settings.finish()
    tables = {key: read_draws(path) for key, path in paths.items()}
    decision = _answer(settings, tables, reference, grid, asked, np.random.default_rng(seed))
    target = out or spec.parent / "decision.json"
    try:
        target.write_text(json.dumps(decision.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{target.name} cannot be written: {error.strerror}. Choose another file with --out."
        ) from None
    return decision


def _answer(
    settings: Settings,
    tables: Mapping[str, DrawTable],
    reference: str,
    grid: FloatArray,
    asked: Sequence[tuple[str, ...]],
    rng: np.random.Generator,
) -> Decision:
    effects, costs, parameters = tables["effects"], tables["costs"], tables.get("parameters")
    if reference not in effects.names:
        settings.note(f"reference: no option has this name; {nearest(reference, effects.names)}")
    for name in sorted({name for names in asked for name in names} - set(parameters.names if parameters else ())):
        settings.note(f"evppi: no parameter {name}; {nearest(name, parameters.names if parameters else ())}")
    settings.finish()
    if set(effects.names) != set(costs.names):
        odd = ", ".join(sorted(set(effects.names) ^ set(costs.names)))
        raise DataError(f"{effects.file} and {costs.file} must name the same options; only one of them has {odd}.")
    for table in tables.values():
        if len(table.values) != len(effects.values):
            raise DataError(
                f"{table.file} has {len(table.values)} draws and {effects.file} has {len(effects.values)}: each row "
                "must be the same draw in every file."
            )
        if table.rows is not None and effects.rows is not None:
            align(effects.rows.astype(np.int64), table.rows.astype(np.int64))
    if len(effects.values) < 2:
        raise DataError(f"{effects.file} holds one draw; uncertainty needs at least two, one row each.")
    # options are matched by name: the order of columns decides nothing
    e, c = effects.values, costs.values[:, [costs.names.index(name) for name in effects.names]]
    base = effects.names.index(reference)
    de, dc = incremental(e, base), incremental(c, base)
    values = {}
    for names in asked if parameters else ():
        x = parameters.values[:, [parameters.names.index(name) for name in names]] if parameters else e
        regression = ParameterRegression(x, rng)
        values["+".join(names)] = tuple(regression.value(k * e - c) for k in grid)
    return Decision(
        effects.names,
        reference,
        len(e),
        acceptability(e, c, grid),
        frontier(c.mean(axis=0), e.mean(axis=0)),
        {name: difference(de[:, i], dc[:, i]) for i, name in enumerate(effects.names) if i != base},
        values,
    )


def read_draws(path: Path) -> DrawTable:
    """Read a CSV of draws: a header of names, then numbers with a decimal point; separator comma or semicolon.

    Raises ``DataError`` with the lines that hold no numbers; a column without a name or a name given twice is refused.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        stream.seek(0)
        lines = list(csv.reader(stream, delimiter=";" if first.count(";") > first.count(",") else ","))
    names = [name.strip() for name in lines[0]] if lines else []
    if not names or "" in names or len(set(names)) < len(names):
        raise DataError(f"{path.name}: the first line must name every column, each name once.")
    bad, rows = [], []
    for number, cells in enumerate(lines[1:], start=2):
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            row = []
        if len(row) != len(names) or not np.isfinite(row).all():
            bad.append(number)
        rows.append(row)
    if bad or not rows:
        shown = ", ".join(str(line) for line in bad[:3]) + (", …" if len(bad) > 3 else "")
        where = f"{len(bad)} lines do not ({shown})" if bad else "there is none"
        raise DataError(f"{path.name}: every line must hold {len(names)} finite numbers with a decimal point; {where}.")
    values = np.array(rows)
    kept = [i for i, name in enumerate(names) if name != ROW_ID]
    ids = values[:, names.index(ROW_ID)] if ROW_ID in names else None
    return DrawTable(path.name, tuple(names[i] for i in kept), values[:, kept], ids)


def threshold(value: float) -> str:
    """Return the key of a willingness to pay: whole numbers without a decimal point.

    >>> threshold(20000.0), threshold(0.5)
    ('20000', '0.5')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _thresholds(settings: Settings) -> FloatArray:
    given = settings.raw("willingness_to_pay")
    listed = given if isinstance(given, list) else []
    numbers = [v for v in listed if isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < float("inf")]
    if given is not None and (not numbers or len(numbers) < len(listed)):
        settings.note("willingness_to_pay must be a list of numbers, none negative")
    return np.unique(np.array(numbers, dtype=float))


def _parameter_sets(settings: Settings) -> list[tuple[str, ...]]:
    given = settings.raw("evppi", [])
    sets: list[tuple[str, ...]] = []
    for entry in given if isinstance(given, list) else [None]:
        names = tuple(entry) if isinstance(entry, list) else (entry,)
        if not names or not all(isinstance(name, str) for name in names) or len(names) > MAX_PARAMETERS:
            settings.note(f"evppi must be a list of parameter names, or of lists of at most {MAX_PARAMETERS} names")
            return []
        sets.append(names)
    return sets


def _comparison(d: Difference) -> dict[str, Any]:
    found = fieller(d)
    return {
        "incremental_effect": d.effect,
        "incremental_cost": d.cost,
        "var_effect": d.var_effect,
        "var_cost": d.var_cost,
        "covariance": d.covariance,
        "quadrant": d.quadrant.name,
        "meaning": d.quadrant.value,
        "fieller_shape": found.shape.value,
        "fieller_low": _number(found.low),
        "fieller_high": _number(found.high),
    }


def _shown(d: Difference) -> dict[str, Any]:
    """The comparison with the reference in words and numbers; no ratio is printed where one option dominates."""
    found = fieller(d)
    limits = {
        SetShape.INTERVAL: f"{found.low:.6g} to {found.high:.6g}",
        SetShape.COMPLEMENT: f"below {found.low:.6g} or above {found.high:.6g}",
        SetShape.WHOLE_LINE: "every ratio",
    }
    ratio = d.quadrant in (Quadrant.NE, Quadrant.SW)
    return {
        "effect": f"{d.effect:.6g}",
        "cost": f"{d.cost:.6g}",
        "meaning": d.quadrant.value,
        "icer": f"{d.icer:.6g}" if ratio else "",
        "fieller_95": limits[found.shape],
    }


def _by(keys: Sequence[str], values: FloatArray | Sequence[float]) -> dict[str, float]:
    return {key: float(value) for key, value in zip(keys, values, strict=True)}


def _number(value: float) -> float | None:
    """A number, or None where JSON has none."""
    return float(value) if np.isfinite(value) else None
