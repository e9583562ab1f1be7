"""Write what the committed reports' notebooks show into their templates; run by `make notebooks` after a change."""

from pathlib import Path

from mtvp_eval.pipeline.pool import TEMPLATE as POOLED_TEMPLATE
from mtvp_eval.pipeline.pool_reading import POOLED
from mtvp_eval.pipeline.publish import NOTEBOOKS
from mtvp_eval.pipeline.publish_open_data import TEMPLATE
from mtvp_eval.report.render import store_outputs

ROOT = Path(__file__).resolve().parent.parent

SHOWN = {**dict.fromkeys(NOTEBOOKS, "example"), POOLED_TEMPLATE: POOLED, TEMPLATE: "open_data"}

for name, region in SHOWN.items():
    store_outputs(ROOT / "reports" / region / f"{name}.ipynb", ROOT / "notebooks" / f"{name}.ipynb")
    print(f"notebooks/{name}.ipynb shows what reports/{region}/{name}.ipynb shows")
