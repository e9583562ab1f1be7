"""The tutorial on a real randomised rollout gives its stored outputs again, where the table is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = "pj_officer_level_balanced.csv.gz"


@pytest.mark.shared
def test_the_tutorial_repeats(shared_dir: Path, tmp_path: Path) -> None:
    source = shared_dir / "data" / "published" / FILE
    assert source.is_file(), f"{FILE} is missing from the data beside the project"
    (tmp_path / "raw" / "police").mkdir(parents=True)
    (tmp_path / "raw" / "police" / FILE).symlink_to(source)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--nbval", "--nbval-current-env"]
    command += ["--nbval-cell-timeout", "600", "notebooks/police_training.ipynb"]
    environment = {**os.environ, "MTVP_PROJECT": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
