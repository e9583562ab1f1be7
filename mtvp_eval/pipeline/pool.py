"""`mtvp pool REGION...`: what regions say together, from what each of them published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.config import config_path
from mtvp_eval.dictionary.load import load_dictionary
from mtvp_eval.errors import CommandError
from mtvp_eval.estimators.lottery_default import CONTRASTS
from mtvp_eval.inference.regions import PooledRegions, pool_regions
from mtvp_eval.pipeline.pool_reading import NO_REGIONS, POOLED, Brought, read_regions
from mtvp_eval.pipeline.pool_shares import Shares, with_common_shares
from mtvp_eval.pipeline.publish import write_run_record
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.provenance import provenance
from mtvp_eval.report import publish as publishing
from mtvp_eval.report import verify as verifying
from mtvp_eval.report.inputs import OutcomeInfo
from mtvp_eval.report.pooled_inputs import FRAMES, PooledInputs
from mtvp_eval.report.pooled_page import PooledPage
from mtvp_eval.report.results import MANIFEST, RESULTS

if TYPE_CHECKING:
    import pandas as pd

TEMPLATE = "pooled_regions"
"""The notebook that says what regions show together."""
NAMES = {"en": TEMPLATE, "nl": f"{TEMPLATE}_nl"}


def pool(names: Sequence[str], *, everything: bool = False, jobs: int = 2) -> Iterator[str]:
    """Pool regions, publish reports/pooled/ and yield what it says.

    Raises
    ------
    CommandError, DataError
        As `read_regions`; nothing is half-written then.
    """
    root = project_root()
    chosen = _every_region(root) if everything else tuple(names)
    inputs = pooled_inputs(chosen)
    parameters = {"regions": ", ".join(inputs.names)}
    template = resource("notebooks") / f"{TEMPLATE}.ipynb"
    renderings = [
        publishing.Rendering(template, {**parameters, "language": lang}, name) for lang, name in NAMES.items()
    ]
    folder = root / "reports" / POOLED
    with step(f"running the notebook on {len(inputs.names)} regions in both languages"):
        made = publishing.publish(folder, renderings, inputs, (), jobs)
    write_run_record(folder)
    page = PooledPage(inputs, "en")
    yield from page.answer().lines
    yield repr(page.table("pooled"))
    yield repr(page.primary_table("regions"))
    yield f"reports/{POOLED}/"
    for name in made.files:
        yield f"  {name}"


def verify_pooled() -> str:
    """Pool the same regions again and compare every number with what is published; return one line if all agree.

    Raises
    ------
    CommandError
        If nothing was pooled, or the regions cannot be read.
    VerificationError
        Naming each difference.
    """
    import json

    folder = project_root() / "reports" / POOLED
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = manifest["parameters"][TEMPLATE]["regions"]
    except (OSError, ValueError, KeyError):
        raise CommandError(f"reports/{POOLED}/ holds no pooled results; `mtvp pool REGION...` makes them.") from None
    return verifying.verify(folder, pooled_inputs(split(names)))


def split(regions: str) -> tuple[str, ...]:
    """Return the names in a list with commas.

    >>> split("north, south")
    ('north', 'south')
    """
    return tuple(name.strip() for name in regions.split(",") if name.strip())


def pooled_inputs(names: Sequence[str] | str) -> PooledInputs:
    """Return what the page on many regions shows, from the results each region published.

    Effects are those by the draw, recentred, adjusted by shares common to the regions that publish what these take, see
    `with_common_shares`; weights are the practices in the draw. Outcomes that one region only brings are listed and not
    pooled.

    Raises
    ------
    CommandError, DataError
        As `read_regions`.
    """
    root = project_root()
    regions = read_regions(root, split(names) if isinstance(names, str) else names)
    known = load_dictionary(resource("data_dictionary")).outcomes
    outcomes = [name for name in known if any(name in r.effects for r in regions)]
    first, level = regions[0].config, regions[0].config.estimation.level
    means, own, slopes, lacking, shares = [], [], [], [], []
    for name in outcomes:
        given = {r.name: r.effects[name] for r in regions if name in r.effects}
        lacking += [(r.name, name) for r in regions if name not in r.effects]
        pooled = None
        if len(given) > 1:
            contrasts = {r.name: r.contrasts[name] for r in regions if name in r.contrasts}
            given, taken = with_common_shares(given, contrasts, level)
            pooled = _pooled(given, level)
            means.append({"outcome": name, **_means(pooled)})
            shares.append({"outcome": name, **_shares(taken)})
        own += _rows(name, given, pooled)
        for moderator in first.estimation.moderators:
            parts = {r.name: r.slopes[name, moderator] for r in regions if (name, moderator) in r.slopes}
            if len(parts) > 1:
                slopes.append({"outcome": name, "moderator": moderator, **_means(_pooled(parts, level))})
    files = {
        f"reports/{r.name}/{file}": config_path(root, r.name).parent / file
        for r in regions
        for file in (RESULTS, "evaluation.yaml")
    }
    primary = first.outcomes.primary
    return PooledInputs(
        region=POOLED,
        names=tuple(r.name for r in regions),
        simulated=all(r.simulated for r in regions),
        level=level,
        primary_outcome=primary,
        outcomes=tuple(OutcomeInfo.of(known[name]) for name in dict.fromkeys([primary, *outcomes])),
        frames={
            "pooled": _frame("pooled", means),
            "regions": _frame("regions", own),
            "shares": _frame("shares", shares),
            "slopes": _frame("slopes", slopes),
            "not_brought": _frame("not_brought", [{"region": r, "outcome": o} for r, o in sorted(lacking)]),
        },
        manifest=provenance(files, None).to_dict(),
    )


def _every_region(root: Path) -> tuple[str, ...]:
    found = (path.parent.name for path in (root / "reports").glob(f"*/{RESULTS}"))
    return tuple(sorted(name for name in found if name not in NO_REGIONS))


def _pooled(given: Mapping[str, Brought], level: float) -> PooledRegions:
    estimate, error, df, weight = (
        np.array([getattr(b, name) for b in given.values()]) for name in ("estimate", "std_error", "df", "practices")
    )
    return pool_regions(tuple(given), estimate, error, df, weight, level)


def _means(pooled: PooledRegions) -> dict[str, Any]:
    low, high = pooled.random.prediction or (np.nan, np.nan)
    return {
        "regions": len(pooled.names), "fixed": pooled.fixed.mean, "fixed_error": pooled.fixed.std_error,
        "fixed_low": pooled.fixed.low, "fixed_high": pooled.fixed.high, "random": pooled.random.mean,
        "random_low": pooled.random_low, "random_high": pooled.random_high,
        "between": float(np.sqrt(pooled.random.between_variance)), "prediction_low": low, "prediction_high": high,
    }  # fmt: skip


def _shares(taken: Shares) -> dict[str, Any]:
    common = np.full(len(CONTRASTS) - 1, np.nan) if taken.common is None else taken.common
    said = {"kind": taken.kind, "apart": ", ".join(taken.apart), "practices": taken.practices}
    return said | dict(zip(CONTRASTS[1:], common.tolist(), strict=True))


def _rows(name: str, given: Mapping[str, Brought], pooled: PooledRegions | None) -> list[dict[str, Any]]:
    """Return one row a region, by name."""
    rows = []
    for region, b in sorted(given.items()):
        row = {"outcome": name, "region": region, "practices": b.practices, "own": b.estimate}
        row |= {"own_low": b.low, "own_high": b.high, "recentred": b.recentred}
        if pooled is not None:
            at = pooled.names.index(region)
            row |= {"shrunken": pooled.random.shrunken[at], "low": pooled.low[at], "high": pooled.high[at]}
        rows.append(row)
    return rows


def _frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(FRAMES[name]))
