"""What a command computed, handed to the notebooks that it runs, so that a report is computed once.

A notebook takes it only where its own inputs, question, package and versions are exactly those it was computed from;
opened by a reader it finds nothing handed to it and computes from the raw files.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mtvp_eval.provenance import fingerprint
from mtvp_eval.report.results import Published

T = TypeVar("T", bound=Published)

VARIABLE = "MTVP_HANDED"
"""Environment variable that names the folder of the answer to the kernels of one run of the command."""


@contextmanager
def handed_to_kernels(answer: Published) -> Iterator[None]:
    """Keep the answer in a folder of this run alone, named in the environment that kernels inherit."""
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="mtvp") as folder:
        _file(folder, answer.manifest).write_bytes(pickle.dumps(answer))
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            if before is not None:
                os.environ[VARIABLE] = before


def handed_over(manifest: Mapping[str, Any], kind: type[T]) -> T | None:
    """Return the answer handed to this process if it was computed from exactly this manifest and package, else None."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    path = _file(folder, manifest)
    answer = pickle.loads(path.read_bytes()) if path.is_file() else None
    return answer if isinstance(answer, kind) else None


def _file(folder: str, manifest: Mapping[str, Any]) -> Path:
    """Name the file by its fingerprint: an answer of another origin is not even opened."""
    return Path(folder) / f"{fingerprint(manifest)}.pickle"
