"""Published results of regions, read for pooling: effects, slopes and weights, and everything that does not fit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.errors import CommandError, DataError, MtvpError
from mtvp_eval.estimators.lottery_default import CONTRASTS
from mtvp_eval.inference.shared_shares import RegionContrasts
from mtvp_eval.report.results import RESULTS

POOLED = "pooled"
"""Folder under reports/ of what regions say together."""
_WRITTEN = 1e-6
"""Above the rounding of a correlation whose covariances are written in ten digits."""
NO_REGIONS = (POOLED, "open_data")
"""Folders under reports/ that hold results and are no region."""


@dataclass(frozen=True, slots=True)
class Brought:
    """One effect (or slope) a region brings; `df` is infinite where the normal was used, `practices` the weight.

    `recentred` is False where the region could not replay its draw; earlier versions did not say.
    """

    estimate: float
    std_error: float
    df: float
    low: float
    high: float
    practices: float
    unit: str
    recentred: bool = True


@dataclass(frozen=True, slots=True)
class RegionResults:
    """What one region published: its question, effects by outcome, slopes by outcome and moderator.

    `contrasts` are what effects are made of, by outcome: not there where they are withheld, where the region's draw
    could not be replayed, and in the results of earlier versions.
    """

    name: str
    config: EvaluationConfig
    simulated: bool
    effects: Mapping[str, Brought]
    slopes: Mapping[tuple[str, str], Brought]
    contrasts: Mapping[str, RegionContrasts]


def read_regions(root: Path, names: Sequence[str]) -> tuple[RegionResults, ...]:
    """Read the published results of regions; all problems of all regions are listed.

    Raises
    ------
    CommandError
        If fewer than two regions are named, one twice, or a question or results are not there, or questions differ.
    DataError
        If results cannot be read, or hold numbers that are none.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CommandError(f"Named more than once: {', '.join(repeated)}. A region counts once.")
    if len(names) < 2:
        raise CommandError(
            f"{len(names)} region{'' if len(names) == 1 else 's'} named; pooling needs two at least, a prediction "
            "interval three."
        )
    absent, unreadable, found = [], [], []
    for name in sorted(names):
        if name in NO_REGIONS:
            absent.append(f"  {name}: this folder of reports/ holds no region.")
            continue
        try:
            config = EvaluationConfig.read(config_path(root, name))
            content = _content(config_path(root, name).parent / RESULTS)
            found.append(_region(name, config, content))
        except CommandError as error:
            absent.append(f"  {name}: {error}")
        except MtvpError as error:
            unreadable.append(f"  {name}: {error}")
    if absent:
        raise CommandError("These regions cannot be pooled:\n" + "\n".join([*absent, *unreadable]))
    if unreadable:
        raise DataError("These regions cannot be pooled:\n" + "\n".join(unreadable))
    differing = _differing(found)
    if differing:
        raise CommandError(
            "The regions do not answer one question:\n" + "\n".join(f"  {line}" for line in differing)
            + "\nPool those that do, or declare the same in their evaluation.yaml and evaluate again."
        )  # fmt: skip
    return tuple(found)


