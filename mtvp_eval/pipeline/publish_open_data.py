"""The open-data report, made and published in both languages or compared with what is published: `mtvp open-data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtvp_eval.config import config_path
from mtvp_eval.pipeline.handed import handed_to_kernels
from mtvp_eval.pipeline.open_data_inputs import REGION, open_data_folders, open_data_inputs
from mtvp_eval.pipeline.publish import data_for_kernels, write_run_record
from mtvp_eval.pipeline.regions import bring_question
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.report import publish as publishing
from mtvp_eval.report import verify as verifying

TEMPLATE = "open_data_projects"
NAMES = {"en": TEMPLATE, "nl": f"{TEMPLATE}_nl"}
"""Language -> name of the files made in it."""


def open_data(data: Path | None = None, jobs: int = 2) -> Iterator[str]:
    """Make and publish the report on open claims data, computed once for both languages; yield where to look.

    A project without a question of its own gets the one that the package brings.

    Parameters
    ----------
    data : folder with vektis/ and cbs/ in it, or the folder of the Vektis files (default raw/vektis and raw/cbs).
    jobs : notebooks run at the same time.

    Raises
    ------
    MtvpError
        Whatever `open_data_inputs` refuses, or a folder that cannot be written; nothing is half-written then.
    """
    bring_question(REGION)
    folder = config_path(project_root(), REGION).parent
    inputs = open_data_inputs(data)
    template = resource("notebooks") / f"{TEMPLATE}.ipynb"
    renderings = [publishing.Rendering(template, {"language": language}, name) for language, name in NAMES.items()]
    with (
        data_for_kernels(open_data_folders(data)[0]),
        handed_to_kernels(inputs),
        step("running the notebook in both languages"),
    ):
        made = publishing.publish(folder, renderings, inputs, (), jobs)
    write_run_record(folder)
    yield f"reports/{REGION}/"
    for name in made.files:
        yield f"  {name}"
    yield f"Start with {folder / NAMES['en']}.html or, in Dutch, {folder / NAMES['nl']}.html"


def verify_open_data(data: Path | None = None) -> str:
    """Compute the published open-data report again and compare every number; return one line if all agree.

    Raises
    ------
    VerificationError
        Naming each difference: numbers, inputs, and published files that were changed.
    """
    folder = config_path(project_root(), REGION).parent
    return verifying.verify(folder, open_data_inputs(data))
