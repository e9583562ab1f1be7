"""Notebooks are thin: a question, parameters, one import, one evaluation, then one thing shown per cell."""

import ast

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.architecture.tracked import ROOT, notebooks

LONGEST = 6
LOGIC = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.If,
    ast.Try,
    ast.TryStar,
    ast.With,
    ast.Match,
)


def fat(source: str) -> list[str]:
    """Return what makes a code cell too much."""
    problems = []
    if len([line for line in source.splitlines() if line.strip()]) > LONGEST:
        problems.append(f"more than {LONGEST} lines")
    if source.rstrip().endswith(";"):
        problems.append("ends in ;")
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return [*problems, "not plain Python"]
    return problems + [f"{type(node).__name__} belongs in the package" for node in nodes if isinstance(node, LOGIC)]


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what a notebook does that a thin one does not."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    problems = [f"{len(tagged)} cells tagged parameters, not 1"] if len(tagged) != 1 else []
    if not notebook.cells or notebook.cells[0].cell_type != "markdown":
        problems.append("does not begin with its question")
    if code and tagged and code[0] is not tagged[0]:
        problems.append("the parameters are not the first code cell")
    return problems + [f"{cell.source[:30]!r}: {problem}" for cell in code for problem in fat(cell.source)]


@pytest.mark.parametrize("path", notebooks())
def test_notebook_is_thin(path):
    assert faults(nbformat.read(ROOT / path, as_version=4)) == []


def thin():
    parameters = new_code_cell('region = "example"  # folder below reports/', metadata={"tags": ["parameters"]})
    return [new_markdown_cell("# What did it do?"), parameters, new_code_cell("show.headline(evaluation)")]


def test_a_thin_notebook_passes():
    assert faults(new_notebook(cells=thin())) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return 1",
        "class A: pass",
        "for a in b: a",
        "if a: b",
        "try:\n    a\nexcept E:\n    b",
        "f = lambda a: a",
        "%matplotlib inline",
        "figure(a);",
        "\n".join("abcdefg"),
    ],
)
def test_a_fat_cell_is_found(source):
    assert len(faults(new_notebook(cells=[*thin(), new_code_cell(source)]))) == 1


def test_missing_question_and_parameters_are_found():
    assert len(faults(new_notebook(cells=thin()[1:]))) == 1
    assert len(faults(new_notebook(cells=[thin()[0], thin()[2]]))) == 1
    assert len(faults(new_notebook(cells=[thin()[0], thin()[2], thin()[1]]))) == 1