def _content(path: Path) -> Mapping[str, Any]:
    region = path.parent.name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CommandError(f"reports/{region}/{RESULTS} is not there; `mtvp evaluate {region}` writes it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(f"reports/{region}/{RESULTS} is no readable file of results; evaluate again.") from None
    if not isinstance(content, dict) or not isinstance(content.get("numbers"), list):
        raise DataError(f"reports/{region}/{RESULTS} holds no numbers; evaluate again.")
    return content


def _region(name: str, config: EvaluationConfig, content: Mapping[str, Any]) -> RegionResults:
    if content.get("region") != name:
        raise DataError(f"the results are those of region {content.get('region')}, not of {name}.")
    if content.get("level") != config.estimation.level:
        raise DataError(
            f"the results are at level {content.get('level')}, the question asks for {config.estimation.level}; "
            f"`mtvp evaluate {name}` again."
        )
    rows: dict[str, dict[str, Any]] = {}
    for entry in content["numbers"]:
        table, _, rest = str(entry.get("id", "")).partition("/")
        row, _, column = rest.rpartition("/")
        if table in ("pooling", "heterogeneity", "pooling_contrasts"):
            rows.setdefault(f"{table}/{row}", {})[column] = entry
    effects, slopes = {}, {}
    for key, numbers in rows.items():
        table, _, row = key.partition("/")
        if table == "pooling_contrasts" or "estimate" not in numbers or "std_error" not in numbers:
            continue
        outcome, _, moderator = row.partition(".")
        if table == "pooling":
            effects[outcome] = _brought(key, numbers)
        else:
            slopes[outcome, moderator] = _brought(key, numbers)
    if not effects:
        raise CommandError(
            f"reports/{name}/{RESULTS} holds no effect to pool: made by an earlier version (`mtvp evaluate {name}` "
            "again), or every effect is withheld or not identified by the draw."
        )
    contrasts = {outcome: _contrasts(outcome, rows) for outcome in effects if _contrast_key(outcome) in rows}
    return RegionResults(name, config, bool(content.get("simulated")), effects, slopes, contrasts)


def _contrast_key(outcome: str, contrast: str = CONTRASTS[0]) -> str:
    return f"pooling_contrasts/{outcome}.{contrast}"


def _contrasts(outcome: str, rows: Mapping[str, Mapping[str, Any]]) -> RegionContrasts:
    columns = ("estimate", *(f"covariance_{name}" for name in CONTRASTS), "replayed_outcome", "replayed_exposure")
    keys = [_contrast_key(outcome, name) for name in CONTRASTS]
    numbers = np.array([[_value(key, rows.get(key, {}), column) for column in columns] for key in keys])
    estimate, covariance, of_outcome, of_exposure = numbers[:, 0], numbers[:, 1:-2], numbers[:, -2], numbers[:, -1]
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(spread > 0, spread, 1.0)
    correlation = covariance / np.outer(scale, scale)
    whole = (
        np.isfinite(numbers).all() and spread[0] > 0 and np.allclose(correlation, correlation.T, rtol=0, atol=_WRITTEN)
    )
    if not whole or np.linalg.eigvalsh(correlation).min() < -_WRITTEN:
        raise DataError(f"pooling_contrasts/{outcome} holds no finite numbers with a covariance; evaluate again.")
    return RegionContrasts(estimate, covariance, of_outcome, of_exposure)


def _value(key: str, numbers: Mapping[str, Any], column: str, otherwise: float = math.nan) -> float:
    given = numbers[column]["value"] if column in numbers else otherwise
    if isinstance(given, bool) or not isinstance(given, (int, float)) or math.isnan(given):
        raise DataError(f"{key}/{column} is no number; evaluate again.")
    return float(given)


def _brought(key: str, numbers: Mapping[str, Any]) -> Brought:
    low, high = numbers["estimate"].get("interval") or (math.nan, math.nan)
    made = Brought(
        _value(key, numbers, "estimate"), _value(key, numbers, "std_error"), _value(key, numbers, "df", math.inf),
        float(low), float(high), _value(key, numbers, "practices", 1.0), str(numbers["estimate"].get("unit", "")),
        _value(key, numbers, "recentred", 1.0) > 0,
    )  # fmt: skip
    if not (math.isfinite(made.estimate) and 0 < made.std_error < math.inf and made.df > 0 and made.practices > 0):
        raise DataError(f"{key} has no finite estimate with a positive error, degrees of freedom and weight.")
    return made


def _differing(regions: Sequence[RegionResults]) -> list[str]:
    """Say in which answers to the same question the regions differ."""
    asked = {
        "programme": {r.name: r.config.programme for r in regions},
        "primary outcome": {r.name: r.config.outcomes.primary for r in regions},
        "level": {r.name: f"{r.config.estimation.level:g}" for r in regions},
        "moderators": {r.name: ", ".join(r.config.estimation.moderators) or "none" for r in regions},
        "simulated": {r.name: "yes" if r.simulated else "no" for r in regions},
    }
    for outcome in sorted({name for r in regions for name in r.effects}):
        asked[f"unit of {outcome}"] = {r.name: r.effects[outcome].unit for r in regions if outcome in r.effects}
    return [
        f"{what}: " + "; ".join(f"{answer} ({', '.join(n for n, a in given.items() if a == answer)})" for answer in
                                dict.fromkeys(given.values()))
        for what, given in asked.items()
        if len(set(given.values())) > 1
    ]  # fmt: skip
