"""Compare a published report with one computed again: every number, every input, every file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtvp_eval.errors import CommandError, VerificationError
from mtvp_eval.report.results import MANIFEST, RESULTS, Published, results

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: a number, an input or a file."""

    what: str
    published: str
    recomputed: str
    tolerance: float | None = None

    def sentence(self) -> str:
        """Say the difference in one line.

        >>> Difference("headline/a/estimate", "1.0", "1.2", 1e-8).sentence()
        'headline/a/estimate: published 1.0, recomputed 1.2 (tolerance 1e-08)'
        """
        allowed = "" if self.tolerance is None else f" (tolerance {self.tolerance:g})"
        return f"{self.what}: published {self.published}, recomputed {self.recomputed}{allowed}"


def compare_numbers(published: Mapping[str, Any], recomputed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare two contents of `results.json`: values, intervals, units, and numbers only one of them holds.

    The recomputed tolerance counts, so that a published file cannot grant itself a wider one.
    """
    old = {n["id"]: n for n in published["numbers"]}
    new = {n["id"]: n for n in recomputed["numbers"]}
    found = [Difference(i, repr(old[i]["value"]), "nothing") for i in old if i not in new]
    found += [Difference(i, "nothing", repr(new[i]["value"])) for i in new if i not in old]
    for i in (i for i in old if i in new):
        allowed = new[i]["tolerance"]
        if not _same(old[i]["value"], new[i]["value"], allowed):
            found.append(Difference(i, repr(old[i]["value"]), repr(new[i]["value"]), allowed))
        for end, one, other in zip(("low", "high"), *(_ends(n) for n in (old[i], new[i])), strict=True):
            wider = allowed / max(1.0, abs(new[i]["value"])) * max(1.0, abs(other or 0.0))
            if (one is None) != (other is None) or (one is not None and not _same(one, other, wider)):
                found.append(Difference(f"{i} (interval, {end})", repr(one), repr(other), wider))
        if old[i]["unit"] != new[i]["unit"]:
            found.append(Difference(f"{i} (unit)", old[i]["unit"], new[i]["unit"]))
    return (*found, *_priced(published.get("priced"), recomputed.get("priced")))


def compare_sources(published: Mapping[str, Any], stable: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare what a report says it was made from with what it would be made from now."""
    own = ("files/", "parameters/")  # what publishing itself added
    old, new = ({k: v for k, v in _flat(m).items() if not k.startswith(own)} for m in (published, stable))
    names = [*old, *(k for k in new if k not in old)]
    return tuple(
        Difference(name, old.get(name, "nothing"), new.get(name, "nothing"))
        for name in names
        if old.get(name) != new.get(name)
    )


def changed_files(folder: Path, manifest: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return the published files whose bytes are no longer those the manifest names."""
    found = []
    for name, said in manifest.get("files", {}).items():
        path = folder / name
        now = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
        if now != said:
            found.append(Difference(f"file {name}", said[:12], now[:12]))
    return tuple(found)


def verify(folder: Path, inputs: Published) -> str:
    """Compare the report in a folder with its inputs computed again; return one line if all agree.

    Raises
    ------
    CommandError
        If the folder holds no report.
    VerificationError
        Naming each difference.
    """
    published, manifest = (_read(folder / name) for name in (RESULTS, MANIFEST))
    again = results(inputs)
    numbers = compare_numbers(published, again)
    differences = [*changed_files(folder, manifest), *compare_sources(manifest, inputs.manifest), *numbers]
    if differences:
        raise VerificationError(report_of(differences, folder.name))
    return f"{len(again['numbers'])} published numbers of {folder.name} computed again: all within tolerance."


def report_of(differences: Iterable[Difference], name: str) -> str:
    """Return the message that names each difference, the first forty in full."""
    lines = [f"  {d.sentence()}" for d in differences]
    head = f"The published report of {name} differs from the one computed again in {len(lines)} places:"
    more = [f"  … and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([head, *lines[:_SHOWN], *more, "Publish again if the inputs were meant to change."])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CommandError(f"There is no published report to verify: {path.name} is missing.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CommandError(f"{path.name} is not a readable file of a report.") from None
    return dict(content)


def _same(one: float, other: float, tolerance: float) -> bool:
    return math.isfinite(one) and math.isfinite(other) and abs(one - other) <= tolerance


def _ends(number: Mapping[str, Any]) -> tuple[float | None, float | None]:
    low, high = number["interval"] or (None, None)
    return low, high


def _priced(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> tuple[Difference, ...]:
    if (old is None) != (new is None):
        return (
            Difference("priced effects", "nothing" if old is None else "there", "nothing" if new is None else "there"),
        )
    if old is None or new is None:
        return ()
    if old["names"] != new["names"]:
        return (Difference("priced effects", ", ".join(old["names"]), ", ".join(new["names"])),)
    found = []
    scale = max((abs(v) for row in new["covariance"] for v in row), default=1.0)
    for i, name in enumerate(new["names"]):
        if not _same(old["estimate"][i], new["estimate"][i], 1e-8 * max(1.0, abs(new["estimate"][i]))):
            found.append(Difference(f"priced/{name}", repr(old["estimate"][i]), repr(new["estimate"][i])))
        for j, other in enumerate(new["names"]):
            one, two = old["covariance"][i][j], new["covariance"][i][j]
            if not _same(one, two, 1e-8 * scale):
                found.append(Difference(f"priced covariance/{name}/{other}", repr(one), repr(two), 1e-8 * scale))
    return tuple(found)


def _flat(node: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(node, Mapping):
        return {k: v for name, child in node.items() for k, v in _flat(child, f"{prefix}{name}/").items()}
    return {prefix.rstrip("/"): str(node)}
