"""A room imports only rooms above it in the order of the data flow; heavy packages load where they are used."""

import ast
import subprocess
import sys

import pytest

from tests.architecture.tracked import PACKAGE, ROOT, modules

ROOMS = [
    "dictionary",
    "data",
    "design",
    "estimands",
    "estimators",
    "inference",
    "costbenefit",
    "simulate",
    "frequent_attenders",
    "report",
    "planning",
]
ROOF = ["__init__", "__main__", "cli", "config", "pipeline"]
FOUNDATION = sorted({path.stem for path in PACKAGE.glob("*.py")} - set(ROOF))  # errors, arrays, clock ...
ORDER = dict.fromkeys(FOUNDATION, 0) | {name: 1 + i for i, name in enumerate(ROOMS)} | dict.fromkeys(ROOF, 99)
BARRED = {("estimands", "data")}  # what we want to know is declared before any outcome is read
ALLOWED = {("planning", "pipeline")}

PICTURES = ("matplotlib", "seaborn")
HEAVY = ("linearmodels", "nbconvert", "openpyxl", "papermill", "seaborn", "statsmodels")


def package_of(path: str) -> list[str]:
    """Return the dotted parts of the package a file stands in."""
    return path.split("/")[:-1]


def imported(tree: ast.AST, path: str) -> list[str]:
    """Return the full dotted name of everything the nodes below `tree` import."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            here = package_of(path)
            start = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def room_of(path: str) -> str:
    return path.split("/")[1].removesuffix(".py")


def wrong_imports(text: str, path: str) -> list[str]:
    """Return the imports of a module of the package that the house does not allow."""
    tree, room = ast.parse(text), room_of(path)
    if room not in ORDER:
        return [f"{room} has no place in the order of the rooms"]
    problems = []
    for name in imported(tree, path):
        top, *below = name.split(".")
        if top in PICTURES and room != "report":
            problems.append(f"{name}: pictures are made in report/ only")
        if top != "mtvp_eval" or not below or below[0].startswith("__"):
            continue
        other = below[0]
        if other not in ORDER:
            problems.append(f"{name}: import from the module that defines it")
        elif (room, other) in BARRED or (ORDER[other] > ORDER[room] and (room, other) not in ALLOWED):
            problems.append(f"{name}: {room} may not import {other}")
    return problems


def heavy_at_import(text: str, path: str) -> list[str]:
    """Return the heavy packages a module loads as soon as it is imported."""
    tree = ast.parse(text)
    outside = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [name for node in outside for name in imported(node, path) if name.split(".")[0] in HEAVY]


@pytest.mark.parametrize("path", modules())
def test_imports_follow_the_order_of_the_rooms(path):
    assert wrong_imports((ROOT / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize("path", modules())
def test_heavy_packages_are_imported_inside_functions(path):
    assert heavy_at_import((ROOT / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize("module", ["mtvp_eval", "mtvp_eval.cli"])
def test_import_is_quick(module):
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert set(loaded.stdout.split()).isdisjoint({"pandas", "scipy", "matplotlib", *HEAVY})


def test_every_folder_of_the_package_is_a_room():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {*ROOMS, "pipeline"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mtvp_eval/estimands/att.py", "from mtvp_eval.data.panel import Panel"),
        ("mtvp_eval/estimands/att.py", "from ..data import panel"),
        ("mtvp_eval/data/panel.py", "from mtvp_eval import design"),
        ("mtvp_eval/data/panel.py", "from mtvp_eval import Panel"),
        ("mtvp_eval/data/open_data/vektis.py", "from ...estimators.results import EffectEstimates"),
        ("mtvp_eval/data/panel.py", "def f():\n    from mtvp_eval.report import render"),
        ("mtvp_eval/report/render.py", "from mtvp_eval.pipeline import run_evaluation"),
        ("mtvp_eval/clock.py", "from mtvp_eval.data.panel import Panel"),
        ("mtvp_eval/costbenefit/ledger.py", "import matplotlib.pyplot as plt"),
        ("mtvp_eval/costbenefit/ledger.py", "from matplotlib import pyplot"),
        ("mtvp_eval/extras/thing.py", ""),
    ],
)
def test_a_wrong_import_is_found(path, text):
    assert len(wrong_imports(text, path)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mtvp_eval/estimators/twfe.py", "from mtvp_eval.estimands.estimand import Estimand"),
        ("mtvp_eval/estimators/twfe.py", "from .results import EffectEstimates"),
        ("mtvp_eval/data/open_data/vektis.py", "from ..panel import Panel\nfrom mtvp_eval import clock"),
        ("mtvp_eval/planning/diagnose.py", "from mtvp_eval.pipeline import run_evaluation"),
        ("mtvp_eval/pipeline.py", "from mtvp_eval import __version__\nfrom mtvp_eval.report import render"),
        ("mtvp_eval/report/figures/money.py", "import matplotlib.pyplot as plt"),
    ],
)
def test_a_right_import_passes(path, text):
    assert wrong_imports(text, path) == []


def test_a_heavy_import_is_found():
    path = "mtvp_eval/report/render.py"
    assert heavy_at_import("import numpy\nimport statsmodels.api as sm\nfrom papermill import x", path) == [
        "statsmodels.api",
        "papermill.x",
    ]
    assert heavy_at_import("def f():\n    import statsmodels.api as sm", path) == []
