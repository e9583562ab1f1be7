"""Notebooks: strict parameters, thin templates, a whole report or none, the same bytes again."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from mtvp_eval.errors import CommandError, DataError, EstimationError, MtvpError
from mtvp_eval.report.html_check import problems
from mtvp_eval.report.publish import Rendering, publish
from mtvp_eval.report.render import check_parameters, execute, store_outputs
from mtvp_eval.report.verify import verify
from tests.unit.report.made_region import made_inputs

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "notebooks"
GOOD = {"region": "made", "language": "nl"}


def made_template(folder: Path, name: str) -> Path:
    """The real template with its evaluation replaced by the made-up region."""
    notebook = nbformat.read(TEMPLATES / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.source.startswith("from mtvp_eval.pipeline"):
            cell.source = (
                "from tests.unit.report.made_region import made_inputs\nfrom mtvp_eval.report.page import Page"
            )
        if cell.source.startswith("page = "):
            cell.source = "page = Page(made_inputs(region=region), language)"
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def templates(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"regoin": "north", "language": "nl"}, "unknown parameter regoin .*region.*missing parameter region"),
        ({"region": "north"}, "missing parameter language"),
        ({"region": 3, "language": "nl"}, "parameter region is int, not str"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(parameters, said, tmp_path):
    with pytest.raises(CommandError, match=said) as refused:
        execute(TEMPLATES / "region_evaluation.ipynb", tmp_path / "out.ipynb", parameters)
    assert refused.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_without_declared_parameters_is_refused(tmp_path):
    notebook = nbformat.read(TEMPLATES / "insurer_brief.ipynb", as_version=4)
    notebook.cells[1].metadata = {}
    nbformat.write(notebook, tmp_path / "bare.ipynb")
    with pytest.raises(CommandError, match="must carry the tag `parameters`"):
        check_parameters(tmp_path / "bare.ipynb", GOOD)


@pytest.mark.parametrize("name", ["region_evaluation", "insurer_brief"])
def test_templates_are_thin(name):
    notebook = nbformat.read(TEMPLATES / f"{name}.ipynb", as_version=4)
    first, parameters, imports, run, *shown = notebook.cells
    assert first.cell_type == "markdown"
    assert parameters.metadata.tags == ["parameters"]
    assert all(line.startswith("from ") for line in imports.source.splitlines())
    assert "region_inputs(region)" in run.source
    for cell in notebook.cells[1:]:
        assert len(cell.source.splitlines()) <= 6
        assert not cell.source.rstrip().endswith(";")
    assert all(cell.source.startswith("page.") and "\n" not in cell.source for cell in shown)


def test_a_failing_cell_is_named_and_leaves_nothing(templates, tmp_path):
    template = made_template(templates, "insurer_brief")
    notebook = nbformat.read(template, as_version=4)
    notebook.cells[5].source = "page.table('no such table')"
    nbformat.write(notebook, template)
    with pytest.raises(EstimationError, match=r"stopped in cell .*There is no table 'no such table'"):
        execute(template, tmp_path / "out.ipynb", GOOD)
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.slow
def test_a_report_is_published_whole_and_again_with_the_same_bytes(templates, tmp_path):
    folder = tmp_path / "reports" / "made"
    folder.mkdir(parents=True)
    (folder / "evaluation.yaml").write_text("region: made\n", encoding="utf-8")
    (folder / "manifest.json").write_text('{"files": {"gone.html": "x"}}', encoding="utf-8")
    (folder / "gone.html").write_text("of an earlier report", encoding="utf-8")
    notebooks = [
        Rendering(
            made_template(templates, "region_evaluation"), {"region": "made", "language": "en"}, "region_evaluation"
        ),
        Rendering(made_template(templates, "insurer_brief"), GOOD, "insurer_brief"),
    ]
    report = publish(folder, notebooks, made_inputs(), ["01012345"])
    names = {path.name for path in folder.iterdir()}
    assert names == {*report.files, "evaluation.yaml"}
    assert [path.name for path in folder.parent.iterdir()] == ["made"]
    first = {name: (folder / name).read_bytes() for name in report.files}

    for name in ("region_evaluation.html", "insurer_brief.html"):
        page = first[name].decode("utf-8")
        assert problems(page) == ()
        assert "made_inputs" not in page  # no code
    for name in ("region_evaluation.ipynb", "insurer_brief.ipynb"):
        assert str(tmp_path) not in first[name].decode("utf-8")
        assert all(c.get("execution_count") for c in json.loads(first[name])["cells"] if c["cell_type"] == "code")
    assert 'lang="nl"' in first["insurer_brief.html"].decode("utf-8")

    template = notebooks[0].template
    store_outputs(folder / "region_evaluation.ipynb", template)
    stored = nbformat.read(template, as_version=4)
    assert all(c.outputs for c in stored.cells if c.source.startswith("page."))
    assert not [c for c in stored.cells if "injected-parameters" in c.metadata.get("tags", [])]

    publish(folder, notebooks, made_inputs(), ["01012345"])  # a template with stored outputs gives the same report
    assert {name: (folder / name).read_bytes() for name in report.files} == first
    verify(folder, made_inputs())


def test_a_stored_notebook_says_nothing_of_when_it_ran(tmp_path):
    run = {"papermill": {"duration": 0.1}, "execution": {"iopub.status.idle": "2026-01-01T00:00:00Z"}, "tags": []}
    cells = [nbformat.v4.new_markdown_cell("Read me.", metadata=run), nbformat.v4.new_code_cell("1", metadata=run)]
    executed, template = tmp_path / "executed.ipynb", tmp_path / "template.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {}}), executed)
    store_outputs(executed, template)
    assert [cell.metadata for cell in nbformat.read(template, as_version=4).cells] == [{"tags": []}] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"draw": {"variant": "queue, practice 01012345 first"}}, DataError),
        ({"title": {"nl": "x"}}, MtvpError),
    ],
)
def test_a_refused_report_leaves_the_folder_as_it_was(templates, tmp_path, inputs, error, monkeypatch):
    from mtvp_eval.report import publish as module

    folder = tmp_path / "reports" / "made"
    folder.mkdir(parents=True)
    (folder / "evaluation.yaml").write_text("region: made\n", encoding="utf-8")
    if error is MtvpError:

        def refuse(path: Path) -> None:
            raise MtvpError("not readable")

        monkeypatch.setattr(module, "assert_readable", refuse)
    with pytest.raises(error):
        publish(
            folder,
            [Rendering(made_template(templates, "insurer_brief"), GOOD, "insurer_brief")],
            made_inputs(**inputs),
            ["01012345"],
        )
    assert [path.name for path in folder.iterdir()] == ["evaluation.yaml"]
    assert [path.name for path in folder.parent.iterdir()] == ["made"]


def test_a_folder_that_cannot_be_written_is_a_wrong_command(tmp_path, monkeypatch):
    import tempfile

    def refuse(**_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(CommandError, match=r"cannot be written .Permission denied"):
        publish(tmp_path / "made", [], made_inputs(), [])


def test_a_killed_run_is_put_right_by_the_next(tmp_path):
    from mtvp_eval.report.publish import _recover

    aside = tmp_path / ".made.previous"
    aside.mkdir()
    (aside / "evaluation.yaml").write_text("x", encoding="utf-8")
    _recover(tmp_path / "made")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["evaluation.yaml"]
    assert not aside.exists()
