"""Write what the example's executed notebooks show into their templates; run by `make notebooks` after a change."""

from pathlib import Path

from mtvp_eval.pipeline.publish import NOTEBOOKS
from mtvp_eval.report.render import store_outputs

ROOT = Path(__file__).resolve().parent.parent

for name in NOTEBOOKS:
    store_outputs(ROOT / "reports" / "example" / f"{name}.ipynb", ROOT / "notebooks" / f"{name}.ipynb")
    print(f"notebooks/{name}.ipynb shows what reports/example/{name}.ipynb shows")
