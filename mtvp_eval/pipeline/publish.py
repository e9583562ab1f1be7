"""What `mtvp evaluate`, `report` and `verify` do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from mtvp_eval.config import config_path
from mtvp_eval.errors import CommandError
from mtvp_eval.pipeline.evaluate import DATA_VARIABLE, Evaluation, data_folder, run_evaluation
from mtvp_eval.pipeline.handed import handed_to_kernels
from mtvp_eval.pipeline.money import prices_known_on
from mtvp_eval.pipeline.reporting import report_inputs
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.provenance import record_run
from mtvp_eval.report import publish as publishing
from mtvp_eval.report import verify as verifying
from mtvp_eval.report.catalogue import report_table
from mtvp_eval.report.results import RESULTS, results

NOTEBOOKS = {"region_evaluation": "en", "insurer_brief": "nl"}
"""Template -> language of a region's report."""


def evaluate(region: str, data: Path | None = None) -> str:
    """Run the pipeline, write reports/REGION/results.json whole or not at all, and return the headline table.

    Where the record of the draw contradicts the declared rule or itself, that table follows the headline.

    Raises
    ------
    MtvpError
        Whatever `run_evaluation` refuses; nothing is written then.
    """
    inputs = report_inputs(run_evaluation(region, data))
    path = config_path(project_root(), region).parent / RESULTS
    with step("collecting every published number"):
        written = json.dumps(results(inputs), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(written, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"reports/{region}/ cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    shown = ["headline"]
    if "draw_record" in inputs.lottery and (inputs.lottery["draw_record"]["standing"] == "flagged").any():
        shown.append("draw_record")
    tables = "\n\n".join(repr(report_table(name, inputs, "en")) for name in shown)
    return f"{tables}\n\nEvery number: reports/{region}/{RESULTS}"


def report(regions: tuple[str, ...], *, everything: bool, data: Path | None, jobs: int) -> Iterator[str]:
    """Make and publish the reports of regions, one after the other; yield where to look.

    Raises
    ------
    CommandError
        If no region is named, or --data is given for more than one.
    """
    chosen = _every_region() if everything else regions
    if not chosen:
        raise CommandError("Name a region, or give --all.")
    if data is not None and len(chosen) > 1:
        raise CommandError("--data is the folder of one region; name only that region.")
    for region in chosen:
        yield from _report_one(region, data, jobs)


def verify(region: str, data: Path | None = None) -> str:
    """Compute a published report again and compare every number; return one line if all agree.

    Raises
    ------
    VerificationError
        Naming each difference: numbers, inputs, and published files that were changed.
    """
    folder = config_path(project_root(), region).parent
    return verifying.verify(folder, report_inputs(run_evaluation(region, data)))


def revised(region: str, known_on: date, data: Path | None = None) -> str:
    """Price a region again with the prices known on a day; return both results and their difference as a table.

    Raises
    ------
    CommandError
        If there is no net benefit to price again.
    LedgerError
        If an amount was not known on that day.
    """
    table = prices_known_on(run_evaluation(region, data).money, known_on).to_string(index=False)
    return f"{table}\n\nErrors and chances are those of the effects alone; in euros of the question's price year."


def _report_one(region: str, data: Path | None, jobs: int) -> Iterator[str]:
    folder = config_path(project_root(), region).parent
    evaluation = run_evaluation(region, data)
    inputs = report_inputs(evaluation)
    renderings = [
        publishing.Rendering(resource("notebooks") / f"{name}.ipynb", {"region": region, "language": language}, name)
        for name, language in NOTEBOOKS.items()
    ]
    with (
        data_for_kernels(data_folder(region, data)),
        handed_to_kernels(inputs),
        step(f"running the notebooks of {region}"),
    ):
        made = publishing.publish(folder, renderings, inputs, _identifiers(evaluation), jobs)
    write_run_record(folder)
    yield f"reports/{region}/"
    for name in made.files:
        yield f"  {name}"
    yield f"Start with {folder / 'insurer_brief.html'} or {folder / 'region_evaluation.html'}"


def _identifiers(evaluation: Evaluation) -> list[str]:
    return [str(practice) for practice in evaluation.linked.history.practice_ids.tolist()]


def _every_region() -> tuple[str, ...]:
    root = project_root()
    named = sorted(path.parent.name for path in (root / "reports").glob("*/evaluation.yaml"))
    return tuple(name for name in named if (root / "raw" / name).is_dir())


@contextmanager
def data_for_kernels(folder: Path) -> Iterator[None]:
    """Name the folder of the data in the environment that the notebooks' kernels inherit."""
    before = os.environ.get(DATA_VARIABLE)
    os.environ[DATA_VARIABLE] = str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ[DATA_VARIABLE]
        else:
            os.environ[DATA_VARIABLE] = before


def write_run_record(folder: Path) -> None:
    """Say beside the report when and where it was run; git does not see this file."""
    record = json.dumps(record_run(project_root()).to_dict(), indent=1)
    (folder / "run.json").write_text(record + "\n", encoding="utf-8")
