"""nbval with the project's comparison: what must fail fails, what may differ passes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
SHOW = "from IPython.display import display\ndisplay({!r}, raw=True)"


def printed(source, stored):
    return source, [new_output("stream", name="stdout", text=stored)]


def shown(now, stored):
    """A cell that displays the MIME bundle `now` and was stored with the bundle `stored`."""
    return SHOW.format(now), [new_output("display_data", data=stored)]


# what the cell does, what was stored, whether it must pass
CASES = {
    "same": (*printed("print('effect', 0.25, 12)", "effect 0.25 12\n"), True),
    "last digits": (*printed("print('effect', 0.25)", "effect 0.2500000001\n"), True),  # 4e-10 apart
    "negative zero": (*printed("print('effect', '-0.00')", "effect 0.00\n"), True),
    "white space": (*printed("print('effect   0.25')", "effect 0.25\n"), True),
    "changed number": (*printed("print('effect', 0.25)", "effect 0.2501\n"), False),
    "changed sign": (*printed("print('effect', -0.25)", "effect 0.25\n"), False),
    "changed decimal of a Dutch number": (*printed("print('€ 1.234,5')", "€ 1.234,6\n"), False),
    "changed count": (*printed("print(10000001, 'patients')", "10000002 patients\n"), False),  # 1e-7 apart
    "changed quarter": (*printed("print('2023Q2')", "2023Q3\n"), False),
    "changed word": (*printed("print('a saving')", "a loss\n"), False),
    "new warning": (*printed("import sys; print('a', file=sys.stderr); print(1)", "1\n"), False),
    "missing output": (*printed("None", "1\n"), False),
    "other pixels": (
        *shown({"image/png": "iVBORw0KGgo="}, {"image/png": "iVBORw0KGgp="}),
        True,
    ),
    "other pixels inside HTML": (
        *shown(
            {"text/html": "<img alt='Costs' src=\"data:image/png;base64,AAAA\">"},
            {"text/html": "<img alt='Costs' src=\"data:image/png;base64,BBBB\">"},
        ),
        True,
    ),
    "changed alternative text": (
        *shown(
            {"text/plain": "<Figure>", "text/html": "<img alt='Costs' src=\"data:image/png;base64,AAAA\">"},
            {"text/plain": "<Figure>", "text/html": "<img alt='Visits' src=\"data:image/png;base64,AAAA\">"},
        ),
        False,
    ),
    "changed number in HTML alone": (*shown({"text/html": "<td>1.5</td>"}, {"text/html": "<td>1.6</td>"}), False),
    "other style around the same text": (
        *shown(
            {"text/plain": "x 1.5", "text/html": "<td class='a'>1.5</td>"},
            {"text/plain": "x 1.5", "text/html": "<td class='b'>1.5</td>"},
        ),
        True,
    ),
    "stripped": ("print('effect', 0.25)", [], False),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Run nbval once on a notebook with one cell per case; return the cell numbers that passed and failed."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [
        new_code_cell(source, outputs=outputs, execution_count=None if name == "stripped" else 1)
        for name, (source, outputs, _) in CASES.items()
    ]
    nbformat.write(new_notebook(cells=cells), folder / "cases.ipynb")
    shutil.copy(ROOT / "conftest.py", folder)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-rA", "-p", "no:cacheprovider", "."]
    run = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=300)
    found = re.findall(r"^(PASSED|FAILED) \S*::Cell (\d+)", run.stdout, re.MULTILINE)
    assert len(found) == len(CASES), run.stdout + run.stderr
    return {int(cell): verdict == "PASSED" for verdict, cell in found}


@pytest.mark.parametrize("case", CASES)
def test_comparison(case, verdicts):
    assert verdicts[list(CASES).index(case)] is CASES[case][2]
