from pathlib import Path

import pytest

from mtvp_eval import project
from mtvp_eval.errors import CommandError

CLONE = Path(project.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _no_override(monkeypatch):
    monkeypatch.delenv("MTVP_PROJECT", raising=False)


def test_root_is_found_from_a_folder_inside(tmp_path, monkeypatch):
    (tmp_path / "data_dictionary").mkdir()
    inside = tmp_path / "reports" / "example"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert project.project_root() == tmp_path
    assert project.resource("data_dictionary") == tmp_path / "data_dictionary"


def test_root_outside_a_clone_is_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project.project_root() == tmp_path


def test_what_a_folder_lacks_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project.resource("data_dictionary") == CLONE / "data_dictionary"


def test_environment_variable_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path))
    assert project.project_root() == tmp_path


def test_environment_variable_must_name_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path / "absent"))
    with pytest.raises(CommandError, match="MTVP_PROJECT"):
        project.project_root()


def test_a_folder_that_came_with_nothing_is_an_error():
    with pytest.raises(CommandError, match="no_such_folder"):
        project.resource("no_such_folder")
