"""Publish a report: everything is made in a folder beside it, checked, and put in its place in one move."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mtvp_eval.errors import CommandError
from mtvp_eval.report.disclosure import assert_releasable
from mtvp_eval.report.html_check import assert_readable
from mtvp_eval.report.render import check_parameters, execute, write_page
from mtvp_eval.report.results import MANIFEST, RESULTS, TABLES, Published, write_manifest, write_results


@dataclass(frozen=True, slots=True)
class Report:
    """A published report: its folder and the names of its files."""

    folder: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """One notebook of a report: the template, its parameters, and the name of the files made from it."""

    template: Path
    parameters: Mapping[str, object]
    name: str


def publish(
    folder: Path,
    renderings: Sequence[Rendering],
    inputs: Published,
    identifiers: Iterable[str],
    jobs: int = 2,
) -> Report:
    """Make and publish one report; leave the folder as it was if anything fails or is stopped.

    Parameters
    ----------
    folder : the region's folder; files in it that no report made (the question, notes) stay.
    renderings : notebooks to run; one template may be run more than once under different names.
    inputs : what the tables, the results and the manifest are made from.
    identifiers : of the practices; none may stand in any file.
    jobs : notebooks run at the same time, each in its own process.

    Raises
    ------
    CommandError
        If parameters do not fit or the folder cannot be written.
    DataError
        If an identifier stands in a file.
    """
    for rendering in renderings:
        check_parameters(rendering.template, rendering.parameters)
    names = [name for rendering in renderings for name in (f"{rendering.name}.ipynb", f"{rendering.name}.html")]
    with _workshop(folder) as made:
        with _pool(jobs, len(renderings)) as pool:
            running = [pool.submit(_one, rendering, made) for rendering in renderings]
            write_results(made, inputs)
            _finish(running, pool)
        for name in names:
            if name.endswith(".html"):
                assert_readable(made / name)
        parameters_of = {rendering.name: dict(rendering.parameters) for rendering in renderings}
        published = [*names, RESULTS, TABLES]
        write_manifest(made, inputs.manifest, parameters_of, published)
        assert_releasable([made / name for name in [*published, MANIFEST]], identifiers)
        _swap(made, folder)
    return Report(folder, (*published, MANIFEST))


def _one(rendering: Rendering, made: Path) -> None:
    notebook = made / f"{rendering.name}.ipynb"
    execute(rendering.template, notebook, rendering.parameters)
    write_page(notebook, made / f"{rendering.name}.html")


def _pool(jobs: int, wanted: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max(1, min(jobs, wanted)), mp_context=get_context("spawn"))


def _finish(running: Sequence[Future[None]], pool: ProcessPoolExecutor) -> None:
    """Wait for all; at the first failure, or when stopped, start nothing more."""
    try:
        for future in running:
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Give a new folder beside the report's, on the same disk, and take it away afterwards whatever happens."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _recover(folder)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as refused:
        raise CommandError(
            f"The folder {folder.parent.name}/ cannot be written ({refused.strerror}). Make it writable, or work in "
            "another project folder."
        ) from None
    try:
        made.chmod(0o755)
        yield made
    except OSError as refused:
        raise CommandError(
            f"The report of {folder.name} could not be put in place ({refused.strerror}). Close files of the report "
            "that are open elsewhere, and see that the folder is writable."
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap(made: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one, with what of the old one no report made."""
    aside = _aside(folder)
    if folder.exists():
        for path in folder.iterdir():
            if path.name not in _made_before(folder) and not (made / path.name).exists():
                copy: Any = shutil.copytree if path.is_dir() else shutil.copy2
                copy(path, made / path.name)
        folder.rename(aside)
    try:
        made.rename(folder)
    except BaseException:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Put back a folder that a killed run had set aside."""
    aside = _aside(folder)
    if aside.exists() and not folder.exists():
        aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.previous"


def _made_before(folder: Path) -> set[str]:
    """Names of the files the last report made, so that one it no longer makes goes away."""
    import json

    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError):
        return {MANIFEST}
