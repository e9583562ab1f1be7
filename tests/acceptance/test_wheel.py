"""The wheel works in an empty folder: the command starts, dictionary and notebooks came along, caches did not."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ("data_dictionary", "notebooks")


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the project, with a file of our own in each carried folder and a cache that must stay out."""
    folder = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("mtvp_eval", *CARRIED):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for question in ROOT.glob("reports/*/evaluation.yaml"):
        (folder / question.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(question, folder / question.relative_to(ROOT))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in CARRIED:
        (folder / name / "folder").mkdir(parents=True)
        (folder / name / "folder" / "probe.txt").write_text("probe")
    (folder / "notebooks" / ".ipynb_checkpoints").mkdir()
    (folder / "notebooks" / ".ipynb_checkpoints" / "cache.ipynb").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel, which borrows the packages (not the project) of the running one."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True, capture_output=True)
    places = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (site,) = folder.rglob("site-packages")
    (site / "borrowed.pth").write_text("\n".join(places))
    return python


def run(python, arguments, folder):
    """Run with nothing that would lead back to the clone."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MTVP_PROJECT")}
    return subprocess.run([python, *arguments], cwd=folder, env=clean, capture_output=True, encoding="utf-8")


def test_wheel_carries_dictionary_and_notebooks(source, wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in CARRIED:
        expected = {f"mtvp_eval/_project/{name}/{file}" for file in files_below(source / name)}
        expected = {file for file in expected if ".ipynb_checkpoints" not in file}
        assert {file for file in inside if file.startswith(f"mtvp_eval/_project/{name}/")} == expected
    assert not [file for file in inside if file.startswith(CARRIED) or ".ipynb_checkpoints" in file]
    assert "mtvp_eval/py.typed" in inside


def test_module_and_command_start_in_an_empty_folder(installed, tmp_path):
    shown = run(installed, ["-m", "mtvp_eval", "--help"], tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "usage: mtvp" in shown.stdout
    script = installed.with_name("mtvp.exe" if os.name == "nt" else "mtvp")
    assert run(script, ["--version"], tmp_path).stdout.startswith("mtvp_eval ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CARRIED)
def test_package_finds_what_it_carries(installed, tmp_path, name):
    code = f"from mtvp_eval.project import resource; at = resource({name!r}); print(at, (at / 'folder').exists())"
    place, whole = run(installed, ["-c", code], tmp_path).stdout.split()
    assert Path(place).parts[-3:] == ("mtvp_eval", "_project", name)
    assert whole == "True"


def test_a_region_is_simulated_and_evaluated_in_an_empty_folder(installed, tmp_path):
    made = run(installed, ["-m", "mtvp_eval", "simulate", "small"], tmp_path)
    assert made.returncode == 0, made.stderr
    evaluated = run(installed, ["-m", "mtvp_eval", "evaluate", "small"], tmp_path)
    assert evaluated.returncode == 0, evaluated.stderr
    assert (tmp_path / "reports" / "small" / "results.json").is_file()
