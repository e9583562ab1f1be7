"""Where the project is: the folder of the work, and the data dictionary and notebooks that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from mtvp_eval.errors import CommandError

_PACKAGE = Path(__file__).resolve().parent


def project_root() -> Path:
    """Return the folder that holds `raw/` and `reports/`.

    It is the folder named by the environment variable MTVP_PROJECT; else the nearest folder upwards from the current
    one that holds `data_dictionary/` (a clone, also when a notebook runs in a folder of it); else the current folder.

    Raises ``CommandError`` if MTVP_PROJECT names no folder.
    """
    named = os.environ.get("MTVP_PROJECT")
    if named:
        if not Path(named).is_dir():
            raise CommandError("MTVP_PROJECT does not name a folder. Correct the environment variable or unset it.")
        return Path(named).resolve()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "data_dictionary").is_dir()), here)


def resource(name: str) -> Path:
    """Return the folder `data_dictionary` or `notebooks`: of the clone one works in, else as shipped in the package.

    Raises ``CommandError`` if neither has it, which means that the installation is broken.

    >>> resource("data_dictionary").name
    'data_dictionary'
    """
    for folder in (project_root() / name, _PACKAGE / "_project" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise CommandError(f"The folder {name}/ came neither with a clone nor with the package. Install mtvp_eval again.")


def embedded_question(region: str) -> Path | None:
    """Return the question that the package brings for a region whose data are embedded or public, or None.

    >>> embedded_question("example").name, embedded_question("no such region")
    ('evaluation.yaml', None)
    """
    for folder in (_PACKAGE / "_project", _PACKAGE.parent):
        question = folder / "reports" / region / "evaluation.yaml"
        if question.is_file():
            return question
    return None
