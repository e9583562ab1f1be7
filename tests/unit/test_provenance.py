import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from mtvp_eval.provenance import named_files, provenance, record_run


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw" / "example"
    (folder / "surveys").mkdir(parents=True)
    (folder / "costs.csv").write_bytes(b"a,b\n")
    (folder / "surveys" / "work.csv").write_bytes(b"c\n")
    (folder / ".~lock.costs.csv#").write_bytes(b"open in a spreadsheet")
    (folder / "~$costs.xlsx").write_bytes(b"open in a spreadsheet")
    return folder


def git(folder: Path, *arguments: str) -> str:
    author = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, env=os.environ | author, capture_output=True, check=True, encoding="utf-8"
    ).stdout.strip()


def test_inputs_are_hashed_by_name(raw):
    found = provenance(named_files(raw, "raw/example"), seed=7).to_dict()
    assert list(found["inputs"]) == ["raw/example/costs.csv", "raw/example/surveys/work.csv"]
    assert found["inputs"]["raw/example/costs.csv"] == hashlib.sha256(b"a,b\n").hexdigest()
    assert found["seed"] == 7


def test_manifest_is_the_same_wherever_the_files_stand(raw, tmp_path):
    first = provenance(named_files(raw, "raw/example"), seed=7)
    moved = raw.rename(tmp_path / "elsewhere")
    assert provenance(named_files(moved, "raw/example"), seed=7) == first
    assert str(tmp_path) not in json.dumps(first.to_dict())


def test_one_changed_byte_shows(raw):
    before = provenance(named_files(raw, "raw/example"), seed=7)
    (raw / "costs.csv").write_bytes(b"a;b\n")
    assert provenance(named_files(raw, "raw/example"), seed=7) != before


def test_run_knows_commit_and_whether_clean(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "--quiet", "--message", "a")
    run = record_run(tmp_path)
    assert (run.commit, run.clean) == (git(tmp_path, "rev-parse", "HEAD"), True)
    (tmp_path / "a.txt").write_text("b")
    assert record_run(tmp_path).clean is False


def test_run_outside_a_clone_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    run = record_run(tmp_path).to_dict()
    assert (run["commit"], run["clean"]) == (None, None)
    assert {"numpy", "pandas", "statsmodels"} <= set(run["packages"])
    json.dumps(run)


def test_run_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert record_run(tmp_path).commit is None
