"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with reference results and public data beside the project; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("reference results (../shared) are not on this machine")
    return SHARED
