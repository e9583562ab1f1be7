"""Public functions say what a reader must know: arrays by name, errors, source, an example that runs."""

import ast
import re

import pytest

from tests.architecture.tracked import ROOT, modules

NUMERIC = ("design", "estimands", "estimators", "inference", "costbenefit")
SOURCED = ("estimators", "inference")
MACHINERY = ("aggregation", "comparison_sets", "results", "sample", "stacking")  # serve methods, and are none
ARRAYS = ("FloatArray", "IntArray", "BoolArray", "ObjectArray", "NDArray", "ndarray")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(nodes: list[ast.stmt]) -> list[Function]:
    return [node for node in nodes if isinstance(node, Function) and not node.name.startswith("_")]


def own_nodes(function: Function) -> list[ast.AST]:
    """Return the nodes of a function without those of functions inside it."""
    found, todo = [], list(function.body)
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))
    return found


def array_parameters(function: Function) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [a.arg for a in every if a.annotation and any(kind in ast.unparse(a.annotation) for kind in ARRAYS)]


def gaps(text: str, path: str) -> list[str]:
    """Return what the docstrings of a module leave unsaid."""
    tree = ast.parse(text)
    room = path.split("/")[1]
    problems = []
    if not ast.get_docstring(tree) and text.strip():
        problems.append("the module has no docstring")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    functions = public(tree.body)
    problems += [f"{node.name}: no docstring" for node in (*classes, *functions) if not ast.get_docstring(node)]

    for function in (*functions, *(method for node in classes for method in public(node.body))):
        said = ast.get_docstring(function) or ""
        if any(isinstance(node, ast.Raise) and node.exc for node in own_nodes(function)) and "aise" not in said:
            problems.append(f"{function.name}: raises an error and does not say so")

    if room in NUMERIC:
        for function in functions:
            said = ast.get_docstring(function) or ""
            if array_parameters(function) and not function.name.startswith("read_") and ">>>" not in said:
                problems.append(f"{function.name}: no example")
            unnamed = [name for name in array_parameters(function) if not re.search(rf"\b{name}\b", said)]
            if unnamed:
                problems.append(f"{function.name}: says nothing of {', '.join(unnamed)}")
    sourced = room in SOURCED and path.split("/")[-1].removesuffix(".py") not in MACHINERY
    if sourced and functions and not any("Source:" in (ast.get_docstring(n) or "") for n in (tree, *functions)):
        problems.append("neither the module nor a function of it names its source")
    return problems


@pytest.mark.parametrize("path", modules())
def test_docstrings_say_what_a_reader_must_know(path):
    assert gaps((ROOT / path).read_text(encoding="utf-8"), path) == []


GOOD = '''"""Mean of a cohort. Source: a paper, eq. 1."""
def mean(y: FloatArray) -> float:
    """Return the mean of ``y``, shape (n,). Raises ``EstimationError`` if it is empty.

    >>> mean(np.ones(2))
    1.0
    """
    if not len(y):
        raise EstimationError("empty")
    return y.mean()
'''


def test_a_full_docstring_passes():
    assert gaps(GOOD, "mtvp_eval/estimators/mean.py") == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("Source: a paper, eq. 1.", "", "source"),
        (">>> mean(np.ones(2))", "", "no example"),
        ("``y``", "values", "says nothing of y"),
        ("Raises ``EstimationError``", "Refused", "does not say so"),
        ('"""Mean of a cohort. Source: a paper, eq. 1."""', "", "the module has no docstring"),
    ],
)
def test_a_gap_is_found(old, new, problem):
    assert any(problem in gap for gap in gaps(GOOD.replace(old, new), "mtvp_eval/estimators/mean.py"))


def test_a_missing_docstring_is_found():
    text = '"""A module."""\nclass A: ...\ndef b(): ...\ndef _c(): ...\n'
    assert gaps(text, "mtvp_eval/report/a.py") == ["A: no docstring", "b: no docstring"]
