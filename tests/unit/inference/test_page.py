"""The page on inference runs as it stands."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[3] / "docs" / "inference.md"


def test_the_example_in_python_runs():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(compile(code, PAGE.name, "exec"), names)
    assert names["both"].n_units == 36
    assert np.isfinite(names["study"].covariance).all()
