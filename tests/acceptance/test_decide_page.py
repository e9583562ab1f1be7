"""docs/decide.md runs as it stands and says what it finds."""

import json
import re
from pathlib import Path

import pytest

from mtvp_eval.cli import main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "decide.md").read_text(encoding="utf-8")


@pytest.fixture
def spec(tmp_path):
    blocks = re.findall(r"`([\w.]+)`[^\n`]*\n\n```(?:csv|yaml)\n(.*?)```", PAGE, flags=re.DOTALL)
    assert [name for name, _ in blocks] == ["effects.csv", "costs.csv", "spec.yaml"]
    for name, content in blocks:
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / "spec.yaml"


def test_the_worked_example_gives_what_the_page_says(spec, capsys):
    assert main(["decide", str(spec)]) == 0
    assert "fifteen" in capsys.readouterr().out
    found = json.loads((spec.parent / "decision.json").read_text(encoding="utf-8"))
    assert found["icer"]["fifteen"] == pytest.approx(20.0)
    assert found["frontier"]["twenty"]["icer"] == pytest.approx(180.0)
    assert [found["optimal"][k] for k in ("0", "50", "200")] == ["usual", "fifteen", "twenty"]
    assert {"ceac", "ceaf", "evpi", "comparison", "eib"} <= set(found)


def test_every_key_the_page_names_is_read(spec, capsys):
    spec.write_text(
        spec.read_text(encoding="utf-8").replace("reference: usual ", "reference: usuall "), encoding="utf-8"
    )
    assert main(["decide", str(spec)]) == 2
    assert "did you mean usual?" in capsys.readouterr().err
