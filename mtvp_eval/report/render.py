"""Run a notebook with checked parameters and turn it into the reader's page; the same inputs give the same bytes."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtvp_eval.errors import CommandError, EstimationError
from mtvp_eval.report.labels import text
from mtvp_eval.settings import nearest

_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


def check_parameters(template: Path, parameters: Mapping[str, object]) -> None:
    """Refuse parameters that a notebook does not know, lacks, or declares of another type, before anything runs.

    Raises
    ------
    CommandError
        Listing every problem; an unknown name with the nearest one.
    """
    import papermill

    declared = papermill.inspect_notebook(str(template))
    if not declared:
        raise CommandError(f"{template.name} declares no parameters: its second cell must carry the tag `parameters`.")
    found = [f"unknown parameter {name} ({nearest(name, declared)})" for name in parameters if name not in declared]
    found += [f"missing parameter {name}" for name in declared if name not in parameters]
    for name in (name for name in parameters if name in declared):
        wanted, given = declared[name]["inferred_type_name"], type(parameters[name]).__name__
        if wanted not in (given, "None"):
            found.append(f"parameter {name} is {given}, not {wanted}")
    if found:
        raise CommandError(f"{template.name} cannot run: " + "; ".join(found) + ".")


def execute(template: Path, target: Path, parameters: Mapping[str, object]) -> None:
    """Run a notebook and write it with its outputs; nothing is written if a cell fails.

    Raises
    ------
    CommandError
        If the parameters do not fit.
    EstimationError
        If a cell fails: which, and what it said.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    check_parameters(template, parameters)
    # Kernels that talk over files need no free port, so that several can start at once; Windows has no such files.
    # The files need a name of their own and a short one: a socket's path holds some hundred characters.
    with tempfile.TemporaryDirectory(prefix="mtvp") as sockets:
        files_of = {"transport": "ipc", "ip": str(Path(sockets) / "k")}
        config = Config() if sys.platform == "win32" else Config({"KernelManager": files_of})
        try:
            notebook = papermill.execute_notebook(
                str(template), None, parameters=dict(parameters), progress_bar=False, log_output=False, config=config
            )
        except PapermillExecutionError as failed:
            raise EstimationError(
                f"{template.name} stopped in cell {failed.cell_index + 1}: {failed.ename}: {failed.evalue}"
            ) from None
    nbformat.write(stable(notebook, parameters), str(target))


def stable(notebook: Any, parameters: Mapping[str, object]) -> Any:
    """Return the notebook without times, paths, random names and versions."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "papermill": {"parameters": dict(parameters)},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags" and value}
    return notebook


def store_outputs(executed: Path, template: Path) -> None:
    """Write what an executed notebook shows into its template, so that a reader of the template sees it too.

    For the run with the template's own parameters: the cell that repeats them is left out.
    """
    import nbformat

    notebook = nbformat.read(str(executed), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    del notebook.metadata["papermill"]
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        for when_it_ran in ("papermill", "execution"):
            cell.metadata.pop(when_it_ran, None)
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell["execution_count"] = count
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = count
    nbformat.write(notebook, str(template))


def write_page(notebook: Path, target: Path) -> None:
    """Write the reader's page of an executed notebook: one file, no code, nothing fetched."""
    import nbformat
    from nbconvert.exporters.templateexporter import TemplateExporter

    read = nbformat.read(str(notebook), as_version=4)
    language = str(read.metadata["papermill"]["parameters"]["language"])
    home = Path(str(files("mtvp_eval.report")))
    exporter = TemplateExporter(
        template_name="reader", template_file="index.html.j2", extra_template_basedirs=[str(home)]
    )
    resources = {
        "language": language,
        "title": _first_heading(read),
        "kind": notebook.stem,
        "skip": text("document.skip", language),
        "style": (home / "reader" / "style.css").read_text(encoding="utf-8"),
    }
    page, _ = exporter.from_notebook_node(read, resources=resources)
    target.write_text("\n".join(line.rstrip() for line in page.strip().splitlines()) + "\n", "utf-8", newline="\n")


def _first_heading(notebook: Any) -> str:
    shown = (o.get("data", {}).get("text/html", "") for c in notebook.cells for o in c.get("outputs", []))
    found = next((_TITLE.search(html) for html in shown if _TITLE.search(html)), None)
    return unescape(found.group(1)) if found else notebook.metadata.get("title", "")
