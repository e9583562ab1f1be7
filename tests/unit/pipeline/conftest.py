"""A project of its own for tests that evaluate an embedded region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtvp_eval.pipeline.regions import simulate


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Return what writes the extracts of an embedded region into a project of the module, and returns its question."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("project")
    patch.setenv("MTVP_PROJECT", str(folder))

    def question(region: str) -> Path:
        simulate(region, None)
        return folder / "reports" / region / "evaluation.yaml"

    yield question
    patch.undo()
