"""What `mtvp init`, `check`, `simulate` and `dictionary` do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.data.cells import ReadingSettings
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.errors import CommandError, DataError
from mtvp_eval.pipeline.evaluate import data_folder, refuse_unknown_outcomes
from mtvp_eval.project import embedded_question, project_root, resource


def init(region: str) -> tuple[Path, ...]:
    """Write a commented question and empty extracts; what is there already stays as it is. Return what was written.

    Raises
    ------
    CommandError
        If the name is no folder name, or a folder cannot be written.
    """
    from mtvp_eval.data.empty import init_region

    root = project_root()
    question = config_path(root, region)
    written: tuple[Path, ...] = ()
    try:
        if not question.exists():
            template = resource("data_dictionary") / "templates" / "evaluation.yaml"
            question.parent.mkdir(parents=True, exist_ok=True)
            question.write_text(template.read_text(encoding="utf-8").replace("REGION", region), encoding="utf-8")
            written = (question,)
        return written + init_region(root, region, load_dictionary(resource("data_dictionary")))
    except OSError as error:
        raise CommandError(f"The folders of region {region} cannot be written: {error.strerror}.") from error


def check(region: str, data: Path | None) -> Iterator[str]:
    """Say how each file was read; then stop at violations with all of them, or say what is unusual.

    Works without a question: the reading choices are then the files' own. With one, the recorded draw is laid beside
    the declared rule; what contradicts it is said and no reason to stop, since an evaluation goes on with the readings
    that the record allows.

    Raises
    ------
    DataValidationError
        If the extracts break rules; all are listed.
    CommandError
        If there are no extracts, or the question has problems.
    DesignError
        If the declared draw cannot be carried out with these applications.
    """
    from mtvp_eval.data.extracts import read_extracts
    from mtvp_eval.data.history import history
    from mtvp_eval.data.validate import validate
    from mtvp_eval.pipeline.draw import recorded_draw

    question = config_path(project_root(), region)
    folder = data_folder(region, data)
    dictionary = load_dictionary(resource("data_dictionary"))
    reading, programme, config = ReadingSettings(), "", None
    if question.is_file():
        config = EvaluationConfig.read(question)
        refuse_unknown_outcomes(config, dictionary)
        reading, programme = config.reading, config.programme
    chosen = load_programme(resource("data_dictionary"), programme or _only_programme())
    extracts = read_extracts(folder, dictionary, reading)
    validation = validate(extracts, dictionary, chosen)
    for report in validation.reports:
        yield report.sentence()
    validation.stop_if_broken()
    for finding in validation.findings:
        yield f"note: {finding.sentence()}"
    yield f"{region}: no rule of the data dictionary is broken."
    if config is None:
        yield "The draw is checked once evaluation.yaml declares its rule."
        return
    drawn = recorded_draw(config.draw, chosen, history(extracts), extracts.tables["lottery_rounds"])
    for line in ["No round of a draw is recorded."] if drawn is None else drawn.sentences():
        yield f"draw: {line}"


def _only_programme() -> str:
    """Programme of a region that has no question yet: the one there is."""
    known = sorted(path.stem for path in (resource("data_dictionary") / "programmes").glob("*.yaml"))
    if len(known) != 1:
        raise CommandError(f"Write the region's evaluation.yaml first: programme is one of {', '.join(known)}.")
    return known[0]


def simulate(region: str, seed: int | None, defect: str | None = None) -> Path:
    """Write the extracts of an embedded region to raw/REGION, with one mistake if asked for; return the folder.

    Its question is written to reports/REGION where there is none.

    Raises
    ------
    CommandError
        If no such region is embedded, or the folder holds data that were not simulated.
    """
    from mtvp_eval.simulate.defects import Defect
    from mtvp_eval.simulate.region import simulate_region, write_region
    from mtvp_eval.simulate.settings import read_region

    settings = read_region(resource("data_dictionary") / "regions.yaml", region)
    folder = project_root() / "raw" / region
    tables = load_dictionary(resource("data_dictionary")).tables
    write_region(simulate_region(settings, seed), folder, tables, Defect(defect) if defect else None)
    bring_question(region)
    return folder


def bring_question(region: str) -> None:
    """Copy the question that the package brings for a region to where reports are made, unless one is there.

    Raises
    ------
    CommandError
        If the folder cannot be written.
    """
    question, embedded = config_path(project_root(), region), embedded_question(region)
    if embedded is None or question.exists():
        return
    try:
        question.parent.mkdir(parents=True, exist_ok=True)
        question.write_bytes(embedded.read_bytes())
    except OSError as error:
        raise CommandError(f"reports/{region}/ cannot be written: {error.strerror}.") from error


def dictionary_page(*, only_check: bool) -> str:
    """Write data_dictionary/README.md anew, or say that it is fresh.

    Raises
    ------
    DataError
        If it is stale and only a check was asked for.
    """
    from mtvp_eval.dictionary.render import stale, write

    folder = resource("data_dictionary")
    if not only_check:
        return f"Written: {write(folder)}"
    if stale(folder):
        raise DataError("data_dictionary/README.md differs from its tables. Write it anew with `mtvp dictionary`.")
    return "data_dictionary/README.md is fresh."
