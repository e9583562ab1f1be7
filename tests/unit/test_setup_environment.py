"""What is missing on a machine is said in one line, with exit code 2, and nothing is left behind."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "setup_environment.py"
BOUNDS = ((3, 11), (3, 14))


@pytest.fixture(scope="module")
def setup():
    spec = importlib.util.spec_from_file_location("setup_environment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(version, makes_venv=True):
    return {"path": f"/python{version[1]}", "version": list(version), "makes_venv": makes_venv}


def test_bounds_are_those_of_pyproject(setup):
    assert setup.python_bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8")) == BOUNDS


def test_first_suitable_python_is_taken(setup):
    answers = [python((3, 9)), None, python((3, 14)), python((3, 12)), python((3, 11))]
    assert setup.choose_python(answers, BOUNDS, needs_venv_module=True) == "/python12"


def test_a_python_without_venv_is_passed_over(setup):
    answers = [python((3, 11), makes_venv=False), python((3, 12))]
    assert setup.choose_python(answers, BOUNDS, needs_venv_module=True) == "/python12"
    assert setup.choose_python(answers, BOUNDS, needs_venv_module=False) == "/python11"


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_no_suitable_python_is_said(setup, version):
    with pytest.raises(setup.SetupError, match=r"Python 3.11 to 3.13 is needed.*install one"):
        setup.choose_python([python(version)], BOUNDS, needs_venv_module=True)


def test_missing_venv_module_is_said(setup):
    with pytest.raises(setup.SetupError, match=r"Python 3.11 is here without its venv module.*python3.11-venv"):
        setup.choose_python([python((3, 11), makes_venv=False)], BOUNDS, needs_venv_module=True)


def test_this_python_answers_and_a_missing_one_does_not(setup):
    assert setup.ask([sys.executable])["version"] == list(sys.version_info[:2])
    assert setup.ask(["no-such-python"]) is None
    assert setup.ask(["git"]) is None


def test_no_index_is_said_in_one_line_and_nothing_is_left(tmp_path):
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tools").mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "tools")
    without_index = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    without_index |= {"PATH": os.defpath, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    run = subprocess.run(
        [sys.executable, script], env=without_index, capture_output=True, encoding="utf-8", timeout=120
    )
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "mtvp_eval cannot be set up: No package index can be reached: check the network or proxy, or point pip to "
        "your organisation's mirror, and run the command again."
    ]
    assert not (tmp_path / ".venv").exists()
