"""Reference results: those beside the project, and small copies of the made lottery panel's own that always run."""

from pathlib import Path

import pytest

COPIES = Path(__file__).resolve().parent / "copies"


@pytest.fixture(params=["shared", "copies"])
def recorded_dir(request: pytest.FixtureRequest) -> Path:
    """Folder with data and recorded numbers: beside the project (skips where absent), or the copies in it."""
    return COPIES if request.param == "copies" else request.getfixturevalue("shared_dir")
